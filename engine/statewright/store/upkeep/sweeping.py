"""The verbs of the reconciliation sweep: going through all keys, slowly, and putting right what cannot be (F19)."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Final

from statewright.errors import StatewrightError
from statewright.store import codec, keys
from statewright.store.codec import Incoming
from statewright.store.mapruns import MapRuns
from statewright.store.records import Claimed, DeadLetter, Incident, Nested, OpenTask
from statewright.store.scripts import Argument

__all__ = ["ANOTHER_STORE", "Sweeping"]

ANOTHER_STORE: Final = "the server now holds another store, or was emptied: stopping here"

_MEMBERS_AT_ONCE: Final = 200
_REASON: Final = 2000
"""Characters of the reason that a dead letter is given."""
_NAME: Final = re.compile(rb"sw:\{(\d+)\}:([a-z]+)(?::(.*))?", re.DOTALL)
_ZSETS: Final = frozenset((b"l", b"t", b"dl", b"done", b"z"))
"""Sorted sets whose members are looked at one by one, by the kind of their key, of which there is one in a shard."""
_NAMED_ZSETS: Final = frozenset((b"q", b"a", b"e"))
"""The same where the name of the key says more."""
_DEPTHS: Final = {
    b"w": 0, b"q": 0, b"a": 0, b"x": 1, b"h": 1, b"p": 1, b"z": 1, b"k": 1, b"f": 2, b"b": 2,
    b"j": 3, b"r": 3, b"i": 3, b"o": 3, b"u": 3,
}  # fmt: skip
"""Of what the other keys are: a shard, an execution, a frame, an epoch."""


class Sweeping(MapRuns):
    """What a sweep asks of a store (see `Store`)."""

    async def next_keys(self, now_and_then: float, rest: float) -> list[bytes]:
        """See `Store.next_keys`."""
        times: list[Argument] = [self._time(), round(now_and_then * 1000), round(rest * 1000)]
        store_id, turn = await self._scripts.run("sweep_turn", keys.SWEEP, [*times, "", ""])
        if store_id is None or store_id.decode() != self.store_id:
            raise StatewrightError("StoreReplaced", ANOTHER_STORE)
        if turn is None:
            return []
        number, _, cursor = turn.partition(b":")
        nodes = self._scripts.server.primaries()
        at, after = int(number), b"0"
        found: list[bytes] = []
        if at < len(nodes):
            after, found = await self._scan(nodes[at], cursor, "sw:*")
        if after == b"0":
            at = at + 1 if at + 1 < len(nodes) else 0
        await self._scripts.run("sweep_turn", keys.SWEEP, [*times, turn, f"{at}:{after.decode()}"])
        return found

    async def sweep(self, names: Sequence[bytes], pause: float = 0) -> tuple[int, list[OpenTask]]:
        """See `Store.sweep`."""
        by_shard: defaultdict[int, list[Argument]] = defaultdict(list)
        repairs, tasks = 0, []
        for name in names:
            parsed = _NAME.fullmatch(name)
            if parsed is None or int(parsed[1]) >= self.shards:
                continue
            shard, kind, rest = int(parsed[1]), parsed[2], parsed[3]
            if kind in (_ZSETS if rest is None else _NAMED_ZSETS):
                async for members in self._members(name):
                    done = await self._examine(shard, list(_asked(kind, rest or b"", members)))
                    repairs += done[0]
                    tasks += done[1]
                    if len(members) == _MEMBERS_AT_ONCE:
                        await asyncio.sleep(pause)
            elif kind in _DEPTHS:
                parts = [] if rest is None else rest.split(b":")
                if len(parts) == _DEPTHS[kind]:
                    by_shard[shard] += ["k", kind, *parts, *[""] * (3 - len(parts))]
        for repaired, left in await asyncio.gather(*[self._examine(*part) for part in by_shard.items()]):
            repairs += repaired
            tasks += left
        return repairs, tasks

    async def _members(self, key: bytes) -> AsyncIterator[list[bytes]]:
        """The members of a sorted set, from the last to the first, so that removing some moves none of the others."""
        end = int(await self._scripts.call("ZCARD", key))
        while end > 0:
            start = max(0, end - _MEMBERS_AT_ONCE)
            yield await self._scripts.call("ZRANGE", key, start, end - 1)
            end = start

    async def _examine(self, shard: int, asked: Sequence[Argument]) -> tuple[int, list[OpenTask]]:
        arguments: list[Argument] = [self._time(), *asked]
        repaired, *rows = await self._scripts.run("sweep", keys.prefix(shard) + "l", arguments)
        incoming = Incoming()
        while True:
            tasks = []
            for execution, frame_id, revision, child, body in rows:
                name = execution.decode()
                with suppress(Exception):  # whoever claims a frame that cannot be read will say so
                    frame = codec.decode_frame(frame_id.decode(), body, incoming.of(name))
                    tasks.append(OpenTask(name, frame, revision, child.decode()))
            if not await self._fetch(incoming):
                return repaired, tasks

    async def requeue(self, task: OpenTask) -> bool:
        """See `Store.requeue`."""
        arguments: list[Argument] = [task.execution, task.frame.id, task.revision, self._time(), "queues"]
        return bool(await self._scripts.run("requeue", self._key(task.execution), arguments))

    async def repaired(self, execution: str, what: str) -> None:
        """See `Store.repaired`."""
        await self._scripts.run("requeue", self._key(execution), [execution, "-", 0, self._time(), what])

    async def repairs(self) -> dict[str, int]:
        """See `Store.repairs`."""
        found = await self._all([("HGETALL", keys.prefix(shard) + "s") for shard in range(self.shards)])
        counted: Counter[str] = Counter()
        for counts in found:
            for what, count in zip(counts[::2], counts[1::2], strict=True):
                counted[what.decode()] += int(count)
        return dict(counted)

    async def bury(self, claimed: Claimed, owner: str, reason: str) -> bool:
        """See `Store.bury`."""
        arguments: list[Argument] = [claimed.execution, claimed.frame.id, self._time(), owner, claimed.deliveries]
        arguments += [reason[:_REASON], len(claimed.inbox)]
        return bool(await self._scripts.run("bury", self._key(claimed.execution), arguments))

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """See `Store.dead_letters`."""
        queues = [keys.prefix(shard) + "dl" for shard in range(self.shards)]
        found = await self._all([("ZRANGE", queue, 0, -1, "WITHSCORES") for queue in queues])
        since = {name.decode(): int(at) for part in found for name, at in zip(part[::2], part[1::2], strict=True)}
        places = [name.split(":", 1) for name in since]
        texts = await self._all([("HGET", self._key(execution, "f", frame), "dl") for execution, frame in places])
        described = await self._describe([execution for execution, _ in places])
        letters = []
        for (execution, frame), at, text, about in zip(places, since.values(), texts, described, strict=True):
            if text is not None and about is not None:
                deliveries, _, reason = text.decode().partition(",")
                letters.append(DeadLetter(execution, about.execution.arn, frame, at, int(deliveries), reason))
        return tuple(sorted(letters, key=lambda letter: letter.since))

    async def revive(self, letter: DeadLetter) -> bool:
        """See `Store.revive`."""
        arguments: list[Argument] = [letter.execution, self._time(), letter.frame_id]
        return bool(await self._scripts.run("revive", self._key(letter.execution), arguments))

    def distrust(self) -> None:
        """See `Store.distrust`."""
        self._runs.clear()
        self._stored.clear()

    async def report(self, kind: str, shard: int, since: int, evidence: str) -> bool:
        """See `Store.report`."""
        arguments: list[Argument] = [self._time(), kind, shard, since, evidence]
        return bool(await self._scripts.run("report", keys.INCIDENTS, arguments))

    async def incidents(self) -> tuple[Incident, ...]:
        """See `Store.incidents`."""
        entries = await self._scripts.call("LRANGE", keys.INCIDENTS, 0, -1)
        found = [entry.decode().split(",", 4) for entry in entries]
        return tuple(Incident(kind, int(at), int(shard), int(since), what) for at, kind, shard, since, what in found)

    async def nested(self, child: str) -> Nested:
        """See `Store.nested`."""
        last, status, link, telling = await self._scripts.run("nested", self._key(child), [child])
        return Nested(last.decode(), None if status is None else status.decode(), link.decode(), bool(telling))


def _asked(kind: bytes, name: bytes, members: Sequence[bytes]) -> Iterator[Argument]:
    for member in members:
        yield from ("m", kind, name, member, "")
