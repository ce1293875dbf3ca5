"""Histories folded into visits: the recordings of AWS, and the shapes that matter."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from statewright_cli.timeline import Timeline

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "conformance" / "cases" / "execution"
START = datetime(2026, 1, 1, tzinfo=UTC)


def timeline(events: list[dict[str, Any]]) -> Timeline:
    """The timeline of events; each is one second after the one before."""
    result = Timeline()
    for event in events:
        result.add({**event, "timestamp": START + timedelta(seconds=event["id"])})
    return result


def history(*rows: tuple[str, int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Events made of (type, previous id, details)."""
    return [
        {"id": number, "previousEventId": previous, "type": kind, "someEventDetails": details}
        for number, (kind, previous, details) in enumerate(rows, 1)
    ]


def test_a_retried_and_caught_task() -> None:
    told = timeline(
        history(
            ("ExecutionStarted", 0, {}),
            ("TaskStateEntered", 0, {"name": "Pay"}),
            ("LambdaFunctionScheduled", 2, {}),
            ("LambdaFunctionFailed", 3, {"error": "Busy"}),
            ("LambdaFunctionScheduled", 4, {}),
            ("LambdaFunctionFailed", 5, {"error": "Broken"}),
            ("TaskStateExited", 6, {"name": "Pay"}),
            ("FailStateEntered", 7, {"name": "No"}),
            ("ExecutionFailed", 8, {}),
        )
    )
    assert [(visit.name, visit.status, visit.attempts, visit.error) for visit in told.visits] == [
        ("Pay", "caught", 2, "Broken"),
        ("No", "failed", 0, ""),
    ]
    assert str(told.visits[0]) == f"{0:>9.3f}  {'Pay':<28}  caught in 5.0 s, attempt 2 (Broken)"


def test_iterations_side_by_side_are_told_apart() -> None:
    told = timeline(
        history(
            ("ExecutionStarted", 0, {}),
            ("MapStateEntered", 0, {"name": "All"}),
            ("MapStateStarted", 2, {"length": 2}),
            ("MapIterationStarted", 3, {"name": "All", "index": 0}),
            ("MapIterationStarted", 3, {"name": "All", "index": 1}),
            ("PassStateEntered", 5, {"name": "One"}),
            ("PassStateEntered", 4, {"name": "One"}),
            ("PassStateExited", 6, {"name": "One"}),
            ("MapIterationSucceeded", 8, {"index": 1}),
            ("PassStateExited", 7, {"name": "One"}),
            ("MapIterationSucceeded", 10, {"index": 0}),
            ("MapStateSucceeded", 11, {}),
            ("MapStateExited", 12, {"name": "All"}),
        )
    )
    assert [(visit.name, visit.path, visit.status) for visit in told.visits] == [
        ("All", (), "succeeded"),
        ("One", ("[1]",), "succeeded"),
        ("One", ("[0]",), "succeeded"),
    ]


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")
def test_recordings_leave_nothing_open() -> None:
    seen = 0
    for path in sorted(RECORDINGS.rglob("*.json")):
        case = json.loads(path.read_text())
        events = case.get("history") or []
        if not events or any(not isinstance(event["id"], int) for event in events):
            continue
        entered = [e for e in events if e["type"].endswith("StateEntered")]
        told = timeline(events)
        names = Counter(e["stateEnteredEventDetails"]["name"] for e in entered)
        assert Counter(visit.name for visit in told.visits) == names, path.name
        if events[-1]["type"] == "ExecutionSucceeded" and [e["id"] for e in events] == list(range(1, len(events) + 1)):
            open_visits = [
                visit for visit in told.visits if visit.status not in ("succeeded", "caught", "aborted", "failed")
            ]
            assert not open_visits, path.name
            seen += 1
    assert seen > 200
