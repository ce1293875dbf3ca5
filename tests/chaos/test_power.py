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


def write_until_cut(power: Power, data_dir: Path, appendfsync: str, tail: Tail) -> tuple[int, int]:
    """Numbers acknowledged by a server whose power is then cut, and those that are there when it is back."""
    url = asyncio.run(start_embedded(data_dir))
    acknowledged = 0
    with redis.Redis.from_url(url) as client:
        client.config_set("appendfsync", appendfsync)
        for _ in range(20):
            batch = client.pipeline(transaction=False)
            for _ in range(50):
                batch.incr("n")
            acknowledged = batch.execute()[-1]
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
