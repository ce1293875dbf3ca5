"""What is particular about a primary under Sentinels: it may be another one from one moment to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from statewright.errors import StatewrightError
from statewright.store import StoreUnavailable, open_store
from statewright.store.sentinel import Failover
from tests.store.scene import LEASE, Scene, events
from tests.store.servers import SentinelNodes, eventually


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[SentinelNodes]:
    nodes = SentinelNodes("valkey", tmp_path / "sentinel")
    yield nodes
    nodes.stop()


async def test_what_is_acknowledged_survives_the_primary(sentinels: SentinelNodes) -> None:
    """Whichever replica is promoted, as all had what was acknowledged.  Calls under way are answered by it, once it has
    as many replicas again."""
    old = sentinels.primary
    store = await open_store(sentinels.url.replace("replicas=1", "replicas=2"))
    scene = Scene(store, f"E{old.port}")
    await scene.create()
    orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(200)]
    acknowledged = [(await store.commit(order)).outcome for order in orders[:50]]
    under_way = [asyncio.ensure_future(store.commit(order)) for order in orders[50:]]
    await under_way[10]
    old.kill()
    await asyncio.to_thread(sentinels.bring_back, old)
    outcomes = acknowledged + [answer.outcome for answer in await asyncio.gather(*under_way)]
    assert set(outcomes) <= {"OK", "DUP"}
    assert [kind for _, _, kind in await scene.links()][1:] == [f"e{i}" for i in range(200)]
    await store.close()


async def test_a_demoted_primary_is_left_though_it_still_answers(sentinels: SentinelNodes) -> None:
    """What the old primary takes after the switch is lost: it is left when the first Sentinel announces another."""
    old = sentinels.primary
    store = await open_store(sentinels.url.partition("?")[0])
    order = ("SENTINEL", "FAILOVER", sentinels.name)
    await asyncio.to_thread(eventually, "a failover", lambda: sentinels.sentinels[0].command(*order))
    await asyncio.to_thread(eventually, "another primary", lambda: sentinels.primary is not old)
    new = sentinels.primary
    server = store._scripts.server
    assert isinstance(server, Failover)
    while str(server._address) != f"redis://127.0.0.1:{new.port}/0":
        await store.now()
    scene = Scene(store, f"F{new.port}")
    await scene.create()
    for index in range(20):
        assert (await store.commit(scene.order(revision=1 + index, history=events("e"), keep_ms=LEASE))).outcome == "OK"
    assert sentinels.primary is new
    assert new.command("LLEN", store._key(scene.name, "h")) == 21
    await store.close()


async def test_a_silent_primary_is_left_when_the_sentinels_name_another(sentinels: SentinelNodes) -> None:
    old = sentinels.primary
    store = await open_store(sentinels.url.partition("?")[0])
    scene = Scene(store, f"G{old.port}")
    await scene.create()
    others = [server for server in sentinels.servers if server is not old]
    key = store._key(scene.name)
    await asyncio.to_thread(eventually, "a replica in step", lambda: any(o.command("EXISTS", key) for o in others))
    old.pause()
    try:
        answer = await store.commit(scene.order(history=events("e"), keep_ms=LEASE))
        assert answer.outcome == "OK"
        assert sentinels.primary in others
        assert sentinels.primary.command("LLEN", store._key(scene.name, "h")) == 2
    finally:
        old.resume()
        await store.close()


async def test_what_is_refused(sentinels: SentinelNodes) -> None:
    with pytest.raises(StatewrightError, match="NOREPLICAS"):  # no acknowledgement with too few of them
        await open_store(sentinels.url.replace("replicas=1", "replicas=3"), deadline=4)
    with pytest.raises(StatewrightError, match="No such master") as refused:
        await open_store(sentinels.url.replace("/orders/", "/others/"))
    assert refused.value.code == "StoreRefused"


async def test_no_sentinel_there(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no Sentinel answers"):
        await open_store("sentinel://127.0.0.1:1,127.0.0.1:2/orders", deadline=0.2)
