"""What is no loss must not be taken for one, and what puts losses right must not do harm."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from statewright.arn import execution_id_of
from tests.drive.conftest import Site, idle_worker, one_task
from tests.drive.maps import distributed, machine
from tests.drive.nesting import START, definition, nested
from tests.drive.test_continuing import chain, countdown, order
from tests.drive.test_sweep import call
from tests.drive.test_worker import deploy


@pytest.mark.parametrize("then", ["archived", "deleted"])
async def test_a_sweep_leaves_a_task_alone_that_waits_for_a_successor(site: Site, then: str) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy(countdown(), name="child")
        await engine.deploy(definition({"N": nested(f"{START}.sync", {"Name": "c"})}), name="parent")
        await engine.start("parent", order(wait=1_000_000), name="p")
        await worker.run_until_idle(until=site.clock())
        *before, last = await chain(engine, "child:c")
        assert len(before) == 3
        for each in before:
            assert await engine.store.archive(each.execution.id)
            if then == "deleted":
                await engine.store.delete(each.execution.id, site.clock())  # the one that was ordered may have to stay
        assert not await engine.sweep()
        await worker.run_until_idle(until=site.clock())
        assert [each.execution.arn for each in await engine.list("child", status="RUNNING")] == [last.execution.arn]
        assert (await engine.describe("parent:p")).status == "RUNNING"
        assert [found.findings async for found in engine.verify() if found.execution.endswith("parent:p")] == [()]
        await engine.stop("parent:p")
        await worker.run_until_idle(until=site.clock())
        assert (await engine.describe(last.execution.arn)).status == "ABORTED"


async def test_a_nested_execution_that_is_ordered_again_is_waited_for_to_its_last(site: Site) -> None:
    """The answer to the order was lost, and what was started has handed over meanwhile."""
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy(countdown(), name="child")
        await engine.deploy(definition({"N": nested(f"{START}.sync", {"Name": "c"})}), name="parent")
        await engine.start("parent", order(wait=1_000_000), name="p")
        await worker.run_until_idle(until=site.clock())
        shard = engine.store.shard_of(first := execution_id_of((await engine.describe("child:c")).execution.arn))
        await engine.store._connection.call("RPUSH", f"sw:{{{shard}}}:n", f"E{first}")  # as a repeated order does
        await worker.run_until_idle(until=site.clock())
        assert (await engine.describe("parent:p")).status == "RUNNING"


@pytest.mark.parametrize("again", [False, True], ids=["gone", "started again"])
@pytest.mark.parametrize("away", [0, 61])
async def test_what_was_deleted_while_a_worker_was_away_is_no_loss(
    site: Site, caplog: pytest.LogCaptureFixture, away: int, again: bool
) -> None:
    """A worker stood still; meanwhile its execution was stopped, deleted, and its name used again: what it commits is
    refused.  When it was away for a moment only, nothing can have been deleted but by a roll-back."""

    async def stand_still(_: Any) -> None:
        if not (await engine.describe("machine:e")).execution.input.value:
            return
        await engine.stop("machine:e")
        assert (await engine.store.delete(execution_id_of(started.arn), site.clock()))[0] == 1
        if again:
            await engine.start("machine", 0, name="e")
        before = worker.session.monotonic
        worker.session.monotonic = lambda: before() + away

    async with site.engine({"pause": lambda given: given, "still": stand_still}) as engine:
        states = {**one_task("pause", Next="Still"), "Still": one_task("still")["Work"]}
        del states["Work"]["End"]
        await deploy(engine, states)
        async with idle_worker(engine) as worker:
            with caplog.at_level(logging.CRITICAL, "statewright"):
                started = await engine.start("machine", 1, name="e")
                await worker.run_until_idle(until=site.clock())
        assert bool(await engine.incidents()) == (away == 0)


async def test_a_worker_that_was_away_takes_no_other_execution_for_its_own(site: Site) -> None:
    """As above, and the worker itself is given what has the same name now, at the same revision, before it knows."""

    async def work(given: str) -> str:
        if given == "first":
            await engine.stop("machine:e")
            assert (await engine.store.delete(execution, site.clock()))[0] == 1
            await engine.start("machine", "second", name="e")
            before = worker.session.monotonic
            worker.session.monotonic = lambda: before() + 61
            looking = asyncio.create_task(worker._claiming.everywhere())
            await asyncio.shield(looking)
        return given

    async with site.engine({"work": work}) as engine:
        await deploy(engine, one_task("work"))
        async with idle_worker(engine) as worker:
            execution = execution_id_of((await engine.start("machine", "first", name="e")).arn)
            await worker.run_until_idle(until=site.clock())
        assert (await engine.describe("machine:e")).output == '"second"'


async def test_children_that_are_lost_keep_nobody_busy(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A map run was stopped, and one of the children to be stopped is not there."""
    async with site.engine() as engine, idle_worker(engine) as worker:
        waits = {"W": {"Type": "Wait", "Seconds": 1_000_000, "End": True}}
        await engine.deploy(machine(distributed(waits)), name="machine")
        started = await engine.start("machine", [1, 2, 3], name="p")
        await worker.run_until_idle(until=site.clock())
        shard = engine.store.shard_of(execution_id_of(started.arn))
        (children,) = await call(engine, "KEYS", f"sw:{{{shard}}}:o:*")
        lost = min(await call(engine, "SMEMBERS", children))
        await call(engine, "DEL", f"sw:{{{shard}}}:x:{lost.decode()}")
        await engine.stop(started.arn)
        with caplog.at_level(logging.CRITICAL, "statewright"):
            async with asyncio.timeout(10):
                await worker.run_until_idle(until=site.clock())
        assert await call(engine, "SMEMBERS", children) == [lost]
        assert await engine.sweep()
        assert not await call(engine, "EXISTS", children)
        before = worker.session.monotonic
        worker.session.monotonic = lambda: before() + 2  # the notice is tried again after a second
        await worker.run_until_idle(until=site.clock())
        assert not await call(engine, "LLEN", f"sw:{{{shard}}}:n")
        assert not await engine.sweep()


async def test_whoever_stops_executions_is_not_counted(site: Site) -> None:
    """It is somebody else each time."""
    async with site.engine() as engine:
        await deploy(engine, one_task("work"))
        for number in range(3):
            await engine.stop((await engine.start("machine", number)).arn)
        assert not await call(engine, "KEYS", "sw:{*}:w")
        assert not engine.store._serials._counts
