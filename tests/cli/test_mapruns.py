"""Distributed Maps from the command line: --objects, map-runs, map-run, update-map-run, list --map-run."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Shell, read_until

SLOW = """
StartAt: Work
States:
  Work:
    Type: Map
    ItemProcessor:
      ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}
      StartAt: Item
      States:
        Item: {Type: Task, Resource: item, End: true}
    MaxConcurrency: 1
    End: true
"""
WORK = """
import asyncio
from pathlib import Path
from statewright import task

@task("item")
async def item(given):
    print("item", given, flush=True)
    while not Path(f"go-{given}").exists():
        await asyncio.sleep(0.02)
    if given < 0:
        raise ValueError(given)
"""


@pytest.fixture
def importing(shell: Shell) -> tuple[str, ...]:
    """The words that run the example csv-import as the execution monday."""
    home = shell.home / "import"
    shutil.copytree(ROOT / "definitions" / "csv-import", home, ignore=shutil.ignore_patterns("results", ".statewright"))
    words = ("run", home / "workflow.asl.yaml", "--machine", "csv-import", "--functions", home / "handlers.py")
    return (*map(str, words), "--input", f"@{home / 'input.json'}", "--name", "monday")


def test_a_map_over_a_file(shell: Shell, importing: tuple[str, ...]) -> None:
    result = shell(*importing, "--objects", "import/objects")
    assert result.code == 0, result.err
    assert "12 of 12 items, 3 failed" in result.err
    assert (shell.home / "import/objects/shop" / result.document["results"]).exists()

    [row] = shell("map-runs", "csv-import:monday", "--json").lines
    assert (row["status"], row["maxConcurrency"], row["toleratedFailurePercentage"]) == ("SUCCEEDED", 3, 25)
    assert row["itemCounts"] == {
        "pending": 0,
        "running": 0,
        "succeeded": 9,
        "failed": 3,
        "timedOut": 0,
        "aborted": 0,
        "total": 12,
    }
    assert row["executionCounts"]["total"] == 4
    assert "12 of 12 items, 3 failed" in shell("map-runs", "csv-import:monday").out
    arn = row["mapRunArn"]
    assert shell("map-run", arn, "--json").document == row
    assert shell("map-run", "csv-import:monday", "--json", "--watch").document == row
    shown = shell("map-run", arn).out
    assert [line.split() for line in shown.splitlines()][-2:] == [
        ["items", *"0 0 9 3 0 0 12".split()],
        ["executions", *"0 0 3 1 0 0 4".split()],
    ]

    children = shell("list", "--map-run", arn, "--json").lines
    assert sorted(child["status"] for child in children) == ["FAILED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]
    [failed] = shell("list", "--map-run", "csv-import:monday", "--status", "FAILED", "--json").lines
    child = shell("describe", failed["executionArn"], "--json").document
    assert (child["error"], child["mapRunArn"], len(child["input"]["Items"])) == ("BadRow", arn, 3)
    assert "LambdaFunctionFailed" in shell("history", failed["executionArn"]).out
    assert [row["name"] for row in shell("list", "--json").lines] == ["monday"], "children are in no other list"


@pytest.mark.parametrize("before", [True, False])
def test_objects_may_be_told_otherwise(before: bool, shell: Shell, importing: tuple[str, ...]) -> None:
    """By the environment, or before the name of the command."""
    if before:
        assert shell("--objects", "import/objects", *importing).code == 0
    else:
        assert shell(*importing, STATEWRIGHT_OBJECTS="import/objects").code == 0


def test_without_objects_the_reason_comes_with_advice(shell: Shell, importing: tuple[str, ...]) -> None:
    result = shell(*importing)
    assert result.code == 1
    assert "No object store is configured" in result.err
    assert "hint: --objects" in result.err


def test_a_map_run_is_followed_and_changed(shell: Shell) -> None:
    shell.write("slow.yaml", SLOW)
    shell.write("work.py", WORK)
    process = shell.start("run", "slow.yaml", "--functions", "work.py", "--name", "one", "--input", "[1, 2, -3]")
    read_until(process.stdout, "item 1")

    watcher = shell.start("map-run", "slow:one", "--watch")
    read_until(watcher.stderr, "0 of 3 items, 1 execution running")
    watcher.send_signal(signal.SIGINT)
    out, err = watcher.communicate(timeout=30)
    assert watcher.returncode == 130
    assert "the map run goes on" in err
    assert "RUNNING" in out

    watcher = shell.start("map-run", "slow:one", "--watch", "--json")
    read_until(watcher.stderr, "0 of 3 items")
    row = shell("update-map-run", "slow:one", "--max-concurrency", "3", "--json").document
    assert (row["status"], row["maxConcurrency"]) == ("RUNNING", 3)
    read_until(process.stdout, "item -3")
    for item in (1, 2, -3):
        Path(shell.home / f"go-{item}").touch()
    _, err = watcher.communicate(timeout=30)
    assert watcher.returncode == 1, "a map run that FAILED is a no"
    assert "3 of 3 items, 1 failed" in err
    process.communicate(timeout=30)
    assert process.returncode == 1
    late = shell("update-map-run", "slow:one", "--max-concurrency", "1")
    assert (late.code, late.out) == (2, "")
    assert "does not run any more" in late.err


def test_an_execution_without_map_runs(shell: Shell) -> None:
    shell.write("work.yaml", "StartAt: A\nStates: {A: {Type: Succeed}}\n")
    assert shell("run", "work.yaml", "--name", "one").code == 0
    assert shell("map-runs", "work:one", "--json").out == ""
    result = shell("map-run", "work:one")
    assert (result.code, result.out) == (2, "")
    assert "has no map run" in result.err


def test_a_run_works_on_nested_executions_too(shell: Shell) -> None:
    home = ROOT / "definitions" / "nested-orders"
    words = ("run", home / "workflow.asl.yaml", "--functions", home / "handlers.py")
    words += ("--input", f"@{home / 'input.json'}")
    alone = shell(*words)
    assert alone.code == 1
    assert "StateMachineDoesNotExist" in alone.err
    assert "hint: --with" in alone.err
    row = shell(*words, "--with", home / "ship-parcel.asl.yaml", "--name", "order-7", "--json").document
    assert row["output"] == {"shipped": ["lamp", "desk"], "returned": [{"parcel": "piano", "returned": "TooHeavy"}]}
    names = [row["name"] for row in shell("list", "--machine", "ship-parcel", "--json").lines]
    assert sorted(names) == ["order-7-0", "order-7-1", "order-7-2"]


LINES = """
StartAt: Count
States:
  Count:
    Type: Map
    ItemReader:
      Resource: arn:aws:states:::s3:getObject
      ReaderConfig: {InputType: JSONL}
      Parameters: {Bucket: numbers, Key: all.jsonl}
    ItemBatcher: {MaxItemsPerBatch: 100}
    MaxConcurrency: 8
    ItemProcessor:
      ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}
      StartAt: Add
      States:
        Add: {Type: Task, Resource: add, End: true}
    ResultSelector: {sums.$: "$[*]"}
    End: true
