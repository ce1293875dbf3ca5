"""The store's contract: a small set of atomic verbs, each one server-side script.

Every verb is safe to send again with the same arguments when its outcome is unknown: the answer is then the one the
first call gave (or says that the call came too late).  Times come from the server's clock only, in ms; a store that was
opened with a clock of its own (tests, simulation) passes that instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from statewright.audit import Finding
from statewright.model import Execution, Fork, Frame, MapRun, Step
from statewright.store.records import (
    ChildEnd,
    Claim,
    Claimed,
    Commit,
    Committed,
    Created,
    DeadLetter,
    Description,
    Ended,
    HistoryPage,
    Incident,
    Lease,
    MachineRecord,
    MapRunCounts,
    Nested,
    OpenTask,
    Presence,
    Signal,
    Signalled,
    TaskOffer,
    TaskState,
    Verified,
)
from statewright.store.upkeep.measures import Measures

__all__ = ["Store"]


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

    async def claim(
        self, shard: int, owner: str, lease_ms: int, limit: int, machines: Sequence[str] = (), *, patience: int = 0
    ) -> Claim:
        """Lease up to `limit` ready frames; first moves lapsed leases (at most 100) and due timers (at most `limit`, or
        10) to ready.

        With names of state `machines`, frames of others are left alone, however many there are.  With `patience` (ms),
        so is whatever became ready, lapsed or due less than so long ago: somebody else is expected to take it.
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

    async def task_state(self, execution: str, frame_id: str, epoch: int) -> TaskState:
        """What became of the task that a frame ordered at this epoch: it is waited for ("open"), its answer is not used
        yet ("answered"), it is not waited for any more ("over"), or the frame has not come so far ("ahead": the store
        was rolled back, and the frame will order it again)."""

    async def map_run(self, execution: str, frame_id: str, epoch: int) -> MapRun | None:
        """A map run as its state ordered it; may be cached: it never changes."""

    async def map_run_counts(self, execution: str, frame_id: str, epoch: int) -> MapRunCounts | None:
        """A map run as it is now."""

    async def map_runs(self, execution: str) -> tuple[str, ...]:
        """Ids of the map runs of an execution, first to last."""

    async def find_map_run(self, run: str) -> tuple[str, str, int] | None:
        """Execution, frame and epoch of a map run by its id (the last part of its ARN).  Asks every shard."""

    async def find_child(self, execution: str) -> str | None:
        """The full id of a child execution, which names its shard.  Asks every shard."""

    async def advance(
        self,
        execution: str,
        frame_id: str,
        epoch: int,
        owner: str,
        *,
        begun: tuple[int, int],
        cursor: str,
        read: int,
        done: bool,
        idle: bool,
    ) -> tuple[int, int] | None:
        """Tell what a feeding worker has done; (children that run, how many may), None if the run or the lease is lost.

        Arguments:
            begun: index of the first child it began, and of the first it did not.
            cursor: where to go on reading.
            read: how many items those children have.
            done: there are no more.
            idle: the worker stops here; the frame becomes ready when there is room (entry ``F<epoch>``).
        """

    async def update_map_run(self, execution: str, frame_id: str, epoch: int, changes: dict[str, float]) -> bool:
        """Change `concurrency`, `tolerated_count`, `tolerated_percentage` of a map run; False if it does not run."""

    def child_results(self, execution: str, frame_id: str, epoch: int) -> AsyncIterator[ChildEnd]:
        """How the children of a map run ended, in their order, a few at a time."""

    async def open_children(self, execution: str, frame_id: str, epoch: int, count: int) -> tuple[str, ...]:
        """Up to `count` ids of children of a map run that have not ended."""

    async def notices(self, shard: int, count: int, after: int = 0) -> tuple[str, ...]:
        """Up to `count` notices, oldest first, `after` so many: what is to be done about other executions (see
        `drive.children.notices`)."""

    async def settle(self, shard: int, notice: str) -> None:
        """A notice has been obeyed."""

    def keys_of(self, shard: int | None) -> AsyncIterator[list[bytes]]:
        """Names of all keys of a shard (None: of all), some at a time; one that is there all along is among
        them, perhaps twice."""

    async def next_keys(self, now_and_then: float, rest: float) -> list[bytes]:
        """The next names of keys that all workers together go through, if that was done last at least `now_and_then`
        seconds ago, or `rest` seconds ago for the last time around.

        Raises StatewrightError ``StoreReplaced`` if the server holds another store by now, or none (F21)."""

    async def sweep(self, names: Sequence[bytes], pause: float = 0) -> tuple[int, list[OpenTask]]:
        """Look at keys and what refers to them, and put right what no script leaves so (F19): how many repairs that
        took, and the tasks that are left to be judged.  Of a large key with a pause (s) between two parts."""

    async def requeue(self, task: OpenTask) -> bool:
        """Make the frame of a task ready, unless something has happened to it; counted as a repair."""

    async def repaired(self, execution: str, what: str) -> None:
        """Count a repair in the shard of an execution."""

    async def repairs(self) -> dict[str, int]:
        """How many repairs there have been, by what was put right."""

    async def nested(self, child: str) -> Nested:
        """How a nested execution stands: the last, if it handed over to others."""

    async def retention(self) -> int | None:
        """For how long (ms) executions are kept after their end; None: for ever.  90 days unless somebody set it."""

    async def set_retention(self, ms: int | None) -> None:
        """Set that for all who use the store."""

    async def ended(self, shard: int, start: int, count: int, *, archived: bool) -> tuple[Ended, ...]:
        """`count` executions that ended, from the place `start` on, those that ended first first: the `archived`, or
        those that wait for it."""

    async def archive(self, execution: str) -> bool:
        """Compress an execution that ended into one value; every other verb answers as before.  False if it runs, is
        gone, or was changed while this was done.  One that is very large stays as it is (`archive.LARGEST`)."""

    async def delete(self, execution: str, before: int) -> tuple[int, bool]:
        """Delete an execution that ended until `before` (ms), first the child executions of its map runs.

        Returns how many executions were deleted, and whether more of this one is left: then call again.  One that runs,
        whose children run, or for whose end somebody waits who has not been told yet, stays.
        """

    async def replaced_definitions(self, before: int) -> tuple[str, ...]:
        """Hashes of definitions that were replaced until `before` (ms) by another one of their state machine."""

    def used_definitions(self) -> AsyncIterator[str]:
        """Hashes of the definitions that executions refer to; often more than once.  Reads all of them."""

    async def drop_definition(self, hash: str, before: int) -> bool:  # noqa: A002
        """Delete a definition replaced until `before` (ms), to which the caller knows no execution refers; False if a
        state machine has it (again)."""

    async def bury(self, claimed: Claimed, owner: str, reason: str) -> bool:
        """Put a frame aside that its owner cannot get on with, as a dead letter; False if it is another's by now.

        Timers, signals and stop wake it all the same: it is delivered then, and no dead letter until it is buried
        again."""

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """All dead letters, oldest first."""

    async def revive(self, letter: DeadLetter) -> bool:
        """Make the frame of a dead letter ready, as if it had never been tried; False if it is none any more."""

    def distrust(self) -> None:
        """Forget all that was remembered of the store because it never changes: it was rolled back."""

    async def report(self, kind: str, shard: int, since: int, evidence: str) -> bool:
        """Record an `Incident`; False if another worker has just done so."""

    async def incidents(self) -> tuple[Incident, ...]:
        """The last 100 incidents, oldest first."""

    async def health(self) -> dict[str, Any]:
        """Versions, persistence and eviction settings, for `doctor`: {"server", "version", "appendonly",
        "appendfsync", "maxmemory_policy", "schema", "store_id", ...}; None where CONFIG may not be read.  The settings
        are those of the first of "nodes", which has the same with "address", "role" and "settings" (or with
        "error") for each server of the "topology"; "settings" has what each means under the store's "durability"
        (see `Setting`)."""

    async def verify_execution(
        self, execution: str, machine: str | None = None, status: str | None = None
    ) -> Verified | None:
        """What is wrong with an execution; None if there is none, or not of this state machine (its name) or status.

        It may go on meanwhile: everything but the history is read at one moment, and the history up to there.
        """

    async def verify_keys(self, names: Sequence[bytes]) -> list[Finding]:
        """Which of these keys belong to nothing, and definitions that are not what they are called."""

    async def verify_scripts(self) -> list[Finding]:
        """Whether the servers' scripts are those of this version, where FUNCTION LIST is allowed."""

    async def announce(self, presence: Presence, keep_ms: int) -> tuple[tuple[Presence, ...], int]:
        """Say that a worker is there for the next `keep_ms` (0: that it goes, which rings the bell); all that are
        there, and server time."""

    async def measure(self) -> Measures:
        """How much there is to do, and who is there to do it.  Asks every shard."""

    async def watch_bell(self) -> frozenset[int] | None:
        """Return when something became ready since the last call, and where; None: perhaps anywhere, as messages may
        have been missed, or a worker has gone."""

    async def watch_end(self, execution: str) -> None:
        """Return when the execution may have ended (check with `describe`)."""

    async def close(self) -> None:
        """Close all connections."""
