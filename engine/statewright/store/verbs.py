"""The store's contract: a small set of atomic verbs, each one server-side script.

Every verb is safe to send again with the same arguments when its outcome is unknown: the answer is then the one the
first call gave (or says that the call came too late).  Times come from the server's clock only, in ms; a store that was
opened with a clock of its own (tests, simulation) passes that instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from statewright.model import Execution, Fork, Frame, Step, TaskOrder, TimerKind

__all__ = [
    "KEEP",
    "Claim",
    "Claimed",
    "Commit",
    "Committed",
    "Created",
    "Description",
    "HistoryPage",
    "Lease",
    "MachineRecord",
    "Signal",
    "Signalled",
    "Store",
    "TaskOffer",
]


@dataclass(frozen=True, slots=True)
class Created:
    """Answer of `create`: `outcome` is OK, DUP (same name, same input, still running), EXISTS (name is taken) or CLOCK
    (`Execution.started_at` is more than a second off: make the step again with `now`)."""

    outcome: str
    started_at: int
    now: int
    length: int = 0  # events in the history after the creation (OK only)


KEEP = -1
"""`Commit.keep_ms`: the lease was renewed a short while ago and stays as it is."""


@dataclass(frozen=True, slots=True)
class Commit:
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


@dataclass(frozen=True, slots=True)
class Committed:
    """Answer of `commit`.

    Arguments:
        outcome: OK; DUP (this very commit had been applied); STALE (another revision or owner, a closed join, an ended
            execution: drop the frame); BASE (pinned, and the history has `base` events: step again).
        base: history length before this commit's events (OK, DUP), or now (BASE).
        now: ms, server time of the commit.
        inbox: entries left in the frame's inbox after it (OK): more to do.
    """

    outcome: str
    base: int = 0
    now: int = 0
    inbox: int = 0


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


@dataclass(frozen=True, slots=True)
class Claimed:
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
    """Answer of `claim`: the frames, server time, and when the shard next has something due (None: nothing known)."""

    frames: tuple[Claimed, ...]
    now: int
    next_due: int | None


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease to be extended."""

    execution: str
    frame_id: str
    revision: int


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
class Description:
    """An execution as DescribeExecution shows it."""

    execution: Execution
    status: str
    stopped_at: int | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    length: int = 0

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
class HistoryPage:
    """Stored events `first`..: each (id, previous id, timestamp ms, type, details); text payloads are JSON texts."""

    events: tuple[tuple[int, int, int, str, dict[str, Any] | None], ...]
    length: int


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


class Store(Protocol):
    """What the engine asks of Redis or Valkey; every method raises `StoreUnavailable` if it cannot be reached."""

    shards: int

    def shard_of(self, execution: str) -> int:
        """Shard of an execution id (stable hash modulo `shards`)."""

    async def now(self) -> int:
        """Server time in ms."""

    async def create(
        self, execution: Execution, step: Step, *, digest: str, owner: str = "", lease_ms: int = 0
    ) -> Created:
        """Create an execution with its first history and root frame (`step`); idempotent by `execution.id`.

        A frame that is to go on (Phase.ENTER or TASK) is born leased to `owner` (at revision 1, so the creator can go
        on without a claim) or, without one, ready for any worker; one that is parked is neither.  `digest` identifies
        the input: another one under the same id is EXISTS.  `step` may not fork over items: those are written ahead of
        a commit, by the frame's owner (ValueError).
        """

    async def claim(self, shard: int, owner: str, lease_ms: int, limit: int, machines: Sequence[str] = ()) -> Claim:
        """Lease up to `limit` ready frames; first moves lapsed leases and due timers (at most 100 each) to ready.

        With names of state `machines`, frames of others are left alone, however many there are.
        """

    async def claim_frame(self, execution: str, frame_id: str, owner: str, lease_ms: int) -> Claimed | None:
        """Lease one frame whatever its queue entries say, fencing whoever holds it; None if it does not exist or the
        execution has ended."""

    async def commit(self, commit: Commit) -> Committed:
        """Apply a step atomically.  Calls on one store object reach the server in the order they were made, so steps
        of one frame may be sent without waiting for each other."""

    async def extend(self, shard: int, owner: str, leases: Sequence[Lease], lease_ms: int) -> list[bool]:
        """Extend leases; False for each that is lost (other owner, other revision, or gone)."""

    async def release(self, shard: int, owner: str, leases: Sequence[Lease]) -> None:
        """Give frames back to the ready queue at once (graceful shutdown)."""

    async def signal(self, execution: str, frame_id: str, signal: Signal) -> Signalled:
        """Put an entry into a frame's inbox and make it ready.  An `answer` is taken once per epoch."""

    async def heartbeat(self, execution: str, frame_id: str, epoch: int, seconds: int | None) -> Signalled:
        """Start the heartbeat timer of the frame's open task anew (no event, no revision); `seconds` is the stored
        HeartbeatSeconds when None."""

    async def take_activity(self, activity: str, worker: str) -> TaskOffer | None:
        """Hand the oldest waiting task of an activity to a worker, once; its frame gets a `taken` signal."""

    async def results(self, execution: str, frame_id: str, epoch: int) -> tuple[tuple[str | None, ...], dict[str, Any]]:
        """Results of a join by index (None where there is none), and its record: {"failed": closed by a failure (whose
        error may have no name), "error", "cause", "index", "exceeded", "length", "open": bool}."""

    async def open_frames(self, execution: str, frame_id: str) -> tuple[tuple[Frame, int], ...]:
        """All descendants of a frame that still exist, each with the history id of its last event, in tree order."""

    async def describe(self, execution: str) -> Description | None:
        """An execution, or None."""

    async def history(self, execution: str, start: int, count: int, *, reverse: bool = False) -> HistoryPage:
        """`count` events from the 0-based place `start` (counted from the end if `reverse`)."""

    async def executions(
        self, machine: str | None, status: str | None, start: int, count: int
    ) -> tuple[list[Description], bool]:
        """Executions, most recent first; and whether there are more."""

    async def put_machine(self, record: MachineRecord) -> MachineRecord:
        """Create or update a state machine (a new revision if the definition changed); returns what is stored."""

    async def machine(self, name: str) -> MachineRecord | None:
        """A state machine by name."""

    async def machines(self) -> list[MachineRecord]:
        """All state machines, by name."""

    async def definition(self, hash: str) -> str | None:  # noqa: A002
        """A definition text by its content hash (executions pin theirs)."""

    async def secret(self) -> bytes:
        """The store's random secret (made once), with which task tokens are signed."""

    async def fork(self, execution: str, frame_id: str, epoch: int) -> Fork | None:
        """The fork record of a frame's children (without its items); may be cached: it never changes."""

    async def health(self) -> dict[str, Any]:
        """Versions, persistence and eviction settings, for `doctor`: {"server", "version", "appendonly",
        "appendfsync", "maxmemory_policy", "schema", "store_id", ...}; None where CONFIG may not be read."""

    async def watch_bell(self) -> None:
        """Return when something became ready in any shard since the last call (may be early)."""

    async def watch_end(self, execution: str) -> None:
        """Return when the execution may have ended (check with `describe`)."""

    async def close(self) -> None:
        """Close all connections."""
