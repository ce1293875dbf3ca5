"""Servers for the tests of the store: the packaged Valkey, a Redis 7 found on PATH, and the simulated one, which has to
answer as they do.

Tests are coroutine functions; `stores` opens stores that are closed when the test is over.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from statewright.store import RedisStore, open_store
from statewright.store.embedded import start_embedded, stop_embedded
from tests.sim.service import serving


@dataclass
class Clock:
    """A clock that goes when told."""

    ms: int = 1_000_000_000_000

    def __call__(self) -> int:
        return self.ms


@dataclass
class Stores:
    """Opens stores on one server; every one has the test's clock unless it asks for the server's."""

    url: str
    clock: Clock = field(default_factory=Clock)
    opened: list[RedisStore] = field(default_factory=list)

    async def open(self, *, own_clock: bool = True) -> RedisStore:
        store = await open_store(self.url, clock=self.clock if own_clock else None)
        self.opened.append(store)
        return store

    async def close(self) -> None:
        for store in self.opened:
            await store.close()


def redis_binary() -> str:
    """Path of redis-server; the test is skipped without one, or fails where it must not be missing."""
    found = shutil.which("redis-server")
    if found is None:
        if os.environ.get("STATEWRIGHT_REQUIRE_REDIS") == "1":
            pytest.fail("redis-server is not on PATH, and STATEWRIGHT_REQUIRE_REDIS=1 requires it")
        pytest.skip("redis-server is not on PATH")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the connection administer their server, which the simulated one cannot offer."""
    items[:] = [item for item in items if not ("test_connection.py" in item.nodeid and "[simulated" in item.nodeid)]


@pytest.fixture(scope="session", params=["valkey", "redis", "simulated"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a running server, one per kind and session."""
    data_dir: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "simulated":
        with serving(data_dir / "socket") as url:
            yield url
        return
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "redis":
            patch.setenv("STATEWRIGHT_SERVER", redis_binary())
        url = asyncio.run(start_embedded(data_dir))
    yield url
    asyncio.run(stop_embedded(data_dir))


@pytest.fixture
def stores(server: str) -> Stores:
    """Opens stores on an empty server."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(server.removeprefix("unix://"))
        sock.sendall(b"FLUSHALL\r\n")
        assert sock.recv(100) == b"+OK\r\n"
    return Stores(server)
