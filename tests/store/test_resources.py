"""No memory, no disk: what has begun ends, what would begin is refused, and everybody is told why (F9, F10)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from statewright import AsyncEngine
from statewright.errors import StatewrightError
from statewright.store import RedisStore, open_store, restarts, stop_embedded
from statewright.store.embedded import server_binary
from tests.store.scene import LEASE, Scene, events
from tests.store.servers import Node, redis_binary

DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def processor(name: str) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: {"Type": "Task", "Resource": "double", "End": True}}}


WORK: dict[str, Any] = {
    "StartAt": "Hold",
    "States": {
        "Hold": {"Type": "Task", "Resource": "hold", "ResultPath": "$.text", "Next": "Inline"},
        "Inline": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": processor("Double"),
            "ResultPath": "$.inline",
            "Next": "Distributed",
        },
        "Distributed": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {"ProcessorConfig": DISTRIBUTED, **processor("Again")},
            "ResultPath": "$.distributed",
            "Next": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": 1, "OutputPath": "$.distributed", "End": True},
    },
}


# -- memory -----------------------------------------------------------------------------------------------------------
@pytest.fixture(params=["valkey", "redis"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    node = Node(request.param, tmp_path / "node").start()
    yield node
    node.stop()


def memory(node: Node) -> int:
    return int(node.command("INFO", "memory")["used_memory"])


async def throttled(engine: AsyncEngine) -> str:
    with pytest.raises(StatewrightError) as refused:
        await engine.start("work", {"items": []})
    assert refused.value.code == "ThrottlingException"
    return refused.value.message


async def test_what_runs_can_finish_without_memory(node: Node) -> None:
    held, go = [], asyncio.Event()

    async def hold(_: Any) -> str:
        held.append(1)
        await go.wait()
        return "x" * 10_000

    url = f"redis://127.0.0.1:{node.port}"
    tasks = {"hold": hold, "double": lambda number: 2 * number}
    async with AsyncEngine(url, tasks=tasks) as engine, AsyncEngine(url) as other, engine.worker():
        await engine.deploy(WORK, name="work")
        started = [await engine.start("work", {"items": list(range(5))}) for _ in range(10)]
        while len(held) < 10:
            await asyncio.sleep(0.01)
        node.command("CONFIG", "SET", "maxmemory", memory(node) * 9 // 10)
        assert "raise maxmemory" in await throttled(other)  # the server says so itself
        assert "% of its maxmemory" in await throttled(other)  # and now it is known before it is asked
        with pytest.raises(StatewrightError) as refused:
            await other.deploy({**WORK, "Comment": "another"}, name="work")
        assert refused.value.code == "ThrottlingException"
        go.set()
        for each in started:
            ended = await engine.wait(each.arn, timeout=20)
            assert (ended.status, ended.output) == ("SUCCEEDED", "[0,2,4,6,8]")
            history = await engine.history(each.arn)
            assert [event["id"] for event in history] == list(range(1, len(history) + 1))
        assert memory(node) > int(node.command("CONFIG", "GET", "maxmemory")[1])
        node.command("CONFIG", "SET", "maxmemory", 2 * memory(node))
        async with AsyncEngine(url) as later:
            assert (await later.start("work", {"items": []})).arn


async def test_new_work_is_refused_before_the_memory_is_full(node: Node) -> None:
    store = await open_store(f"redis://127.0.0.1:{node.port}")
    node.command("CONFIG", "SET", "maxmemory", int(memory(node) / 0.85))
    scene = Scene(store)
    assert (await scene.create()).outcome == "OK"  # the look that it took counts for the next one
    again = Scene(store, "E1", machine="n")
    with pytest.raises(StatewrightError, match=r"8\d% of its maxmemory") as refused:
        await again.create()
    assert refused.value.code == "ThrottlingException"
    assert (await scene.commit(history=events("e"), keep_ms=LEASE)).outcome == "OK"
    await store.close()


# -- disk -------------------------------------------------------------------------------------------------------------
@pytest.fixture(params=["valkey", "redis"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory whose server cannot write files of more than 160 KiB, until the file `disk` is made larger."""
    if request.param == "redis":
        monkeypatch.setenv("STATEWRIGHT_SERVER", redis_binary())
    program = tmp_path / "server"
    program.write_text(f"#!/bin/sh\nulimit -f $(cat {tmp_path}/disk)\ntrap '' XFSZ\nexec {server_binary()} \"$@\"\n")
    program.chmod(0o755)
    (tmp_path / "disk").write_text("320")
    monkeypatch.setenv("STATEWRIGHT_SERVER", str(program))
    monkeypatch.setattr(restarts, "_SPAN", 2.0)
    yield tmp_path / "data"
    asyncio.run(stop_embedded(tmp_path / "data"))


