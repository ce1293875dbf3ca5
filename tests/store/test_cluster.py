"""What is particular about a cluster: every call in one slot, slots that move, primaries that die."""

from __future__ import annotations

import asyncio
from binascii import crc_hqx
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from statewright.errors import StatewrightError
from statewright.store import RedisStore, StoreUnavailable, keys, open_store
from statewright.store.address import Address
from statewright.store.cluster import Cluster, slot_of
from statewright.store.replies import ServerError
from statewright.store.scripts import LIBRARY
from tests.store.scene import LEASE, Scene, administer, events, fork
from tests.store.servers import ClusterNodes, Node, eventually


@pytest.fixture(scope="module", params=["valkey", "redis"])
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterNodes]:
    """Three primaries, and a replica of the first."""
    cluster = ClusterNodes(request.param, tmp_path_factory.mktemp("cluster"), replicas=1)
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(nodes: ClusterNodes) -> ClusterNodes:
    """The same, empty and working."""
    for node in nodes.nodes:
        if node.command("ROLE")[0] == "master":
            node.command("FLUSHALL")
    return nodes


def names_in(shards: int) -> list[str]:
    """Execution ids, one for each shard."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < shards:
        found.setdefault(keys.shard_of(f"E{number}", shards), f"E{number}")
        number += 1
    return [found[shard] for shard in range(shards)]


@pytest.mark.parametrize(
    ("key", "hashed"),
    [("sw:{7}:x:E1", "7"), ("a", "a"), ("{}a", "{}a"), ("a{b", "a{b"), ("{a}{b}", "a"), ("a{{b}}", "{b")],
)
def test_slots(key: str, hashed: str) -> None:
    assert slot_of(key) == crc_hqx(hashed.encode(), 0) % 16384


def test_slots_are_those_of_the_server(nodes: ClusterNodes) -> None:
    for key in (keys.META, "sw:{7}:x:E1", "123456789", "{}a"):
        assert slot_of(key) == nodes.nodes[0].command("CLUSTER", "KEYSLOT", key)


async def test_each_primary_gets_the_library_and_its_shards(cluster: ClusterNodes) -> None:
    store = await open_store(cluster.url, shards=16)
    scenes = [Scene(store, name) for name in names_in(store.shards)]
    for scene in scenes:
        await scene.create()
        assert [claimed.execution for claimed in await scene.claim()] == []
    listed, _ = await store.executions("m", "RUNNING", 0, 100)
    assert {description.execution.id for description in listed} == {scene.name for scene in scenes}
    held = await administer(store, "DBSIZE")
    libraries = await administer(store, "FUNCTION", "LIST")
    await store.close()
    assert len(held) == 3
    assert all(held)
    assert all(libraries)


async def test_the_server_refuses_a_script_that_touches_another_slot(cluster: ClusterNodes) -> None:
    """So the contract tests that pass on a cluster prove that every verb keeps to one slot."""
    store = await open_store(cluster.url)
    code = (
        "#!lua name=stray\nredis.register_function('stray', function(keys)\n"
        "return redis.call('GET', 'sw:{' .. (tonumber(string.match(keys[1], '%d+')) + 1) .. '}:x') end)"
    )
    server = store._scripts.server
    await server.call("FUNCTION", "LOAD", "REPLACE", code, at="sw:{3}:x")
    with pytest.raises(ServerError):
        await server.call("FCALL", "stray", 1, "sw:{3}:x")
    await server.call("FUNCTION", "DELETE", "stray", at="sw:{3}:x")
    await store.close()


def begin_move(cluster: ClusterNodes, slot: int) -> tuple[Node, Node]:
    source = cluster.owner(slot)
    target = next(node for node in cluster.nodes[:3] if node is not source)
    target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.command("CLUSTER", "MYID"))
    source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.command("CLUSTER", "MYID"))
    return source, target


def move_keys(source: Node, target: Node, slot: int, count: int) -> int:
    """Move up to `count` keys of a slot; how many there were."""
    found = source.command("CLUSTER", "GETKEYSINSLOT", slot, count)
    if found:
        source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)
    return len(found)


def end_move(cluster: ClusterNodes, source: Node, target: Node, slot: int) -> None:
    while move_keys(source, target, slot, 100):
        pass
    owner = target.command("CLUSTER", "MYID")
    for node in (target, source, *cluster.nodes[:3]):
        node.command("CLUSTER", "SETSLOT", slot, "NODE", owner)


@pytest.mark.parametrize("moved", [0, 2, 100], ids=["no key", "two keys", "all keys"])
async def test_a_commit_waits_for_a_slot_that_moves_key_by_key(cluster: ClusterNodes, moved: int) -> None:
    """With its keys on two nodes a script would be cut off half-way: it must not begin."""
    store = await open_store(cluster.url)
    scene = Scene(store, "E1")
    await scene.create()
    slot = slot_of(keys.prefix(scene.shard))
    source, target = await asyncio.to_thread(begin_move, cluster, slot)
    await asyncio.to_thread(move_keys, source, target, slot, moved) if moved else None
    before = await everything(source, target)
    orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(10)]
    commits = [asyncio.ensure_future(store.commit(order)) for order in orders]
    refused = asyncio.ensure_future(asyncio.wait_for(store.claim(scene.shard, "v", LEASE, 10), 0.5))
    with pytest.raises(TimeoutError):
        await refused
    assert await everything(source, target) == before
    assert (await store.describe("E1")) is not None, "what only reads is answered"
    await asyncio.to_thread(end_move, cluster, source, target, slot)
    assert [(await commit).outcome for commit in commits] == ["OK"] * 10
    assert [kind for _, _, kind in await scene.links()][1:] == [f"e{i}" for i in range(10)]
    await store.close()


async def everything(*nodes: Node) -> dict[str, str]:
    """All that nodes hold for shards, by key."""

    def look() -> dict[str, str]:
        found = {}
        for node in nodes:
            for key in node.command("KEYS", "sw:{[0-9]*"):
                found[key] = node.command("DEBUG", "DIGEST-VALUE", key)[0]
        return found

    return await asyncio.to_thread(look)


async def test_items_that_are_refused_arrive_before_the_commit_that_forks_over_them(cluster: ClusterNodes) -> None:
    store = await open_store(cluster.url)
    scene = Scene(store, "E1")
    await scene.create()
    store._scripts.server = Reluctant(store._scripts.server, "items", "TRYAGAIN")  # type: ignore[assignment]
    items = fork(items=("0", "1", "2"))
    before = asyncio.ensure_future(scene.commit(history=events("e"), keep_ms=LEASE))
    await asyncio.sleep(0)
    order = scene.order(revision=2, commands=(items,))
    assert (await store.commit(order)).outcome == "OK"
    assert (await before).outcome == "OK"
    claimed = await scene.claim()
    assert sorted(frame.frame.input.text for frame in claimed if frame.frame.id) == ["0", "1", "2"]
    await store.close()


class Reluctant:
    """A server that answers the first call of a verb with an error."""

    def __init__(self, server: Any, verb: str, error: str) -> None:
        self.server, self.verb, self.error = server, verb, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server, name)

    def call(self, *command: Any, at: str = "") -> asyncio.Future[Any]:
        if self.verb and str(command[1]).endswith(f"_{self.verb}"):
            self.verb = ""
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(ServerError(self.error))
            return future
        found: asyncio.Future[Any] = self.server.call(*command, at=at)
        return found


async def test_an_emptied_cluster_is_not_filled_again(cluster: ClusterNodes) -> None:
    store = await open_store(cluster.url)
    owner = await asyncio.to_thread(cluster.owner, slot_of(keys.META))
    owner.command("DEL", keys.META)
    other = await open_store(cluster.url)
    owner.command("CLIENT", "KILL", "TYPE", "normal")
    with pytest.raises(StatewrightError, match="another store"):
        await store.machines()
    await store.close()
    await other.close()


async def test_a_dead_primary_is_replaced_by_its_replica(cluster: ClusterNodes) -> None:
    """Calls that were under way when it died are answered by its replica."""
    store = await open_store(cluster.url + "?replicas=0")
    primary = cluster.nodes[0]
    replica = cluster.nodes[3]
    if primary.command("ROLE")[0] != "master":
        primary, replica = replica, primary
    name = next(name for name in names_in(store.shards) if owned(cluster, name, store) is primary)
    scene = Scene(store, name)
    await scene.create()
    eventually("a replica in step", lambda: replica.command("DBSIZE") == primary.command("DBSIZE"))
    primary.kill()
    orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(10)]
    answers = await asyncio.gather(*map(store.commit, orders))
    assert [answer.outcome for answer in answers] == ["OK"] * 10
    assert await asyncio.to_thread(owned, cluster, name, store) is replica
    await store.close()
    await asyncio.to_thread(primary.start)
    eventually("the old primary as replica", lambda: primary.command("ROLE")[0] == "slave")


def owned(cluster: ClusterNodes, name: str, store: RedisStore) -> Node:
    return cluster.owner(slot_of(keys.prefix(store.shard_of(name))))


async def test_no_cluster_there(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no node of the cluster"):
        await open_store("cluster://127.0.0.1:1", deadline=0.05)


async def test_a_single_server_is_no_cluster_and_a_node_no_single_server(nodes: ClusterNodes, store_url: str) -> None:
    with pytest.raises(StatewrightError, match="cluster://"):
        await open_store(f"redis://127.0.0.1:{nodes.nodes[0].port}")
    server = Cluster([Address.parse(store_url)])
    with pytest.raises(StatewrightError, match="no cluster"):
        await server.ensure()
    await server.close()


def test_the_library_has_one_name_for_all_nodes() -> None:
    assert LIBRARY.startswith("#!lua name=statewright_")
