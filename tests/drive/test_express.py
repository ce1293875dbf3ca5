"""EXPRESS executions: when they are persisted, and that nothing else is different."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from statewright import AsyncEngine, Description, Limits, TaskContext, TaskError
from statewright.store.records import Lease
from tests.drive.conftest import Site, idle_worker, one_task
from tests.drive.test_worker import chain

LOOP: dict[str, Any] = {
    "Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
    "Enough": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericLessThan": 700, "Next": "Count"}],
        "Default": "Done",
    },
    "Done": {"Type": "Succeed"},
}


CHILD: dict[str, Any] = {
    "C": {"Type": "Task", "Resource": "work", "Next": "D"},
    "D": {"Type": "Task", "Resource": "work", "End": True},
}


def definition(states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states, **fields}


async def run(
    engine: AsyncEngine, states: dict[str, Any], given: Any = None, type_: Any = "EXPRESS", **fields: Any
) -> Description:
    await engine.deploy(definition(states, **fields), name="machine", type=type_)
    return await engine.run("machine", given, timeout=20)


async def commits(engine: AsyncEngine, ended: Description) -> int:
    """How many commits the store has seen of the root frame, its creation not counted."""
    store: Any = engine.store
    return int(await store._connection.call("HGET", store._key(ended.execution.id), "rev")) - 1


async def same(given: Any) -> Any:
    return given


# -- when it is persisted ---------------------------------------------------------------------------------------------
async def test_a_chain_of_tasks_is_created_and_ended_and_nothing_else(site: Site) -> None:
    async with site.engine({"work": same}) as engine:
        assert await commits(engine, await run(engine, chain(10), type_="STANDARD")) == 10
        ended = await run(engine, chain(10), {"a": 1})
        assert (ended.status, ended.output) == ("SUCCEEDED", '{"a":1}')
        assert await commits(engine, ended) == 1
        history = await engine.history(ended.execution.arn)
        assert [event["id"] for event in history] == list(range(1, 53))
        assert [event["previousEventId"] for event in history] == [0, 0, *range(2, 52)]


@pytest.mark.parametrize(
    ("parks", "expected"),
    [
        ({"Type": "Wait", "Seconds": 5}, 2),
        ({"Type": "Task", "Resource": "work", "TimeoutSeconds": 5}, 2),
        ({"Type": "Task", "Resource": "work", "HeartbeatSeconds": 5}, 2),
        ({"Type": "Task", "Resource": "flaky", "Retry": [{"ErrorEquals": ["Flaky"]}]}, 2),
        ({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": definition(CHILD), "ResultPath": None}, 3),
        ({"Type": "Parallel", "Branches": [definition({"P": {"Type": "Succeed"}})], "ResultPath": None}, 3),
    ],
    ids=["wait", "time-out", "heartbeat", "retry", "map", "parallel"],
)
async def test_it_is_persisted_where_it_parks(site: Site, parks: dict[str, Any], expected: int) -> None:
    """Children cost two: where they begin, and where they have ended."""
    failures = iter([True])

    async def flaky(given: Any) -> Any:
        if next(failures, False):
            raise TaskError("Flaky")
        return given

    before = {"Type": "Task", "Resource": "work", "Next": "Parks"}
    states = {"A": before, "Parks": {**parks, "Next": "S0"}, **chain(3)}
    async with site.engine({"work": same, "flaky": flaky}) as engine:
        ended = await run(engine, states, {"items": [1, 2]})
        assert (ended.status, ended.output) == ("SUCCEEDED", '{"items":[1,2]}')
        assert await commits(engine, ended) == expected


async def test_a_loop_does_not_grow_in_memory(site: Site) -> None:
    async with site.engine() as engine:
        ended = await run(engine, LOOP, {"n": 0})
        assert ended.status == "SUCCEEDED"
        assert 1401 / 300 < await commits(engine, ended) < 1401 / 200
        big = {"n": 0, "text": "x" * 200_000}
        states = {**LOOP, "Count": {**LOOP["Count"], "Parameters": {"n.$": "States.MathAdd($.n, 100)", "t.$": "$.t"}}}
        ended = await run(engine, states, {"n": 0, "t": big["text"]})
        assert ended.status == "SUCCEEDED"
        assert 3 <= await commits(engine, ended) <= 14, "a megabyte is too much"


async def test_events_have_the_time_they_happened(site: Site) -> None:
    async def work(given: Any, context: TaskContext) -> None:
        context.heartbeat()  # of an order that the store has not heard of
        await context.sleep(2)

    async with site.engine({"work": work}) as engine:
        ended = await run(engine, chain(3))
        times = [event["timestamp"] for event in await engine.history(ended.execution.arn)]
        assert [round((time - times[0]).total_seconds()) for time in times] == [0] * 4 + [2] * 5 + [4] * 5 + [6] * 3
        assert await commits(engine, ended) == 1


# -- nothing else is different ----------------------------------------------------------------------------------------
MISSING = {"Type": "Pass", "Parameters": {"x.$": "$.missing"}, "End": True}
BAD_RESULT = {"Type": "Task", "Resource": "work", "ResultSelector": {"x.$": "$.missing"}}
CATCH = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "Caught"}]
CAUGHT: dict[str, Any] = {"Caught": {"Type": "Pass", "End": True}}

ALONE: dict[str, Any] = {"MaxConcurrency": 1, "End": True}

MACHINES: dict[str, dict[str, Any]] = {
    "a text that names an event": {**chain(2), "S1": {**chain(2)["S1"], "End": None, "Next": "M"}, "M": MISSING},
    "a text that names an earlier step's event": {
        "A": {**chain(2)["S0"], "Next": "B"},
        "B": {**BAD_RESULT, "End": True},
    },
    "caught": {"A": {"Type": "Task", "Resource": "bad", "Catch": CATCH, "End": True}, **CAUGHT},
    "retried": {"A": {"Type": "Task", "Resource": "bad", "Retry": [{"ErrorEquals": ["Bad"]}], "End": True}},
    "variables": {
        "A": {"Type": "Task", "Resource": "work", "Assign": {"v.$": "$"}, "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"v.$": "$v"}, "End": True},
    },
    "children that fail": {
        "A": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "MaxConcurrency": 1,
            "ToleratedFailurePercentage": 100,
            "ItemProcessor": definition({"I": {**chain(2)["S0"], "Next": "B"}, "B": {**BAD_RESULT, "End": True}}),
            "End": True,
        },
    },
    "children in children": {
        "A": {
            "Type": "Parallel",
            "Branches": [definition({"X": {"Type": "Map", "ItemProcessor": definition(chain(2)), **ALONE}})],
            "InputPath": "$.items",
            "End": True,
        },
    },
}


@pytest.mark.parametrize("states", MACHINES.values(), ids=MACHINES)
async def test_both_types_tell_the_same_story(site: Site, states: dict[str, Any]) -> None:
    async def bad(given: Any) -> None:
        raise TaskError("Bad", "luck")

    stories = []
    states = {name: {k: v for k, v in state.items() if v is not None} for name, state in states.items()}
    async with site.engine({"work": same, "bad": bad}) as engine:
        for type_ in ("STANDARD", "EXPRESS"):
            ended = await run(engine, states, {"items": [1, 2, 3]}, type_)
            history = await engine.history(ended.execution.arn)
            stories.append(
                (ended.status, ended.output, ended.error, ended.cause, [_untimed(event) for event in history])
            )
    assert stories[0] == stories[1]


def _untimed(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "timestamp"}


async def test_texts_of_children_name_the_right_events(site: Site) -> None:
    item = definition({"W": {"Type": "Task", "Resource": "work", "Next": "B"}, "B": {**BAD_RESULT, "End": True}})
    states = {"M": {"Type": "Map", "ItemProcessor": item, "ToleratedFailurePercentage": 100, "End": True}}
    async with site.engine({"work": same}) as engine:
        ended = await run(engine, states, [{} for _ in range(20)])
        history = await engine.history(ended.execution.arn)
    named = sorted(int(number) for number in re.findall(r"event id #(\d+)", ended.output or ""))
    assert named == [e["id"] for e in history if e.get("stateEnteredEventDetails", {}).get("name") == "B"]
    assert len(named) == 20


# -- its end ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "limits", "seconds"),
    [
        ({}, {}, 300),
        ({"TimeoutSeconds": 10_000}, {}, 300),
        ({"TimeoutSeconds": 7}, {}, 7),
        ({}, {"express_seconds": 20}, 20),
    ],
)
async def test_it_has_five_minutes(site: Site, fields: dict[str, Any], limits: dict[str, int], seconds: int) -> None:
    async def slow(given: Any, context: TaskContext) -> None:
        await context.sleep(1000)

    begun = site.clock()
    async with site.engine({"work": same, "slow": slow}, limits=Limits(**limits)) as engine:
        ended = await run(engine, {**chain(2), "S1": one_task("slow")["Work"]}, **fields)
        assert (ended.status, ended.error) == ("TIMED_OUT", "States.Timeout")
        assert (ended.stopped_at or 0) - begun == seconds * 1000
        types = [event["type"] for event in await engine.history(ended.execution.arn)]
        assert types[-2:] == ["LambdaFunctionStarted", "ExecutionTimedOut"], "what was in memory is not lost"
        assert await commits(engine, ended) == 1


async def test_its_history_has_a_limit_of_its_own(site: Site) -> None:
    async with site.engine(limits=Limits(history_events=100)) as engine:
        assert (await run(engine, LOOP, {"n": 0})).status == "SUCCEEDED"
    async with site.engine(limits=Limits(express_history_events=1000)) as engine:
        ended = await run(engine, LOOP, {"n": 0})
        assert (ended.status, ended.error, ended.length) == ("FAILED", "States.Runtime", 1000)
        assert ended.cause == "The execution reached the maximum number of history events (1000)."


async def test_stop_ends_what_is_in_memory(site: Site) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work(given: Any, context: TaskContext) -> Any:
        if context.state == "S0":
            return given
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with site.engine({"work": work}, real=True) as engine:
        await engine.deploy(definition(chain(2)), name="machine", type="EXPRESS")
        async with engine.worker():
            started = await engine.start("machine")
            await begun.wait()
            assert (await engine.stop(started.arn, "Enough")).status == "ABORTED"
            await asyncio.wait_for(cancelled.wait(), 5)
        history = await engine.history(started.arn)
        assert history[-1]["type"] == "ExecutionAborted"
        assert [event["id"] for event in history] == list(range(1, len(history) + 1))


# -- deaths -----------------------------------------------------------------------------------------------------------
async def test_a_killed_workers_steps_are_repeated_with_the_same_keys(site: Site) -> None:
    keys: Counter[str] = Counter()
    running = asyncio.Event()

    async def work(given: Any, context: TaskContext) -> Any:
        keys[context.idempotency_key] += 1
        if context.state == "S3" and not running.is_set():
            running.set()
            await asyncio.Event().wait()
        return given

    async with site.engine({"work": work}) as engine:
        await engine.deploy(definition(chain(6)), name="machine", type="EXPRESS")
        started = await engine.start("machine", 7)
        async with idle_worker(engine) as first:
            doing = asyncio.create_task(first.run_until_idle())
            await running.wait()
            assert (await engine.describe(started.arn)).length == 1, "nothing was written down yet"
            first.kill()
            await doing
        async with idle_worker(engine) as second:
            await second.run_until_idle()
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.output, ended.length) == ("SUCCEEDED", "7", 32)
        assert await commits(engine, ended) == 7, "from then on it is persisted step by step"
    assert sorted(keys.values()) == [1, 1, 2, 2, 2, 2]


async def test_a_worker_that_has_lost_the_frame_writes_nothing(site: Site) -> None:
    """Another one took the lease while a handler ran; what the first has in memory is void."""
    ran: Counter[str] = Counter()
    running, go_on = asyncio.Event(), asyncio.Event()

    async def work(given: Any, context: TaskContext) -> Any:
        ran[context.state] += 1
        if context.state == "S1" and ran["S1"] == 1:
            running.set()
            await go_on.wait()
        return given

    async with site.engine({"work": work}, real=True) as engine:
        await engine.deploy(definition(chain(3)), name="machine", type="EXPRESS")
        store = engine.store
        async with engine.worker() as worker:
            started = await engine.start("machine", 1)
            execution = (await engine.describe(started.arn)).execution.id
            await running.wait()
            stolen = await store.claim_frame(execution, "", "thief", 60_000)
            assert stolen is not None
            go_on.set()
            while worker._held:
                await asyncio.sleep(0)
            assert (await engine.describe(started.arn)).length == stolen.base
            await store.release(store.shard_of(execution), "thief", [Lease(execution, "", stolen.revision)])
            assert (await engine.wait(started.arn, 10)).output == "1"
        history = await engine.history(started.arn)
    assert [event["id"] for event in history] == list(range(1, 18))
    assert (ran["S1"], ran["S2"]) == (2, 2)


async def test_a_drained_worker_writes_down_what_it_has(site: Site) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    ran: list[str] = []

    async def work(given: Any, context: TaskContext) -> Any:
        ran.append(context.state)
        if context.state == "S2":
            begun.set()
            await go_on.wait()
        return given

    async with site.engine({"work": work}, real=True) as engine:
        await engine.deploy(definition(chain(4)), name="machine", type="EXPRESS")
        async with engine.worker() as worker:
            started = await engine.start("machine")
            await begun.wait()
            stopping = asyncio.create_task(worker.stop(5))
            await asyncio.sleep(0)
            go_on.set()
            await stopping
            assert (await engine.history(started.arn))[-1]["type"] == "LambdaFunctionStarted"
        async with engine.worker():
            assert (await engine.wait(started.arn, 5)).status == "SUCCEEDED"
    assert ran == ["S0", "S1", "S2", "S3"]


def _work(url: str, folder: Path) -> None:
    """A worker process; its third task tells so and hangs."""

    async def work(given: Any, context: TaskContext) -> Any:
        with (folder / "ran").open("a") as file:
            file.write(f"{context.idempotency_key}\n")
        if context.state == "S2":
            (folder / "hangs").touch()
            await asyncio.Event().wait()
        return given

    async def main() -> None:
        async with AsyncEngine(url, tasks={"work": work}, lease_seconds=0.5) as engine:
            await engine.run_worker()

    asyncio.run(main())


async def test_kill_9_in_the_middle(site: Site, tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(site.url, tmp_path), daemon=True)
    keys: list[str] = []

    async def work(given: Any, context: TaskContext) -> Any:
        keys.append(context.idempotency_key)
        return given

    async with site.engine({"work": work}, real=True) as engine:
        await engine.deploy(definition(chain(5)), name="machine", type="EXPRESS")
        started = await engine.start("machine", "on")
        process.start()
        try:
            async with asyncio.timeout(20):
                while not (tmp_path / "hangs").exists():
                    await asyncio.sleep(0.01)
        finally:
            process.kill()
            process.join()
            process.close()
        async with engine.worker():
            ended = await engine.wait(started.arn, 20)
        assert (ended.status, ended.output) == ("SUCCEEDED", '"on"')
        history = await engine.history(started.arn)
    assert [event["id"] for event in history] == list(range(1, 28))
    assert (tmp_path / "ran").read_text().split() == keys[:3]
    assert len(keys) == 5
