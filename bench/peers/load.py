"""The load every engine gets: executions of ten trivial steps, one after the other and many at once."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable

__all__ = ["STEPS", "measure", "report"]

STEPS = 10


async def measure(run: Callable[[int], Awaitable[int]], alone: int, together: int) -> dict[str, float]:
    """Milliseconds for one execution by itself (median of `alone`), and steps per second of `together` at once.

    Arguments:
        run: runs one execution to its end and answers its number, so that an engine cannot answer without having run.
        alone, together: how many executions.
    """
    for number in range(3):  # connections, compiled code
        assert await run(number) == number
    durations = []
    for number in range(alone):
        started = time.perf_counter()
        assert await run(number) == number
        durations.append((time.perf_counter() - started) * 1000)
    started = time.perf_counter()
    answers = await asyncio.gather(*(run(number) for number in range(together)))
    seconds = time.perf_counter() - started
    assert answers == list(range(together))
    return {"alone_ms": round(statistics.median(durations), 2), "steps_per_second": round(together * STEPS / seconds)}


def report(figures: dict[str, float]) -> None:
    """Tell the process that asked for the figures."""
    print(json.dumps(figures), flush=True)
