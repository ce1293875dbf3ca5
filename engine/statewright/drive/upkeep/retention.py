"""What becomes of executions after their end: they are archived, and deleted when their time is over.

Every worker does a little of it now and then, wherever it happens to look; `collect` does it all at once.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

from statewright.drive.session import Session
from statewright.errors import StatewrightError
from statewright.store.verbs import Store

__all__ = ["SETTLED_MS", "Collected", "collect", "keep_house"]

_log = logging.getLogger("statewright")

SETTLED_MS: Final = 60_000
"""For so long after its end nothing is deleted: repeated calls about it may still arrive, and workers know it."""

_UNUSED_MS: Final = 3_600_000
"""For so long after it was replaced a definition is kept: somebody may be starting an execution of it."""

_BATCH: Final = 20
_PAUSE: Final = 1.0
"""Seconds between two looks at a shard each."""

_REST: Final = 4
"""After work that took some time a worker rests for so many times as long."""


async def keep_house(session: Session, archive_after: float) -> None:
    """Look at one shard after the other, for ever; archive what ended `archive_after` seconds ago or before."""
    store = session.store
    shard = zlib.crc32(session.owner.encode()) % store.shards  # workers begin in different places
    pause = _PAUSE
    while True:
        await asyncio.sleep(pause)
        began, more = session.monotonic(), False
        try:
            more = await _tidy(store, shard, session.clock.now(), round(archive_after * 1000))
        except StatewrightError as error:
            _log.warning("shard %d not tidied: %s", shard, error)
        except Exception:  # whatever it is, the worker goes on
            _log.exception("shard %d not tidied", shard)
        if not more:
            shard = (shard + 1) % store.shards
        pause = (0 if more else _PAUSE) + _REST * (session.monotonic() - began)


async def _tidy(store: Store, shard: int, now: int, archive_ms: int) -> bool:
    """Archive and delete a few executions of a shard; whether there may be more."""
    retention, fresh, archived = await asyncio.gather(
        store.retention(),
        store.ended(shard, 0, _BATCH, archived=False),
        store.ended(shard, 0, _BATCH, archived=True),
    )
    due = [each.execution for each in fresh if each.at <= now - archive_ms]
    done = await asyncio.gather(*map(store.archive, due))
    more = len(due) == _BATCH and any(done)
    if retention is not None:
        before = now - max(retention, SETTLED_MS)
        over = [each.execution for each in archived if each.at <= before]
        deleted = await asyncio.gather(*(store.delete(execution, before) for execution in over))
        more = more or any(left for _, left in deleted) or (len(over) == _BATCH and any(count for count, _ in deleted))
    return more


@dataclass(frozen=True, slots=True)
class Collected:
    """How far `collect` is.

    Arguments:
        shards: how many of them it has been through.
        executions: how many it has deleted (or would delete: without the children of map runs).
        definitions: the same for definitions that nothing refers to.
    """

    shards: int = 0
    executions: int = 0
    definitions: int = 0


async def collect(store: Store, retention_ms: int | None, *, dry_run: bool = False) -> AsyncIterator[Collected]:
    """Delete executions that ended `retention_ms` ago or before (None: none), and definitions that nothing refers to;
    tell now and then how far it is.

    What ended within the last minute stays in any case, and so does a definition replaced within the last hour.

    Example: ``async for done in collect(store, 30 * 24 * 3600 * 1000): print(done.executions)``
    """
    done = Collected()
    now = await store.now()
    for shard in range(store.shards):
        if retention_ms is not None:
            before = now - max(retention_ms, SETTLED_MS)
            async for deleted in _delete(store, shard, before, dry_run):
                done = replace(done, executions=done.executions + deleted)
                yield done
        done = replace(done, shards=shard + 1)
        yield done
    replaced = set(await store.replaced_definitions(now - _UNUSED_MS))
    if replaced:
        async for used in store.used_definitions():
            replaced.discard(used)
            if not replaced:
                break
    for unused in sorted(replaced):
        if dry_run or await store.drop_definition(unused, now - _UNUSED_MS):
            done = replace(done, definitions=done.definitions + 1)
    yield done


async def _delete(store: Store, shard: int, before: int, dry_run: bool) -> AsyncIterator[int]:
    """Delete what ended until `before` in a shard; how many each time."""
    for archived in (True, False):
        stay = 0  # at the front of the line: those that have to stay
        while found := await store.ended(shard, stay, _BATCH, archived=archived):
            over = [each.execution for each in found if each.at <= before]
            if dry_run:
                stay += len(over)
                yield len(over)
            else:
                outcomes = await asyncio.gather(*(store.delete(execution, before) for execution in over))
                stay += sum(not deleted and not more for deleted, more in outcomes)
                yield sum(deleted for deleted, _ in outcomes)
            if len(over) < len(found):
                break
