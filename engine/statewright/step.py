"""The centre of the engine: one pure function, `step(program, execution, frame, event)`.

A frame is always in one `Phase`.  It enters a state (ENTER) and either leaves it in the same step (Pass, Choice,
Succeed, Fail, a Wait that is over) or parks: in TASK until an answer comes, in WAIT until a timer fires, in JOIN until
its children have ended, in MAP_RUN until its child executions have, in RETRY until a back-off is over.  DONE is the
end.  What may happen in which phase is the table `LEGAL`; every other event, and every event of an earlier epoch (a
duplicate, a late timer, an answer after a retry), changes nothing.

One step is one transition: it finishes the state the frame was parked in, if any, and enters at most one state.  Time
and chance come with the event, so equal arguments give equal answers.  User data can only raise StatesError, which is
caught in one place, `_guarded`, and given to the state's retriers and catchers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from statewright.errors import EvaluationError, StatesError, runtime_error
from statewright.lang.scope import Entropy
from statewright.model import (
    Continue,
    EndExecution,
    Event,
    Execution,
    Finish,
    Frame,
    HistoryEvent,
    Joined,
    Limits,
    Phase,
    StartTimer,
    Step,
    Stopped,
    TaskAnswer,
    TaskSubmitted,
    TimerFired,
    TimerKind,
)
from statewright.recovery import error_output, find_retrier, matches, retry_delay
from statewright.states.base import Exited, Failed, Outcome, Parked, Program, Turn
from statewright.states.containers import Map
from statewright.states.distributed import Feeding
from statewright.values import NotJsonError, Payload

__all__ = ["LEGAL", "Program", "begin", "feed", "step"]

_DEFAULT_LIMITS: Final = Limits()
_NEAR: Final = 6000
"""So many events before the limit, branches and iterations begin to count exactly: more than forty of them have under
way at once."""
_CONTAINERS: Final = frozenset({"Parallel", "Map"})
"""State types with an event for their failure."""
_ABORTED: Final = _CONTAINERS | {"Task", "Wait"}
"""State types with an event for being aborted (API model, HistoryEventType)."""


def _no_token(frame_id: str, epoch: int) -> str:
    return f"{frame_id}#{epoch}"


def begin(program: Program, execution: Execution, limits: Limits = _DEFAULT_LIMITS) -> Step:
    """The first commit of an execution: its ExecutionStarted event and a root frame about to enter the first state.

    An EXPRESS execution has `limits.express_seconds` at most, even if its TimeoutSeconds say more.

    Example: ``begin(program, execution).frame.phase is Phase.ENTER``
    """
    machine = program.machines[execution.entry]
    frame = Frame("", machine.key, "", machine.start_at, execution.input)
    started = HistoryEvent("ExecutionStarted", {"input": execution.input, "roleArn": execution.role_arn}, previous=0)
    due = _time_out(program, execution, limits)
    return Step(frame, (started,), () if due is None else (StartTimer(TimerKind.EXECUTION, due=due),))


def _time_out(program: Program, execution: Execution, limits: Limits) -> int | None:
    """When the execution's time is over (ms), if that is limited."""
    seconds = None if execution.entry else program.timeout_seconds  # a child execution's parent has them
    if execution.type == "EXPRESS":
        seconds = min(limits.express_seconds, seconds if seconds is not None else limits.express_seconds)
    return None if seconds is None else execution.started_at + seconds * 1000


