"""The harness itself: what a power failure takes, and what it must not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
import redis

from statewright.store.embedded import start_embedded, stop_embedded
from tests.chaos.power import Power, Tail, durable, files


@pytest.fixture
def power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Power:
    power = Power(tmp_path / "power")
    monkeypatch.setenv("STATEWRIGHT_SERVER", str(power.program))
    return power


def write(url: str, commands: int, appendfsync: str = "always") -> int:
    """Count so far, 50 commands at a time; what was acknowledged last."""
    acknowledged = 0
    with redis.Redis.from_url(url) as client:
        client.config_set("appendfsync", appendfsync)
        for _ in range(commands // 50):
            batch = client.pipeline(transaction=False)
            for _ in range(50):
                batch.incr("n")
            acknowledged = batch.execute()[-1]
    return acknowledged


def write_until_cut(power: Power, data_dir: Path, appendfsync: str, tail: Tail) -> tuple[int, int]:
    """Numbers acknowledged by a server whose power is then cut, and those that are there when it is back."""
    acknowledged = write(asyncio.run(start_embedded(data_dir)), 1000, appendfsync)
    power.cut(data_dir, tail, Random(1))
    url = asyncio.run(start_embedded(data_dir))
    try:
        with redis.Redis.from_url(url) as client:
            return acknowledged, int(client.get("n") or 0)
    finally:
        asyncio.run(stop_embedded(data_dir))


@pytest.mark.parametrize("tail", ["clean", "torn", "nul"])
def test_a_power_failure_takes_nothing_that_was_made_durable(power: Power, tmp_path: Path, tail: Tail) -> None:
    acknowledged, there = write_until_cut(power, tmp_path / "store", "always", tail)
    assert there == acknowledged == 1000


@pytest.mark.parametrize("tail", ["clean", "torn", "nul"])
def test_a_power_failure_takes_what_was_only_written(power: Power, tmp_path: Path, tail: Tail) -> None:
    acknowledged, there = write_until_cut(power, tmp_path / "store", "no", tail)
    assert acknowledged == 1000
    assert there < acknowledged


def test_what_is_durable_is_never_more_than_what_was_written(power: Power, tmp_path: Path) -> None:
    asyncio.run(start_embedded(tmp_path / "store"))
    asyncio.run(stop_embedded(tmp_path / "store"))
    for file in files(tmp_path / "store"):
        assert durable(file) <= file.stat().st_size


def test_a_server_that_answers_while_it_loads_a_torn_file_is_not_up_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end at the torn command, and whoever needs it start it again in vain, as nobody had cut that off."""
    slow = Power(tmp_path / "power", key_load_delay="100")  # µs each, and it answers every 1,024 commands
    monkeypatch.setenv("STATEWRIGHT_SERVER", str(slow.program))
    write(url := asyncio.run(start_embedded(tmp_path / "store")), 4000)
    asyncio.run(stop_embedded(tmp_path / "store"))
    (file,) = files(tmp_path / "store")
    with file.open("ab") as opened:
        opened.write(b"*2\r\n$4\r\nIN")
    assert asyncio.run(start_embedded(tmp_path / "store")) == url
    try:
        with redis.Redis.from_url(url) as client:
            assert client.get("n") == b"4000"
    finally:
        asyncio.run(stop_embedded(tmp_path / "store"))
