"""Events: what a step is a reaction to."""

from __future__ import annotations

from msgspec import Struct

from statewright.model.frames import Frame, TimerKind
from statewright.model.steps import Successor
from statewright.values import Payload

__all__ = ["Continue", "Event", "Joined", "Stopped", "TaskAnswer", "TaskSubmitted", "TimerFired"]


class Event(Struct, frozen=True, kw_only=True):
    """Base of all events.

    Arguments:
        at: ms by the store's clock, now.
        entropy: seed of every random choice of this step.
        base: number of events in the execution's history, as far as known (exact for an execution of one frame).
        epoch: of the order this answers.
    """

    at: int
    entropy: str
    base: int = 0
    epoch: int = 0


class Continue(Event, frozen=True, kw_only=True):
    """Enter the frame's next state (the frame is in Phase.ENTER)."""


class TaskAnswer(Event, frozen=True, kw_only=True):
    """The task ended: with `output`, or (`failed`) with perhaps an `error` name and a `cause`.

    `by_token`: the answer came from outside, with the task token or by the end of the nested execution (rather than:
    the handler itself returned or failed).  `successor`: the execution that goes on where this one ends.
    """

    output: Payload | None = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    by_token: bool = False
    successor: Successor | None = None


class TaskSubmitted(Event, frozen=True, kw_only=True):
    """A TOKEN task's handler returned `output`, or an activity worker named `worker` took the task."""

    output: Payload | None = None
    worker: str | None = None


class TimerFired(Event, frozen=True, kw_only=True):
    """A timer is due by the store's clock; `open`: children that run, when it is the EXECUTION timer."""

    kind: TimerKind
    open: tuple[Frame, ...] = ()


class Joined(Event, frozen=True, kw_only=True):
    """The children of a Parallel or Map state have come to an end.

    Arguments:
        results: one JSON text per child, in order (a tolerated failure is its Error Output), if all went well.
        result: of a map run that went well: the state's result as a whole.
        error, cause: of the failure that closed the join, `index` the failed child.
        exceeded: the tolerated failure threshold was exceeded (rather than: one child failed and none may).
        open: children still running when the join closed, to be aborted.
    """

    results: tuple[str, ...] | None = None
    result: Payload | None = None
    error: str | None = None
    cause: str | None = None
    index: int = 0
    exceeded: bool = False
    open: tuple[Frame, ...] = ()


class Stopped(Event, frozen=True, kw_only=True):
    """StopExecution was called; only ever sent to the root frame."""

    error: str | None = None
    cause: str | None = None
    open: tuple[Frame, ...] = ()