def step(
    program: Program,
    execution: Execution,
    frame: Frame,
    event: Event,
    limits: Limits = _DEFAULT_LIMITS,
    sign: Callable[[str, int], str] = _no_token,
) -> Step:
    """What `frame` does about `event`: its next form, the history it writes, and the commands to commit with it.

    Arguments:
        program, execution: compiled definition and constants of the execution.
        frame: as it was last committed.
        event: what happened.
        limits: sizes beyond which executions fail.
        sign: makes the task token of (frame id, epoch).

    An event that is not due in the frame's phase, or is of another epoch, gives the same frame and no history.

    Example: ``step(program, execution, frame, Continue(at=0, entropy="")).history[0].type == "PassStateEntered"``
    """
    turn = Turn(program, execution, frame, event, limits, sign, Entropy(event.entropy))
    if isinstance(event, Stopped):
        end = EndExecution("ABORTED", error=event.error, cause=event.cause)
        return _end_early(turn, "ExecutionAborted", end, event.open)
    if isinstance(event, TimerFired) and event.kind is TimerKind.EXECUTION:
        end = EndExecution("TIMED_OUT", error="States.Timeout", at=_time_out(program, execution, limits))
        return _end_early(turn, "ExecutionTimedOut", end, event.open)
    react = LEGAL.get((frame.phase, type(event)))
    if react is None or (frame.phase is not Phase.ENTER and event.epoch != frame.epoch):
        return Step(frame, keep_timers=True)
    outcome = react(turn, event)
    if isinstance(outcome, Exited) and outcome.next is not None:
        _move(turn, outcome)
        if frame.phase is not Phase.ENTER:  # the state was parked in before: this step may still enter one
            outcome = _enter(turn, event)
            if isinstance(outcome, Exited) and outcome.next is not None:
                _move(turn, outcome)
    return _conclude(turn, outcome)


def feed(
    program: Program,
    execution: Execution,
    frame: Frame,
    event: Event,
    limits: Limits = _DEFAULT_LIMITS,
    sign: Callable[[str, int], str] = _no_token,
) -> Feeding:
    """What makes the inputs of a map run's child executions, for a frame in Phase.MAP_RUN; arguments as for `step`.

    Errors it raises have AWS's words about where they happened.

    Example: ``feed(program, execution, frame, Continue(at=0, entropy="")).input([item])``
    """
    turn = Turn(program, execution, frame, event, limits, sign, Entropy(event.entropy))
    state = turn.state
    assert isinstance(state, Map) and frame.map_run is not None  # noqa: S101, PT018  the frame is in Phase.MAP_RUN
    return Feeding(turn, state, frame.map_run, lambda error: _located(turn, error))


# ---------------------------------------------------------------------------------------------------------------------
# Reactions
# ---------------------------------------------------------------------------------------------------------------------
def _enter(turn: Turn, event: Event) -> Outcome:
    """Enter the frame's state; a child that never ran begins its machine first."""
    if turn.frame.state == "":
        failed = _begin_child(turn)
        if failed is not None:
            return failed
    frame = turn.frame
    turn.frame = replace(
        frame,
        visit=frame.visit + 1,
        entered_at=event.at,
        retries=(),
        task=None,
        fork=None,
        map_run=None,
        phase=Phase.ENTER,
    )
    state = turn.state
    turn.record(f"{state.type}StateEntered", {"name": state.name, "input": frame.input})
    turn.entered = len(turn.history) or None
    return _guarded(turn, lambda: state.enter(turn))


def _begin_child(turn: Turn) -> Failed | None:
    """A branch or iteration starts: its first state, and for a Map the iteration's event and selected input."""
    child, machine = turn.frame, turn.machine
    begun = replace(child, state=machine.start_at)
    if child.item is not None and machine.owner is not None:
        owner_key, owner_name = machine.owner
        owner = turn.program.machines[owner_key].states[owner_name]
        assert isinstance(owner, Map)  # noqa: S101  only Map states have items
        turn.record("MapIterationStarted", {"name": owner_name, "index": child.item.index})
        if child.fork is not None and child.fork.input is not None:
            effective, entered_id = child.fork.input, child.fork.entered_id
            outer = replace(child, machine=owner_key, state=owner_name, entered_id=entered_id)
            turn.frame = replace(outer, input=effective, entered_at=turn.event.at)
            try:
                begun = replace(begun, input=owner.select(turn, effective.value))
            except (StatesError, NotJsonError) as error:
                failure = _located(turn, error)
                turn.frame = begun
                _tell(turn, failure, owner_name)
                return Failed(failure)
    turn.frame = begun
    return None


def _resume(turn: Turn, event: Event) -> Outcome:
    state = turn.state
    return _guarded(turn, lambda: state.resume(turn, event))


