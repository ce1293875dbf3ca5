"""The verbs that only read, and the catalogue of state machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any, TypeVar

from statewright.store import codec, keys
from statewright.store.address import Kind
from statewright.store.codec import Incoming, Resolve
from statewright.store.connection import Connection
from statewright.store.durability import Durability, judge
from statewright.store.nodes import survey
from statewright.store.recent import Recent
from statewright.store.records import Description, HistoryPage, MachineRecord
from statewright.store.replies import ServerError, refusal
from statewright.store.scripts import Argument, Scripts
from statewright.store.upkeep.archive import Archive

__all__ = ["Reading"]

_HEADER = ("head", "st", "t0", "t1", "output", "error", "cause", "nx", "dn")
_STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")

T = TypeVar("T")

_KEYS_AT_ONCE = 200

_DEFINITIONS_CACHED = 256

_PAYLOADS_KNOWN = 10_000
"""Payloads of which it is remembered that they are stored."""


class Reading:
    """What can be asked of a store.

    Arguments:
        scripts: for calls.
        shards, store_id: from the store's meta hash.
        kind: what the servers are to each other.
        durability: that the store was opened with.
    """

    def __init__(
        self, scripts: Scripts, shards: int, store_id: str, kind: Kind, durability: Durability = "durable"
    ) -> None:
        self.kind = kind
        self.durability = durability
        self.shards = shards
        self.store_id = store_id
        self._scripts = scripts
        self._definitions: Recent[str, str] = Recent(_DEFINITIONS_CACHED)
        self._stored: Recent[tuple[str, str], bool] = Recent(_PAYLOADS_KNOWN)  # execution, content hash

    def _time(self) -> str:
        raise NotImplementedError

    def shard_of(self, execution: str) -> int:
        """Shard of an execution id."""
        return keys.shard_of(execution, self.shards)

    def _key(self, execution: str, kind: str = "x", rest: str | None = None) -> str:
        """Key of something of an execution: its header, or ``<kind>:<execution>:<rest>``."""
        name = f"{keys.prefix(self.shard_of(execution))}{kind}:{execution}"
        return name if rest is None else f"{name}:{rest}"

    async def _all(self, commands: list[tuple[Argument, ...]]) -> list[Any]:
        """The answers to several commands, sent together."""
        return await self._scripts.calls(commands)

    async def keys_of(self, shard: int | None) -> AsyncIterator[list[bytes]]:
        """See `Store.keys_of`."""
        pattern = "sw:*" if shard is None else f"{keys.prefix(shard)}*"
        for node in self._scripts.server.primaries():
            cursor = b"0"
            while True:
                cursor, found = await self._scan(node, cursor, pattern)
                if found:
                    yield found
                if cursor == b"0":
                    break

    async def _scan(self, node: Connection, cursor: bytes, pattern: str) -> tuple[bytes, list[bytes]]:
        """Some of the keys of a server, and where it goes on."""
        try:
            after, found = await node.call("SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS_AT_ONCE)
        except ServerError as error:
            raise refusal(error) from None
        return after, found

    async def _fetch(self, incoming: Incoming) -> bool:
        """Fetch the payloads that were wanted, all at once; whether there were any, so it is to be decoded again."""
        wanted = incoming.wanted()
        commands: list[tuple[Argument, ...]] = [
            ("HMGET", self._key(execution, "p"), *hashes) for execution, hashes in wanted.items()
        ]
        for (execution, hashes), texts in zip(wanted.items(), await self._all(commands), strict=True):
            if None in texts and (archive := await self._archive(execution)) is not None:
                texts = [archive.payloads.get(content_hash.encode()) for content_hash in hashes]
            for content_hash, text in zip(hashes, texts, strict=True):
                incoming.add(execution, content_hash, text)
                if text is not None:
                    self._stored.put((execution, content_hash), True)
        return bool(wanted)

    async def _archive(self, execution: str) -> Archive | None:
        """What was archived of an execution; None if nothing was."""
        stored = await self._scripts.call("GET", self._key(execution, "z"))
        return None if stored is None else Archive.unpack(stored)

    async def _decoded(self, decode: Callable[[Incoming], T]) -> T:
        """What `decode` makes of stored records and the payloads they refer to; LostPayloadError if one is missing."""
        incoming = Incoming()
        while True:
            value = decode(incoming)
            if not await self._fetch(incoming):
                return value

    async def results(self, execution: str, frame_id: str, epoch: int) -> tuple[tuple[str | None, ...], dict[str, Any]]:
        """See `Store.results`."""
        rest = f"{frame_id}:{epoch}"
        fields = ("length", "tolerance", "open", "index", "error", "cause")
        record, found = await self._all(
            [
                ("HMGET", self._key(execution, "j", rest), *fields),
                ("HGETALL", self._key(execution, "r", rest)),
            ]
        )
        length, tolerance, is_open, index, error, cause = record
        texts = await self._decoded(
            lambda incoming: [incoming.of(execution)(codec.unseal(text).decode()) for text in found[1::2]]
        )
        by_index = dict(zip(map(int, found[::2]), texts, strict=True))
        count = int(length or 0)
        return tuple([by_index.get(i) for i in range(count)]), {
            "length": count,
            "open": is_open == b"1",
            "index": int(index or 0),
            "error": codec.optional(error),
            "cause": codec.optional(cause),
            "exceeded": index is not None and int(tolerance) > 0,
            "failed": index is not None,
        }

    async def describe(self, execution: str) -> Description | None:
        """See `Store.describe`."""
        return (await self._describe([execution]))[0]

    async def _describe(self, executions: list[str]) -> list[Description | None]:
        commands: list[tuple[Argument, ...]] = []
        for execution in executions:
            header = self._key(execution)
            commands.append(("HMGET", header, *_HEADER))
            commands.append(("LLEN", self._key(execution, "h")))
        answers = await self._all(commands)
        found = list(zip(answers[::2], answers[1::2], strict=True))
        for place, (header, length) in enumerate(found):
            # Every execution has a header with all fields, and events: unless they are, or just were, archived.
            if header[1] is not None and (header[0] is None or not length):
                found[place] = await self._archived_header(executions[place], header, length)
        return await self._decoded(
            lambda incoming: [
                self._description(execution, header, length, incoming.of(execution))
                for execution, (header, length) in zip(executions, found, strict=True)
            ]
        )

    async def _archived_header(self, execution: str, header: list[Any], length: int) -> tuple[list[Any], int]:
        """The header of an archived execution, and how many events it has; as they are if there is no archive."""
        archive = await self._archive(execution)
        if archive is None:
            return header, length
        small = dict(zip(_HEADER, header, strict=True))
        return [archive.fields.get(name.encode(), small[name]) for name in _HEADER], len(archive.records)

    def _description(self, execution: str, header: list[Any], length: int, resolve: Resolve) -> Description | None:
        head, status, started, stopped, output, error, cause, successor, dead = header
        if head is None:
            return None
        return Description(
            codec.decode_execution(execution, int(started), head, resolve),
            status.decode(),
            int(stopped) if stopped is not None else None,
            resolve(text) if (text := codec.optional(output)) is not None else None,
            codec.optional(error),
            codec.optional(cause),
            length,
            successor.decode() if successor else None,
            int(dead or 0) if status == b"RUNNING" else 0,
        )

    async def history(self, execution: str, start: int, count: int, *, reverse: bool = False) -> HistoryPage:
        """See `Store.history`; `reverse` gives the last event first."""
        key = self._key(execution, "h")
        if count <= 0:
            description = await self.describe(execution)
            return HistoryPage((), 0 if description is None else description.length)
        # Counted from the end the places are negative; events are only ever appended, so ask for the length first.
        length = await self._scripts.call("LLEN", key)
        archive = await self._archive(execution) if not length else None
        if archive is not None:
            length = len(archive.records)
        first = max(0, length - start - count) if reverse else start
        last = (length - start if reverse else start + count) - 1
        if archive is not None:
            records = archive.records[first : last + 1]
        else:
            records = await self._scripts.call("LRANGE", key, first, last) if last >= first else []
            if not records and first < length and last >= first:  # archived, or deleted, between the calls
                return await self.history(execution, start, count, reverse=reverse)
        events = await self._decoded(lambda incoming: codec.decode_events(first + 1, records, incoming.of(execution)))
        return HistoryPage(tuple(reversed(events) if reverse else events), length)

    async def executions(
        self, machine: str | None, status: str | None, start: int, count: int
    ) -> tuple[list[Description], bool]:
        """See `Store.executions`; `machine` is the state machine's name."""
        statuses = (status,) if status is not None else _STATUSES
        indexes = [f"{keys.prefix(s)}e:{machine or ''}:{name}" for s in range(self.shards) for name in statuses]
        wanted = start + count
        parts = await self._all([("ZRANGE", index, 0, wanted, "REV", "WITHSCORES") for index in indexes])
        found = [(float(at), name) for part in parts for name, at in zip(part[::2], part[1::2], strict=True)]
        found.sort(reverse=True)
        names = [name.decode() for _, name in found[start:wanted]]
        described = await self._describe(names)
        return [description for description in described if description is not None], len(found) > wanted

    async def put_machine(self, record: MachineRecord) -> MachineRecord:
        """See `Store.put_machine`; the creation time is the server's, revisions count from 1."""
        r = record
        arguments: list[Argument] = [self._time(), r.name, r.arn, r.hash, r.definition, r.type, r.role_arn]
        created, revision = await self._scripts.run("put_machine", keys.machine(r.name), arguments)
        return MachineRecord(r.name, r.arn, r.hash, r.definition, r.type, r.role_arn, created, revision)

    async def machine(self, name: str) -> MachineRecord | None:
        """See `Store.machine`."""
        fields = ("arn", "hash", "type", "role", "created", "rev")
        arn, content, kind, role, created, revision = await self._scripts.call("HMGET", keys.machine(name), *fields)
        if arn is None:
            return None
        text = await self.definition(content.decode()) or ""
        return MachineRecord(
            name, arn.decode(), content.decode(), text, kind.decode(), role.decode(), int(created), int(revision)
        )

    async def machines(self) -> list[MachineRecord]:
        """See `Store.machines`."""
        names = sorted(name.decode() for name in await self._scripts.call("SMEMBERS", keys.MACHINES))
        records = await asyncio.gather(*[self.machine(name) for name in names])
        return [record for record in records if record is not None]

    async def definition(self, hash: str) -> str | None:  # noqa: A002
        """See `Store.definition`; the last ones asked for are kept, as a hash's text never changes."""
        known = self._definitions.get(hash)
        if known is None and (text := await self._scripts.call("GET", keys.definition(hash))) is not None:
            self._definitions.put(hash, known := text.decode())
        return known

    async def health(self) -> dict[str, Any]:
        """See `Store.health`."""
        nodes = await survey(self._scripts.server)
        for node in nodes:
            if "error" not in node:
                node["settings"] = [asdict(setting) for setting in judge(node, self.durability)]
        settings = next((node for node in nodes if "error" not in node), {})
        return {
            **settings,
            "topology": self.kind,
            "durability": self.durability,
            "nodes": nodes,
            "schema": keys.SCHEMA,
            "store_id": self.store_id,
            "shards": self.shards,
        }
