"""Several workers on one store: who is at home where, and what becomes of the shards of one that dies or is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from statewright import AsyncEngine
from statewright.drive import Worker
from tests.drive.conftest import Site, one_task

LEASE = 0.9


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def homes(worker: Worker) -> int:
    return worker.session.lookout.homes


class Pool:
    """Engines with a worker each, as in processes of their own; `ran` says who did which input."""

    def __init__(self, site: Site, stack: AsyncExitStack) -> None:
        self.site = site
        self.stack = stack
        self.ran: dict[Any, Worker] = {}
        self.go_on = asyncio.Event()

    async def hire(self, *machines: str, **options: Any) -> Worker:
        workers: list[Worker] = []

        async def work(given: Any) -> Any:
            self.ran[given] = workers[0]
            if given == "blocks":
                await self.go_on.wait()
            return given

        tasks = {"work": work}
        engine = await self.stack.enter_async_context(
            self.site.engine(tasks, real=True, lease_seconds=LEASE, **options)
        )
        workers.append(await self.stack.enter_async_context(engine.worker(machines=machines, grace=1)))
        return workers[0]

    async def client(self) -> AsyncEngine:
        engine = await self.stack.enter_async_context(self.site.engine(real=True))
        for name in ("machine", "other"):
            await engine.deploy({"StartAt": "Work", "States": one_task("work")}, name=name)
        return engine


async def test_workers_share_out_the_shards_and_each_does_the_work_of_its_own(site: Site) -> None:
    async with AsyncExitStack() as stack:
        pool = Pool(site, stack)
        client = await pool.client()
        workers = [await pool.hire() for _ in range(3)]
        await until(lambda: sum(map(homes, workers)) == 16 and all(map(homes, workers)))
        started = [await client.start("machine", number) for number in range(60)]
        for each in started:
            assert (await client.wait(each.arn, 60)).status == "SUCCEEDED"
        shards = [client.store.shard_of((await client.describe(each.arn)).execution.id) for each in started]
        at_home = [pool.ran[number].session.lookout._ranks[shard] == 0 for number, shard in enumerate(shards)]
        assert sum(at_home) > 45, "a substitute may come first where the machine stands still for a second"

        dead = workers.pop()
        left = [await client.start("machine", "blocks", name=f"b{number}") for number in range(20)]
        await until(lambda: "blocks" in pool.ran)
        dead.kill()
        pool.go_on.set()
        await until(lambda: sum(map(homes, workers)) == 16)
        for each in left:
            assert (await client.wait(each.arn, 60)).status == "SUCCEEDED"
        metrics = await client.metrics()
        assert metrics.value("workers") == 2
        assert metrics.value("running_executions", machine="machine") == 0


async def test_a_worker_that_leaves_is_missed_at_once(site: Site) -> None:
    async with AsyncExitStack() as stack:
        pool = Pool(site, stack)
        await pool.client()
        first, second = await pool.hire(), await pool.hire()
        await until(lambda: homes(first) + homes(second) == 16)
        begun = asyncio.get_running_loop().time()
        await second.stop()
        await until(lambda: homes(first) == 16)
        assert asyncio.get_running_loop().time() - begun < LEASE / 3


async def test_workers_for_other_state_machines_share_nothing_with_ours(site: Site) -> None:
    async with AsyncExitStack() as stack:
        pool = Pool(site, stack)
        client = await pool.client()
        ours, other = await pool.hire("machine"), await pool.hire("other")
        await until(lambda: len(ours._attendance.there) == 2)
        assert (homes(ours), homes(other)) == (16, 16)
        for name, worker in (("machine", ours), ("other", other)):
            started = [await client.start(name, f"{name} {number}") for number in range(20)]
            for each in started:
                assert (await client.wait(each.arn, 5)).status == "SUCCEEDED"
            assert {pool.ran[f"{name} {number}"] for number in range(20)} == {worker}


async def test_others_take_what_a_full_worker_leaves(site: Site) -> None:
    async with AsyncExitStack() as stack:
        pool = Pool(site, stack)
        client = await pool.client()
        full = await pool.hire(concurrency=1)
        for _ in range(4):
            await client.start("machine", "blocks")
        await until(lambda: full._presence().held == 4)
        idle = await pool.hire()
        await until(lambda: homes(idle) == 16 and len(full._attendance.there) == 2)
        started = [await client.start("machine", number) for number in range(30)]
        for each in started:
            assert (await client.wait(each.arn, 60)).status == "SUCCEEDED"
        assert {pool.ran[number] for number in range(30)} == {idle}
        pool.go_on.set()


async def test_a_shard_that_nobody_rings_for_is_looked_at_after_a_death(site: Site) -> None:
    """A worker dies with a lease in a shard that is another one's home, which has heard nothing of that."""
    async with AsyncExitStack() as stack:
        pool = Pool(site, stack)
        client = await pool.client()
        first, second = await pool.hire(), await pool.hire()
        await until(lambda: homes(first) + homes(second) == 16)
        engine = await stack.enter_async_context(site.engine({"work": _never}, real=True, lease_seconds=LEASE))
        async with engine.worker(grace=0) as third:
            started = [await engine.start("machine", number) for number in range(8)]
            await until(lambda: third._presence().held == 8)
            third.kill()
        for each in started:
            assert (await client.wait(each.arn, 60)).status == "SUCCEEDED"


async def _never(given: Any) -> None:
    await asyncio.Event().wait()