"""
ADD = """
import asyncio
from pathlib import Path
from statewright import task

@task("add")
async def add(given):
    if given["Items"][0] >= 5000:
        print("in the middle", flush=True)
        while not Path("go").exists():
            await asyncio.sleep(0.02)
    return sum(given["Items"])
"""


def test_a_map_run_goes_on_after_a_kill(shell: Shell) -> None:
    (shell.home / "objects" / "numbers").mkdir(parents=True)
    shell.write("objects/numbers/all.jsonl", "".join(f"{number}\n" for number in range(10_000)))
    shell.write("count.yaml", LINES)
    shell.write("add.py", ADD)
    words = ("run", "count.yaml", "--functions", "add.py", "--objects", "objects", "--name", "one")
    process = shell.start(*words)
    read_until(process.stdout, "in the middle")
    process.kill()
    process.communicate(timeout=30)
    [row] = shell("map-runs", "count:one", "--json").lines
    assert (row["status"], row["reading"]) == ("RUNNING", True)
    shell.write("go", "")
    result = shell(*words)
    assert result.code == 0, result.err
    sums = [sum(range(start, start + 100)) for start in range(0, 10_000, 100)]
    assert json.loads(result.out.replace("in the middle\n", "")) == {"sums": sums}, "each item is in one child, once"
    assert "10,000 of 10,000 items" in result.err


@pytest.fixture
def service() -> Iterator[str]:
    """A store that speaks S3, with an empty bucket `shop`; its URL."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        boto3.client("s3", endpoint_url=url, **CREDENTIALS).create_bucket(Bucket="shop")
        yield url
    finally:
        server.stop()


CREDENTIALS = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}


def test_objects_in_a_store_that_speaks_s3(service: str, shell: Shell, importing: tuple[str, ...]) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=service, **CREDENTIALS)
    client.upload_file(str(shell.home / "import/objects/shop/products.csv"), "shop", "products.csv")
    names = {"region_name": "AWS_DEFAULT_REGION"}
    environment = {names.get(name, name.upper()): value for name, value in CREDENTIALS.items()}
    result = shell(*importing, "--objects", f"s3+{service}", **environment)
    assert result.code == 0, result.err
    assert "12 of 12 items, 3 failed" in result.err
    manifest = result.document["results"]
    assert json.loads(client.get_object(Bucket="shop", Key=manifest)["Body"].read())["DestinationBucket"] == "shop"
