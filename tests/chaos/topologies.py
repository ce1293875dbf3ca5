"""Chaos C2 and C3: orders are filled while primaries die under Sentinels, or slots of a cluster move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeAlias

from statewright.store.cluster import slot_of
from statewright.store.keys import SHARDS, prefix
from tests.chaos.filling import Filled, Shop
from tests.store.servers import ClusterNodes, Node, SentinelNodes, eventually

__all__ = ["WAYS", "failovers", "primaries_die", "slots_move"]

Move: TypeAlias = Callable[[ClusterNodes, int, Node, Node], None]


async def failovers(folder: Path, times: int, *, replicated: bool) -> Filled:
    """The primary is killed and one of its two replicas promoted, several times.

    For half a second before that the replicas hear nothing of it.  `replicated`: nothing is acknowledged that not both
    of them have, so whichever is promoted has it; otherwise that half second is lost.
    """
    nodes = SentinelNodes("valkey", folder)

    def fail_over() -> None:
        old = nodes.primary
        cut_off(old)
        old.kill()
        nodes.bring_back(old)
        eventually("two replicas in step", lambda: in_step(nodes.primary))

    async def disturb() -> None:
        for _ in range(times):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(fail_over)

    url = nodes.url.replace("replicas=1", "replicas=2") if replicated else nodes.url.partition("?")[0]
    try:
        return await Shop(url).fill(disturb, 60)
    finally:
        nodes.stop()


def cut_off(primary: Node) -> None:
    """Have the primary go on for half a second without its replicas: it hangs up on them, and then refuses them."""
    primary.command("ACL", "SETUSER", "default", "-psync", "-sync", "-replconf")
    primary.command("CLIENT", "KILL", "TYPE", "replica")
    time.sleep(0.5)


def in_step(primary: Node) -> bool:
    """Whether both replicas follow the primary."""
    return str(primary.command("INFO", "replication")).count("'online'") == 2


def key_by_key(cluster: ClusterNodes, slot: int, source: Node, target: Node) -> None:
    """The old way, which stops the slot's shard but not the others."""
    ids = {node.port: node.command("CLUSTER", "MYID") for node in cluster.nodes}
    target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
    source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
    while found := source.command("CLUSTER", "GETKEYSINSLOT", slot, 3):
        source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)
    for node in (target, source, *cluster.nodes):
        node.command("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])


def at_once(cluster: ClusterNodes, slot: int, source: Node, target: Node) -> None:
    """Valkey's own migration."""
    source.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target.command("CLUSTER", "MYID"))
    eventually("a moved slot", lambda: cluster.owner(slot) is target)


WAYS: dict[str, tuple[str, Move]] = {"key by key": ("redis", key_by_key), "at once": ("valkey", at_once)}
"""How slots move: the kind of server, and what is to be done."""


async def slots_move(folder: Path, way: str, moves: int) -> Filled:
    """So many times the slot of a shard moves to another node."""
    kind, move = WAYS[way]
    cluster, chance = ClusterNodes(kind, folder), Random(1)

    def move_all() -> None:
        for number in range(moves):
            slot = slot_of(prefix(number * 3 % SHARDS))
            source = cluster.owner(slot)
            move(cluster, slot, source, chance.choice([node for node in cluster.nodes if node is not source]))

    async def disturb() -> None:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(move_all)

    try:
        return await Shop(cluster.url).fill(disturb, 60)
    finally:
        cluster.stop()


async def primaries_die(folder: Path, deaths: int) -> Filled:
    """Without a replica a primary's shards wait until it is back, with all that it had acknowledged in its file."""
    cluster = ClusterNodes("valkey", folder)

    def restart(node: Node) -> None:
        node.kill()
        node.start()
        eventually("a cluster", lambda: all(map(cluster.works, cluster.nodes)))

    async def disturb() -> None:
        for number in range(deaths):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(restart, cluster.nodes[number % len(cluster.nodes)])

    try:
        return await Shop(cluster.url).fill(disturb, 60)
    finally:
        cluster.stop()
