"""Keeping what is held: leases are extended while handlers run, and given up where that does not succeed."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

from statewright.drive.runner import Runner
from statewright.drive.session import Session
from statewright.store.records import Lease

__all__ = ["extend", "keep"]

_log = logging.getLogger("statewright")


async def extend(session: Session, runners: Iterable[Runner]) -> None:
    """Extend the leases of frames whose handlers run, in one call per shard; abandon those that are lost.

    Frames with a commit under way need no extension: a commit renews the lease when that is due.
    """
    shards: dict[int, list[Runner]] = defaultdict(list)
    for runner in runners:
        if runner.waits:
            shards[session.store.shard_of(runner.execution_id)].append(runner)
    await asyncio.gather(*(_extend_shard(session, shard, members) for shard, members in shards.items()))


async def _extend_shard(session: Session, shard: int, runners: list[Runner]) -> None:
    asked_at = session.monotonic()
    leases = [Lease(runner.execution_id, runner.frame.id, runner.revision) for runner in runners]
    held = await session.store.extend(shard, session.owner, leases, session.lease_ms)
    for runner, lease, ours in zip(runners, leases, held, strict=True):
        if ours:
            runner.renewed = max(runner.renewed, asked_at)
        elif runner.waits and runner.revision == lease.revision:
            runner.abandon()


async def keep(session: Session, runners: Callable[[], list[Runner]]) -> None:
    """Extend every sixth of a lease, for ever.  A worker that cannot reach the store fences itself: two thirds into a
    lease it cancels its handlers, before anybody else may start them (F16 of the failure model: monotonic clock)."""
    pause = session.lease_ms / 1000 / 6
    asking: set[asyncio.Task[None]] = set()
    while True:
        await asyncio.sleep(pause)
        now = session.monotonic()
        for runner in runners():
            if runner.waits and runner.fenced():
                _log.warning("lease of execution %s could not be renewed: handler cancelled", runner.execution_id)
                runner.abandon()
        due = [runner for runner in runners() if now - runner.renewed > pause * 0.9]
        if due:
            asking.add(task := asyncio.get_running_loop().create_task(_extend_due(session, due)))
            task.add_done_callback(asking.discard)


async def _extend_due(session: Session, due: list[Runner]) -> None:
    """`extend` for `keep`, which does not wait for it: a store that is slow to answer still extends."""
    try:
        await extend(session, due)
    except Exception as error:  # whatever it is, leases are kept
        _log.warning("leases not extended: %s", error)
