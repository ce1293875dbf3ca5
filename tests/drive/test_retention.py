"""What workers do about executions that ended, and `collect`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from statewright import AsyncEngine, Engine, StatewrightError
from statewright.drive.upkeep import retention
from statewright.drive.upkeep.retention import SETTLED_MS, Collected, collect, keep_house
from tests.drive.conftest import Site
from tests.drive.nesting import PASS, WAIT, definition

HOUR = 3_600_000
MAP = {
    "M": {
        "Type": "Map",
        "ItemsPath": "$",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **definition(PASS)},
        "End": True,
    }
}


async def ended(engine: AsyncEngine, count: int, machine: str = "m") -> None:
    await engine.deploy(definition(PASS), name=machine)
    async with engine.worker(grace=1):
        for number in range(count):
            await engine.wait((await engine.start(machine, name=f"{number}")).arn, 20)


async def waiting(engine: AsyncEngine) -> list[int]:
    """How many executions wait for being archived, and how many are archived."""
    shards = range(engine.store.shards)
    return [sum([len(await engine.store.ended(s, 0, 999, archived=kind)) for s in shards]) for kind in (False, True)]


async def last(engine: AsyncEngine, ms: int | None, **options: bool) -> Collected:
    return [done async for done in collect(engine.store, ms, **options)][-1]


async def test_a_worker_archives_and_deletes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site.engine() as engine:
        await ended(engine, 60)
        monkeypatch.setattr(retention, "_PAUSE", 0)
        monkeypatch.setattr(retention, "_REST", 0)
        session = engine.new_worker().session
        house = asyncio.get_running_loop().create_task(keep_house(session, 30))
        await asyncio.sleep(0.2)
        assert await waiting(engine) == [60, 0], "not yet"
        site.clock.advance_to(site.clock() + 30_000)
        async with asyncio.timeout(20):
            while await waiting(engine) != [0, 60]:
                await asyncio.sleep(0.01)
        await engine.store.set_retention(1000)
        await asyncio.sleep(0.1)
        assert await waiting(engine) == [0, 60], "what ended within the last minute stays"
        site.clock.advance_to(site.clock() + 30_000)
        async with asyncio.timeout(20):
            while await engine.list():
                await asyncio.sleep(0.01)
        house.cancel()


async def test_for_ever_is_for_ever(site: Site) -> None:
    async with site.engine(retention="for ever") as engine:
        assert await engine.store.retention() is None
        await ended(engine, 3)
        site.clock.advance_to(site.clock() + 10**12)
        for shard in range(engine.store.shards):
            for _ in range(2):
                assert not await retention._tidy(engine.store, shard, site.clock(), 0)
        assert await waiting(engine) == [0, 3]
        assert (await last(engine, None)).executions == 0


async def test_collect_tells_how_far_it_is(site: Site) -> None:
    async with site.engine() as engine:
        await ended(engine, 25)
        await engine.deploy(definition(WAIT), name="w")
        await engine.start("w", name="runs")
        assert (await last(engine, 0)).executions == 0, "it is too soon"
        site.clock.advance_to(site.clock() + SETTLED_MS)
        assert (await last(engine, SETTLED_MS + 1, dry_run=True)).executions == 0
        assert await last(engine, 0, dry_run=True) == Collected(16, 25, 0)
        assert len(await engine.list()) == 26
        steps = [done async for done in collect(engine.store, 0)]
        assert steps[-1] == Collected(16, 25, 0)
        assert [step.shards for step in steps] == sorted(step.shards for step in steps)
        assert [each.execution.name for each in await engine.list()] == ["runs"]
        with pytest.raises(StatewrightError, match="Execution Does Not Exist"):
            await engine.describe("m:0")
        await ended(engine, 1)


async def test_children_of_map_runs_are_archived_and_go_with_their_parent(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(definition(MAP), name="m")
        before = await engine.run("m", [1, 2, 3], name="e", timeout=20)
        (run,) = await engine.map_runs("m:e")
        children = await engine.list(map_run=run.arn)
        for shard in range(engine.store.shards):
            await retention._tidy(engine.store, shard, site.clock(), 0)
        assert await waiting(engine) == [0, 1]
        assert [each.output for each in await engine.list(map_run=run.arn)] == [each.output for each in children]
        assert (await engine.describe("m:e")).output == before.output
        assert len(await engine.history(children[0].execution.arn)) == 4
        assert (await engine.map_runs("m:e"))[0].executions == run.executions
        site.clock.advance_to(site.clock() + SETTLED_MS)
        assert (await last(engine, 0)).executions == 4
        with pytest.raises(StatewrightError):
            await engine.map_run(run.arn)


async def test_definitions_go_when_nothing_needs_them(site: Site) -> None:
    async with site.engine() as engine:
        await ended(engine, 1)
        for number in range(3):
            await engine.deploy(definition({"F": {"Type": "Fail", "Error": f"E{number}"}}), name="m")
        assert (await last(engine, None)).definitions == 0, "somebody may be starting one"
        site.clock.advance_to(site.clock() + HOUR)
        assert (await last(engine, None, dry_run=True)).definitions == 2
        assert (await last(engine, None)).definitions == 2
        assert (await last(engine, None)).definitions == 0
        assert (await engine.describe("m:0")).status == "SUCCEEDED"
        assert await last(engine, 0) == Collected(16, 1, 1)
        assert (await engine.machine("m")).revision == 4
        assert (await engine.run("m", timeout=20)).error == "E2"


async def test_a_name_used_again_is_another_execution(site: Site) -> None:
    """What a worker remembers of an execution it does not use when that name means another one."""
    async with site.engine() as engine:
        await engine.deploy(
            definition({"A": {"Type": "Pass", "Parameters": {"e.$": "$$.Execution.Input"}, "End": True}}), name="m"
        )
        for value in (1, 2):
            assert (await engine.run("m", value, name="e", timeout=20)).output == f'{{"e":{value}}}'
            site.clock.advance_to(site.clock() + SETTLED_MS)
            await last(engine, 0)


def test_without_an_event_loop(site: Site) -> None:
    with Engine(site.url, clock=site.clock, shards=16) as engine:
        assert engine.collect(timedelta(days=1)) == Collected(16, 0, 0)
        with pytest.raises(StatewrightError, match="cannot be kept"):
            engine.collect(timedelta(days=-1))
    with pytest.raises(StatewrightError, match="cannot be kept"), Engine(site.url, retention=timedelta(-1)):
        pass
