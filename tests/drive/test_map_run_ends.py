"""Distributed Maps that fail, are stopped, or hold more than a task; on a real server."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from statewright import TaskError
from tests.drive.conftest import Site, idle_worker
from tests.drive.maps import (
    ASK,
    EXCEEDED,
    KINDS,
    PASS,
    adds_up,
    distributed,
    keys,
    machine,
    only_run,
    output,
    reader,
    run,
    types,
    until_running,
    working_keys,
)


# -- failures ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "FAILED"),
        ({"ToleratedFailureCount": 2}, "FAILED"),
        ({"ToleratedFailureCount": 3}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 29}, "FAILED"),
        ({"ToleratedFailurePercentage": 30}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 100, "ToleratedFailureCount": 1}, "FAILED"),
    ],
)
async def test_tolerated_failures(site: Site, fields: dict[str, Any], status: str) -> None:
    async def work(given: int) -> int:
        if given < 3:
            raise TaskError("Bad", "luck")
        return given

    async with site.engine({"work": work}) as engine:
        ended = await run(engine, distributed(**fields), list(range(10)))
        assert ended.status == status
        if status == "FAILED":
            assert (ended.error, ended.cause) == (EXCEEDED, "The specified tolerated failure threshold was exceeded")
        else:
            assert output(ended) == [{"Error": "Bad", "Cause": "luck"}] * 3 + list(range(3, 10))
        described = await engine.map_run(await only_run(engine))
        assert described.status == status
        assert described.executions["running"] == 0
        assert await working_keys(engine) == set()


async def test_retry_is_another_map_run(site: Site) -> None:
    calls: Counter[int] = Counter()

    async def work(given: int) -> int:
        calls[given] += 1
        if given == 2 and calls[2] == 1:
            raise TaskError("Bad")
        return given

    state = distributed(MaxConcurrency=1, Retry=[{"ErrorEquals": [EXCEEDED], "IntervalSeconds": 5}])
    async with site.engine({"work": work}) as engine:
        ended = await run(engine, state, [1, 2, 3])
        assert output(ended) == [1, 2, 3]
        runs = await engine.map_runs(ended.execution.arn)
        assert [(described.status, described.items["succeeded"]) for described in runs] == [
            ("FAILED", 1), ("SUCCEEDED", 3),
        ]  # fmt: skip
        assert types(await engine.history(ended.execution.arn)).count("MapRunStarted") == 2
        assert await working_keys(engine) == set()
    assert calls == {1: 2, 2: 2, 3: 1}


BROKEN = [
    ("missing.jsonl", None),
    ("a.jsonl", "".join("{oops\n" if line == 1000 else f"{line}\n" for line in range(1, 2001))),
    ("a.jsonl", "{oops\n"),
]


@pytest.mark.parametrize(("name", "text"), BROKEN, ids=["missing", "line 1000", "line 1"])
async def test_items_that_cannot_be_read(site: Site, bucket: Path, name: str, text: str | None) -> None:
    if text is not None:
        (bucket / name).write_text(text)
    forever = {"W": {"Type": "Wait", "Seconds": 1_000_000, "End": True}}
    async with site.engine(objects=bucket.parent) as engine:
        state = distributed(forever, ItemReader=reader(name), MaxConcurrency=2000)
        ended = await run(engine, state)
        assert (ended.status, ended.error) == ("FAILED", "States.ItemReaderFailed")
        assert ended.stopped_at == site.clock(), "nobody waited for the children"
        described = await engine.map_run(await only_run(engine))
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=site.clock())
        described = await engine.map_run(await only_run(engine))
        assert described.status == "FAILED"
        assert described.executions["aborted"] == described.executions["total"]
        assert (described.executions["total"] > 500) is (len(text or "") > 100)
        assert await working_keys(engine) == set()


async def test_no_object_store(site: Site) -> None:
    async with site.engine() as engine:
        ended = await run(engine, distributed(PASS, ItemReader=reader("a.jsonl")))
        assert (ended.status, ended.error) == ("FAILED", "States.ItemReaderFailed")


async def test_a_selector_that_fails(site: Site) -> None:
    async with site.engine() as engine:
        state = distributed(PASS, ItemSelector={"x.$": "$$.Map.Item.Value.x"}, MaxConcurrency=1)
        ended = await run(engine, state, [{"x": 1}, {"x": 2}, {"y": 3}])
        assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
        assert (await engine.map_run(await only_run(engine))).status == "FAILED"
        assert await working_keys(engine) == set()


async def test_an_item_that_is_too_large(site: Site) -> None:
    async with site.engine() as engine:
        selector = {"x.$": "States.Format('{}{}', $$.Map.Item.Value, $$.Map.Item.Value)"}
        ended = await run(engine, distributed(PASS, ItemSelector=selector), ["a", "x" * 200_000])
        assert (ended.status, ended.error) == ("FAILED", "States.DataLimitExceeded")
        assert await working_keys(engine) == set()


@pytest.mark.parametrize("objects", [True, False])
async def test_results_that_cannot_be_written(site: Site, bucket: Path, objects: bool) -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "none", "Prefix": "out"}}
    async with site.engine(objects=bucket.parent if objects else None) as engine:
        ended = await run(engine, distributed(PASS, ResultWriter=writer), [1, 2])
        assert (ended.status, ended.error) == ("FAILED", "States.ResultWriterFailed")
        assert (await engine.map_run(await only_run(engine))).status == "FAILED"
        assert await working_keys(engine) == set()


async def test_a_child_that_is_stopped_counts_as_failed(site: Site) -> None:
    forever = {"W": {"Type": "Wait", "Seconds": 100, "End": True}}
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy(machine(distributed(forever, ToleratedFailureCount=1)), name="machine")
        started = await engine.start("machine", [1, 2, 3], name="parent")
        await worker.run_until_idle(until=site.clock())
        children = {
            child.execution.input.text: child.execution.arn
            for child in await engine.list(map_run=await only_run(engine))
        }
        await engine.stop(children["2"], "Enough", "of this")
        await worker.run_until_idle()
        assert output(await engine.describe(started.arn)) == [1, {"Error": "Enough", "Cause": "of this"}, 3]
        described = await engine.map_run(await only_run(engine))
        assert (described.executions["aborted"], described.executions["succeeded"]) == (1, 2)


# -- inside and around ------------------------------------------------------------------------------------------------
@KINDS
async def test_a_map_in_a_map(site: Site, kind: str) -> None:
    inner = distributed(PASS, kind, Label="inner", MaxConcurrency=2)
    async with site.engine() as engine:
        ended = await run(engine, distributed({"I": inner}, MaxConcurrency=3), [[1, 2, 3], [], [4], [5, 6]])
        assert output(ended) == [[1, 2, 3], [], [4], [5, 6]]
        assert await working_keys(engine) == set()
        [child] = [one for one in await engine.list(map_run=await only_run(engine)) if one.output == "[1,2,3]"]
        [described] = await engine.map_runs(child.execution.arn)
        assert ":mapRun:machine/items/inner:" in described.arn
        assert described.items["succeeded"] == 3
        if kind == "STANDARD":
            grandchildren = await engine.list(map_run=described.arn)
            assert sorted(one.output or "" for one in grandchildren) == ["1", "2", "3"]
            assert len(await engine.history(grandchildren[0].execution.arn)) == 4


async def test_maps_in_the_branches_of_a_parallel(site: Site) -> None:
    branches = [
        {"StartAt": name, "States": {name: distributed({f"P{name}": PASS["P"]}, Label=name)}} for name in ("a", "b")
    ]
    async with site.engine() as engine:
        ended = await run(engine, {"Type": "Parallel", "Branches": branches, "End": True}, [1, 2])
        assert output(ended) == [[1, 2], [1, 2]]
        assert len(await engine.map_runs(ended.execution.arn)) == 2
        assert await working_keys(engine) == set()


async def test_a_failing_sibling_stops_the_children(site: Site) -> None:
    wait = {"W": {"Type": "Wait", "Seconds": 1_000_000, "End": True}}
    fails = {"S": {"Type": "Wait", "Seconds": 10, "Next": "F"}, "F": {"Type": "Fail", "Error": "Bad"}}
    branches = [
        {"StartAt": "a", "States": {"a": distributed(wait)}},
        {"StartAt": "S", "States": fails},
    ]
    async with site.engine() as engine:
        ended = await run(engine, {"Type": "Parallel", "Branches": branches, "End": True}, list(range(30)))
        assert (ended.status, ended.error) == ("FAILED", "Bad")
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=site.clock())
        described = await engine.map_run(await only_run(engine))
        assert (described.status, described.executions["aborted"]) == ("ABORTED", 30)
        assert await working_keys(engine) == set()


@KINDS
@pytest.mark.parametrize("ending", ["TIMED_OUT", "ABORTED"])
async def test_the_end_of_the_parent_stops_the_children(site: Site, kind: str, ending: str) -> None:
    cancelled = 0

    async def work(given: Any) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        finally:
            cancelled += 1

    fields = {"TimeoutSeconds": 1} if ending == "TIMED_OUT" else {}
    async with site.engine({"work": work}, real=True) as engine:
        await engine.deploy(machine(distributed(kind=kind, MaxConcurrency=120), **fields), name="machine")
        async with engine.worker(grace=1):
            started = await engine.start("machine", list(range(200)), name="parent")
            arn = await until_running(engine, 120)
            if ending == "ABORTED":
                await engine.stop(started.arn)
            assert (await engine.wait(started.arn, 5)).status == ending
            await until_running(engine, 0)
            while cancelled < 120:
                await asyncio.sleep(0.001)
        described = await engine.map_run(arn)
        assert (described.status, described.executions["aborted"]) == ("ABORTED", 120)
        assert adds_up(described.executions)
        assert await working_keys(engine) == set()
        if kind == "EXPRESS":
            assert {key[0] for key in await keys(engine) if "." in key} == set(), "nothing of a child"


async def test_what_children_may_wait_for(site: Site) -> None:
    """Time, a token, an activity."""
    activity = "arn:aws:states:us-east-1:000000000000:activity:desk"
    states = {
        "W": {"Type": "Wait", "Seconds": 1, "Next": "T"},
        "T": {
            "Type": "Task",
            "Resource": ASK,
            "Parameters": {"token.$": "$$.Task.Token", "n.$": "$"},
            "Next": "A",
        },
        "A": {"Type": "Task", "Resource": activity, "End": True},
    }
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async with site.engine({ASK: asked.put}, real=True) as engine:
        await engine.deploy(machine(distributed(states)), name="machine")
        async with engine.worker():
            started = await engine.start("machine", [1, 2, 3], name="parent")
            for _ in range(3):
                question = await asyncio.wait_for(asked.get(), 5)
                await engine.send_task_success(question["token"], question["n"] * 10)
            for _ in range(3):
                task = await engine.get_activity_task("desk", timeout=5)
                assert task is not None
                await engine.send_task_success(task.token, task.input + 1)
            assert output(await engine.wait(started.arn, 5)) == [11, 21, 31]


async def test_variables_and_the_context_in_children(site: Site) -> None:
    """A child execution is an execution of its own: its context object says so."""
    states = {
        "V": {"Type": "Pass", "Assign": {"v.$": "$"}, "Next": "S"},
        "S": {"Type": "Pass", "Parameters": {"v.$": "$v", "c.$": "$$"}, "End": True},
    }
    async with site.engine() as engine:
        [result] = output(await run(engine, distributed(states), [7]))
        assert result["v"] == 7
        [child] = await engine.list(map_run=await only_run(engine))
        assert result["c"]["Execution"]["Id"] == child.execution.arn
        assert result["c"]["Execution"]["Input"] == 7
        assert result["c"]["StateMachine"]["Id"] == child.execution.machine_arn
