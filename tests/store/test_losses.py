"""What a store says of its losses: no alarm without one, and none that gets lost; and what is lost stops nobody."""

from __future__ import annotations

from typing import Any

import pytest

from statewright.store import RedisStore, keys
from statewright.store.records import Signal
from statewright.store.upkeep.serials import Serials
from tests.store.conftest import Stores
from tests.store.scene import END, LEASE, Scene

KINDS = ("valkey", "redis", "simulated")
HOUR = 3_600_000


async def call(store: RedisStore, *command: Any) -> Any:
    return await store._connection.call(*command)


async def sweep(store: RedisStore) -> int:
    return sum([(await store.sweep(names))[0] async for names in store.keys_of(None)])


@pytest.mark.parametrize("first", ["frames", "creation", "nothing"])
async def test_a_worker_that_had_nothing_to_do_for_hours_finds_no_loss(stores: Stores, first: str) -> None:
    """What it was told is done is forgotten then, whatever its first call is after that."""
    store = await stores.open()
    store._serials = Serials(lambda: stores.clock.ms / 1000)
    scene, other = Scene(store), Scene(store, "other.5")
    assert scene.shard == other.shard
    await scene.create()
    for _ in range(5):
        await scene.commit()
        assert len(await scene.claim()) == 0
        await store.claim_frame(scene.name, "", "w", LEASE)
    await scene.commit(commands=(END,))
    for _ in range(3):
        await sweep(store)
        stores.clock.ms += HOUR
    assert not await call(store, "HGETALL", keys.prefix(scene.shard) + "w")
    if first != "nothing":
        await other.create(owner="w" if first == "creation" else "")
    for _ in range(3):
        assert (await store.claim(scene.shard, "w", LEASE, 10)).loss is None


async def test_a_loss_is_seen_soon_after_a_silence(stores: Stores) -> None:
    store = await stores.open()
    store._serials = Serials(lambda: stores.clock.ms / 1000)
    scene = Scene(store)
    await scene.create()
    stores.clock.ms += 3 * HOUR
    for _ in range(3):
        await scene.commit()
        assert (await store.claim(scene.shard, "w", LEASE, 10)).loss is None
        await store.claim_frame(scene.name, "", "w", LEASE)
    await call(store, "HINCRBY", keys.prefix(scene.shard) + "w", "w", -3)
    assert (await store.claim(scene.shard, "w", LEASE, 10)).loss is not None


@pytest.mark.parametrize("lost", ["x", "f"])
async def test_what_is_ready_and_cannot_run_holds_nobody_up(stores: Stores, lost: str) -> None:
    """A header, or a frame, is gone, and its entry in the queue comes first."""
    store = await stores.open()
    broken, whole = Scene(store), Scene(store, "other.5")
    await broken.create(owner="")
    stores.clock.ms += 1
    await whole.create(owner="")
    await call(store, "DEL", f"sw:{{{broken.shard}}}:x:E1" if lost == "x" else f"sw:{{{broken.shard}}}:f:E1:")
    claims = [await store.claim(whole.shard, "w", LEASE, 1) for _ in range(3)]
    assert [frame.execution for claim in claims for frame in claim.frames] == ["other.5"]
    assert claims[-1].next_due == stores.clock.ms + LEASE


async def test_each_shard_that_was_rolled_back_is_told_of_once(stores: Stores) -> None:
    """All workers notice at about the same time, and there may be many shards."""
    store = await stores.open()
    await store.report("clock", 0, 0, "earlier")
    told = [await store.report("rollback", shard, 0, f"to {w}") for w in range(3) for shard in range(256)]
    assert told == [True] * 256 + [False] * 512
    incidents = await store.incidents()
    assert len(incidents) == 257
    assert incidents[0].kind == "clock"


async def test_a_definition_is_found_in_use_though_executions_of_the_same_moment_end(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statewright.store.upkeep.retention._PAGE", 2)
    store = await stores.open()
    scenes = [Scene(store, f"{name}.5") for name in "abcdef"]
    for place, scene in enumerate(scenes):
        stores.clock.ms += place == 1  # the others begin at the same moment
        await scene.create()
    seen = []
    async for description in store._in_index("sw:{5}:e::RUNNING"):
        seen.append(description.execution.id)
        if len(seen) == 2:
            await scenes[1].commit(commands=(END,))
    assert set(seen) == {scene.name for scene in scenes}


async def test_mail_that_comes_as_a_frame_is_put_aside_is_tried_first(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    await scene.create(owner="")
    (claimed,) = await scene.claim()
    await store.signal(scene.name, "", Signal("nudge", 0))
    assert not await store.bury(claimed, "w", "it fails")
    (again,) = await scene.claim()
    assert len(again.inbox) == 1
    assert await store.bury(again, "w", "it fails with that, too")
    assert not await scene.claim()
    assert len(await store.dead_letters()) == 1
