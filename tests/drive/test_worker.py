"""The worker: many executions, several workers, deaths, poison, draining."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from typing import Any

import pytest

import statewright.drive.runner
from statewright import AsyncEngine, TaskContext, TaskError
from statewright.step import step
from statewright.values import encode
from tests.drive.conftest import Site, idle_worker, one_task


def chain(length: int, resource: str = "work") -> dict[str, Any]:
    """Tasks one after the other."""
    return {
        f"S{i}": {"Type": "Task", "Resource": resource, **({"Next": f"S{i + 1}"} if i + 1 < length else {"End": True})}
        for i in range(length)
    }


async def deploy(engine: AsyncEngine, states: dict[str, Any], name: str = "machine") -> None:
    await engine.deploy({"StartAt": next(iter(states)), "States": states}, name=name)


async def test_a_long_chain_goes_down_the_pipeline_in_order(site: Site) -> None:
    states: dict[str, Any] = {f"P{i}": {"Type": "Pass", "Next": f"P{i + 1}"} for i in range(300)}
    ended, history = await site.run(states | {"P300": {"Type": "Succeed"}}, {}, {"a": [1]})
    assert ended.output == '{"a":[1]}'
    assert [event["id"] for event in history] == list(range(1, 605))
    assert [e["stateEnteredEventDetails"]["name"] for e in history if e["type"] == "PassStateEntered"] == list(states)


async def test_parallel_and_map(site: Site) -> None:
    async def square(given: int) -> int:
        return given * given

    def work(name: str) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: one_task("square")["Work"]}}

    same = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
    both = {
        "Type": "Parallel",
        "Branches": [work("A"), same],
        "InputPath": "$.n",
        "ResultPath": "$.both",
        "Next": "Each",
    }
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": work("B"), "ResultPath": "$.each", "End": True}
    states = {"Both": both, "Each": {"MaxConcurrency": 3, **each}}
    ended, _ = await site.run(states, {"square": square}, {"n": 5, "items": list(range(30))})
    assert ended.status == "SUCCEEDED"
    assert (ended.output or "").endswith(f'"each":{encode([i * i for i in range(30)])}}}')
    assert '"both":[25,5]' in (ended.output or "")


async def test_a_failing_branch_cancels_the_handlers_beside_it(site: Site) -> None:
    cancelled = asyncio.Event()

    async def slow(given: Any, context: TaskContext) -> None:
        try:
            await context.sleep(100)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def bad(given: Any, context: TaskContext) -> None:
        await context.sleep(1)
        raise TaskError("Bad")

    branches = [{"StartAt": f"T{r}", "States": {f"T{r}": one_task(r)["Work"]}} for r in ("slow", "bad")]
    begun = site.clock()
    ended, _ = await site.run(
        {"P": {"Type": "Parallel", "Branches": branches, "End": True}}, {"slow": slow, "bad": bad}
    )
    assert (ended.status, ended.error, site.clock() - begun) == ("FAILED", "Bad", 1000)
    assert cancelled.is_set()


async def test_texts_that_name_history_ids_are_right_whatever_runs_beside(site: Site) -> None:
    item = {"StartAt": "T", "States": {"T": {"Type": "Pass", "InputPath": "$.missing", "End": True}}}
    states = {"M": {"Type": "Map", "ItemProcessor": item, "ToleratedFailurePercentage": 100, "End": True}}
    ended, history = await site.run(states, {}, [{} for _ in range(30)])
    assert ended.status == "SUCCEEDED"
    named = sorted(int(number) for number in re.findall(r"event id #(\d+)", ended.output or ""))
    assert named == [event["id"] for event in history if event["type"] == "PassStateEntered"]
    assert len(named) == 30


async def test_hundreds_of_executions_at_once_and_two_workers(site: Site) -> None:
    ran: Counter[str] = Counter()

    async def work(given: Any, context: TaskContext) -> Any:
        ran[context.idempotency_key] += 1
        await asyncio.sleep(0)
        return given

    async with site.engine({"work": work}, real=True) as one, site.engine({"work": work}, real=True) as two:
        await deploy(one, chain(5))
        started = [await one.start("machine", i, name=f"e{i}") for i in range(150)]
        async with one.worker(), two.worker():
            started += [await one.start("machine", i, name=f"f{i}") for i in range(50)]
            ended = await asyncio.gather(*(two.wait(s.arn) for s in started))
    assert {e.status for e in ended} == {"SUCCEEDED"}
    assert [e.output for e in ended] == [str(i) for i in [*range(150), *range(50)]]
    assert len(ran) == 1000
    assert set(ran.values()) == {1}


async def test_a_killed_workers_task_runs_again_with_the_same_key(site: Site) -> None:
    keys: list[tuple[str, int]] = []
    running = asyncio.Event()

    async def work(given: Any, context: TaskContext) -> str:
        keys.append((context.idempotency_key, site.clock()))
        running.set()
        if len(keys) == 1:
            await asyncio.Event().wait()
        return "done"

    async with site.engine({"work": work}, lease_seconds=9) as engine:
        await deploy(engine, one_task("work"))
        started = await engine.start("machine")
        async with idle_worker(engine) as first:
            doing = asyncio.create_task(first.run_until_idle())
            await running.wait()
            first.kill()
            await doing
        async with idle_worker(engine) as second:
            await second.run_until_idle()
        assert (await engine.describe(started.arn)).output == '"done"'
        history = await engine.history(started.arn)
    assert len(keys) == 2
    assert keys[0][0] == keys[1][0]
    assert keys[1][1] - keys[0][1] == 9000, "not before the lease lapsed"
    assert [event["type"] for event in history].count("LambdaFunctionScheduled") == 1


async def test_a_worker_that_cannot_renew_its_lease_cancels_its_handlers(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    begun, lasted = asyncio.Event(), loop.create_future()

    async def work(given: Any) -> None:
        at = loop.time()
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            if not lasted.done():
                lasted.set_result(loop.time() - at)

    async with site.engine({"work": work}, real=True, lease_seconds=0.6) as engine:
        await deploy(engine, one_task("work"))

        async def silence(*args: Any) -> Any:
            await asyncio.Event().wait()

        async with engine.worker(grace=0):
            monkeypatch.setattr(engine.store, "extend", silence)
            monkeypatch.setattr(engine.store, "claim", silence)
            await engine.start("machine")
            assert 0.3 < await lasted < 0.6


async def test_a_poisonous_execution_does_not_hurt_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    def brittle(program: Any, execution: Any, *rest: Any) -> Any:
        nonlocal tries
        if execution.name == "poison":
            tries += 1
            raise ZeroDivisionError("a bug of the engine")
        return step(program, execution, *rest)

    monkeypatch.setattr(statewright.drive.runner, "step", brittle)
    async with site.engine({"work": lambda given: given}) as engine:
        await deploy(engine, chain(3))
        with caplog.at_level(logging.CRITICAL, "statewright"):
            bad = await engine.start("machine", name="poison")
            good = [await engine.start("machine", i, name=f"good-{i}") for i in range(20)]
            async with idle_worker(engine) as worker:
                await worker.run_until_idle()
        assert {(await engine.describe(s.arn)).status for s in good} == {"SUCCEEDED"}
        kept = await engine.describe(bad.arn)
        (letter,) = await engine.dead_letters()
    assert (kept.status, kept.dead_letters, tries) == ("RUNNING", 1, 5)
    assert (letter.execution_arn, letter.deliveries, letter.reason) == (bad.arn, 5, "a bug of the engine")


async def test_a_drained_worker_ends_what_runs_and_leaves_the_rest_to_others(site: Site) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    async def work(given: Any, context: TaskContext) -> Any:
        ran.append(context.state)
        begun.set()
        await go_on.wait()
        return given

    async with site.engine({"work": work}, real=True) as engine:
        await deploy(engine, chain(2))
        async with engine.worker() as worker:
            started = await engine.start("machine")
            await begun.wait()
            stopping = asyncio.create_task(worker.stop(5))
            await asyncio.sleep(0)
            go_on.set()
            await stopping
            assert ran == ["S0"]
            assert [e["type"] for e in await engine.history(started.arn)][-1] == "LambdaFunctionStarted"
        async with engine.worker():
            assert (await engine.wait(started.arn, 5)).status == "SUCCEEDED"
    assert ran == ["S0", "S1"]


async def test_a_handler_that_outlasts_the_grace_is_cancelled_and_done_again(site: Site) -> None:
    begun = asyncio.Event()
    ran: list[str] = []

    async def work(given: Any, context: TaskContext) -> str:
        ran.append(context.idempotency_key)
        begun.set()
        if len(ran) == 1:
            await asyncio.Event().wait()
        return "done"

    async with site.engine({"work": work}, real=True) as engine:
        await deploy(engine, one_task("work"))
        started = await engine.start("machine")
        async with engine.worker(grace=0):
            await begun.wait()
        async with engine.worker():
            assert (await engine.wait(started.arn, 5)).output == '"done"', "given back, not left to its lease"
    assert len(ran) == 2
    assert ran[0] == ran[1]


async def test_slow_handlers_do_not_keep_time_limits_from_others(site: Site) -> None:
    async def slow(given: Any, context: TaskContext) -> None:
        await context.sleep(1000)

    async with site.engine({"work": slow}, concurrency=1) as engine:
        await deploy(engine, one_task("work", TimeoutSeconds=7))
        started = [await engine.start("machine") for _ in range(20)]
        begun = site.clock()
        async with idle_worker(engine) as worker:
            await worker.run_until_idle()
        assert {(await engine.describe(s.arn)).error for s in started} == {"States.Timeout"}
    assert site.clock() - begun < 20_000


async def test_the_execution_has_a_time_limit_wherever_it_waits(site: Site) -> None:
    async with site.engine() as engine:
        wait = {"W": {"Type": "Wait", "Seconds": 600, "End": True}}
        await engine.deploy({"StartAt": "W", "TimeoutSeconds": 60, "States": wait}, name="machine")
        begun = site.clock()
        ended = await engine.run("machine")
    assert (ended.status, ended.error, ended.cause) == ("TIMED_OUT", "States.Timeout", None)
    assert (ended.stopped_at or 0) - begun == 60_000


async def test_a_year_passes_in_no_time_and_never_early(site: Site) -> None:
    begun = site.clock()
    ended, history = await site.run({"W": {"Type": "Wait", "Seconds": 31_536_000, "End": True}}, {})
    assert ended.status == "SUCCEEDED"
    exited = history[2]["timestamp"].timestamp() * 1000
    assert exited - begun == 31_536_000_000
