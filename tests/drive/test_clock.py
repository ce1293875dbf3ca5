"""The estimate of the store's time, and the clock of the tests."""

from __future__ import annotations

import asyncio
import time

from statewright import VirtualClock
from statewright.drive import ServerClock


def working(clock: VirtualClock) -> bool:
    """Asked anew each time (a type checker takes a property for a constant)."""
    return clock.working


def test_the_estimate_follows_the_store_and_never_goes_back() -> None:
    clock = ServerClock()
    clock.observe(5_000_000_000_000)
    ahead = clock.now()
    assert 5_000_000_000_000 <= ahead < 5_000_000_001_000
    clock.observe(1_000_000)
    assert clock.now() >= ahead
    begun = time.monotonic()
    assert clock.now() - ahead <= (time.monotonic() - begun) * 1000 + 1


def test_a_late_reply_does_not_take_back_what_time_it_was() -> None:
    clock = ServerClock()
    clock.observe(5_000_000_000_000)
    clock.observe(4_999_999_999_000)  # was under way for a second longer, and nobody has asked in between
    assert clock.now() >= 5_000_000_000_000


async def test_sleepers_wake_in_order_and_the_clock_waits_for_them() -> None:
    clock, woken = VirtualClock(0), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock()))
        await asyncio.sleep(0)

    tasks = [clock.spawn(sleeper(seconds)) for seconds in (3, 1, 2)]
    assert working(clock)
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        if not working(clock) and clock.next_wake is not None:
            clock.advance_to(clock.next_wake)
            assert working(clock), "whoever was woken has something to do"
    assert woken == [(1, 1000), (2, 2000), (3, 3000)]
    await asyncio.sleep(0)
    assert not working(clock)
    assert clock.next_wake is None


async def test_cancelled_sleepers_are_forgotten() -> None:
    clock = VirtualClock(0)
    task = clock.spawn(clock.sleep(10))
    await asyncio.sleep(0)
    assert (clock.working, clock.next_wake) == (False, 10_000)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)
    assert (clock.working, clock.next_wake) == (False, None)


async def test_resting_is_not_working() -> None:
    clock, go_on, still = VirtualClock(0), asyncio.Event(), []
    clock.watch(lambda: still.append(clock()))

    async def waiting() -> None:
        with clock.rest():
            await go_on.wait()
        assert working(clock)

    task = clock.spawn(waiting())
    await asyncio.sleep(0)
    assert (clock.working, still) == (False, [0])
    go_on.set()
    await task
    await asyncio.sleep(0)
    assert (clock.working, still) == (False, [0, 0])