def _again(turn: Turn, event: Event) -> Outcome:  # noqa: ARG001
    """A back-off is over: the state orders its work once more, within the same visit."""
    state = turn.state
    return _guarded(turn, lambda: state.enter(turn))


LEGAL: Final[dict[tuple[Phase, type[Event]], Callable[[Turn, Any], Outcome]]] = {
    (Phase.ENTER, Continue): _enter,
    (Phase.TASK, TaskAnswer): _resume,
    (Phase.TASK, TaskSubmitted): _resume,
    (Phase.TASK, TimerFired): _resume,
    (Phase.WAIT, TimerFired): _resume,
    (Phase.RETRY, TimerFired): _again,
    (Phase.JOIN, Joined): _resume,
    (Phase.MAP_RUN, Joined): _resume,
}
"""What may happen in which phase, and what is done about it."""


# ---------------------------------------------------------------------------------------------------------------------
# Errors
# ---------------------------------------------------------------------------------------------------------------------
def _guarded(turn: Turn, act: Callable[[], Outcome]) -> Outcome:
    """The one place where errors of user data are caught."""
    try:
        return act()
    except (StatesError, NotJsonError) as error:
        failure = _located(turn, error)
        _tell(turn, failure, turn.frame.state)
        return _recover(turn, failure)


def _located(turn: Turn, error: StatesError | NotJsonError) -> StatesError:
    """The error with AWS's words about where it happened, if it is of the kind that has them (recorded)."""
    if isinstance(error, NotJsonError):
        error = runtime_error(f"The value cannot be written as JSON: {error}")
    if not error.in_state:
        return error
    where = f"An error occurred while executing the state '{turn.frame.state}' (entered at the event id "
    cause = f"{where}#{turn.entered_id()}). {error.cause}"
    if not isinstance(error, EvaluationError):
        return StatesError(error.error, cause, in_state=False, aliases=error.aliases, announce=error.announce)
    located = EvaluationError(cause, error.location, begun=error.begun)
    located.in_state = False
    if turn.state.type in _CONTAINERS:
        located.announce = f"{turn.state.type}StateFailed"
    return located


def _tell(turn: Turn, error: StatesError, state: str) -> None:
    """Write the event of a failed evaluation.  Recorded: unless the state's work had begun, it follows what the
    state's Entered event follows, as if that were not there (undefined_reference, map_state_items_input_types)."""
    if not isinstance(error, EvaluationError):
        return
    previous = None
    if not error.begun and turn.entered is not None and turn.entered == len(turn.history):
        entered = turn.history[-1]
        turn.history[-1] = replace(entered, side=True)
        previous = entered.previous
    where = {} if error.location is None else {"location": error.location}
    turn.record("EvaluationFailed", {**_error_details(error.error, error.cause), **where, "state": state}, previous)


def _recover(turn: Turn, error: StatesError) -> Outcome:
    """Retry first, then Catch in order, else the machine fails (States Language, "Errors")."""
    frame, state = turn.frame, turn.state
    index = find_retrier(state.retry, frame.retries, error)
    if index is not None:
        used = frame.retries or (0,) * len(state.retry)
        turn.commands.clear()
        delay = retry_delay(state.retry[index], used[index], turn.entropy.uniform)
        turn.command(StartTimer(TimerKind.RETRY, delay=delay))
        counts = tuple(count + (place == index) for place, count in enumerate(used))
        turn.keep_timers = False
        return turn.park(Phase.RETRY, retries=counts, task=None, fork=None, map_run=None)
    if error.announce is not None:
        turn.record(error.announce)
    turn.commands.clear()
    for catcher in state.catch:
        if matches(catcher.error_equals, error.error, error.aliases):
            scope, output = turn.scope(), error_output(error)
            try:
                return turn.leave(scope, catcher.flow.output(scope, output), catcher.flow.assign, output, catcher.next)
            except (StatesError, NotJsonError) as second:
                failure = _located(turn, second)
                _tell(turn, failure, frame.state)
                return Failed(failure)
    return Failed(error)


# ---------------------------------------------------------------------------------------------------------------------
# Endings
# ---------------------------------------------------------------------------------------------------------------------
def _move(turn: Turn, exited: Exited) -> None:
    assert exited.next is not None  # noqa: S101
    turn.frame = replace(
        turn.frame,
        state=exited.next,
        input=exited.output,
        phase=Phase.ENTER,
        retries=(),
        task=None,
        fork=None,
        map_run=None,
    )


