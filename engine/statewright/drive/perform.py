"""Running the handler of one task."""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import suppress
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from statewright.drive.children.continuing import hands_over, successor_of
from statewright.drive.children.nested import is_nested, start_nested
from statewright.drive.session import Session
from statewright.errors import StatewrightError
from statewright.model import Event, Execution, Frame, Phase, Successor, TaskAnswer, TaskKind, TaskOrder, TaskSubmitted
from statewright.tasks import Call, TaskContext, TaskError
from statewright.tasks.context import idempotency_key
from statewright.tasks.failure import compact, failure
from statewright.values import Json, Payload, check, encode

__all__ = ["Performance", "is_large", "perform", "runs_handler", "task_context"]


class Performance(Struct, frozen=True):
    """How a handler ended: with `output`, or with `error` and perhaps `cause`.  `submitted`: the output tells only that
    the work was submitted; `successor`: the execution that goes on where this one ends."""

    output: Payload | None = None
    error: str | None = None
    cause: str | None = None
    submitted: bool = False
    successor: Successor | None = None

    def event(self, **common: Any) -> Event:
        """What it means to the frame; `common` are the members of every event."""
        if self.output is None:
            return TaskAnswer(**common, error=self.error, cause=self.cause, failed=True)
        if self.submitted:
            return TaskSubmitted(**common, output=self.output)
        return TaskAnswer(**common, output=self.output, successor=self.successor)


def runs_handler(frame: Frame) -> bool:
    """Whether a handler is due: the answer of a CALL, the submission of a TOKEN task."""
    order = frame.task
    return (
        frame.phase is Phase.TASK and order is not None and order.kind is not TaskKind.ACTIVITY and not order.submitted
    )


def is_large(frame: Frame) -> bool:
    """Whether a commit of the frame is waited for (a million characters), so that memory holds no window of such."""
    return len(frame.input.text) > 1_000_000


def task_context(session: Session, execution: Execution, frame: Frame, order: TaskOrder) -> TaskContext:
    """What the handler of a frame's task is told."""
    return TaskContext(
        execution_arn=execution.arn,
        execution_name=execution.name,
        resource=order.resource,
        state=frame.state,
        attempt=sum(frame.retries),
        idempotency_key=idempotency_key(execution, frame),
        task_token=session.tokens.sign(execution.id, frame.id, frame.epoch) if order.kind is TaskKind.TOKEN else None,
        sleep=session.clock.sleep,
        _beat=_Heartbeat(session, execution.id, frame).beat,
    )


async def perform(session: Session, execution: Execution, frame: Frame, context: TaskContext) -> Performance:
    """Do the work of a frame's task: start a nested execution, or the successor of this one, or call the handler of its
    resource.  A registered handler goes before what is built in."""
    order = frame.task
    assert order is not None  # noqa: S101
    continues = hands_over(order.resource)
    if order.resource in session.registry or not (continues or is_nested(order.resource)):
        done = await _handle(session, order, context)
        return replace(done, submitted=True) if order.kind is TaskKind.TOKEN else done
    try:
        if continues:
            answer, successor = await successor_of(session, execution, order)
            return Performance(Payload.of(answer), successor=successor)
        output = Payload.of(await start_nested(session, execution, frame, order))
    except TaskError as error:
        return _failed(error, None, False)
    return Performance(output, submitted=order.kind is not TaskKind.CALL)


async def _handle(session: Session, order: TaskOrder, context: TaskContext) -> Performance:
    """Call the handler of an order and say how it ended.

    Whatever a handler does short of killing the process ends here: exceptions of any kind, results that are not JSON.
    Only the cancellation of the running asyncio task passes, and what ends an event loop.
    """
    request_id: str | None = None
    integrated = False
    try:
        call = session.registry.resolve(order.resource, order.arguments)
        if call.is_lambda:
            request_id = str(uuid.UUID(hex=context.idempotency_key[:32], version=4))
        integrated = call.wrap is not None
        returned, result = await _call(session, call, context)
        if not returned:
            return _failed(result, request_id, integrated)
        if call.wrap is not None:
            check(result)
            result = call.wrap(result, request_id or "")
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return _failed(error, request_id, integrated)  # the handler awaited something of its own that was cancelled
    except BaseException as error:
        return _failed(error, request_id, integrated)
    return _result(result, order.resource)


def _failed(error: BaseException, request_id: str | None, integrated: bool) -> Performance:
    name, cause = failure(error, request_id)
    return Performance(error=name, cause=compact(cause) if integrated else cause)


def _result(result: Json, resource: str) -> Performance:
    try:
        check(result)
        return Performance(output=Payload.parse(encode(result)))
    except ValueError as error:
        return Performance(error="Statewright.InvalidResult", cause=f"The handler of '{resource}' returned {error}")


async def _call(session: Session, call: Call, context: TaskContext) -> tuple[bool, Any]:
    """Call a handler when there is room for it: (True, its result), or (False, what it raised in its thread)."""
    arguments = (call.input, context) if call.with_context else (call.input,)
    if session.slots.locked():
        with session.clock.rest():
            await session.slots.acquire()
    else:
        await session.slots.acquire()
    try:
        if call.is_async:
            with _OnlyHere():
                return True, await call.handler(*arguments)
        returned, result = await asyncio.get_running_loop().run_in_executor(
            session.threads, _in_thread, call, arguments
        )
    finally:
        session.slots.release()
    return returned, await result if asyncio.iscoroutine(result) else result


def _in_thread(call: Call, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Call a synchronous handler.  What it raises is handed over as a value: a future cannot carry StopIteration."""
    try:
        with _OnlyHere():
            return True, call.handler(*arguments)
    except BaseException as error:  # it would end the thread, and nobody would ever hear of the task
        return False, error


class _OnlyHere:
    """A block that no other process leaves: a child that a handler forked ends with it, and does not go on as a second
    worker with the connections of the first (F22 of the failure model)."""

    __slots__ = ("_process",)

    def __enter__(self) -> None:
        self._process = os.getpid()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if os.getpid() != self._process:
            status = error.code if isinstance(error, SystemExit) else None
            os._exit(status if isinstance(status, int) else int(error is not None))


class _Heartbeat:
    """Sends a task's heartbeats, from any thread, one at a time."""

    def __init__(self, session: Session, execution: str, frame: Frame) -> None:
        self._session = session
        self._target = (execution, frame.id, frame.epoch)
        self._loop = asyncio.get_running_loop()
        self._sending: asyncio.Task[None] | None = None

    def beat(self) -> None:
        self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = self._session.clock.spawn(self._send())

    async def _send(self) -> None:
        with suppress(StatewrightError):  # a missed heartbeat is what the time-out is for
            await self._session.store.heartbeat(*self._target, None)
