"""Distributed Maps on a real server: items of every kind, limits, counts, failures, ends."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from statewright import AsyncEngine, StatewrightError, TaskError
from tests.drive.conftest import Site, one_task
from tests.drive.maps import (
    CLOCKS,
    EXCEEDED,
    KINDS,
    PASS,
    adds_up,
    distributed,
    double,
    machine,
    only_run,
    output,
    reader,
    run,
    types,
    until_running,
    working_keys,
)


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
        assert [(one["Error"], one["Cause"]) for one in failures] == [("Bad", f"item {n}") for n in (3, 13, 23, 33)]


@KINDS
async def test_results_in_files_of_a_run_that_fails(site: Site, bucket: Path, kind: str) -> None:
    """What ended and what is stopped is written, too (AWS documentation, "ResultWriter")."""
    begun: set[int] = set()

    async def work(given: int) -> int:
        begun.add(given)
        while given != 4 or len(begun) < 4:
            await asyncio.sleep(0.001)
        raise TaskError("Bad")

    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}}
    async with site.engine({"work": work}, objects=bucket.parent) as engine:
        await engine.deploy(machine(distributed(kind=kind, ResultWriter=writer)), name="m")
        ended = await engine.run("m", [1, 2, 3, 4], name="parent")
        assert (ended.status, ended.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
        [manifest] = bucket.rglob("manifest.json")
        files = json.loads(manifest.read_text())["ResultFiles"]
        found = {group: [json.loads((bucket / file["Key"]).read_text()) for file in files[group]] for group in files}
    assert [[one["Input"] for one in part] for part in found["FAILED"]] == [["4"]]
    assert sorted(one["Input"] for part in found["PENDING"] for one in part) == ["1", "2", "3"]
    assert not found["SUCCEEDED"]


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
        await asyncio.sleep(0.01)
        if given["Items"][0] % 50 == 0:
            raise TaskError("Bad")

    fields: dict[str, Any] = {"ItemReader": reader("a.jsonl"), "ItemBatcher": {"MaxItemsPerBatch": 5}}
    fields["MaxConcurrency"] = 50
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
