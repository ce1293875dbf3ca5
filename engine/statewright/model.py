"""The nouns of the engine: frames, events, history, commands.  Frozen data without behaviour.

They are msgspec structs, whose changed copies (`msgspec.structs.replace`) are made at the speed of C: every step needs
several.

A **frame** is one running (sub-)machine: the root, a Parallel branch or a Map iteration.  It is the unit of state, of
claiming and of commit.  `step(program, frame, event)` answers with a `Step`: the next frame, the history it wrote and
the commands to be applied in the same atomic commit.

Times are integers in milliseconds since 1970-01-01 UTC, by the clock of the store; durations say their unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct, field

from statewright.values import Json, Payload

__all__ = [
    "Command",
    "Continue",
    "EndExecution",
    "Event",
    "Execution",
    "Finish",
    "Fork",
    "Frame",
    "HistoryEvent",
    "Item",
    "Joined",
    "Limits",
    "Phase",
    "StartTask",
    "StartTimer",
    "Step",
    "Stopped",
    "TaskAnswer",
    "TaskKind",
    "TaskOrder",
    "TaskSubmitted",
    "TimerFired",
    "TimerKind",
]


class Phase(StrEnum):
    """What a frame is about to do, or waits for."""

    ENTER = "enter"  # about to enter `state` with `input`
    TASK = "task"  # a task is ordered: a handler runs, an activity worker polls, or a token is out
    WAIT = "wait"  # a Wait state's timer runs
    RETRY = "retry"  # a retrier's back-off runs; then the state's work is ordered again
    JOIN = "join"  # children of a Parallel or Map state run
    DONE = "done"  # finished (only the root frame is kept after that)


class TaskKind(StrEnum):
    """Who does the work of a task, and how the answer comes back."""

    CALL = "call"  # a registered handler; its return value is the result
    TOKEN = "token"  # a handler submits the work; the answer is sent with the task token
    ACTIVITY = "activity"  # a polling activity worker, answering with the task token


class TimerKind(StrEnum):
    """What a timer is for."""

    WAIT = "wait"
    RETRY = "retry"
    TIMEOUT = "timeout"  # TimeoutSeconds of a task
    HEARTBEAT = "heartbeat"  # HeartbeatSeconds of a task; started anew by each heartbeat
    EXECUTION = "execution"  # TimeoutSeconds of the state machine; belongs to the execution, whatever the epoch


class Limits(Struct, frozen=True):
    """Every limit of the interpreter; the defaults are those of AWS Step Functions (reference, section 1.14).

    Arguments:
        payload_bytes: largest input, output or result, in bytes of UTF-8.
        history_events: an execution fails when its history would grow past this many events.
        map_concurrency: iterations of an inline Map that run at once where MaxConcurrency is 0 or larger.
        wait_seconds: the longest wait a timestamp may ask for.
        variable_bytes: largest single variable or Assign, in bytes of UTF-8.
        variables_bytes: all variables of a scope together, in bytes of UTF-8.
    """

    payload_bytes: int = 262_144
    history_events: int = 25_000
    map_concurrency: int = 40
    wait_seconds: int = 2_147_483_647
    variable_bytes: int = 262_144
    variables_bytes: int = 10 * 1024 * 1024


class Execution(Struct, frozen=True, eq=False):
    """What stays the same through an execution: the source of `$$.Execution` and `$$.StateMachine`.

    Compared by identity: one object serves all steps of an execution in a worker.

    Arguments:
        id: internal id, 26 characters of base32; the shard follows from it.
        arn, name: as the API shows them.
        machine_arn, machine_name: of the state machine.
        definition: content hash (hex SHA-256) of the pinned definition.
        input: the execution's input.
        started_at: ms by the store's clock (within a second, see `Store.create`).
        type: STANDARD or EXPRESS.
    """

    id: str
    arn: str
    name: str
    machine_arn: str
    machine_name: str
    definition: str
    input: Payload
    started_at: int
    role_arn: str = ""
    type: str = "STANDARD"


class TaskOrder(Struct, frozen=True):
    """The work a parked Task state waits for, complete enough to order it again after a crash.

    Arguments:
        kind: who answers.
        resource: the state's Resource, verbatim.
        arguments: what the handler gets (after InputPath and Parameters).
        timeout_seconds, heartbeat_seconds: None where the state has none.
        submitted: a TOKEN task's handler has returned; only the token's answer is awaited.
    """

    kind: TaskKind
    resource: str
    arguments: Payload
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None
    submitted: bool = False


class Item(Struct, frozen=True):
    """The Map item a frame works on: `$$.Map.Item`."""

    index: int
    value: Payload
    key: str | None = None


class Frame(Struct, frozen=True):
    """A running machine: the root (""), or a child named ``<parent>/<epoch>.<index>`` (so its lineage is in its name).

    Arguments:
        id: see above; unique within the execution.
        machine: key of `Program.machines`: "" or a JSON pointer such as ``/States/Ship/Branches/0``.
        position: where in the execution this frame is, whatever retries and crashes happened: from it task
            idempotency keys are made.  Parents' visit numbers and child indexes, e.g. ``/4.0``.
        state: the state to enter (Phase.ENTER) or parked in.
        input: the raw input of `state`.
        phase: see `Phase`.
        epoch: rises each time the frame parks; an answer with another epoch is a no-op.
        visit: how many states this frame has entered, the current one included.
        variables: what `$name` means here: outer scopes' variables and this scope's own.
        own_variables: names assigned in this scope (others are read-only here).
        retries: for each retrier of the current state, how often it was used in this visit.
        entered_at: ms, when the current state was entered.
        task: the order of a frame in Phase.TASK, or to be repeated after Phase.RETRY.
        fork: of a frame in Phase.JOIN; or, for a child that never ran (`state` is ""), the fork it came from.
        item: of a Map iteration.
        outer_item: of the iteration around a Parallel branch, whose context object shows it too.
        entered_id: history id of the current state's Entered event (kept by the store, not in the body).
    """

    id: str
    machine: str
    position: str
    state: str
    input: Payload
    phase: Phase = Phase.ENTER
    epoch: int = 0
    visit: int = 0
    variables: Mapping[str, Json] = field(default_factory=dict)
    own_variables: frozenset[str] = frozenset()
    retries: tuple[int, ...] = ()
    entered_at: int = 0
    task: TaskOrder | None = None
    fork: Fork | None = None
    item: Item | None = None
    outer_item: Item | None = None
    entered_id: int = 0


# ---------------------------------------------------------------------------------------------------------------------
# Events: what a step is a reaction to
# ---------------------------------------------------------------------------------------------------------------------
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

    `by_token`: somebody answered with the task token (rather than: the handler itself returned or failed).
    """

    output: Payload | None = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    by_token: bool = False


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
        error, cause: of the failure that closed the join, `index` the failed child.
        exceeded: the tolerated failure threshold was exceeded (rather than: one child failed and none may).
        open: children still running when the join closed, to be aborted.
    """

    results: tuple[str, ...] | None = None
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


# ---------------------------------------------------------------------------------------------------------------------
# What a step answers
# ---------------------------------------------------------------------------------------------------------------------
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
    """

    type: str
    details: Mapping[str, Any] | None = None
    previous: int | None = None
    side: bool = False


