"""The time by the store's clock: estimated from its replies, or virtual.

Nothing durable depends on this estimate: timers are due, and leases lapse, by the store's own clock.  It only says when
to look, and gives events their `at`.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

__all__ = ["Clock", "ServerClock", "VirtualClock"]


class Clock(Protocol):
    """What a worker needs of a clock."""

    def now(self) -> int:
        """Estimated time of the store, in ms; never backwards."""

    def estimate(self) -> int:
        """The same by the last reply alone: it goes back where the store's clock was set back."""

    def observe(self, now: int) -> None:
        """A reply of the store said that it is `now` (ms)."""

    async def sleep(self, seconds: float) -> None:
        """Wait for so long."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that belongs to the world of this clock."""

    def alarm(self, due: int, ring: Callable[[], None]) -> Callable[[], None]:
        """Call `ring` at `due` (ms); the answer takes that back."""

    def rest(self) -> AbstractContextManager[None]:
        """A block in which the current task only waits for another one."""


class ServerClock:
    """The store's clock as an offset from this machine's monotonic one, corrected by every reply.

    Example: ``clock.observe(created.now); clock.now() >= created.now``
    """

    def __init__(self) -> None:
        self._offset = time.time() * 1000 - time.monotonic() * 1000  # until the first reply says better
        self._last = 0

    def now(self) -> int:
        self._last = max(self._last, self.estimate())
        return self._last

    def estimate(self) -> int:
        return int(time.monotonic() * 1000 + self._offset)

    def observe(self, now: int) -> None:
        # A reply that was under way for long sets the estimate back; the store's time is still not before what it said.
        self._last = max(self._last, now)
        self._offset = now - time.monotonic() * 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    def alarm(self, due: int, ring: Callable[[], None]) -> Callable[[], None]:
        # By the estimate itself: after time was set back `now` stands still for a while, and all would seem due.
        delay = max(0.001, (due - self.estimate()) / 1000)
        return asyncio.get_running_loop().call_later(delay, ring).cancel

    def rest(self) -> AbstractContextManager[None]:
        return nullcontext()


class VirtualClock:
    """A clock that stands still until it is told to go on: for tests, where a year passes in no time.

    Give it to the engine, which opens its store with it and lets it jump to whatever is due next whenever nothing is
    left to do.  Tasks made with `spawn` count as something to do, except while they wait in `sleep`.

    Arguments:
        start: the time it shows first, ms since 1970-01-01 UTC.

    Example: ``clock = VirtualClock(); clock.advance_to(clock() + 60_000)``
    """

    def __init__(self, start: int = 1_700_000_000_000) -> None:
        self._now = start
        self._working = 0
        self._members: set[asyncio.Task[None]] = set()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = 0
        self._watchers: list[Callable[[], None]] = []

    def __call__(self) -> int:
        return self._now

    def now(self) -> int:
        return self._now

    def estimate(self) -> int:
        return self._now

    def observe(self, now: int) -> None:
        """Nothing to learn: the store goes by this clock."""

    def advance_to(self, moment: int) -> None:
        """Let it be `moment` (ms) if that is later, and wake who slept until then."""
        self._now = max(self._now, moment)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            sleeper = heapq.heappop(self._sleepers)[2]
            if not sleeper.done():
                sleeper.set_result(None)
                self._working += 1  # at once, not when its task runs: the clock must not go on before that

    @property
    def next_wake(self) -> int | None:
        """When the next sleeper wakes, or None."""
        while self._sleepers and self._sleepers[0][2].done():  # cancelled meanwhile
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    @property
    def working(self) -> bool:
        """Whether a task of this clock's world is doing something other than sleeping."""
        return self._working > 0

    def watch(self, still: Callable[[], None]) -> None:
        """Call `still` each time the last working task sleeps or ends."""
        self._watchers.append(still)

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` have passed by this clock."""
        counted = asyncio.current_task() in self._members
        sleeper = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._now + round(seconds * 1000), self._order, sleeper))
        if counted:
            self._leave()
        try:
            await sleeper
        except asyncio.CancelledError:
            if sleeper.cancelled():  # else `advance_to` has counted it already
                self._working += 1
            raise
        finally:
            if not counted:
                self._leave()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._working += 1
        task = asyncio.get_running_loop().create_task(work)
        self._members.add(task)
        task.add_done_callback(self._ended)
        return task

    def alarm(self, due: int, ring: Callable[[], None]) -> Callable[[], None]:  # noqa: ARG002
        """None: the clock does not run by itself, and whoever moves it looks afterwards."""
        return _nothing

    @contextmanager
    def rest(self) -> Iterator[None]:
        self._leave()
        try:
            yield
        finally:
            self._working += 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._members.discard(task)
        self._leave()

    def _leave(self) -> None:
        self._working -= 1
        if self._working == 0:
            for still in self._watchers:
                still()


def _nothing() -> None:
    pass
