"""Nested executions: ``arn:aws:states:::states:startExecution`` and its kin, built in.

A task that starts an execution and goes on, one that waits for its end (``.sync``, ``.sync:2``), one that hands it a
task token.  Starting is safe to repeat: the execution carries a link to the order that started it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from statewright.arn import arn_within, check_name, execution_id, uuid_of
from statewright.drive.session import Session
from statewright.drive.starting import start_execution
from statewright.errors import CAUSE_LENGTH, StatewrightError
from statewright.lang.timestamps import iso_time
from statewright.model import Execution, Frame, Link, LinkKind, TaskOrder
from statewright.states.task import Resource
from statewright.store.records import Description, MachineRecord
from statewright.store.replies import TROUBLE
from statewright.tasks import TaskError
from statewright.values import Json, NotJsonError, Payload, decode, encode

__all__ = ["described", "execution_input", "is_nested", "outcome", "start_nested"]

_ACTIONS = {
    ("states", "startExecution"): LinkKind.STARTED,
    ("states", "startExecution.sync"): LinkKind.AWAITED,
    ("states", "startExecution.sync:2"): LinkKind.AWAITED_JSON,
    ("states", "startExecution.waitForTaskToken"): LinkKind.STARTED,
    ("aws-sdk:sfn", "startExecution"): LinkKind.STARTED,
    ("aws-sdk:sfn", "startExecution.waitForTaskToken"): LinkKind.STARTED,
}
"""Service and action to what the started execution is to the one that starts it."""

_NOT_THE_REQUEST = TROUBLE | {"ClockSkew"}
"""Errors of the store, by which no task fails: it is begun again later."""


def is_nested(resource: str) -> bool:
    """Whether a Resource starts an execution.

    Example: ``is_nested("arn:aws:states:::states:startExecution.sync:2")``
    """
    parsed = Resource.parse(resource)
    return (parsed.service, parsed.action) in _ACTIONS


async def start_nested(session: Session, execution: Execution, frame: Frame, order: TaskOrder) -> Json:
    """Start the execution that a task asks for; again for the same order it is the same execution.

    Returns what StartExecution answers.  Raises TaskError with the words AWS has for what is refused (recorded:
    error_handling.task_service_sfn.start_execution_no_such_arn).
    """
    resource = Resource.parse(order.resource)
    try:
        asked = await _asked(session, execution, frame, order)
        kind = _ACTIONS[resource.service, resource.action]
        child = _execution(session, asked, Link(kind, execution.id, frame.id, frame.epoch))
        created = await start_execution(session.store, session.programs, session.clock, child, None, session.limits)
        if created.outcome == "EXISTS":
            raise StatewrightError("ExecutionAlreadyExists", f"Execution Already Exists: '{child.arn}'")
    except StatewrightError as error:
        if error.code in _NOT_THE_REQUEST:
            raise
        raise _refused(resource, error, order, frame) from None
    session.lookout.ring([session.store.shard_of(child.id)])
    sdk = resource.service == "aws-sdk:sfn"
    return {
        "ExecutionArn": child.arn,
        "StartDate": iso_time(created.started_at) if sdk else created.started_at,
    }


@dataclass(frozen=True, slots=True)
class _Asked:
    """A StartExecution request that makes sense."""

    machine: MachineRecord
    name: str
    input: Payload


async def _asked(session: Session, execution: Execution, frame: Frame, order: TaskOrder) -> _Asked:
    arguments = order.arguments.value
    arn = arguments.get("StateMachineArn") if isinstance(arguments, dict) else None
    if not isinstance(arn, str):
        raise StatewrightError("InvalidArn", "Invalid Arn: 'StateMachineArn is required'")
    parts = arn.split(":")
    record = await session.store.machine(parts[6]) if len(parts) == 7 and parts[5] == "stateMachine" else None
    if record is None or record.arn != arn:
        raise StatewrightError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    name = arguments.get("Name")
    if order.execution:
        name = order.execution.rpartition(":")[2]
    elif name is None:
        # The same again if this very attempt is repeated, another one for the next attempt.
        name = uuid_of(execution.id, frame.id, str(frame.epoch))
    return _Asked(record, check_name(name), execution_input(arguments.get("Input"), session))


def execution_input(given: Json, session: Session) -> Payload:
    """Text is the input as JSON; nothing is an empty object (recorded)."""
    text = "{}" if given is None else given if isinstance(given, str) else encode(given)
    try:
        decode(text)
    except NotJsonError as error:
        raise StatewrightError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from None
    if len(text.encode()) > session.limits.payload_bytes:
        raise StatewrightError("InvalidExecutionInput", f"larger than {session.limits.payload_bytes} bytes")
    return Payload.parse(text)


def _execution(session: Session, asked: _Asked, link: Link) -> Execution:
    record = asked.machine
    name = asked.name
    if record.type == "EXPRESS":  # their names may repeat: the order says which one it is
        name = f"{name}:{uuid_of(link.execution, link.frame_id, str(link.epoch), 'express')}"
    return Execution(
        id=execution_id(record.name, name),
        arn=arn_within(record.arn, "express" if record.type == "EXPRESS" else "execution", name),
        name=asked.name,
        machine_arn=record.arn,
        machine_name=record.name,
        definition=record.hash,
        input=asked.input,
        started_at=session.clock.now(),
        role_arn=record.role_arn,
        type=record.type,
        link=link,
    )


def _refused(resource: Resource, error: StatewrightError, order: TaskOrder, frame: Frame) -> TaskError:
    request = uuid_of(order.arguments.text, str(frame.epoch))
    if resource.service == "aws-sdk:sfn":
        return TaskError(
            f"Sfn.{error.code}Exception", f"{error.message} (Service: Sfn, Status Code: 400, Request ID: {request})"
        )
    return TaskError(
        f"StepFunctions.{error.code}Exception",
        f"{error.message} (Service: AWSStepFunctions; Status Code: 400; Error Code: {error.code}; "
        f"Request ID: {request}; Proxy: null)",
    )


def described(child: Description, *, parsed: bool) -> dict[str, Json]:
    """An ended execution as ``.sync`` shows it (recorded: callback.start_execution_sync,
    local_mocking.base_callbacks.sfn_start_execution_sync).

    Arguments:
        parsed: Input and Output as JSON values (``.sync:2``) rather than as texts.
    """

    def shown(text: str) -> Json:
        return decode(text) if parsed else text

    about = child.execution
    succeeded = child.status == "SUCCEEDED"
    more: dict[str, Any] = {}
    if child.cause is not None:
        more["Cause"] = child.cause
    if child.error is not None:
        more["Error"] = child.error
    if child.output is not None:
        more |= {"Output": shown(child.output), "OutputDetails": {"Included": True}}
    if succeeded:
        more["RedriveStatusReason"] = "Execution is SUCCEEDED and cannot be redriven"
    return {
        **more,
        "ExecutionArn": about.arn,
        "Input": shown(about.input.text),
        "InputDetails": {"Included": True},
        "Name": about.name,
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE" if succeeded else "REDRIVABLE",
        "StartDate": about.started_at,
        "StateMachineArn": about.machine_arn,
        "Status": child.status,
        "StopDate": child.stopped_at,
    }


def outcome(child: Description) -> dict[str, Any]:
    """The answer that the end of a nested execution gives to the task that waits for it: members of a `Signal`.

    A failure is States.TaskFailed, its cause the description of the execution (recorded).
    """
    link = child.execution.link
    text = encode(described(child, parsed=link is not None and link.kind is LinkKind.AWAITED_JSON))
    if child.status == "SUCCEEDED":
        return {"output": text}
    return {"failed": True, "error": "States.TaskFailed", "cause": text[:CAUSE_LENGTH]}
