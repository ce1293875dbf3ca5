"""What is no loss must not be taken for one, and what puts losses right must not do harm."""

from __future__ import annotations

import pytest

from statewright.arn import execution_id_of
from tests.drive.conftest import Site, idle_worker
from tests.drive.nesting import START, definition, nested
from tests.drive.test_continuing import chain, countdown, order


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
                # It is kept as long as somebody waits for the last of the chain.
                assert (await engine.store.delete(each.execution.id, site.clock()))[0] == 0
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
