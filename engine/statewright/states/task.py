"""Task: work done outside the engine, by a handler, an activity worker, or whoever holds the task token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from statewright.arn import arn_within
from statewright.errors import StatesError, runtime_error
from statewright.lang.dataflow import Dataflow, Language, Value
from statewright.lang.scope import Scope
from statewright.model import (
    Event,
    Phase,
    StartTask,
    StartTimer,
    TaskAnswer,
    TaskKind,
    TaskOrder,
    TaskSubmitted,
    TimerFired,
    TimerKind,
)
from statewright.recovery import Retrier
from statewright.states.base import Catcher, CompileMachine, Outcome, Parked, Turn, recovery
from statewright.values import Json

__all__ = ["CONTINUE_AS_NEW", "Resource", "Task"]

CONTINUE_AS_NEW: Final = "arn:aws:states:::statewright:continueAsNew"
"""Resource of a Task that ends the execution and begins a fresh one of the same state machine in its place."""

_SERVICE: Final = re.compile(r"arn:[^:]*:states:[^:]*:[^:]*:((?:aws-sdk:)?[^:]+):(.+)")
_ACTIVITY: Final = re.compile(r"arn:[^:]*:states:[^:]*:[^:]*:activity:.+")
_TOKEN_SUFFIX: Final = ".waitForTaskToken"
_NESTED: Final = frozenset({"startExecution.sync", "startExecution.sync:2"})
"""Actions of the service `states` that wait for the end of the execution they start."""

_SUBMITTED: Final = frozenset({TaskKind.TOKEN, TaskKind.JOB})
"""Kinds whose handler only submits the work; if it fails, the task failed to submit (API model,
TaskSubmitFailedEventDetails; not recorded)."""


def _nested_execution(turn: Turn, arguments: Json) -> str:
    """ARN of the execution that a JOB starts; "" where its arguments do not say which state machine it is to be of.

    It is fixed when the work is ordered, so that whatever happens to the handler there is one execution, and it can be
    stopped.  Without a Name it gets a new one for each attempt.
    """
    machine = arguments.get("StateMachineArn") if isinstance(arguments, dict) else None
    name = arguments.get("Name", turn.order_id()) if isinstance(arguments, dict) else None
    if not isinstance(machine, str) or not isinstance(name, str):
        return ""
    parts = machine.split(":")
    if len(parts) != 7 or parts[5] != "stateMachine" or not parts[6] or not name or ":" in name:
        return ""
    return arn_within(machine, "execution", name)


@dataclass(frozen=True, slots=True)
class Resource:
    """A parsed `Resource`: who does the work, and which family of history events tells of it.

    Arguments:
        text: verbatim.
        kind: who answers, and how.
        family: prefix of the event types: LambdaFunction, Task or Activity.
        service, action: of an integration, e.g. ``lambda`` and ``invoke.waitForTaskToken``; "" otherwise.
    """

    text: str
    kind: TaskKind
    family: str
    service: str = ""
    action: str = ""

    @classmethod
    def parse(cls, text: str) -> Resource:
        """Activity ARNs and `arn:…:states:::service:action` are recognised; all else (Lambda ARNs, plain names) is a
        function, or with `.waitForTaskToken` a service of its own.

        Example: ``Resource.parse("arn:aws:states:::lambda:invoke").service == "lambda"``
        """
        if _ACTIVITY.fullmatch(text):
            return cls(text, TaskKind.ACTIVITY, "Activity")
        kind = TaskKind.TOKEN if text.endswith(_TOKEN_SUFFIX) else TaskKind.CALL
        service = _SERVICE.fullmatch(text)
        if service:
            if service[1] == "states" and service[2] in _NESTED:
                kind = TaskKind.JOB
            return cls(text, kind, "Task", service[1], service[2])
        if kind is TaskKind.TOKEN:  # a name of our own: a function's events have none for a submission
            return cls(text, kind, "Task", "statewright", text)
        return cls(text, kind, "LambdaFunction")

    @property
    def has_token(self) -> bool:
        """Is there a task token in the context object?  (Recorded: also of a job that is waited for.)"""
        return self.kind is not TaskKind.CALL or self.action.endswith((".sync", ".sync:2"))

    @property
    def hands_over(self) -> bool:
        """Does the task end the execution and begin its successor?"""
        return self.text == CONTINUE_AS_NEW

    @property
    def shown(self) -> str:
        """How a message about its result names it (recorded: the ARN of a function, the name of a service)."""
        return self.service or self.text


@dataclass(frozen=True, slots=True)
class Task:
    """Orders work and waits for the answer."""

    type: ClassVar[str] = "Task"
    name: str
    flow: Dataflow
    next: str | None
    resource: Resource
    timeout: Value | None
    heartbeat: Value | None
    credentials: Value | None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Task:  # noqa: ARG003
        """See `State.compile`."""
        return cls(
            name,
            language.dataflow(spec),
            spec.get("Next"),
            Resource.parse(spec["Resource"]),
            language.integer(spec, "TimeoutSeconds"),
            language.integer(spec, "HeartbeatSeconds"),
            language.credentials(spec),
            *recovery(spec, language),
        )

    def enter(self, turn: Turn) -> Outcome:
        """Order the work; a retry evaluates the arguments anew, since the context has a new RetryCount (recorded)."""
        if self.resource.hands_over:
            self._check_hand_over(turn)
        epoch = turn.frame.epoch + 1
        scope = turn.scope(epoch if self.resource.has_token else None)
        effective = self.flow.effective(scope)
        arguments = turn.payload(self.flow.arguments(scope, effective))
        timeout = self.timeout and self.timeout(scope, effective)
        heartbeat = self.heartbeat and self.heartbeat(scope, effective)
        nested = _nested_execution(turn, arguments.value) if self.resource.kind is TaskKind.JOB else ""
        order = TaskOrder(self.resource.kind, self.resource.text, arguments, timeout, heartbeat, execution=nested)
        self._record_scheduled(turn, order, self.credentials and self.credentials(scope, effective))
        if self.resource.kind is not TaskKind.ACTIVITY:
            self._record(turn, "Started")
        turn.command(StartTask(order))
        if timeout is not None:
            turn.command(StartTimer(TimerKind.TIMEOUT, delay=timeout * 1000))
        if self.resource.kind is not TaskKind.ACTIVITY:
            self._await_heartbeat(turn, order)
        return turn.park(Phase.TASK, task=order)

    def _check_hand_over(self, turn: Turn) -> None:
        """An execution can hand over where it ends, and where it is one by itself."""
        about = turn.execution
        if turn.frame.id or about.entry or about.type == "EXPRESS" or self.next is not None:
            where = "at the end of a STANDARD execution, not inside a Parallel or Map state"
            raise runtime_error(f"{CONTINUE_AS_NEW} is possible only {where}.")

    def _await_heartbeat(self, turn: Turn, order: TaskOrder) -> None:
        """Start the clock of HeartbeatSeconds.  An activity's starts when a worker takes it: before, there is nobody
        who could send one (AWS documentation, "Task workflow state"); TimeoutSeconds also covers that wait."""
        if order.heartbeat_seconds is not None:
            turn.command(StartTimer(TimerKind.HEARTBEAT, delay=order.heartbeat_seconds * 1000))

    def resume(self, turn: Turn, event: Event) -> Outcome:
        """The answer came, the task was taken or submitted, or its time is over."""
        if isinstance(event, TaskAnswer) and event.by_token:
            self._overtaken(turn)
        match event:
            case TaskSubmitted(worker=worker, output=output):
                return self._submitted(turn, worker, output)
            case TimerFired(kind=kind):
                # Recorded: a missed heartbeat is reported as States.Timeout too, and neither has a cause.
                aliases = ("States.HeartbeatTimeout",) if kind is TimerKind.HEARTBEAT else ()
                self._record(turn, "TimedOut", error="States.Timeout")
                raise StatesError("States.Timeout", None, in_state=False, aliases=aliases)
            case TaskAnswer(output=output, failed=False, successor=successor) if output is not None:
                exited = self._succeeded(turn, output)
                turn.successor = successor
                return exited
            case TaskAnswer(error=error, cause=cause, by_token=by_token):
                failure = StatesError(error, cause, in_state=False)
                what = "SubmitFailed" if self.resource.kind in _SUBMITTED and not by_token else "Failed"
                self._record(turn, what, error=failure.error, cause=failure.cause)
                raise failure
        raise AssertionError(f"a task is not resumed by {type(event).__name__}")  # pragma: no cover

    def _submitted(self, turn: Turn, worker: str | None, output: Any) -> Outcome:
        turn.keep_timers = True
        order = turn.frame.task
        assert order is not None  # noqa: S101  a frame in Phase.TASK has one
        if self.resource.kind is TaskKind.ACTIVITY:
            self._record(turn, "Started", **({"workerName": worker} if worker else {}))
            self._await_heartbeat(turn, order)
        else:
            self._record(turn, "Submitted", output=output)
        return Parked(replace(turn.frame, task=replace(order, submitted=True)))

    def _overtaken(self, turn: Turn) -> None:
        """An answer by token proves that the work was submitted, though its handler has not returned, or died before
        it could say so: the history tells it all the same, without the output nobody will ever know."""
        order = turn.frame.task
        if self.resource.kind in _SUBMITTED and order is not None and not order.submitted:
            self._record(turn, "Submitted")

    def _succeeded(self, turn: Turn, output: Any) -> Outcome:
        try:
            turn.check_size(output, self.resource.shown)
        except StatesError as error:
            self._record(turn, "Failed", error=error.error, cause=error.cause)
            raise
        self._record(turn, "Succeeded", output=output)
        return turn.exit(self._result_scope(turn), output.value, self.next)

    def _result_scope(self, turn: Turn) -> Scope:
        return turn.scope(turn.frame.epoch if self.resource.has_token else None)

    def _record_scheduled(self, turn: Turn, order: TaskOrder, credentials: Any) -> None:
        details: dict[str, Any] = {}
        if self.resource.family == "Task":
            details["parameters"] = order.arguments
            details["region"] = turn.execution.arn.split(":")[3]
            details["resource"] = self.resource.action
            details["resourceType"] = self.resource.service
        else:
            details["input"] = order.arguments
            details["resource"] = self.resource.text
        if order.timeout_seconds is not None:
            details["timeoutInSeconds"] = order.timeout_seconds
        if order.heartbeat_seconds is not None:
            details["heartbeatInSeconds"] = order.heartbeat_seconds
        if credentials is not None:
            details["taskCredentials"] = {"roleArn": credentials}
        turn.record(f"{self.resource.family}Scheduled", details)

    def _record(self, turn: Turn, what: str, **details: Any) -> None:
        """An event of the task's family; members that are None are left out, as AWS does."""
        shown = {name: value for name, value in details.items() if value is not None}
        if self.resource.family == "Task":
            shown |= {"resource": self.resource.action, "resourceType": self.resource.service}
        turn.record(f"{self.resource.family}{what}", shown)
