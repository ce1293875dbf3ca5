"""Where production modules have their time and chance from: in a simulation, from the world."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from statewright.drive import callbacks, clock, outage, session, starting, worker
from statewright.store import cluster, connection, headroom, opening, redis, scripts
from tests.sim.world import EPOCH, World

__all__ = ["SOURCES", "simulated_sources"]

SOURCES: dict[str, tuple[Any, ...]] = {
    "time": (clock, session, starting, headroom, redis),
    "secrets": (callbacks, session, worker, opening, redis),
    "random": (callbacks, outage, cluster, connection, scripts),
}
"""Modules by the standard module they use; a test compares this with what they import."""


class _Sources:
    """Stands for the modules `time`, `secrets` and `random`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = random.Random(world.chance.random())

    def monotonic(self) -> float:
        return self._world.now

    def time(self) -> float:
        return EPOCH + self._world.now

    def token_hex(self, count: int) -> str:
        return self.token_bytes(count).hex()

    def token_bytes(self, count: int) -> bytes:
        return self._chance.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)


@contextmanager
def simulated_sources(world: World) -> Iterator[None]:
    """For the length of the block, time and chance of the engine are those of `world`."""
    replacement = _Sources(world)
    originals = [(module, name, getattr(module, name)) for name, modules in SOURCES.items() for module in modules]
    try:
        for module, name, _ in originals:
            setattr(module, name, replacement)
        yield
    finally:
        for module, name, original in originals:
            setattr(module, name, original)
