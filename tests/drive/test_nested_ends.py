"""Nested executions: stopped with whoever waits for them, and what a killed worker leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from statewright import AsyncEngine, TaskContext
from statewright.drive import Worker
from tests.drive.conftest import Site, idle_worker, one_task
from tests.drive.nesting import FAIL, PASS, WAIT, children, definition, deploy, nested, run, told


# -- its end with whoever waits for it --------------------------------------------------------------------------------
async def stopped(engine: AsyncEngine, worker: Worker, site: Site) -> None:
    await worker.run_until_idle(until=site.clock())
    [child] = await children(engine)
    assert child.status == "ABORTED"
    assert child.stopped_at == site.clock()


@pytest.mark.parametrize("ending", ["task", "execution", "stop", "sibling"])
async def test_it_is_stopped_with_the_task(site: Site, ending: str) -> None:
    fields: dict[str, Any] = {}
    states: dict[str, Any] = {"N": nested()}
    if ending == "task":
        states = {"N": nested(TimeoutSeconds=10)}
    elif ending == "execution":
        fields = {"TimeoutSeconds": 10}
    elif ending == "sibling":
        sleeper = definition({"S": {"Type": "Wait", "Seconds": 10, "Next": "F"}, **FAIL})
        states = {"B": {"Type": "Parallel", "Branches": [definition(states), sleeper], "End": True}}
    async with site.engine() as engine, idle_worker(engine) as worker:
        await deploy(engine, states, WAIT, **fields)
        started = await engine.start("parent", name="p")
        begun = site.clock()
        await worker.run_until_idle(until=site.clock())
        assert [child.status for child in await children(engine)] == ["RUNNING"]
        if ending == "stop":
            await engine.stop(started.arn)
        else:
            await worker.run_until_idle(until=site.clock() + 10_000)
            assert site.clock() - begun == 10_000
        await stopped(engine, worker, site)
        assert (await engine.describe(started.arn)).status in ("FAILED", "TIMED_OUT", "ABORTED")


async def test_each_attempt_ends_with_its_time_out(site: Site) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 2, "IntervalSeconds": 1}]
    async with site.engine() as engine:
        ended = await run(engine, nested(TimeoutSeconds=10, Retry=retry), WAIT)
        assert (ended.status, ended.error) == ("FAILED", "States.Timeout")
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=site.clock())
        assert [child.status for child in await children(engine)] == ["ABORTED"] * 3


async def test_stopped_before_it_has_started(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call that creates it arrives when its parent has ended, and nobody is waiting any more."""
    async with site.engine(real=True) as engine:
        await deploy(engine, nested(), WAIT)
        store: Any = engine.store
        plain = store.create
        creating, go_on = asyncio.Event(), asyncio.Event()

        async def create(execution: Any, *arguments: Any, **options: Any) -> Any:
            if execution.machine_name == "child":
                creating.set()
                await go_on.wait()
            return await plain(execution, *arguments, **options)

        monkeypatch.setattr(store, "create", create)
        async with engine.worker(grace=1):
            started = await engine.start("parent", name="p")
            await asyncio.wait_for(creating.wait(), 5)
            monkeypatch.setattr(engine._crew, "forget", lambda execution: None)  # it hears of it too late
            assert (await engine.stop(started.arn)).status == "ABORTED"
            go_on.set()
            async with asyncio.timeout(5):
                while [child.status for child in await children(engine)] != ["ABORTED"]:
                    await asyncio.sleep(0.005)


@pytest.mark.parametrize("child", [PASS, WAIT, FAIL], ids=["ends", "runs", "fails"])
async def test_killed_between_its_start_and_the_commit(
    site: Site, monkeypatch: pytest.MonkeyPatch, child: dict[str, Any]
) -> None:
    """One execution, and a history as if nothing had happened."""
    histories = []
    for name, killed in (("quiet", False), ("killed", True)):
        async with site.engine() as engine:
            await engine.deploy(definition(child), name="child")
            await engine.deploy(definition({"N": nested(arguments={"Name": name})}), name="parent")
            started = await engine.start("parent", {}, name=name)
            if killed:
                store: Any = engine.store
                plain = store.commit
                dying = asyncio.Event()

                async def commit(order: Any, plain: Any = plain, dying: asyncio.Event = dying) -> Any:
                    if any(event.type == "TaskSubmitted" for event in order.step.history):
                        dying.set()
                        await asyncio.Event().wait()
                    return await plain(order)

                with monkeypatch.context() as patch:
                    patch.setattr(store, "commit", commit)
                    async with idle_worker(engine) as first:
                        doing = asyncio.create_task(first.run_until_idle(until=site.clock()))
                        await asyncio.wait_for(dying.wait(), 5)
                        first.kill()
                        await doing
                site.clock.advance_to(site.clock() + 10_000)
            async with idle_worker(engine) as second:
                await second.run_until_idle(until=site.clock())
                if child is WAIT:
                    assert (await engine.describe(f"child:{name}")).status == "RUNNING"
                    await engine.stop(f"child:{name}")
                    await second.run_until_idle(until=site.clock())
            ended = await engine.describe(started.arn)
            assert ended.status == ("SUCCEEDED" if child is PASS else "FAILED")
            histories.append([shape(event, name) for event in await engine.history(started.arn)])
            named = [each.execution.name for each in await children(engine)]
            assert sorted(named) == ["killed", "quiet"][-1 - killed :], "no more than one each"
    assert histories[0] == histories[1]


def shape(event: dict[str, Any], name: str) -> tuple[int, int, str]:
    return event["id"], event["previousEventId"], event["type"]


async def test_the_answer_waits_for_a_worker(site: Site) -> None:
    """It ends while nobody works for its parent: the notice stays until somebody does."""
    async with site.engine(real=True) as engine:
        await deploy(engine, nested(OutputPath="$.Output"), {"T": one_task("hold")["Work"]})
        go_on = asyncio.Event()

        async def hold(given: Any, context: TaskContext) -> Any:
            await go_on.wait()
            return given

        engine.registry.register("hold", hold)
        async with engine.worker(grace=0.2):
            started = await engine.start("parent", 7, name="p")
            while not await children(engine) or (await told(engine))[-1] != "TaskSubmitted":
                await asyncio.sleep(0.005)
        go_on.set()
        async with engine.worker(machines=["child"]):
            [child] = await children(engine)
            await engine.wait(child.execution.arn, 5)
        assert (await engine.describe(started.arn)).status == "RUNNING"
        async with engine.worker():
            assert (await engine.wait(started.arn, 5)).output == "7"