def starts(data_dir: Path) -> int:
    """How often the server was started."""
    return (data_dir / "server.log").read_text().count("Ready to accept connections")


async def start_many(engine: AsyncEngine, started: list[str]) -> None:
    for number in range(100):
        started.append((await engine.start("work", {"items": [number]}, name=f"n{number}")).arn)


async def create_many(store: RedisStore) -> None:
    for number in range(500):
        await Scene(store, f"E{number}").create()


async def broken_store(engine: AsyncEngine) -> bool:
    try:
        await engine.machines()
    except StatewrightError as error:
        return error.code == "StoreBroken"
    return False


async def test_a_full_disk_under_a_worker(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every start that was acknowledged ends, once there is room again; until then the server is not started for ever,
    and the worker says once what is wrong."""
    tasks = {"hold": lambda _: "x" * 500, "double": lambda number: 2 * number}
    async with AsyncEngine(data_dir=small_disk, tasks=tasks, lease_seconds=2) as engine:
        await engine.deploy(WORK, name="work")
        started: list[str] = []
        with caplog.at_level(logging.WARNING):
            async with engine.worker():
                with pytest.raises(StatewrightError) as broken:
                    await start_many(engine, started)
                assert broken.value.code == "StoreBroken"
                assert "ended 5 times within a minute" in broken.value.message
                assert "Can't recover from AOF write error" in broken.value.message
                assert starts(small_disk) <= 7
                await asyncio.sleep(0.5)  # time for a loop to show itself
                assert starts(small_disk) <= 7
                (small_disk.parent / "disk").write_text("unlimited")
                while await broken_store(engine):
                    await asyncio.sleep(0.1)
                for arn in started:
                    assert (await engine.wait(arn, timeout=25)).status == "SUCCEEDED"
                    history = await engine.history(arn)
                    assert [event["id"] for event in history] == list(range(1, len(history) + 1))
    told = [record.message for record in caplog.records if "no work can be claimed" in record.message]
    assert len(told) <= 2
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_full_disk_under_a_fast_server(small_disk: Path) -> None:
    """With an fsync each second it goes on without storing anything, and refuses to write (MISCONF)."""
    store = await open_store(None, small_disk, durability="fast")
    with pytest.raises(StatewrightError, match="MISCONF") as refused:
        await create_many(store)
    assert refused.value.code == "StoreRefused"
    assert "free disk space" in refused.value.message
    assert await store.describe("E0") is not None
    await store.close()


async def test_a_server_that_is_killed_is_started_again_each_time(tmp_path: Path) -> None:
    store = await open_store(None, tmp_path / "data")
    scene = Scene(store)
    await scene.create()
    for index in range(8):
        process = int((tmp_path / "data" / "server.pid").read_text())
        await scene.commit(history=events(f"e{index}"), keep_ms=LEASE)
        os.kill(process, signal.SIGKILL)
    assert len(await scene.links()) == 9
    await store.close()


def test_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    log = tmp_path / "appendonlydir"
    log.mkdir()
    (log / "a").write_bytes(b"1")
    for _ in range(6):
        restarts.count(tmp_path)
        now[0] += 1
    with pytest.raises(StatewrightError, match="tried again in 54 s"):
        restarts.count(tmp_path)
    (log / "a").write_bytes(b"12")  # it has stored something
    restarts.count(tmp_path)
    (log / "a").write_bytes(b"1")
    restarts.forget(tmp_path)
    restarts.count(tmp_path)
    (tmp_path / "starts").write_bytes(b"short")
    for _ in range(6):
        restarts.count(tmp_path)
    now[0] += 61
    restarts.count(tmp_path)
