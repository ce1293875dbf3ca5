"""The verbs by which executions that ended are archived, and deleted when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from statewright.store import keys
from statewright.store.mapruns import MapRuns
from statewright.store.records import Description, Ended
from statewright.store.scripts import Argument
from statewright.store.upkeep.archive import LARGEST, Archive

__all__ = ["Retention"]

_BULK: Final = ("head", "output", "error", "cause", "nx")
"""Fields of the header that are archived; ``archive.lua`` has the same."""

_FOR_EVER: Final = b"for ever"
_DEFAULT_MS: Final = 90 * 24 * 3600 * 1000
"""As on AWS: executions are kept for 90 days after their end (documentation, "Quotas", execution history retention)."""

_AT_ONCE: Final = 100
_SMALL: Final = 64 * 1024
_PAGE: Final = 500


class Retention(MapRuns):
    """What a store knows of executions that ended, and for how long (see `Store`)."""

    async def retention(self) -> int | None:
        """See `Store.retention`."""
        written = await self._scripts.call("HGET", keys.META, "retention")
        if written == _FOR_EVER:
            return None
        return _DEFAULT_MS if written is None else int(written)

    async def set_retention(self, ms: int | None) -> None:
        """See `Store.set_retention`."""
        await self._scripts.call("HSET", keys.META, "retention", _FOR_EVER if ms is None else ms)

    async def ended(self, shard: int, start: int, count: int, *, archived: bool) -> tuple[Ended, ...]:
        """See `Store.ended`."""
        key = f"{keys.prefix(shard)}{'z' if archived else 'done'}"
        found = await self._scripts.call("ZRANGE", key, start, start + count - 1, "WITHSCORES")
        return tuple(Ended(name.decode(), int(at)) for name, at in zip(found[::2], found[1::2], strict=True))

    async def archive(self, execution: str) -> bool:
        """See `Store.archive`."""
        header, history, payloads = (self._key(execution, kind) for kind in "xhp")
        fields, length, texts = await self._all(
            [("HMGET", header, "t1", *_BULK), ("LLEN", history), ("HGETALL", payloads)]
        )
        ended, *bulk = fields
        if ended is None:
            return False
        by_name = {name.encode(): text for name, text in zip(_BULK, bulk, strict=True) if text}
        archive = Archive(by_name, [], dict(zip(texts[::2], texts[1::2], strict=True)))
        size = archive.size
        while size <= LARGEST and len(archive.records) < length:
            start = len(archive.records)
            page = await self._scripts.call("LRANGE", history, start, start + _PAGE - 1)
            if not page:
                return False  # archived or deleted meanwhile
            archive.records.extend(page)
            size += sum(map(len, page))
        packed = b""
        if size <= LARGEST:  # others need not wait for a large one
            packed = await asyncio.to_thread(archive.pack) if size > _SMALL else archive.pack()
        arguments: list[Argument] = [execution, ended, length, len(texts) // 2, packed]
        return bool(await self._scripts.run("archive", header, arguments))

    async def delete(self, execution: str, before: int) -> tuple[int, bool]:
        """See `Store.delete`."""
        arguments: list[Argument] = [execution, before, _AT_ONCE]
        deleted, left = await self._scripts.run("delete", self._key(execution), arguments)
        return deleted, left == 0

    async def replaced_definitions(self, before: int) -> tuple[str, ...]:
        """See `Store.replaced_definitions`."""
        found = await self._scripts.call("ZRANGE", keys.OLD, 0, -1, "WITHSCORES")
        return tuple(name.decode() for name, at in zip(found[::2], found[1::2], strict=True) if int(at) <= before)

    async def used_definitions(self) -> AsyncIterator[str]:
        """See `Store.used_definitions`."""
        for shard in range(self.shards):
            # Successors begin later than those they follow, so they are met though others end meanwhile.
            for status in ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"):
                async for description in self._in_index(f"{keys.prefix(shard)}e::{status}"):
                    yield description.execution.definition

    async def _in_index(self, index: str) -> AsyncIterator[Description]:
        """The executions of an index, those that began first first; all that stay in it meanwhile, and some twice."""
        since, count = "-inf", _PAGE
        while True:
            found = await self._scripts.call("ZRANGE", index, since, "+inf", "BYSCORE", "LIMIT", 0, count, "WITHSCORES")
            for description in await self._describe([name.decode() for name in found[::2]]):
                if description is not None:
                    yield description
            if len(found) < 2 * count:
                break
            # Places move as executions end, times do not; where a page is of one moment, a larger one goes beyond it.
            count = 2 * count if found[1] == found[-1] else _PAGE
            since = found[-1].decode()

    async def drop_definition(self, hash: str, before: int) -> bool:  # noqa: A002
        """See `Store.drop_definition`."""
        dropped = bool(await self._scripts.run("drop_definition", keys.OLD, [hash, before]))
        if dropped:
            self._definitions.forget(hash)
        return dropped