class StartTask(Struct, frozen=True):
    """Run the handler of the frame's task once this commit is acknowledged (CALL, TOKEN), or offer it (ACTIVITY)."""

    order: TaskOrder


class StartTimer(Struct, frozen=True):
    """Fire at `due` (ms, absolute) or, if that is None, `delay` ms after the commit, by the store's clock."""

    kind: TimerKind
    delay: int = 0
    due: int | None = None


class Fork(Struct, frozen=True):
    """Children to run: one per branch of a Parallel state, or one per item of a Map state.

    Arguments:
        epoch: of the parent; children are ``<parent>/<epoch>.<index>``.
        machines: machine keys: one per child (Parallel), or a single one for all (Map).
        position: of child i is ``<position>.<i>``.
        length: number of children.
        window: how many run at once.
        tolerance: how many may fail (0: the first failure closes the join).
        items: Map: JSON text per item, else empty; `keys`: names where an object is mapped over.
        input: Parallel: each branch's input.  Map: the effective input that ItemSelector needs, else None.
        variables: visible to the children, read-only.
        map_name: the Map state's name, None for Parallel.
        outer_item: Parallel: the Map item around it.
    """

    epoch: int
    machines: tuple[str, ...]
    position: str
    length: int
    window: int
    tolerance: int
    items: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    input: Payload | None = None
    variables: Mapping[str, Json] = field(default_factory=dict)
    map_name: str | None = None
    outer_item: Item | None = None


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
    """

    status: str
    output: Payload | None = None
    error: str | None = None
    cause: str | None = None
    at: int | None = None


Command: TypeAlias = StartTask | StartTimer | Fork | Finish | EndExecution


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
    keep_timers: bool = False
