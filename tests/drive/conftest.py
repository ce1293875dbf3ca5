"""A store of its own for every test, on the session's server, and a virtual clock: nothing here waits for time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from statewright import AsyncEngine, Description, VirtualClock
from statewright.drive import Worker
from statewright.tasks import Handler


class Site:
    """An empty store, a clock, and engines on them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = VirtualClock()

    @asynccontextmanager
    async def engine(
        self, tasks: Mapping[str, Handler] | None = None, *, real: bool = False, **options: Any
    ) -> AsyncIterator[AsyncEngine]:
        clock = None if real else self.clock
        options.setdefault("shards", 16)
        async with AsyncEngine(self.url, tasks=tasks, clock=clock, **options) as engine:
            yield engine

    async def run(
        self, states: dict[str, Any], tasks: Mapping[str, Handler], given: Any = None, **options: Any
    ) -> tuple[Description, list[dict[str, Any]]]:
        """Deploy, run to the end; the execution and its history."""
        async with self.engine(tasks, **options) as engine:
            await engine.deploy({"StartAt": next(iter(states)), "States": states}, name="machine")
            ended = await engine.run("machine", given, timeout=20)
            return ended, await engine.history(ended.execution.arn)


@asynccontextmanager
async def idle_worker(engine: AsyncEngine) -> AsyncIterator[Worker]:
    """A worker that works when told: ``await worker.run_until_idle()``."""
    worker = engine.new_worker()
    try:
        yield worker
    finally:
        await worker.stop(0)


@pytest.fixture
def site(store_url: str) -> Site:
    with redis.Redis(unix_socket_path=urlsplit(store_url).path, db=1) as server:
        server.flushdb()
    return Site(f"{store_url}?db=1")


def one_task(resource: str, **fields: Any) -> dict[str, Any]:
    """A machine of a single Task state, called Work."""
    return {"Work": {"Type": "Task", "Resource": resource, "End": True, **fields}}


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """An empty bucket of a store of objects that is its parent directory."""
    (tmp_path / "b").mkdir()
    return tmp_path / "b"
