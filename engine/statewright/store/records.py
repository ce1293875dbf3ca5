"""What the verbs of a store take and give: frozen data.  Times are in ms by the server's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from statewright.audit import Finding
from statewright.model import Execution, Frame, Step, TaskOrder, TimerKind
from statewright.store.upkeep.serials import Loss

__all__ = [
    "KEEP",
    "ChildEnd",
    "Claim",
    "Claimed",
    "Commit",
    "Committed",
    "Created",
    "DeadLetter",
    "Description",
    "Ended",
    "HistoryPage",
    "Incident",
    "Lease",
    "MachineRecord",
    "MapRunCounts",
    "OpenTask",
    "Presence",
    "Signal",
    "Signalled",
    "TaskOffer",
    "TaskState",
    "Verified",
]


class Created(Struct, frozen=True):
    """Answer of `create`: `outcome` is OK, DUP (same name, same input, still running; or begun by the same order),
    EXISTS (name is taken), CLOSED (its map run is over) or CLOCK (`Execution.started_at` is more than a second
    ahead or a minute ago: make the step again with `now`)."""

    outcome: str
    started_at: int
    now: int
    length: int = 0  # events in the history after the creation (OK only)


KEEP = -1
"""`Commit.keep_ms`: the lease was renewed a short while ago and stays as it is."""


class Commit(Struct, frozen=True):
    """One step to be made durable.

    Arguments:
        execution: internal execution id.
        frame_id: the frame that stepped.
        revision: the frame's revision this step was taken from.
        commit_id: unique to this step; the same in every repetition of the call.
        owner: who holds the frame's lease; a commit by anybody else is STALE.
        step: what to write.
        base: history length the step counted on; checked only if `step.pinned`.
        consumed: how many entries of the frame's inbox this step used up.
        keep_ms: keep the lease for so long (ms), KEEP: as it is; 0 releases the frame.
        requeue: with keep_ms 0: put the frame into the ready queue (for any worker).
        follows: the commit id of the step before this one, if the same holder took it since its claim.
        room: so many of the frames that become ready by the step (children, the parent they join) are the owner's at
            once, leased for `lease_ms`.
    """

    execution: str
    frame_id: str
    revision: int
    commit_id: str
    owner: str
    step: Step
    base: int = 0
    consumed: int = 0
    keep_ms: int = 0
    requeue: bool = False
    follows: str = ""
    room: int = 0
    lease_ms: int = 0


class Committed(Struct, frozen=True):
    """Answer of `commit`.

    Arguments:
        outcome: OK; DUP (this very commit had been applied); STALE (another revision or owner, a closed join, an ended
            execution: drop the frame); BASE (pinned, and the history has `base` events: step again).
        base: history length before this commit's events (OK, DUP), or now (BASE).  STALE: the frame's revision, -1 if
            there is no such frame, -2 if there is no such execution.
        now: ms, server time of the commit.
        inbox: entries left in the frame's inbox after it (OK): more to do; 0 with KEEP, where that was not looked at.
        claimed: frames that are the owner's now (OK, `Commit.room`).
        more: other frames may have become ready.
    """

    outcome: str
    base: int = 0
    now: int = 0
    inbox: int = 0
    claimed: tuple[Claimed, ...] = ()
    more: bool = True


@dataclass(frozen=True, slots=True)
class Signal:
    """An entry of a frame's inbox: something happened while nobody held the frame.

    Arguments:
        kind: timer | joined | answer | submitted | taken | nudge.
        epoch: of the order it answers.
        timer: which timer (kind timer).
        output: JSON text (answer, submitted).
        error, cause: of a failure (answer with failed=True).
        worker: the activity worker that took the task (kind taken).
    """

    kind: str
    epoch: int = 0
    timer: TimerKind | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    worker: str | None = None


class Claimed(Struct, frozen=True):
    """A frame now leased to the claimer.

    `frame` is complete (a child that never ran is made from its fork by the store's codec).  `previous` is the
    history id its next event follows (kept by the store; the caller only shows it).  `asked_at` is when the claim was
    sent, by `time.monotonic`: the lease lasts no longer than its length from then.  `flaw` says why what is stored
    cannot be read; `frame` has only its id then, and the inbox is empty.
    """

    execution: str
    frame: Frame
    revision: int
    previous: int
    inbox: tuple[Signal, ...]
    base: int
    deliveries: int = 1
    asked_at: float = 0.0
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Answer of `claim`: the frames, server time, when the shard next has something due (None: nothing known), and how
    many notices wait there; `loss`: the shard has forgotten something that it had acknowledged."""

    frames: tuple[Claimed, ...]
    now: int
    next_due: int | None
    notices: int = 0
    loss: Loss | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease to be extended."""

    execution: str
    frame_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Presence:
    """What a worker says of itself.

    Arguments:
        owner: unique to the worker; holder of its leases.
        machines: the state machines it works on, in order; none: all.
        held: frames it holds.
        room: as many it would hold; with `held` = `room` it is full.
    """

    owner: str
    machines: tuple[str, ...]
    held: int
    room: int


@dataclass(frozen=True, slots=True)
class Signalled:
    """Answer of `signal`: OK, DUP (the identical answer was given before), STALE (the order is over), MISSING."""

    outcome: str
    now: int = 0


@dataclass(frozen=True, slots=True)
class TaskOffer:
    """An activity task handed to a polling worker."""

    execution: str
    frame_id: str
    epoch: int
    order: TaskOrder


@dataclass(frozen=True, slots=True)
class Incident:
    """Something about the store that people have to know.

    Arguments:
        kind: ``rollback`` (a shard has lost what it had acknowledged) or ``clock`` (a server's clock jumped).
        at: ms, when it was noticed.
        shard: which.
        since: ms, when all was well for the last time; 0: not known.
        evidence: what shows it, in words.
    """

    kind: str
    at: int
    shard: int
    since: int
    evidence: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A frame that is put aside as the engine could not get on with it.

    Arguments:
        execution, execution_arn: whose frame it is; it runs, and other frames of it go on.
        frame_id: "" for the execution itself, else a branch of it.
        since: ms.
        deliveries: how often it was tried without a commit.
        reason: what the last attempt ended with, as far as that is known.
    """

    execution: str
    execution_arn: str
    frame_id: str
    since: int
    deliveries: int
    reason: str


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A parked frame whose task waits for an answer that the store alone cannot judge: whether a handler is due, or how
    the nested execution `child` ("": none) stands."""

    execution: str
    frame: Frame
    revision: int
    child: str


@dataclass(frozen=True, slots=True)
class Nested:
    """A nested execution: its id, status (None: it does not exist), its link as it is stored, and whether its end is
    still to be told."""

    execution: str
    status: str | None
    link: str
    telling: bool


TaskState: TypeAlias = Literal["open", "answered", "over", "ahead"]
"""See `Store.task_state`."""


@dataclass(frozen=True, slots=True)
class MapRunCounts:
    """A map run as it is now.

    Arguments:
        status: RUNNING, SUCCEEDED, FAILED or ABORTED.
        started_at, stopped_at: ms.
        next: index of the next child to be fed, when the reader goes on at `cursor`.
        begun: index after the last child that was begun; more than `next` while children are being fed.
        read: items read so far; `done`: all of them.
        running: children that run; `working`: items they work on; `concurrency`: how many children may run.
        tolerated_count, tolerated_percentage: of failed items, None where not given.
        exceeded: more items failed than may.
        items, executions: how many ended, by status.
    """

    status: str
    started_at: int
    stopped_at: int | None
    next: int
    begun: int
    cursor: str
    read: int
    done: bool
    running: int
    working: int
    concurrency: int
    tolerated_count: int | None
    tolerated_percentage: float | None
    exceeded: bool
    items: dict[str, int]
    executions: dict[str, int]


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child execution ended; `execution` only where results are to be written to files.  If not `kept`, output,
    error and cause were left out: all results together were too large."""

    status: str
    started_at: int
    stopped_at: int
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    execution: Execution | None = None
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Description:
    """An execution as DescribeExecution shows it; `successor`: ARN of the execution it handed over to."""

    execution: Execution
    status: str
    stopped_at: int | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    length: int = 0
    successor: str | None = None
    dead_letters: int = 0  # frames of it that are put aside, while it runs

    @property
    def billed_ms(self) -> int | None:
        """How long an ended execution took, in ms, rounded up to the 100 ms that AWS bills (recorded: billingDetails of
        StartSyncExecution); None while it runs.

        Example: ``{"billedDurationInMilliseconds": description.billed_ms}``
        """
        if self.stopped_at is None:
            return None
        return max(1, -(-(self.stopped_at - self.execution.started_at) // 100)) * 100


@dataclass(frozen=True, slots=True)
class Ended:
    """An execution that ended, and when (ms)."""

    execution: str
    at: int


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Stored events `first`..: each (id, previous id, timestamp ms, type, details); text payloads are JSON texts."""

    events: tuple[tuple[int, int, int, str, dict[str, Any] | None], ...]
    length: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of checking an execution, or keys that are none's (`execution` is "" then).

    Arguments:
        execution: its ARN, or its id if that cannot be read.
        events: how many it has in its history.
        findings: what is wrong.
    """

    execution: str
    events: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """A deployed state machine; `definition` is the text as it was given, `hash` its SHA-256 in hex."""

    name: str
    arn: str
    hash: str
    definition: str
    type: str
    role_arn: str
    created_at: int
    revision: int
