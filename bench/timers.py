"""Very many timers due at one instant: how fast they fire, whether any is early, and what others notice of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from bench import scenarios
from statewright import AsyncEngine, StatewrightError

__all__ = ["timers"]

AT_ONCE = 200
"""Executions being parked at once."""

SAMPLE = 1000

PAUSE = 0.02
"""Seconds between the starts of the others."""


def herd() -> dict[str, Any]:
    """One Wait, until the moment that the input says."""
    return {"StartAt": "W", "States": {"W": {"Type": "Wait", "TimestampPath": "$.until", "End": True}}}


async def timers(engine: AsyncEngine, count: int) -> dict[str, float]:
    """Park `count` executions until one instant, and start ten-step chains one after the other before and after that.

    Returns how long after that instant all had ended (s), how many ended early (by the server's clock), and quantiles
    of how long a chain took, in ms, while the others only waited and while they went on.
    """
    await engine.deploy(herd(), name="herd")
    await engine.deploy(scenarios.chain(), name="chain")
    began = time.time()
    await _park(engine, range(min(count, SAMPLE)), began + 3600)  # to know how fast that is
    seconds = (time.time() - began) / min(count, SAMPLE) * count
    due = float(int(time.time() + 3 + 1.5 * seconds))
    await _park(engine, range(SAMPLE, SAMPLE + count), due)
    assert time.time() < due, "the machine has become slower meanwhile: try again"
    alone = await _chains(engine, lambda: time.time() < due - 0.2)
    await asyncio.sleep(max(0.0, due - time.time()))
    going_on = asyncio.Event()
    meanwhile = asyncio.ensure_future(_chains(engine, lambda: not going_on.is_set()))
    while await _running(engine) > min(count, SAMPLE):
        await asyncio.sleep(0.1)
    seconds = time.time() - due
    going_on.set()
    durations = await meanwhile
    ended = await engine.list("herd", "SUCCEEDED", limit=count)
    assert len(ended) == count
    return {
        "timers": count,
        "seconds_until_all_fired": round(seconds, 1),
        "fired_per_second": round(count / seconds),
        "early": sum((each.stopped_at or 0) < due * 1000 for each in ended),
        "chains_alone": len(alone),
        "alone_p50_ms": _quantile(alone, 0.5),
        "alone_p99_ms": _quantile(alone, 0.99),
        "chains_meanwhile": len(durations),
        "meanwhile_p50_ms": _quantile(durations, 0.5),
        "meanwhile_p99_ms": _quantile(durations, 0.99),
    }


async def _park(engine: AsyncEngine, numbers: Iterable[int], due: float) -> None:
    """Start executions that wait until `due` (s)."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due))
    left = iter(numbers)

    async def lane() -> None:
        for number in left:
            await engine.start("herd", {"until": until}, name=f"h{number}")

    await asyncio.gather(*(lane() for _ in range(AT_ONCE)))


async def _chains(engine: AsyncEngine, go_on: Callable[[], bool]) -> list[float]:
    """Start a chain every `PAUSE` seconds as long as `go_on` says so; how long each took, ms."""

    async def chain() -> float:
        before = time.perf_counter()
        while True:
            try:
                started = await engine.start("chain", {"order": 1})
                break
            except StatewrightError as error:  # one process does everything here, and may be too busy to be in time
                if error.code != "ClockSkew":
                    raise
        assert (await engine.wait(started.arn)).status == "SUCCEEDED"
        return (time.perf_counter() - before) * 1000

    begun = []
    while go_on():
        begun.append(asyncio.ensure_future(chain()))
        await asyncio.sleep(PAUSE)
    return await asyncio.gather(*begun)


async def _running(engine: AsyncEngine) -> float:
    return (await engine.metrics()).value("running_executions", machine="herd")


def _quantile(values: list[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))], 1) if values else 0.0
