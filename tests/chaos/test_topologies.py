"""Orders are filled while the primary dies under Sentinels, and while a cluster moves slots and loses a primary.

Every order that was acknowledged ends as an undisturbed one does: the same events, gapless, and each effect once.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from statewright import AsyncEngine
from statewright.store.cluster import slot_of
from statewright.store.keys import prefix
from tests.store.servers import ClusterNodes, Node, SentinelNodes, eventually

ORDER: dict[str, Any] = {
    "StartAt": "Reserve",
    "States": {
        "Reserve": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:act", "Next": "Lines"},
        "Lines": {
            "Type": "Map",
            "ItemsPath": "$.lines",
            "ItemProcessor": {
                "StartAt": "Pack",
                "States": {
                    "Pack": {
                        "Type": "Task",
                        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:act",
                        "End": True,
                    }
                },
            },
            "Next": "Note",
        },
        "Note": {"Type": "Pass", "Next": "Breathe"},
        "Breathe": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
        "Done": {"Type": "Succeed"},
    },
}


async def fill_orders(url: str, disturb: Callable[[], Awaitable[None]], count: int) -> dict[str, list[str]]:
    """Start orders before, during and after a disturbance; the history of each, as sorted words."""
    effects: Counter[str] = Counter()

    async def act(value: Any, context: Any) -> Any:
        effects[context.idempotency_key] += 1
        await asyncio.sleep(0)
        return value

    async with AsyncEngine(url, tasks={"act": act}, lease_seconds=2) as engine:
        await engine.deploy(ORDER, name="orders")
        async with engine.worker():
            disturbing = asyncio.ensure_future(disturb())
            acknowledged = []
            while len(acknowledged) < count or not disturbing.done():
                name = f"o-{len(acknowledged)}"
                await engine.start("orders", {"lines": [{"n": n} for n in range(4)]}, name=name)
                acknowledged.append(name)
                await asyncio.sleep(0.02)
            await disturbing
            histories = {}
            for name in acknowledged:
                ended = await engine.wait(f"orders:{name}", timeout=60)
                events = await engine.history(f"orders:{name}")
                assert ended.status == "SUCCEEDED", (name, events[-1])
                assert [event["id"] for event in events] == list(range(1, len(events) + 1)), name
                histories[name] = sorted(event["type"] for event in events)
    assert len(effects) == 5 * len(acknowledged), "each effect has a key of its own, the same when it is repeated"
    return histories


def alike(histories: dict[str, list[str]]) -> bool:
    return len({json.dumps(history) for history in histories.values()}) == 1


async def orders_while_slots_move(cluster: ClusterNodes, move: Callable[[int, Node, Node], None]) -> None:
    """Have some slots moved, one after the other, by `move` (slot, from, to) while orders are filled."""

    def move_all() -> None:
        for shard in range(0, 16, 3):
            slot = slot_of(prefix(shard))
            source = cluster.owner(slot)
            move(slot, source, next(node for node in cluster.nodes if node is not source))

    async def disturb() -> None:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(move_all)

    try:
        assert alike(await fill_orders(cluster.url, disturb, 60))
    finally:
        cluster.stop()


async def test_slots_move_while_orders_run(tmp_path: Path) -> None:
    """Key by key, which stops the slot's shard but not the others."""
    cluster = ClusterNodes("redis", tmp_path / "cluster")

    def move(slot: int, source: Node, target: Node) -> None:
        ids = {node.port: node.command("CLUSTER", "MYID") for node in cluster.nodes}
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
        while found := source.command("CLUSTER", "GETKEYSINSLOT", slot, 3):
            source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)
        for node in (target, source, *cluster.nodes):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])

    await orders_while_slots_move(cluster, move)


async def test_slots_move_at_once_while_orders_run(tmp_path: Path) -> None:
    """Valkey's own migration."""
    cluster = ClusterNodes("valkey", tmp_path / "cluster")

    def move(slot: int, source: Node, target: Node) -> None:
        source.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target.command("CLUSTER", "MYID"))
        eventually("a moved slot", lambda: cluster.owner(slot) is target)

    await orders_while_slots_move(cluster, move)


async def test_a_primary_of_the_cluster_dies_while_orders_run(tmp_path: Path) -> None:
    """Without a replica its shards wait until it is back, with all that it had acknowledged in its append-only file."""
    cluster = ClusterNodes("valkey", tmp_path / "cluster")

    async def disturb() -> None:
        await asyncio.sleep(0.3)
        for node in cluster.nodes:
            node.kill()
            await asyncio.to_thread(node.start)
            await asyncio.to_thread(eventually, "a cluster", lambda: all(map(cluster.works, cluster.nodes)))

    try:
        assert alike(await fill_orders(cluster.url, disturb, 60))
    finally:
        cluster.stop()


async def test_the_primary_under_sentinels_dies_while_orders_run(tmp_path: Path) -> None:
    """`replicas=2` of two: whichever is promoted has what was acknowledged."""
    nodes = SentinelNodes("valkey", tmp_path / "sentinel")

    async def disturb() -> None:
        await asyncio.sleep(0.3)
        old: Node = nodes.primary
        old.kill()
        await asyncio.to_thread(nodes.bring_back, old)

    try:
        assert alike(await fill_orders(nodes.url.replace("replicas=1", "replicas=2"), disturb, 60))
    finally:
        nodes.stop()
