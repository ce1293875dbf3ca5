"""Chaos C5: the server runs out of what it needs, or forgets its functions, while orders are filled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import redis

from statewright import AsyncEngine
from statewright.store.embedded import start_embedded
from statewright.store.keys import SHARDS_EMBEDDED, prefix
from tests.chaos.filling import Filled, Shop

__all__ = ["full_disk", "no_functions", "no_members", "no_memory", "slow_disk"]

_LISTS = [
    f"{prefix(shard)}{name}"
    for shard in range(SHARDS_EMBEDDED)
    for name in ("l", "t", "q", "q:orders", "e::RUNNING", "e:orders:RUNNING")
]
"""What a worker looks into for something to do, and what lists executions that run."""


@asynccontextmanager
async def _control(data_dir: Path, name: str, text: str = "") -> AsyncIterator[None]:
    """Tell the library that is preloaded into the server what to do, as long as the block runs (see `power.c`)."""
    file = data_dir / "appendonlydir" / name
    file.write_text(text)
    try:
        yield
    finally:
        file.unlink()


async def slow_disk(data_dir: Path, ms: int, seconds: float) -> Filled:
    """Each fsync takes `ms` longer for some seconds."""

    async def disturb() -> None:
        async with _control(data_dir, "slow", str(ms)):
            await asyncio.sleep(seconds)

    return await Shop(data_dir=data_dir, lease_seconds=9.0).fill(disturb, 40)


async def full_disk(data_dir: Path, seconds: float) -> Filled:
    """Nothing can be written for some seconds: with `appendfsync always` the server ends whenever it tries."""

    async def disturb() -> None:
        await asyncio.sleep(0.5)
        async with _control(data_dir, "full"):
            await asyncio.sleep(seconds)

    return await Shop(data_dir=data_dir).fill(disturb, 60)


async def no_memory(data_dir: Path, seconds: float) -> Filled:
    """The server has no memory left for some seconds, and says so."""

    async def disturb() -> None:
        await asyncio.sleep(0.5)
        await _tell(data_dir, lambda server: server.config_set("maxmemory", 1))
        await asyncio.sleep(seconds)
        await _tell(data_dir, lambda server: server.config_set("maxmemory", 0))

    return await Shop(data_dir=data_dir).fill(disturb, 60)


async def no_functions(data_dir: Path, seconds: float) -> Filled:
    """All functions are removed from the server every 50 ms."""
    shop = Shop(data_dir=data_dir)

    async def disturb() -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await _tell(data_dir, _flush)
            await asyncio.sleep(0.05)

    def _flush(server: redis.Redis) -> None:
        shop.filled.flushed += len(server.function_list()) > 0
        server.function_flush("SYNC")

    return await shop.fill(disturb, 60)


async def no_members(data_dir: Path, seconds: float) -> Filled:
    """F19: members of queues, leases, timers and indexes go every 10 ms; then one sweep puts all of them right."""
    shop, chance = Shop(data_dir=data_dir), Random(1)

    def lose(server: redis.Redis) -> None:
        for key in chance.sample(_LISTS, 4):
            gone = server.spop(key) if key.endswith("}:q") else server.zpopmin(key)
            shop.filled.removed += bool(gone)

    async def disturb() -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await _tell(data_dir, lose)
            await asyncio.sleep(0.01)
        async with AsyncEngine(data_dir=data_dir) as engine:
            await engine.sweep()

    return await shop.fill(disturb, 60)


async def _tell(data_dir: Path, what: Callable[[redis.Redis], object]) -> None:
    url = await start_embedded(data_dir)

    def tell() -> None:
        with redis.Redis.from_url(url) as server:
            what(server)

    await asyncio.to_thread(tell)


SCENARIOS: dict[str, Callable[[Path, bool], Coroutine[Any, Any, Filled]]] = {
    "an fsync takes 300 ms": lambda data_dir, long: slow_disk(data_dir, 300, 20 if long else 1),
    "an fsync takes 3 s": lambda data_dir, long: slow_disk(data_dir, 3000, 30 if long else 2),
    "the disk is full": lambda data_dir, long: full_disk(data_dir, 15 if long else 1),
    "there is no memory": lambda data_dir, long: no_memory(data_dir, 15 if long else 1),
    "members are lost": lambda data_dir, long: no_members(data_dir, 20 if long else 2),
    "functions are flushed": lambda data_dir, long: no_functions(data_dir, 30 if long else 2),
}
"""By what happens: the data directory, and whether it is to go on for long."""
