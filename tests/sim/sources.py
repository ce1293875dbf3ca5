"""Where production modules have their time and chance from: in a simulation, from the world."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from statewright.drive import callbacks, clock, outage, session, starting, sweep, worker
from statewright.store import cluster, connection, headroom, opening, recent, redis, scripts, serials
from tests.sim.loop import SimLoop
from tests.sim.world import EPOCH, World

__all__ = ["SOURCES", "simulated_sources"]

P = ParamSpec("P")
R = TypeVar("R")

SOURCES: dict[str, tuple[Any, ...]] = {
    "time": (clock, session, starting, headroom, recent, redis, serials),
    "secrets": (callbacks, session, worker, opening, redis),
    "random": (callbacks, outage, cluster, connection, scripts),
}
"""Modules by the standard module they use; a test compares this with what they import."""


_NEVER = 1e9
"""Seconds until there is a turn of a sweep."""


class _Sources:
    """Stands for the modules `time`, `secrets` and `random`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = random.Random(world.chance.random())

    def monotonic(self) -> float:
        return self._world.now + _ahead()

    def time(self) -> float:
        return EPOCH + self._world.now - _ahead()

    def token_hex(self, count: int) -> str:
        return self.token_bytes(count).hex()

    def token_bytes(self, count: int) -> bytes:
        return self._chance.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)


def _ahead() -> float:
    """Of the process that asks."""
    loop = asyncio._get_running_loop()
    return loop.ahead if isinstance(loop, SimLoop) else 0.0


class _Threads(Executor):
    """Stands for the threads of a worker: there is one thread in a simulation, so a call is made at once."""

    def __init__(self, size: int) -> None:
        pass

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call `fn`."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def simulated_sources(world: World, *, swept: bool = True) -> Iterator[None]:
    """For the length of the block, time and chance of the engine are those of `world`; not `swept`: workers go through
    keys only when they are told to."""
    sources = _Sources(world)
    replacements: list[tuple[Any, str, Any]] = [
        (module, name, sources) for name, modules in SOURCES.items() for module in modules
    ]
    replacements += [(worker, "Threads", _Threads), *([] if swept else [(sweep, "_TURN", _NEVER)])]
    originals = [(module, name, getattr(module, name)) for module, name, _ in replacements]
    try:
        for module, name, replacement in replacements:
            setattr(module, name, replacement)
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)
