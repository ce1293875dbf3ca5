"""Who works on a store: every worker says that it is there, hears who else is, and knows from that where it is at home.

Only workers for the same state machines share shards out among each other: the home of one that serves some others
alone would leave ours alone.  Those that say that they are full are passed over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from statewright.drive.homes import ranks
from statewright.drive.session import Session
from statewright.errors import StatewrightError
from statewright.store.records import Presence

__all__ = ["Attendance"]

_log = logging.getLogger("statewright")


class Attendance:
    """Announces a worker for as long as it runs.

    Arguments:
        session: of the worker.
        describe: what it says of itself at the moment.

    Example: ``attendance.begin(); ...; await attendance.end()``
    """

    def __init__(self, session: Session, describe: Callable[[], Presence]) -> None:
        self._session = session
        self._describe = describe
        self.there: frozenset[str] = frozenset()
        """Workers that are there, as far as is known."""
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Announce the worker now and every third of a lease; it counts as gone a lease after the last time."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def ask(self) -> None:
        """Somebody may have gone: ask at once."""
        self._soon.set()

    async def end(self) -> None:
        """The worker goes, and says so."""
        if self._task is not None:
            self._task.cancel()
            try:
                async with asyncio.timeout(1):
                    await self._session.store.announce(self._describe(), 0)
            except (TimeoutError, StatewrightError) as error:
                _log.debug("could not take leave: %s", error)

    def abandon(self) -> None:
        """Stop without a word."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        session = self._session
        while True:
            self._soon.clear()
            try:
                self._heard(*await session.store.announce(self._describe(), session.lease_ms))
            except Exception as error:  # whatever it is, the worker works on; others may take it for gone
                _log.warning("cannot announce this worker: %s", error)
            try:
                async with asyncio.timeout(session.lease_ms / 3000):
                    await self._soon.wait()
            except TimeoutError:
                pass

    def _heard(self, there: tuple[Presence, ...], now: int) -> None:
        session = self._session
        session.clock.observe(now)
        session.lookout.refresh()
        own = self._describe()
        ready = {each.owner for each in there if each.machines == own.machines and each.held < each.room}
        others = ready - {own.owner}
        session.lookout.settle(ranks(own.owner, others, session.store.shards), alone=not others)
        owners = frozenset(each.owner for each in there)
        if self.there - owners:
            session.lookout.ring(None)  # its leases will lapse, and nobody rings then
        self.there = owners
