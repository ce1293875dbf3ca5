"""`RedisStore`: the verbs of `verbs.Store` on Redis (7.0 or later) or Valkey: a server, a primary, or a cluster.

Each writing verb is one call of one script (``lua/``); this module turns model objects into its arguments and its
answer into the objects of the contract.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from statewright.errors import StatewrightError
from statewright.model import Execution, Fork, Frame, Item, LinkKind, Step, TaskOrder
from statewright.store import codec, keys
from statewright.store.address import Kind
from statewright.store.bell import Bell
from statewright.store.codec import BrokenRecordError, Incoming, Outgoing, Resolve
from statewright.store.connection import Resolve as Locate
from statewright.store.durability import Durability
from statewright.store.headroom import Headroom
from statewright.store.recent import IDLE, Recent
from statewright.store.records import Claim, Claimed, Commit, Committed, Created, Lease, Signal, Signalled, TaskOffer
from statewright.store.scripts import Argument, Scripts, Server
from statewright.store.upkeep.inspecting import Inspecting
from statewright.store.upkeep.measures import Measuring
from statewright.store.upkeep.retention import Retention
from statewright.store.upkeep.sweeping import Sweeping
from statewright.values import Payload

__all__ = ["RedisStore"]

_FORKS_CACHED = 128
_FORKS_CHARACTERS = 32 * 1024 * 1024
_LEASES_PER_CALL = 200
_NO_FORK = Fork(epoch=0, machines=("",), position="", length=0, window=0, tolerance=0)


class RedisStore(Inspecting, Measuring, Retention, Sweeping):
    """The store on a server; made by `open_store`.

    Arguments:
        server: for all calls; greeted and checked by `open_store`.
        locate: where to listen to the bell.
        kind: what the servers are to each other.
        shards, store_id, secret: from the store's meta hash.
        clock: time in ms to use instead of the server's (tests, simulation).
        deadline: seconds until a server that stays away is an error.
        closing: is awaited after the connections are closed.
        durability: that `open_store` made sure of.

    Example: ``store = await open_store("redis://localhost:6379/0", None)``
    """

    def __init__(
        self,
        server: Server,
        locate: Locate,
        *,
        kind: Kind,
        shards: int,
        store_id: str,
        secret: bytes,
        clock: Callable[[], int] | None = None,
        deadline: float = 30.0,
        closing: Callable[[], Awaitable[None]] | None = None,
        durability: Durability = "durable",
    ) -> None:
        super().__init__(Scripts(server, deadline), shards, store_id, kind, durability)
        self._connection = server
        self._headroom = Headroom(server)
        self._secret = secret
        self._clock = clock
        self._closing = closing
        self._bell = Bell(locate, deadline)
        self._forks: Recent[tuple[str, str, int], Fork] = Recent(_FORKS_CACHED, _FORKS_CHARACTERS, idle=IDLE)
        self._last_commit: dict[tuple[str, str], asyncio.Future[bool]] = {}

    def _time(self) -> str:
        """The time to pass to a script; empty: the server's."""
        return "" if self._clock is None else str(self._clock())

    async def now(self) -> int:
        """Time of the store in ms."""
        if self._clock is not None:
            return self._clock()
        seconds, micros = await self._scripts.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def secret(self) -> bytes:
        """The store's random secret, for task tokens."""
        return self._secret

    async def create(
        self, execution: Execution, step: Step, *, digest: str, owner: str = "", lease_ms: int = 0
    ) -> Created:
        """See `Store.create`."""
        if any(isinstance(command, Fork) and command.items for command in step.commands):
            raise ValueError("the first commit cannot fork over items")
        arguments: list[Argument] = [execution.id, self._time(), secrets.token_hex(8), digest, owner, lease_ms]
        child = execution.link is not None and execution.link.kind is LinkKind.MAP_RUN
        out = Outgoing()
        # The header of a child execution may outlive its payloads, as part of its result.
        header = codec.encode_execution(execution, Outgoing(apart=False) if child else out)
        # A child execution of SM/label is worked on by whoever serves SM.
        arguments += (execution.started_at, header, execution.machine_name.partition("/")[0])
        gone = int(child and execution.type == "EXPRESS")
        arguments += (codec.encode_link(execution.link), execution.map_run.rpartition(":")[2], gone)
        first = codec.encode_step(step, out)
        arguments += out.arguments() + first
        if execution.link is None:
            self._headroom.check(self._key(execution.id))
        verb = "create" if execution.link is None else "create_child"
        outcome, *numbers = await self._scripts.run(verb, self._key(execution.id), arguments)
        if outcome == b"OK":
            self._remember(execution.id, out)
            if owner:
                self._serials.add(self.shard_of(execution.id), owner)
        return Created(outcome.decode(), *numbers)

    async def commit(self, commit: Commit) -> Committed:
        """See `Store.commit`.  The call takes its place in the pipeline before anything is awaited."""
        key, asked_at = self._key(commit.execution), time.monotonic()
        head: list[Argument] = [
            commit.execution,
            commit.frame_id,
            commit.revision,
            commit.commit_id,
            commit.owner,
            self._time(),
            commit.base if commit.step.pinned else "",
            commit.consumed,
            commit.keep_ms,
            int(commit.requeue),
        ]
        fork: Fork | None = None
        for command in commit.step.commands:
            if isinstance(command, Fork) and command.items:
                fork = command
        head += ("", 0) if fork is None else (fork.epoch, len(fork.items) + len(fork.keys))
        head += (commit.follows, commit.room, commit.lease_ms)
        step, out = codec.encode_commit(commit.step)
        if out.texts:
            arguments = [*head, *out.arguments(self._stored_of(commit.execution, out)), *step]
            self._remember(commit.execution, out)
        else:
            arguments = [*head, 0, *step]
        items = self._send_items(commit, fork) if fork is not None else []
        frame = (commit.execution, commit.frame_id)
        before = self._last_commit.get(frame)
        applied = self._last_commit[frame] = asyncio.get_running_loop().create_future()
        outcome = b""
        future = self._scripts.start("commit", key, arguments)
        try:
            for chunk, sent in items:
                await self._scripts.finish(sent, "items", key, chunk)
            outcome, base, now, *rest = await self._scripts.finish(future, "commit", key, arguments)
            if outcome == b"STALE" and before is not None and await before:
                # The commit this one builds on is applied; it may have been sent again, behind this one: once more.
                outcome, base, now, *rest = await self._scripts.run("commit", key, arguments)
            if outcome == b"ITEMS":
                # Calls with items were refused, or came behind this one or ahead of the one it builds on: once more.
                for chunk, _ in items:
                    await self._scripts.run("items", key, chunk)
                outcome, base, now, *rest = await self._scripts.run("commit", key, arguments)
            if outcome == b"NEED":
                # A payload taken to be stored is not: the call that brought it was refused, or the server lost it.
                arguments = head + out.arguments() + step
                outcome, base, now, *rest = await self._scripts.run("commit", key, arguments)
        finally:
            future.cancel()  # nobody asks any more for what became of it, if one before it was refused
            for _, sent in items:
                sent.cancel()
            if outcome not in (b"OK", b"DUP"):
                self._forget(commit.execution, out)
            applied.set_result(outcome in (b"OK", b"DUP"))
            if self._last_commit.get(frame) is applied:
                del self._last_commit[frame]
        if commit.keep_ms == 0 and outcome in (b"OK", b"DUP"):
            self._serials.add(self.shard_of(commit.execution), commit.owner)
        if len(rest) == 1:
            return Committed(outcome.decode(), base, now, *rest)
        inbox, more, *rows = rest
        return Committed(outcome.decode(), base, now, inbox, tuple(await self._claimed(rows, asked_at)), bool(more))

    def _stored_of(self, execution: str, out: Outgoing) -> list[str]:
        """Those of the payloads that are taken to be stored."""
        return [content_hash for content_hash in out.texts if self._stored.get((execution, content_hash))]

    def _remember(self, execution: str, out: Outgoing) -> None:
        """From now on the payloads are taken to be stored; a script that misses one says so."""
        for content_hash in out.texts:
            self._stored.put((execution, content_hash), True)

    def _forget(self, execution: str, out: Outgoing) -> None:
        for content_hash in out.texts:
            self._stored.forget((execution, content_hash))

    def _send_items(self, commit: Commit, fork: Fork) -> list[tuple[list[Argument], Any]]:
        """Send a Map's items ahead of the commit that forks over them, in calls of bounded size."""
        key = self._key(commit.execution)
        head: list[Argument] = [commit.execution, commit.frame_id, commit.revision, commit.owner, fork.epoch]
        chunks = [head + call for call in codec.item_calls(fork)]
        return [(chunk, self._scripts.start("items", key, chunk)) for chunk in chunks]

    async def claim(
        self, shard: int, owner: str, lease_ms: int, limit: int, machines: Sequence[str] = (), *, patience: int = 0
    ) -> Claim:
        """See `Store.claim`."""
        asked_at = time.monotonic()
        arguments: list[Argument] = [self._time(), owner, lease_ms, limit, patience, *machines]
        known = self._serials.known(shard, owner)
        now, due, notices, found, *rows = await self._scripts.run("claim", keys.prefix(shard) + "q", arguments)
        loss = self._serials.judge(shard, owner, known, found - bool(rows), now)  # this call is counted, too
        if rows:
            self._serials.add(shard, owner)
        return Claim(tuple(await self._claimed(rows, asked_at)), now, due, notices, loss)

    async def claim_frame(self, execution: str, frame_id: str, owner: str, lease_ms: int) -> Claimed | None:
        """See `Store.claim_frame`."""
        asked_at = time.monotonic()
        arguments: list[Argument] = [execution, frame_id, self._time(), owner, lease_ms]
        row = await self._scripts.run("claim_frame", self._key(execution), arguments)
        claimed = await self._claimed([row], asked_at) if row else []
        return claimed[0] if claimed else None

    async def _claimed(self, rows: list[list[Any]], asked_at: float) -> list[Claimed]:
        incoming = Incoming()
        while True:
            claimed = [await self._claim_of(row, asked_at, incoming) for row in rows]
            if not await self._fetch(incoming):
                return [each for each in claimed if each is not None]

    async def _claim_of(self, row: list[Any], asked_at: float, incoming: Incoming) -> Claimed | None:
        execution, frame_id = row[0].decode(), row[1].decode()
        revision, previous, entered, base, deliveries, body, value, name, inbox = row[2:]
        resolve = incoming.of(execution)
        parent, _, place = frame_id.rpartition("/")
        if body is None and place and await self.fork(execution, parent, int(place.partition(".")[0])) is None:
            # Closed since, or lost: it knows not where it stands, but its commits would count if the fork is made anew.
            return None
        frame, flaw = await self._frame(execution, frame_id, resolve, entered, body, value, name)
        signals: tuple[Signal, ...] = ()
        try:
            signals = tuple([codec.decode_signal(entry, resolve) for entry in inbox])
        except Exception as error:
            flaw = flaw or repr(error)
        return Claimed(execution, frame, revision, previous, signals, base, deliveries, asked_at, flaw)

    async def _frame(self, execution: str, frame_id: str, *parts: Any) -> tuple[Frame, str | None]:
        """A frame from its stored parts, or an empty one and what is wrong with them: whatever that is, it is about
        this frame alone and must not keep others from being claimed."""
        try:
            return await self._made(execution, frame_id, *parts), None
        except Exception as error:
            if isinstance(error, StatewrightError) and not isinstance(error, BrokenRecordError):
                raise
            return Frame(frame_id, "", "", "", Payload.parse("null")), repr(error)

    async def _made(
        self,
        execution: str,
        frame_id: str,
        resolve: Resolve,
        entered: int,
        body: bytes | None,
        value: bytes | None,
        name: bytes | None,
    ) -> Frame:
        """A frame from its stored parts; one that never ran is made from its parent's fork."""
        item = None
        parent, _, place = frame_id.rpartition("/")
        epoch, _, index = place.partition(".")
        if value is not None:
            text = resolve(codec.unseal(value).decode())
            item = Item(int(index), Payload.parse(text), codec.unseal(name).decode() if name is not None else None)
        if body is None:
            fork = await self.fork(execution, parent, int(epoch))
            # Without its fork, which has been closed, it is only looked at (see `_claim_of`).
            return codec.first_frame(frame_id, fork or _NO_FORK, item)
        forked, runs = codec.awaited_epochs(body)
        own = await self.fork(execution, frame_id, forked) if forked is not None else None
        run = await self.map_run(execution, frame_id, runs) if runs is not None else None
        return codec.decode_frame(frame_id, body, resolve, item=item, fork=own, map_run=run, entered_id=entered)

    async def fork(self, execution: str, frame_id: str, epoch: int) -> Fork | None:
        """See `Store.fork`."""
        place = (execution, frame_id, epoch)
        if (known := self._forks.get(place)) is not None:
            return known
        body, entered = await self._all(
            [
                ("HGET", self._key(execution, "j", f"{frame_id}:{epoch}"), "body"),
                ("HGET", self._key(execution, "f", frame_id), "entered"),
            ]
        )
        if body is None:
            return None
        fork = await self._decoded(lambda incoming: codec.decode_fork(epoch, body, incoming.of(execution)))
        fork = replace(fork, entered_id=int(entered or 0))
        self._forks.put(place, fork, len(fork.input.text) if fork.input is not None else 0)
        return fork

    async def open_frames(self, execution: str, frame_id: str) -> tuple[tuple[Frame, int], ...]:
        """See `Store.open_frames`."""
        rows = await self._scripts.run("open_frames", self._key(execution), [execution, frame_id])
        incoming = Incoming()
        while True:
            frames = []
            for child, previous, *parts in rows:
                frame, _ = await self._frame(execution, child.decode(), incoming.of(execution), *parts)
                frames.append((frame, previous))
            if not await self._fetch(incoming):
                return tuple(frames)

    async def extend(self, shard: int, owner: str, leases: Sequence[Lease], lease_ms: int) -> list[bool]:
        """See `Store.extend`."""
        held: list[bool] = []
        for start in range(0, len(leases), _LEASES_PER_CALL):
            chunk = _flat(leases[start : start + _LEASES_PER_CALL])
            arguments: list[Argument] = [self._time(), owner, lease_ms, *chunk]
            held += map(bool, await self._scripts.run("extend", keys.prefix(shard) + "l", arguments))
        return held

    async def release(self, shard: int, owner: str, leases: Sequence[Lease]) -> None:
        """See `Store.release`."""
        for start in range(0, len(leases), _LEASES_PER_CALL):
            chunk = _flat(leases[start : start + _LEASES_PER_CALL])
            await self._scripts.run("release", keys.prefix(shard) + "l", [self._time(), owner, *chunk])

    async def signal(self, execution: str, frame_id: str, signal: Signal) -> Signalled:
        """See `Store.signal`."""
        out = Outgoing()
        entry = codec.encode_signal(signal, out)
        digest = hashlib.blake2b(entry, digest_size=8).hexdigest()
        arguments: list[Argument] = [execution, frame_id, self._time(), signal.kind, signal.epoch, entry, digest]
        arguments += [signal.worker or "", secrets.token_hex(8), *out.arguments()]
        outcome, now = await self._scripts.run("signal", self._key(execution), arguments)
        return Signalled(outcome.decode(), now)

    async def heartbeat(self, execution: str, frame_id: str, epoch: int, seconds: int | None) -> Signalled:
        """See `Store.heartbeat`."""
        after = "" if seconds is None else seconds * 1000
        arguments: list[Argument] = [execution, frame_id, self._time(), epoch, after]
        outcome, now = await self._scripts.run("heartbeat", self._key(execution), arguments)
        return Signalled(outcome.decode(), now)

    async def take_activity(self, activity: str, worker: str) -> TaskOffer | None:
        """See `Store.take_activity`."""
        queues = [f"{keys.prefix(shard)}a:{activity}" for shard in range(self.shards)]
        while True:
            firsts = await self._all([("ZRANGE", queue, 0, 0, "WITHSCORES") for queue in queues])
            waiting = sorted(
                (float(first[1]), queue, first[0]) for queue, first in zip(queues, firsts, strict=True) if first
            )
            if not waiting:
                return None
            for _, queue, entry in waiting:
                arguments: list[Argument] = [entry, self._time(), worker, secrets.token_hex(8)]
                if (body := await self._scripts.run("take", queue, arguments)) is not None:
                    execution, frame_id, epoch = entry.decode().split(":")
                    order = await self._order(execution, body)
                    if order is not None:
                        return TaskOffer(execution, frame_id, int(epoch), order)

    async def _order(self, execution: str, body: bytes) -> TaskOrder | None:
        return await self._decoded(lambda incoming: codec.decode_frame("", body, incoming.of(execution)).task)

    def distrust(self) -> None:
        """See `Store.distrust`."""
        super().distrust()
        self._forks.clear()

    async def watch_bell(self) -> frozenset[int] | None:
        """See `Store.watch_bell`."""
        return await self._bell.ring()

    async def watch_end(self, execution: str) -> None:
        """See `Store.watch_end`."""

        async def ended() -> bool:
            return bool(await self._scripts.call("HGET", self._key(execution), "st") != b"RUNNING")

        await self._bell.end(execution, ended)

    async def close(self) -> None:
        """Close all connections; an embedded server that nobody else uses is stopped."""
        await self._bell.close()
        await self._connection.close()
        if self._closing is not None:
            await self._closing()


def _flat(leases: Sequence[Lease]) -> list[Argument]:
    return [word for lease in leases for word in (lease.execution, lease.frame_id, lease.revision)]
