"""What a handler may ask about the task it does, and tell the engine while doing it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from statewright.model import Execution, Frame

__all__ = ["TaskCancelled", "TaskContext", "idempotency_key"]


class TaskCancelled(Exception):  # noqa: N818  named for what happened, as asyncio.CancelledError is
    """Raised by `TaskContext.raise_if_cancelled`: nobody waits for this task's result any more."""


def idempotency_key(execution: Execution, frame: Frame) -> str:
    """A key for the side effect of a task: 64 hex digits, a pure function of the place in the execution.

    Position, state and visit say which task of the execution this is; neither redelivery nor a crash nor a retry of the
    state changes them, so that the same key always means the same intended effect.

    Example: ``idempotency_key(execution, frame) == idempotency_key(execution, frame_after_a_crash)``
    """
    place = "\n".join((execution.arn, frame.position, frame.state, str(frame.visit)))
    return hashlib.sha256(place.encode()).hexdigest()


@dataclass(slots=True, eq=False)
class TaskContext:
    """The second argument of a handler that takes one: ``def charge(order, context): ...``

    Arguments:
        execution_arn, execution_name: of the execution.
        resource: the state's Resource.
        state: name of the Task state.
        attempt: how often the state's work was retried before, 0 the first time.
        idempotency_key: the same for every attempt at this task: give it to whatever has the side effect.
        task_token: for a ``.waitForTaskToken`` resource, what the answer is to be sent with; else None.
        sleep: ``await context.sleep(seconds)`` waits by the engine's clock (which may be a virtual one).
    """

    execution_arn: str
    execution_name: str
    resource: str
    state: str
    attempt: int
    idempotency_key: str
    task_token: str | None
    sleep: Callable[[float], Awaitable[None]]
    _beat: Callable[[], None] = field(repr=False)
    _cancelled: bool = False

    def heartbeat(self) -> None:
        """Say that the work goes on: HeartbeatSeconds start anew.  May be called from any thread; returns at once.

        Example: ``for part in parts: work(part); context.heartbeat()``
        """
        self._beat()

    @property
    def cancelled(self) -> bool:
        """Whether the result is not wanted any more (time-out, stop, lost lease).  Asynchronous handlers are cancelled
        by asyncio besides; for one in a thread this is the only sign."""
        return self._cancelled

    def raise_if_cancelled(self) -> None:
        """Raise TaskCancelled if `cancelled`.

        Example: ``for part in parts: context.raise_if_cancelled(); work(part)``
        """
        if self._cancelled:
            raise TaskCancelled(f"the task of state '{self.state}' is not waited for any more")

    def cancel(self) -> None:
        """Set `cancelled`; called by the engine."""
        self._cancelled = True
