"""Distributed Maps on a real server: items of every kind, limits, counts, failures, ends."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from statewright import AsyncEngine, StatewrightError, TaskError
from tests.drive.conftest import Site, idle_worker, one_task
from tests.drive.maps import (
    adds_up,
    distributed,
    keys,
    machine,
    only_run,
    output,
    reader,
    run,
    until_running,
    working_keys,
)

KINDS = pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
CLOCKS = pytest.mark.parametrize("real", [False, True], ids=["virtual", "real"])
PASS = {"P": {"Type": "Pass", "End": True}}
ASK = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
EXCEEDED = "States.ExceedToleratedFailureThreshold"


async def double(given: Any) -> Any:
    return given * 2


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    return tmp_path / "b"


def types(history: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in history]


# -- items and results ------------------------------------------------------------------------------------------------
@KINDS
@CLOCKS
async def test_items_of_the_input(site: Site, kind: str, real: bool) -> None:
    async with site.engine({"work": double}, real=real) as engine:
        ended = await run(engine, distributed(kind=kind, MaxConcurrency=7), list(range(50)))
        assert output(ended) == [2 * number for number in range(50)]
        described = await engine.map_run(await only_run(engine))
        assert described.status == "SUCCEEDED"
        assert described.execution_arn == ended.execution.arn
        assert described.items == described.executions
        assert (described.items["succeeded"], described.items["total"]) == (50, 50)
        assert adds_up(described.items)
        assert await working_keys(engine) == set()
        history = await engine.history(ended.execution.arn)
        assert types(history) == [
            "ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunSucceeded",
            "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded",
        ]  # fmt: skip
        assert history[3]["mapRunStartedEventDetails"] == {"mapRunArn": described.arn}


@KINDS
async def test_no_items(site: Site, kind: str) -> None:
    async with site.engine({"work": double}) as engine:
        assert output(await run(engine, distributed(kind=kind), [])) == []
        described = await engine.map_run(await only_run(engine))
        assert (described.status, described.items["total"]) == ("SUCCEEDED", 0)


async def test_members_of_an_object(site: Site) -> None:
    selector = {"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"}
    async with site.engine() as engine:
        ended = await run(engine, distributed(PASS, ItemSelector=selector), {"a": 1, "b": 2})
        assert output(ended) == [{"k": "a", "v": 1, "i": 0}, {"k": "b", "v": 2, "i": 1}]


@pytest.mark.parametrize(
    ("name", "text", "config", "expected"),
    [
        ("a.jsonl", '{"n":1}\n{"n":2}\n', {"InputType": "JSONL"}, [{"n": 1}, {"n": 2}]),
        ("a.json", '[1,"x",null]', {"InputType": "JSON"}, [1, "x", None]),
        ("a.json", '{"deep":{"er":[1,2]}}', {"InputType": "JSON", "ItemsPointer": "/deep/er"}, [1, 2]),
        (
            "a.csv",
            "x,y\n1,2\n3,4\n",
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}],
        ),
        (
            "a.csv",
            "1|2\n",
            {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["p", "q"], "CSVDelimiter": "PIPE"},
            [{"p": "1", "q": "2"}],
        ),
        ("a.jsonl", "1\n2\n3\n", {"InputType": "JSONL", "MaxItems": 2}, [1, 2]),
        ("a.jsonl", "", {"InputType": "JSONL"}, []),
    ],
)
async def test_items_of_a_file(
    site: Site, bucket: Path, name: str, text: str, config: dict[str, Any], expected: list[Any]
) -> None:
    (bucket / name).write_text(text)
    async with site.engine(objects=bucket.parent) as engine:
        assert output(await run(engine, distributed(PASS, ItemReader=reader(name, config)))) == expected


async def test_items_of_a_listing_and_of_a_manifest(site: Site, bucket: Path) -> None:
    (bucket / "data").mkdir()
    (bucket / "data" / "1.jsonl").write_text("1\n2\n")
    (bucket / "data" / "2.jsonl").write_text("3\n")
    (bucket / "manifest").write_text("s3://b/data/2.jsonl\ns3://b/data/1.jsonl\n")
    listing = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b", "Prefix": "data/"}}
    athena = reader("manifest", {"InputType": "JSONL", "ManifestType": "ATHENA_DATA"})
    async with site.engine(objects=bucket.parent) as engine:
        listed = output(await run(engine, distributed(PASS, ItemReader=listing)))
        assert [(item["Key"], item["Size"]) for item in listed] == [("data/1.jsonl", 4), ("data/2.jsonl", 2)]
        await engine.deploy(machine(distributed(PASS, ItemReader=athena)), name="athena")
        assert output(await engine.run("athena")) == [3, 1, 2]


async def test_selector_and_batches(site: Site, bucket: Path) -> None:
    (bucket / "a.jsonl").write_text("".join(f'{{"n":{number}}}\n' for number in range(2500)))
    state = distributed(
        one_task("work"),
        "EXPRESS",
        ItemReader=reader("a.jsonl"),
        ItemSelector={"n.$": "$$.Map.Item.Value.n", "i.$": "$$.Map.Item.Index", "shop.$": "$.shop"},
        ItemBatcher={"MaxItemsPerBatch": 300, "BatchInput": {"of.$": "$.shop"}},
    )
    sizes = []

    async def work(given: Any) -> Any:
        assert given["BatchInput"] == {"of": "here"}
        assert all(item["n"] == item["i"] and item["shop"] == "here" for item in given["Items"])
        sizes.append(len(given["Items"]))
        return [given["Items"][0]["n"], given["Items"][-1]["n"]]

    async with site.engine({"work": work}, objects=bucket.parent) as engine:
        spans = output(await run(engine, state, {"shop": "here"}))
        assert spans == [[start, min(start + 299, 2499)] for start in range(0, 2500, 300)]
        assert sorted(sizes) == [100, *[300] * 8]
        described = await engine.map_run(await only_run(engine))
        assert (described.items["succeeded"], described.executions["succeeded"]) == (2500, 9)


async def test_results_in_files(site: Site, bucket: Path) -> None:
    async def work(given: int) -> int:
        if given % 10 == 3:
            raise TaskError("Bad", f"item {given}")
        return -given

    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "out"}}
    for kind in ("STANDARD", "EXPRESS"):
        state = distributed(kind=kind, ResultWriter=writer, ToleratedFailurePercentage=100)
        async with site.engine({"work": work}, objects=bucket.parent) as engine:
            await engine.deploy(machine(state), name=kind)
            ended = await engine.run(kind, list(range(1, 41)), name="parent")
            written = output(ended)
            assert written["MapRunArn"] == await only_run(engine, f"{kind}:parent")
        assert written["ResultWriterDetails"]["Bucket"] == "b"
        manifest = json.loads((bucket / written["ResultWriterDetails"]["Key"]).read_text())
        [succeeded] = manifest["ResultFiles"]["SUCCEEDED"]
        [failed] = manifest["ResultFiles"]["FAILED"]
        results = json.loads((bucket / succeeded["Key"]).read_text())
        assert [json.loads(result["Output"]) for result in results] == [-n for n in range(1, 41) if n % 10 != 3]
        assert all(json.loads(result["Input"]) == -json.loads(result["Output"]) for result in results)
        failures = json.loads((bucket / failed["Key"]).read_text())
        assert (failures[0]["Error"], failures[0]["Cause"]) == ("Bad", "item 3")
        assert len(failures) == 4


async def test_results_that_are_too_large(site: Site) -> None:
    async def work(given: Any) -> str:
        return "x" * 3000

    async with site.engine({"work": work}) as engine:
        ended = await run(engine, distributed(kind="EXPRESS"), list(range(100)))
        assert (ended.status, ended.error) == ("FAILED", "States.DataLimitExceeded")
        assert await working_keys(engine) == set()


# -- limits and counts ------------------------------------------------------------------------------------------------
@KINDS
async def test_no_more_children_run_than_may(site: Site, kind: str) -> None:
    running, most = 0, 0
    gate = asyncio.Event()

    async def work(given: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        return given

    async with site.engine({"work": work}, real=True) as one, site.engine({"work": work}, real=True) as two:
        await one.deploy(machine(distributed(kind=kind, MaxConcurrency=5)), name="machine")
        async with one.worker(), two.worker():
            started = await one.start("machine", list(range(100)), name="parent")
            watching = asyncio.create_task(watch(one, started.arn, gate))
            ended = await one.wait(started.arn, 20)
            gate.set()
            seen = await watching
        assert output(ended) == list(range(100))
    assert 2 <= most <= 5
    assert max(seen) <= 5


async def watch(engine: AsyncEngine, execution: str, until: asyncio.Event) -> Counter[int]:
    """Look at the counts of the one map run of an execution all the time; how often how many ran."""
    seen: Counter[int] = Counter()
    while not until.is_set():
        for described in await engine.map_runs(execution):
            assert adds_up(described.items), described
            assert adds_up(described.executions), described
            seen[described.executions["running"]] += 1
        await asyncio.sleep(0)
    return seen


async def test_counts_add_up_at_every_moment(site: Site, bucket: Path) -> None:
    (bucket / "a.jsonl").write_text("".join(f"{number}\n" for number in range(3000)))

    async def work(given: Any) -> None:
        if given["Items"][0] % 50 == 0:
            raise TaskError("Bad")

    fields: dict[str, Any] = {"ItemReader": reader("a.jsonl"), "ItemBatcher": {"MaxItemsPerBatch": 5}}
    async with site.engine({"work": work}, real=True, objects=bucket.parent) as engine:
        await engine.deploy(
            machine(distributed(kind="EXPRESS", ToleratedFailurePercentage=50, **fields)), name="machine"
        )
        async with engine.worker():
            started = await engine.start("machine", name="parent")
            over = asyncio.Event()
            watching = asyncio.create_task(watch(engine, started.arn, over))
            assert (await engine.wait(started.arn, 20)).status == "SUCCEEDED"
            over.set()
            seen = await watching
        described = await engine.map_run(await only_run(engine))
    assert len(seen) > 3
    assert (described.items["failed"], described.executions["failed"]) == (300, 60)
    assert (described.items["succeeded"], described.executions["succeeded"]) == (2700, 540)


async def test_children_have_names_and_histories_of_their_own(site: Site) -> None:
    async with site.engine({"work": double}) as engine:
        ended = await run(engine, distributed(), [1, 2, 3])
        arn = await only_run(engine)
        children = await engine.list(map_run=arn)
        assert sorted(child.output or "" for child in children) == ["2", "4", "6"]
        for child in children:
            about = child.execution
            assert about.arn.startswith("arn:aws:states:us-east-1:000000000000:execution:machine/items:")
            assert about.machine_arn.endswith(":stateMachine:machine/items")
            assert (await engine.describe(about.arn)).output == child.output
            history = await engine.history(about.arn)
            assert [event["id"] for event in history] == list(range(1, len(history) + 1))
            assert (types(history)[0], types(history)[-1]) == ("ExecutionStarted", "ExecutionSucceeded")
        assert [one.execution.arn for one in await engine.list()] == [ended.execution.arn]
        assert await engine.list(map_run=arn, status="RUNNING") == []
        assert len(await engine.list(map_run=arn, limit=2)) == 2


async def test_other_limits_while_it_runs(site: Site) -> None:
    gate = asyncio.Semaphore(0)

    async def work(given: int) -> None:
        await gate.acquire()
        raise TaskError("Bad")

    async with site.engine({"work": work}, real=True) as engine:
        await engine.deploy(machine(distributed(MaxConcurrency=2, ToleratedFailureCount=9)), name="machine")
        async with engine.worker():
            started = await engine.start("machine", list(range(9)), name="parent")
            arn = await until_running(engine, 2)
            await engine.update_map_run(arn, max_concurrency=6)
            await until_running(engine, 6)
            await engine.update_map_run(arn, tolerated_failure_count=0)
            assert (await engine.map_run(arn)).tolerated_failure_count == 0
            gate.release()
            ended = await engine.wait(started.arn, 10)
            assert (ended.status, ended.error) == ("FAILED", EXCEEDED)
            await until_running(engine, 0)
        described = await engine.map_run(arn)
        assert (described.status, described.executions["failed"]) == ("FAILED", 1)
        assert described.executions["aborted"] >= 5
        with pytest.raises(StatewrightError, match="does not run any more"):
            await engine.update_map_run(arn, max_concurrency=1)


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"max_concurrency": 0},
        {"max_concurrency": 10_001},
        {"max_concurrency": 2.5},
        {"max_concurrency": True},
        {"tolerated_failure_count": -1},
        {"tolerated_failure_percentage": 100.1},
        {"tolerated_failure_percentage": float("nan")},
        {"tolerated_failure_percentage": "5"},
    ],
)
async def test_limits_that_make_no_sense(site: Site, limits: dict[str, Any]) -> None:
    async with site.engine() as engine:
        await run(engine, distributed(PASS), [1])
        with pytest.raises(StatewrightError) as caught:
            await engine.update_map_run(await only_run(engine), **limits)
        assert caught.value.code == "ValidationException"


async def test_map_runs_that_there_are_not(site: Site) -> None:
    async with site.engine() as engine:
        arn = "arn:aws:states:us-east-1:000000000000:mapRun:machine/items:17"
        for wrong, code in ((arn, "ResourceNotFound"), ("x", "InvalidArn"), (arn[:-2], "InvalidArn")):
            for call in (engine.map_run(wrong), engine.update_map_run(wrong, max_concurrency=1)):
                with pytest.raises(StatewrightError) as caught:
                    await call
                assert caught.value.code == code


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
