"""What an execution is made of: its constants, its frames, and what a frame may wait for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct, field

from statewright.values import Json, Payload

__all__ = [
    "Execution", "Fork", "Frame", "Item", "Link", "LinkKind", "MachineType", "MapRun", "Phase", "TaskKind", "TaskOrder",
    "TimerKind",
]  # fmt: skip


MachineType: TypeAlias = Literal["STANDARD", "EXPRESS"]
"""The type of a state machine and of its executions, as CreateStateMachine has it."""


class Phase(StrEnum):
    """What a frame is about to do, or waits for."""

    ENTER = "enter"  # about to enter `state` with `input`
    TASK = "task"  # a task is ordered: a handler runs, an activity worker polls, or a token is out
    WAIT = "wait"  # a Wait state's timer runs
    RETRY = "retry"  # a retrier's back-off runs; then the state's work is ordered again
    JOIN = "join"  # children of a Parallel or Map state run
    MAP_RUN = "map_run"  # child executions of a distributed Map state run
    DONE = "done"  # finished (only the root frame is kept after that)


class TaskKind(StrEnum):
    """Who does the work of a task, and how the answer comes back."""

    CALL = "call"  # a registered handler; its return value is the result
    TOKEN = "token"  # a handler submits the work; the answer is sent with the task token
    JOB = "job"  # a nested execution that is waited for: its end is the answer, unless the token was answered before
    ACTIVITY = "activity"  # a polling activity worker, answering with the task token


class TimerKind(StrEnum):
    """What a timer is for."""

    WAIT = "wait"
    RETRY = "retry"
    TIMEOUT = "timeout"  # TimeoutSeconds of a task
    HEARTBEAT = "heartbeat"  # HeartbeatSeconds of a task; started anew by each heartbeat
    EXECUTION = "execution"  # TimeoutSeconds of the state machine; belongs to the execution, whatever the epoch


class LinkKind(StrEnum):
    """What an execution is to the one that started it."""

    STARTED = "started"  # nothing more
    AWAITED = "awaited"  # its end answers a task; its output is shown as text (``.sync``)
    AWAITED_JSON = "awaited_json"  # the same; its output is shown as a value (``.sync:2``)
    MAP_RUN = "map_run"  # it works on items of a distributed Map


class Link(Struct, frozen=True):
    """By which order of which frame an execution was started.

    Arguments:
        execution, frame_id, epoch: of the order.
        index: MAP_RUN: its place among the child executions of the map run.
        items: MAP_RUN: how many items it works on.
    """

    kind: LinkKind
    execution: str
    frame_id: str
    epoch: int
    index: int = 0
    items: int = 1


class Execution(Struct, frozen=True, eq=False, weakref=True):
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
        entry: key of the machine it runs; not "" for a child execution of a distributed Map, whose `machine_name` and
            `machine_arn` end in ``/<label>``.
        map_run: ARN of the map run it belongs to, or "".
        link: the order it was started by, None for StartExecution.
        sync: whoever started it waits for its end (StartSyncExecution).
        predecessor: ARN of the execution that handed over to it, or "".
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
    entry: str = ""
    map_run: str = ""
    link: Link | None = None
    sync: bool = False
    predecessor: str = ""


class TaskOrder(Struct, frozen=True):
    """The work a parked Task state waits for, complete enough to order it again after a crash.

    Arguments:
        kind: who answers.
        resource: the state's Resource, verbatim.
        arguments: what the handler gets (after InputPath and Parameters).
        timeout_seconds, heartbeat_seconds: None where the state has none.
        submitted: a TOKEN task's handler has returned; only the answer is awaited.
        execution: a JOB's: ARN of the nested execution.
    """

    kind: TaskKind
    resource: str
    arguments: Payload
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None
    submitted: bool = False
    execution: str = ""


class Item(Struct, frozen=True):
    """The Map item a frame works on: `$$.Map.Item`; `source` says where a distributed Map has it from."""

    index: int
    value: Payload
    key: str | None = None
    source: str | None = None


class MapRun(Struct, frozen=True):
    """The child executions a distributed Map state runs: where their inputs come from, and where results go.

    Arguments:
        epoch: of the frame; with its id this names the map run.
        arn: of the map run, ``…:mapRun:<state machine>/<label>:<uuid>``.
        machine: key of the ItemProcessor, which each child execution runs.
        execution_type: of the children: STANDARD or EXPRESS.
        items: the items, as one array, unless there is a `reader`; `keys`: names where an object is mapped over.
        reader: the evaluated ItemReader: Resource, Arguments, ReaderConfig.
        batched: there is an ItemBatcher; `batch_items`, `batch_bytes`: its evaluated limits (0: none), `batch_input`:
            its evaluated BatchInput.
        writer: the evaluated ResultWriter: Resource, Arguments, WriterConfig.
        concurrency: how many children run at once.
        tolerated_count, tolerated_percentage: of items that may fail; None where not given.
        result_bytes: how large all results together may be; None where they are written to files.
    """

    epoch: int
    arn: str
    machine: str
    execution_type: str
    concurrency: int
    items: Payload | None = None
    keys: tuple[str, ...] = ()
    reader: Payload | None = None
    batched: bool = False
    batch_items: int = 0
    batch_bytes: int = 0
    batch_input: Payload | None = None
    writer: Payload | None = None
    tolerated_count: int | None = None
    tolerated_percentage: float | None = None
    result_bytes: int | None = None


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
        entered_id: history id of the state's Entered event (kept by the store, not in the body).
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
    entered_id: int = 0


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
        map_run: of a frame in Phase.MAP_RUN.
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
    map_run: MapRun | None = None
    item: Item | None = None
    outer_item: Item | None = None
    entered_id: int = 0
