"""Continue as new: an execution that hands over to a fresh one of the same state machine."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from statewright import AsyncEngine, Description
from statewright.drive.upkeep.retention import SETTLED_MS, _tidy, collect
from tests.drive.conftest import Site, idle_worker
from tests.drive.nesting import CLOCKS, START, definition, nested

AGAIN = "arn:aws:states:::statewright:continueAsNew"


def again(arguments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": AGAIN, "Parameters": arguments, "End": True, **fields}


def countdown(**options: Any) -> dict[str, Any]:
    """Hands over `n` times; the last one waits if it is told to."""
    return definition(
        {
            "More": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericGreaterThan": 0, "Next": "Less"}],
                "Default": "Wait",
            },
            "Less": {
                "Type": "Pass",
                "Parameters": {"n.$": "States.MathAdd($.n, -1)", "wait.$": "$.wait", "text.$": "$.text"},
                "Next": "Again",
            },
            "Again": again({"Input.$": "$", **options}),
            "Wait": {"Type": "Wait", "SecondsPath": "$.wait", "End": True},
        }
    )


def order(n: int = 3, wait: int = 0, text: str = "") -> dict[str, Any]:
    return {"n": n, "wait": wait, "text": text}


async def chain(engine: AsyncEngine, execution: str) -> list[Description]:
    """An execution and all that followed it."""
    found = [await engine.describe(execution)]
    while (successor := found[-1].successor) is not None:
        found.append(await engine.describe(successor))
    return found


@CLOCKS
@pytest.mark.parametrize("text", ["", "x" * 5000], ids=["small", "large"])
async def test_the_end_of_the_last_is_waited_for(site: Site, real: bool, text: str) -> None:
    async with site.engine(real=real) as engine:
        await engine.deploy(countdown(), name="m")
        ended = await engine.run("m", order(text=text), name="first", timeout=20)
        assert json.loads(ended.output or "") == order(0, text=text)
        found = await chain(engine, "m:first")
        assert [each.status for each in found] == ["SUCCEEDED"] * 4
        assert found[-1] == ended or found[-1].execution.arn == ended.execution.arn
        for one, other in itertools.pairwise(found):
            assert other.execution.predecessor == one.execution.arn
            answer = json.loads(one.output or "")
            assert answer == {"ExecutionArn": other.execution.arn, "StartDate": other.execution.started_at}
            assert other.execution.definition == one.execution.definition
        assert [each.execution.input.value for each in found] == [order(n, text=text) for n in (3, 2, 1, 0)]
        told = [event["type"] for event in await engine.history(found[1].execution.arn)]
        assert told[:2] == ["ExecutionStarted", "ChoiceStateEntered"]
        assert told[-5:] == ["TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]
        assert len(await engine.list("m")) == 4


async def test_the_present_definition_if_asked_for(site: Site) -> None:
    async with site.engine() as engine:
        for latest in (False, True):
            name = f"m{latest}"
            text = definition({"W": {"Type": "Wait", "Seconds": 9, "Next": "A"}, "A": again({"Latest": latest})})
            await engine.deploy(text, name=name)
            async with idle_worker(engine) as worker:
                await engine.start(name, name="first")
                await worker.run_until_idle(until=site.clock())
                changed = definition({"P": {"Type": "Pass", "Result": "changed", "End": True}})
                await engine.deploy(changed, name=name)
                await worker.run_until_idle(until=site.clock() + 10_000)
            _, second, *_ = await chain(engine, f"{name}:first")
            assert second.output == ('"changed"' if latest else None)


@CLOCKS
@pytest.mark.parametrize("how", ["sync", "sync:2"])
async def test_whoever_waits_for_it_waits_for_the_last(site: Site, real: bool, how: str) -> None:
    async with site.engine(real=real) as engine:
        await engine.deploy(countdown(), name="child")
        await engine.deploy(definition({"N": nested(f"{START}.{how}", {"Name": "c"})}), name="parent")
        async with engine.worker(grace=1):
            ended = await engine.wait((await engine.start("parent", order(), name="p")).arn, 20)
        answer = json.loads(ended.output or "")
        last = (await chain(engine, "child:c"))[-1]
        assert answer["ExecutionArn"] == last.execution.arn
        assert answer["Output"] == (order(0) if how == "sync:2" else json.dumps(order(0), separators=(",", ":")))


async def test_a_sweep_knows_that_the_last_is_waited_for(site: Site) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy(countdown(), name="child")
        await engine.deploy(definition({"N": nested(f"{START}.sync:2", {"Name": "c"})}), name="parent")
        await engine.start("parent", order(wait=1000), name="p")
        await worker.run_until_idle(until=site.clock())
        assert await engine.sweep() == {}
        await worker.run_until_idle(until=site.clock())
        assert (await engine.describe("parent:p")).status == "RUNNING"
        await worker.run_until_idle(until=site.clock() + 1_000_000)
        assert json.loads((await engine.describe("parent:p")).output or "")["Output"] == order(0, wait=1000)


async def test_the_last_is_stopped_with_whoever_waits_for_it(site: Site) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy(countdown(), name="child")
        await engine.deploy(definition({"N": nested(f"{START}.sync", {"Name": "c"})}), name="parent")
        await engine.start("parent", order(wait=1_000_000), name="p")
        await worker.run_until_idle(until=site.clock())
        assert [each.status for each in await chain(engine, "child:c")] == ["SUCCEEDED"] * 3 + ["RUNNING"]
        await engine.stop("parent:p")
        await worker.run_until_idle(until=site.clock())
        assert (await chain(engine, "child:c"))[-1].status == "ABORTED"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"Input": "no JSON"}, "Statewright.InvalidExecutionInput"),
        ({"Name": "x"}, "Statewright.InvalidArguments"),
    ],
)
async def test_what_makes_no_sense_fails_the_task(site: Site, arguments: dict[str, Any], error: str) -> None:
    async with site.engine() as engine:
        caught = {"Catch": [{"ErrorEquals": [error], "Next": "Caught"}]}
        states = {"A": again(arguments, **caught), "Caught": {"Type": "Pass", "Result": "caught", "End": True}}
        await engine.deploy(definition(states), name="m")
        ended = await engine.run("m", timeout=20)
        assert (ended.output, ended.successor) == ('"caught"', None)


@pytest.mark.parametrize("where", ["map", "parallel", "distributed", "express", "before the end"])
async def test_refused_where_it_is_not_the_end_of_an_execution(site: Site, where: str) -> None:
    inner = definition({"A": again({})})
    kinds: dict[str, Any] = {
        "map": {"Type": "Map", "ItemsPath": "$", "ItemProcessor": inner},
        "parallel": {"Type": "Parallel", "Branches": [inner]},
        "distributed": {
            "Type": "Map",
            "ItemsPath": "$",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **inner},
        },
    }
    states = {"S": {**kinds.get(where, again({})), "End": True}}
    if where == "before the end":
        states = {"S": {**again({}), "Next": "P"}, "P": {"Type": "Pass", "End": True}}
        del states["S"]["End"]
    async with site.engine() as engine:
        with pytest.raises(Exception, match=r"CONTINUE_AS_NEW|continue"):
            await engine.deploy(definition(states), name="m", type="EXPRESS" if where == "express" else "STANDARD")


async def test_archived_chains_are_chains(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(countdown(), name="m")
        await engine.run("m", order(), name="first", timeout=20)
        before = [(each.execution.arn, each.output) for each in await chain(engine, "m:first")]
        for shard in range(engine.store.shards):
            await _tidy(engine.store, shard, site.clock() + 60_000, 60_000)
        assert not [
            each for s in range(engine.store.shards) for each in await engine.store.ended(s, 0, 9, archived=False)
        ]
        assert [(each.execution.arn, each.output) for each in await chain(engine, "m:first")] == before
        assert (await engine.wait("m:first", 5)).execution.arn == before[-1][0]


async def test_stop_follows_to_the_one_that_goes_on(site: Site) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy(countdown(), name="m")
        await engine.start("m", order(wait=1000), name="first")
        await worker.run_until_idle(until=site.clock())
        stopped = await engine.stop("m:first", "Enough")
        found = await chain(engine, "m:first")
        assert (stopped.execution.arn, stopped.status, stopped.error) == (found[-1].execution.arn, "ABORTED", "Enough")
        assert [each.status for each in found[:-1]] == ["SUCCEEDED"] * 3
        again = await engine.stop("m:first", "Other")
        assert (again.execution.arn, again.error) == (stopped.execution.arn, "Enough"), "it has ended"


@pytest.mark.parametrize("archived", [True, False])
async def test_the_first_is_kept_as_long_as_somebody_waits_for_the_last(site: Site, archived: bool) -> None:
    """Its name is all that they know: without it the work would be begun anew, and go on when nobody waits for it."""
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy(countdown(), name="child")
        await engine.deploy(definition({"N": nested(f"{START}.sync", {"Name": "c"})}), name="parent")
        await engine.start("parent", order(wait=1_000_000), name="p")
        await worker.run_until_idle(until=site.clock())
        last = (await chain(engine, "child:c"))[-1].execution.arn
        site.clock.advance_to(site.clock() + SETTLED_MS)
        if archived:
            await engine.store.set_retention(0)
            for shard in [*range(engine.store.shards)] * 2:
                await _tidy(engine.store, shard, site.clock(), 0)
        else:
            assert [done.executions async for done in collect(engine.store, 0)][-1] == 2
        assert await engine.sweep() == {}
        assert len(await engine.list("child")) == 2, "the first and the last"
        assert (await engine.describe(last)).status == "RUNNING"
        await engine.stop("parent:p")
        await worker.run_until_idle(until=site.clock())
        assert (await engine.describe(last)).status == "ABORTED"
        site.clock.advance_to(site.clock() + SETTLED_MS + 1)
        assert [done.executions async for done in collect(engine.store, 0)][-1] == 3
        assert not await engine.list()