def _conclude(turn: Turn, outcome: Outcome) -> Step:
    if isinstance(outcome, Parked):
        turn.frame = outcome.frame
    elif isinstance(outcome, Failed):
        _machine_failed(turn, outcome.error)
    elif outcome.next is None:
        _machine_succeeded(turn, outcome.output)
    _limit_history(turn)
    return Step(
        turn.frame,
        tuple(turn.history),
        tuple(turn.commands),
        turn.pinned,
        turn.entered,
        turn.drop,
        turn.closed,
        turn.map_run,
        turn.keep_timers,
    )


def _machine_succeeded(turn: Turn, output: Payload) -> None:
    frame = turn.frame
    turn.frame = replace(frame, phase=Phase.DONE)
    if frame.id == "":
        turn.record("ExecutionSucceeded", {"output": output})
        turn.command(EndExecution("SUCCEEDED", output, successor=turn.successor))
        return
    if frame.item is not None:
        turn.record("MapIterationSucceeded", {"name": turn.owner, "index": frame.item.index}, side=True)
    turn.command(Finish(output))


def _machine_failed(turn: Turn, error: StatesError) -> None:
    frame = turn.frame
    turn.frame = replace(frame, phase=Phase.DONE)
    if frame.id == "":
        turn.record("ExecutionFailed", _error_details(error.error, error.cause))
        turn.command(EndExecution("FAILED", error=error.error, cause=error.cause))
        return
    # Recorded after a task that failed its branch or iteration; by analogy, other states without an event for it.
    type_ = turn.state.type if frame.visit else ""  # a failed ItemSelector ends a child before its first state
    aborted = type_ in _ABORTED and not (turn.history and turn.history[-1].type == f"{type_}StateFailed")
    if frame.item is not None:
        turn.record("MapIterationFailed", {"name": turn.owner, "index": frame.item.index}, side=True)
    if aborted:
        turn.record(f"{type_}StateAborted", side=True)
    turn.command(Finish(error=error.error, cause=error.cause, failed=True))


def _end_early(turn: Turn, type_: str, end: EndExecution, open_: tuple[Frame, ...]) -> Step:
    """The execution is stopped or out of time, wherever it is; what still runs is dropped without events."""
    frame = turn.frame
    if frame.phase is Phase.DONE:
        return Step(frame, keep_timers=True)
    turn.record(type_, _error_details(end.error, end.cause))
    return Step(
        replace(frame, phase=Phase.DONE),
        tuple(turn.history),
        (end,),
        drop=tuple(child.id for child in open_),
        closed=(frame.epoch,) if frame.phase is Phase.JOIN else (),
    )


def _limit_history(turn: Turn) -> None:
    """The event that reaches the limit is the failure itself (measured on AWS: event 25,000 is ExecutionFailed)."""
    express = turn.execution.type == "EXPRESS"
    limit = turn.limits.express_history_events if express else turn.limits.history_events
    length = turn.event.base + len(turn.history)
    if length < limit - _NEAR:
        return
    if turn.frame.id:
        turn.pinned = True  # others write, too: from here on it counts where exactly this lands
    ends = isinstance(turn.commands[-1] if turn.commands else None, EndExecution)
    if length < limit + ends:
        return
    del turn.history[max(limit - 1 - turn.event.base, 0) :]
    cause = f"The execution reached the maximum number of history events ({limit})."
    turn.commands.clear()
    turn.frame = replace(turn.frame, phase=Phase.DONE)
    turn.entered = None
    if turn.frame.id == "":
        turn.record("ExecutionFailed", _error_details("States.Runtime", cause))
        turn.command(EndExecution("FAILED", error="States.Runtime", cause=cause))
    else:
        turn.command(Finish(error="States.Runtime", cause=cause, failed=True))


def _error_details(error: str | None, cause: str | None) -> dict[str, Any]:
    return {name: value for name, value in (("error", error), ("cause", cause)) if value is not None}
