"""Chaos C5, for a short time each: ``python -m tests.chaos c5`` is the whole of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from statewright.store import restarts
from tests.chaos.power import Power
from tests.chaos.resources import SCENARIOS


@pytest.mark.parametrize("trouble", SCENARIOS)
def test_orders_are_filled_in_spite_of_the_server(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEWRIGHT_SERVER", str(Power(tmp_path / "power").program))
    monkeypatch.setattr(restarts, "_SPAN", 2.0)  # seconds for which a server is given a rest that ends again and again
    filled = asyncio.run(SCENARIOS[trouble](tmp_path / "store", False))
    filled.assert_whole()
    happened = {
        "an fsync takes 300 ms": filled.longest > 0.3,
        "an fsync takes 3 s": filled.longest > 3,
        "the disk is full": "AOF write error" in (tmp_path / "store" / "server.log").read_text(),
        "there is no memory": filled.refused > 0,
        "members are lost": filled.removed > 20,
        "functions are flushed": filled.flushed > 5,
    }
    assert happened[trouble], "the test did not do what it says"
    if "fsync" in trouble:  # F11: who is slow is not dead
        assert sum(filled.attempts.values()) == len(filled.attempts)
