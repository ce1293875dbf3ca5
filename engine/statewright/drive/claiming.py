"""Claiming: a worker looks where there may be something for it, as long as it has room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from statewright.drive.children.notices import Notices
from statewright.drive.outage import Outage
from statewright.drive.session import Session
from statewright.store.records import Claim

__all__ = ["Claiming"]

_log = logging.getLogger("statewright")

_BREATH: Final = 0.01
"""Seconds until a worker that has enough to do at the moment looks whether it still has."""

_FRAMES_PER_CALL: Final = 100
"""So that no call keeps the server for long."""


class Claiming:
    """Looks at the shards that the session's lookout names.

    Arguments:
        session: of the worker.
        machines: names of the state machines to work on; none: all.
        notices: told where there are some.
        room: how many frames more the worker would take on now.
        full: whether it holds as many as it may.
        hear: is told of every answer: the shard, the claim and when (s, monotonic) it was asked for.

    Example: ``await Claiming(session, (), notices, room, full, hear).run()``
    """

    def __init__(
        self,
        session: Session,
        machines: Sequence[str],
        notices: Notices,
        room: Callable[[], int],
        full: Callable[[], bool],
        hear: Callable[[int, Claim, float], None],
    ) -> None:
        self._session = session
        self._notices = notices
        self._machines = tuple(machines)
        self._room = room
        self._full = full
        self._hear = hear
        self._asked = 0
        self._looks: set[asyncio.Task[None]] = set()
        self._outage = Outage()

    async def run(self) -> None:
        """Look for work until the session is stopping; what is being asked for then is still taken on."""
        lookout, clock = self._session.lookout, asyncio.get_running_loop().time
        more_at: float | None = None  # when a full worker takes a few more than there is room for
        try:
            while not self._session.stopping:
                lookout.wake.clear()
                full, room = self._full(), self._room() - self._asked
                if room > 0:
                    self._begin(room, lookout.take(room))
                elif more_at is not None and clock() >= more_at:
                    more_at = None  # so that no timer of what is held here is missed
                    self._begin(0, lookout.take(self._session.store.shards, full=True))
                again_at = clock() + _BREATH if lookout.waiting else None
                if full and lookout.waiting:
                    again_at = more_at = more_at or clock() + self._session.lease_ms / 6000
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(again_at):
                        await lookout.wake.wait()
            if self._looks:
                await asyncio.wait(self._looks)
        finally:
            for look in self._looks:
                look.cancel()

    def _begin(self, room: int, shards: Sequence[tuple[int, int]]) -> None:
        for shard, patience in shards:
            limit = max(1, min(room // len(shards), _FRAMES_PER_CALL))
            self._asked += limit
            look = asyncio.get_running_loop().create_task(self._try(shard, patience, limit))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    async def everywhere(self) -> bool:
        """Look at all shards now; whether that brought anything."""
        shards = self._session.lookout.begin_all()
        limit = max(1, self._room() // len(shards))
        self._asked += limit * len(shards)
        return any(await asyncio.gather(*(self._look(shard, 0, limit) for shard in shards)))

    async def _try(self, shard: int, patience: int, limit: int) -> None:
        """Look at one shard; whatever goes wrong, the worker goes on."""
        try:
            await self._look(shard, patience, limit)
        except Exception as error:
            self._session.lookout.failed(shard, round(self.pause_after(error) * 1000))
        else:
            self._outage.over()

    async def _look(self, shard: int, patience: int, limit: int) -> bool:
        """Look at one shard; whether that brought anything."""
        session = self._session
        asked_at = session.monotonic()
        try:
            claim = await session.store.claim(
                shard, session.owner, session.lease_ms, limit, self._machines, patience=patience
            )
        finally:
            self._asked -= limit
        self._hear(shard, claim, asked_at)
        self._taken(claim, shard)
        session.lookout.looked(shard, patience, claim.now, claim.next_due)
        return bool(claim.frames)

    def _taken(self, claim: Claim, shard: int) -> None:
        self._session.clock.observe(claim.now)
        if claim.notices:
            self._notices.look(shard)
        for claimed in claim.frames:
            self._session.take(claimed)

    def pause_after(self, error: Exception) -> float:
        """Seconds to wait before the next try, after a failure."""
        return self._outage.pause(error, self._session.monotonic())
