"""What is remembered, and for how long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from statewright.store import recent
from statewright.store.recent import IDLE, Recent


def test_what_nobody_asks_for_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(recent, "time", SimpleNamespace(monotonic=lambda: now))
    brief, long = Recent[str, int](9, idle=IDLE), Recent[str, int](9)
    for memory in (brief, long):
        memory.put("asked", 1)
        memory.put("not asked", 2)
    for _ in range(3):
        now += IDLE
        assert brief.get("asked") == 1
    assert brief.get("not asked") is None
    assert long.get("not asked") == 2
    now += IDLE + 1
    assert brief.get("asked") is None
