"""What a step answers: history, commands, the frame as it is afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from statewright.model.frames import Execution, Fork, Frame, MapRun, TaskOrder, TimerKind
from statewright.values import Payload

__all__ = [
    "Command", "EndExecution", "Finish", "HistoryEvent", "StartMapRun", "StartTask", "StartTimer", "Step", "Successor",
]  # fmt: skip


class HistoryEvent(Struct, frozen=True):
    """One event of the execution's history, before it has its id.

    Arguments:
        type: as GetExecutionHistory has it, e.g. ``TaskStateEntered``.
        details: members of the event's details object; a Payload stands for a JSON text; None: no details object.
        previous: None = the last event of the same frame that is not a side event; 0 = none (recorded: the first two
            events of an execution).
        side: later events of the frame do not follow this one (recorded: MapIterationSucceeded, MapStateSucceeded,
            TaskStateAborted …).  A parent whose children all succeeded follows the last event of the last child,
            side event or not; after a failure it follows the failed child's last event that is not a side event.
            A further child of a Map follows the last event of the finished one that is not a side event.
        at: ms, when it happened, if that was before the commit that writes it down; None: the time of the commit.
    """

    type: str
    details: Mapping[str, Any] | None = None
    previous: int | None = None
    side: bool = False
    at: int | None = None


class StartTask(Struct, frozen=True):
    """Run the handler of the frame's task once this commit is acknowledged (CALL, TOKEN), or offer it (ACTIVITY)."""

    order: TaskOrder


class StartTimer(Struct, frozen=True):
    """Fire at `due` (ms, absolute) or, if that is None, `delay` ms after the commit, by the store's clock."""

    kind: TimerKind
    delay: int = 0
    due: int | None = None


class StartMapRun(Struct, frozen=True):
    """Open a map run: from now on this frame's worker starts child executions for its items, until there are none."""

    run: MapRun


class Finish(Struct, frozen=True):
    """A child frame ends: with `output`, or with `error` and `cause`; `result` is what the join keeps of it."""

    output: Payload | None = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False


class EndExecution(Struct, frozen=True):
    """The root frame ends the execution: SUCCEEDED, FAILED, TIMED_OUT or ABORTED.

    `at` (ms) is when it ended, None: when this is committed.  An execution that is out of time ended when its time was
    over, however late that is noticed (measured on AWS: stopDate is startDate plus TimeoutSeconds exactly).
    `successor` begins in the same commit.
    """

    status: str
    output: Payload | None = None
    error: str | None = None
    cause: str | None = None
    at: int | None = None
    successor: Successor | None = None


Command: TypeAlias = StartTask | StartTimer | Fork | StartMapRun | Finish | EndExecution


class Step(Struct, frozen=True):
    """The answer to an event, to be committed as one.

    Arguments:
        frame: as it is afterwards.
        history: events to append, in order.
        commands: rows to apply in the same commit.
        pinned: a text in it names an absolute event id, so it may only be committed onto a history of exactly
            `event.base` events (else the step is taken again with the right base).
        entered: 1-based place in `history` of the Entered event of the frame's current state, if in this commit.
        drop: ids of descendant frames that this step ended.
        closed: epochs of this frame's forks that are over; their joins are deleted.
        map_run: epoch and status (SUCCEEDED, FAILED) of this frame's map run that is over; children that still run are
            stopped.
        keep_timers: leave the frame's timers as they are (the parked order goes on); otherwise every timer of the
            frame but EXECUTION is replaced by the StartTimer commands of this step.
    """

    frame: Frame
    history: tuple[HistoryEvent, ...] = ()
    commands: tuple[Command, ...] = ()
    pinned: bool = False
    entered: int | None = None
    drop: tuple[str, ...] = ()
    closed: tuple[int, ...] = ()
    map_run: tuple[int, str] | None = None
    keep_timers: bool = False


class Successor(Struct, frozen=True):
    """An execution that goes on where another one ends, with a history of its own: `first` is its first commit, which
    has one event, a frame about to enter its first state, and perhaps the timer of the execution (`step.begin`)."""

    execution: Execution
    first: Step
