"""Continue as new: an execution that ends and hands over to a fresh one of the same state machine, so that what goes on
for ever has a bounded history.

The successor begins in the commit that ends the execution: there is always exactly one that goes on.
"""

from __future__ import annotations

from statewright.arn import arn_within, execution_id, uuid_of
from statewright.drive.children.nested import execution_input
from statewright.drive.session import Session
from statewright.errors import StatewrightError
from statewright.model import Execution, Successor, TaskOrder
from statewright.states.task import Resource
from statewright.step import begin
from statewright.tasks import TaskError
from statewright.values import Json

__all__ = ["hands_over", "successor_of"]

_MEMBERS = frozenset({"Input", "Latest"})


def hands_over(resource: str) -> bool:
    """Whether a Resource ends the execution and begins its successor.

    Example: ``hands_over("arn:aws:states:::statewright:continueAsNew")``
    """
    return Resource.parse(resource).hands_over


async def successor_of(session: Session, execution: Execution, order: TaskOrder) -> tuple[Json, Successor]:
    """The execution that a task asks for, and what it answers: as StartExecution does.

    Its definition is that of the execution, or the present one of the state machine with ``"Latest": true``.  Whoever
    waits for the execution waits for the successor from then on.  Raises TaskError for arguments that make no sense.
    """
    arguments = order.arguments.value
    if not isinstance(arguments, dict) or not arguments.keys() <= _MEMBERS:
        raise TaskError("Statewright.InvalidArguments", "continueAsNew takes Input and Latest, and nothing else")
    definition, role = execution.definition, execution.role_arn
    if arguments.get("Latest", False) is not False:
        record = await session.store.machine(execution.machine_name)
        if record is not None:
            definition, role = record.hash, record.role_arn
    try:
        given = execution_input(arguments.get("Input"), session)
    except StatewrightError as error:
        raise TaskError(f"Statewright.{error.code}", error.message) from None
    name = _name_in_place(session, execution)
    fresh = Execution(
        id=execution_id(execution.machine_name, name),
        arn=arn_within(execution.machine_arn, "execution", name),
        name=name,
        machine_arn=execution.machine_arn,
        machine_name=execution.machine_name,
        definition=definition,
        input=given,
        started_at=session.clock.now(),
        role_arn=role,
        link=execution.link,
        predecessor=execution.arn,
    )
    program = await session.programs.compiled(definition, fresh.type)
    answer = {"ExecutionArn": fresh.arn, "StartDate": fresh.started_at}
    return answer, Successor(fresh, begin(program, fresh, session.limits))


def _name_in_place(session: Session, execution: Execution) -> str:
    """A name whose execution is in the same shard.  It follows from the execution: should the store lose the commit,
    it is the same again, and so are the idempotency keys of what the successor does."""
    shard, number = session.store.shard_of(execution.id), 0
    while True:
        name = uuid_of(execution.id, "successor", str(number))
        if session.store.shard_of(execution_id(execution.machine_name, name)) == shard:
            return name
        number += 1
