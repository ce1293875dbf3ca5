"""What a store has lost is found by a sweep, or noticed at once: on a real server."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import timedelta
from typing import Any

import pytest

from statewright import AsyncEngine, StatewrightError
from statewright.store import keys
from tests.drive.conftest import Site, idle_worker, one_task
from tests.drive.test_worker import chain, deploy

MINUTE = timedelta(minutes=1)
WAIT = {"Before": {"Type": "Pass", "Next": "Wait"}, "Wait": {"Type": "Wait", "Seconds": 60, "End": True}}
BRANCHES = [{"StartAt": name, "States": {name: WAIT["Wait"]}} for name in ("Left", "Right")]
BOTH = {"Both": {"Type": "Parallel", "Branches": BRANCHES, "End": True}}


async def call(engine: AsyncEngine, *command: Any) -> Any:
    return await engine.store._connection.call(*command)  # type: ignore[attr-defined]


async def snapshot(engine: AsyncEngine) -> dict[bytes, bytes]:
    names = [name async for part in engine.store.keys_of(None) for name in part]
    return {name: await call(engine, "DUMP", name) for name in names}


async def restore(engine: AsyncEngine, saved: dict[bytes, bytes]) -> None:
    """Roll the store back; its identity stays."""
    for name in await snapshot(engine):
        await call(engine, "DEL", name)
    for name, value in saved.items():
        await call(engine, "RESTORE", name, 0, value)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_taken_from_queues_and_indexes_is_put_back(site: Site, seed: int) -> None:
    chance = random.Random(seed)
    async with site.engine({"work": lambda given: given}) as engine:
        for name, states in (("wait", WAIT), ("both", BOTH), ("chain", chain(2))):
            await deploy(engine, states, name)
        started = [await engine.start(name, i) for i in range(5) for name in ("wait", "both")]
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=site.clock())  # they wait now
            started += [await engine.start("chain", i) for i in range(5)]  # these are ready
            taken = 0
            for name in list(await snapshot(engine)):
                kind = name.partition(b"}:")[2].split(b":")[0]
                if kind in (b"t", b"q", b"e", b"l") and not name.endswith(b":q"):
                    for member in await call(engine, "ZRANGE", name, 0, -1):
                        if chance.random() < 0.5:
                            taken += await call(engine, "ZREM", name, member)
            assert taken > 10
            assert sum((await engine.sweep()).values()) >= taken
            assert not await engine.sweep()
            await worker.run_until_idle()
        assert {(await engine.describe(each.arn)).status for each in started} == {"SUCCEEDED"}
        waited = [await engine.history(each.arn) for each in started[:10]]
        assert all(events[-1]["timestamp"] - events[0]["timestamp"] >= MINUTE for events in waited)
        listed = [row.execution.arn for row in await engine.list(status="SUCCEEDED")]
        assert sorted(listed) == sorted(each.arn for each in started)


async def test_what_has_no_frame_is_dropped(site: Site) -> None:
    async with site.engine() as engine:
        await deploy(engine, WAIT)
        await engine.run("machine")
        before = await snapshot(engine)
        for name in ("t", "l", "q:machine"):
            member = "gone::1:wait" if name == "t" else "gone:"
            await call(engine, "ZADD", keys.prefix(3) + name, 1, member)
        await call(engine, "SADD", keys.prefix(3) + "q", "machine")
        await call(engine, "ZADD", keys.prefix(3) + "e::RUNNING", 1, "gone")
        await call(engine, "HSET", keys.prefix(3) + "f:gone:", "rev", 1)
        await call(engine, "RPUSH", keys.prefix(3) + "b:gone:", "J1")
        repairs = await engine.sweep()
        assert sum(repairs.values()) >= 5
        assert set(await snapshot(engine)) - set(before) <= {b"sw:{3}:s"}


async def test_what_is_kept_of_those_that_ended_is_put_right(site: Site) -> None:
    async with site.engine({"work": lambda given: given}) as engine:
        await deploy(engine, chain(1))
        names = [(await engine.run("machine", i, name=f"{i}")).execution.id for i in range(4)]
        store, ids = engine.store, dict(zip("abcd", names, strict=True))
        for name in "ab":
            assert await store.archive(ids[name])
        assert not await engine.sweep()
        shard = {name: keys.prefix(store.shard_of(id_)) for name, id_ in ids.items()}
        archive = await call(engine, "GET", f"{shard['a']}z:{ids['a']}")
        await call(engine, "ZREM", f"{shard['a']}z", ids["a"])
        await call(engine, "ZREM", f"{shard['c']}done", ids["c"])
        await call(engine, "SET", f"{shard['d']}z:{ids['d']}", archive)
        await call(engine, "SET", f"{shard['d']}z:nobody", archive)
        for kind in ("done", "z"):
            await call(engine, "ZADD", shard["b"] + kind, 5, "nobody")
        assert await engine.sweep() == {"archive": 4, "leftovers": 2}
        assert not await engine.sweep()
        for archived, expected in ((True, "ab"), (False, "cd")):
            found = [each for s in range(store.shards) for each in await store.ended(s, 0, 9, archived=archived)]
            assert {each.execution for each in found} == {ids[name] for name in expected}
            ends = [(await engine.describe(f"machine:{'abcd'.index(name)}")).stopped_at for name in expected]
            assert sorted(each.at for each in found) == sorted(end for end in ends if end is not None)
        assert not [finding async for each in engine.verify() for finding in each.findings]


async def test_names_that_workers_go_by_are_put_right(site: Site) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        await deploy(engine, one_task("arn:aws:states:us-east-1:000000000000:activity:dig"))
        started = await engine.start("machine", name="e")
        await worker.run_until_idle()
        assert not await engine.sweep()
        id_ = (await engine.describe("machine:e")).execution.id
        shard = keys.prefix(engine.store.shard_of(id_))
        claimed = await engine.store.claim_frame(id_, "", "w", 1000)
        assert claimed is not None
        assert await engine.store.bury(claimed, "w", "why")
        assert not await engine.sweep()
        await call(engine, "DEL", f"{shard}a", f"{shard}dl")
        await call(engine, "SADD", f"{shard}q", "nobody")
        assert await engine.sweep() == {"queues": 2, "dead letters": 1}
        assert not await engine.sweep()
        assert [letter.execution_arn for letter in await engine.dead_letters()] == [started.arn]


async def test_a_roll_back_is_noticed_told_and_survived(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.engine({"work": lambda given: given}, real=True) as engine:
        await deploy(engine, chain(3))
        with caplog.at_level(logging.CRITICAL, "statewright"):
            async with engine.worker():
                saved = await snapshot(engine)
                for i in range(20):
                    await engine.run("machine", i, name=f"lost-{i}", timeout=10)
                await restore(engine, saved)
                ended = await engine.run("machine", 1, name="lost-1", timeout=10)
                async with asyncio.timeout(10):
                    while not (incidents := await engine.incidents()):
                        await engine.start("machine")  # somebody looks at the shards
                        await asyncio.sleep(0.05)
        assert ended.status == "SUCCEEDED"
    assert {incident.kind for incident in incidents} == {"rollback"}
    assert all("acknowledged" in incident.evidence for incident in incidents)


async def test_a_worker_leaves_a_store_that_was_emptied(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.engine({"work": lambda given: given}, real=True) as engine:
        await deploy(engine, one_task("work"))
        worker = engine.new_worker()
        with caplog.at_level(logging.CRITICAL, "statewright"):
            running = asyncio.create_task(worker.run())
            await engine.start("machine", name="first")
            await call(engine, "FLUSHDB")
            with pytest.raises(StatewrightError, match="was emptied") as refused:
                await asyncio.wait_for(running, 10)
            await worker.stop(0)
        assert refused.value.code == "StoreReplaced"
        assert await call(engine, "DBSIZE") == 0


async def test_a_history_goes_on_where_it_was_though_the_clock_was_set_back(site: Site) -> None:
    async with site.engine() as engine:
        await deploy(engine, WAIT)
        started = await engine.start("machine")
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=site.clock())
            site.clock._now -= 30_000
            await worker.run_until_idle()
        times = [event["timestamp"] for event in await engine.history(started.arn)]
    assert times == sorted(times)
    assert times[-1] - times[0] >= MINUTE
