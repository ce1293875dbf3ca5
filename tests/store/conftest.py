"""Servers for the tests of the store: the packaged Valkey and a Redis 7 found on PATH, alone, as a cluster, under
Sentinels, and for a user with no more rights than documented; and the simulated one, which has to answer as they do.

Tests are coroutine functions; `stores` opens stores that are closed when the test is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from statewright.store import RedisStore, open_store
from statewright.store.address import Address, Command
from statewright.store.embedded import start_embedded, stop_embedded
from statewright.store.rights import acl_rules
from statewright.store.wire import ask
from tests.sim.service import serving
from tests.store.servers import ClusterNodes, SentinelNodes, redis_binary


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

    async def open(self, *, own_clock: bool = True, shards: int | None = 16) -> RedisStore:
        store = await open_store(self.url, shards=shards, clock=self.clock if own_clock else None)
        self.opened.append(store)
        return store

    async def close(self) -> None:
        for store in self.opened:
            await store.close()


@dataclass(frozen=True)
class Deployment:
    """Servers that make one store, and the addresses to empty them by."""

    url: str
    primaries: tuple[Address, ...]

    def empty(self) -> None:
        for address in self.primaries:
            assert asyncio.run(ask(address, ("FLUSHALL",), timeout=10)) == [b"OK"]


KINDS = ("valkey", "redis", "simulated", "rights", "cluster", "sentinel")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of the store runs on every kind of deployment, or on those that its module names in KINDS."""
    if "deployment" in metafunc.fixturenames:
        kinds = getattr(metafunc.module, "KINDS", KINDS)
        metafunc.parametrize("deployment", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Running servers, one deployment per kind and session; `rights` is a Redis that we may use by the documented
    access rights only."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "simulated":
        with serving(folder / "socket") as url:
            yield Deployment(url, (Address.parse(url),))
    elif request.param == "cluster":
        cluster = ClusterNodes("valkey", folder, timeout_ms=15_000)
        yield Deployment(cluster.url, tuple(Address(host="127.0.0.1", port=node.port) for node in cluster.nodes))
        cluster.stop()
    elif request.param == "sentinel":
        sentinels = SentinelNodes("valkey", folder, timeout_ms=15_000)
        yield Deployment(sentinels.url, (Address(host="127.0.0.1", port=sentinels.primary.port),))
        sentinels.stop()
    else:
        with pytest.MonkeyPatch.context() as patch:
            if request.param != "valkey":
                patch.setenv("STATEWRIGHT_SERVER", redis_binary())
            url = asyncio.run(start_embedded(folder))
        address = Address.parse(url)
        if request.param == "rights":
            user: Command = ("ACL", "SETUSER", "engine", "on", ">secret", *acl_rules())
            assert asyncio.run(ask(address, user, timeout=10)) == [b"OK"]
            url = url.replace("unix://", "unix://engine:secret@")
        yield Deployment(url, (address,))
        asyncio.run(stop_embedded(folder))


@pytest.fixture
def stores(deployment: Deployment) -> Stores:
    """Opens stores on empty servers."""
    deployment.empty()
    return Stores(deployment.url)
