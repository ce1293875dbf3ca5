"""The live view: rows are drawn again in place, and nothing of a user's text steers the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from statewright_cli.screen import Line, Screen

AT = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int, previous: int, kind: str, **details: Any) -> dict[str, Any]:
    """An event of a history."""
    return {"id": number, "previousEventId": previous, "timestamp": AT, "type": kind, "someEventDetails": details}


def test_rows_are_redrawn_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=True)
    screen.take([event(1, 0, "ExecutionStarted"), event(2, 0, "PassStateEntered", name="A")])
    screen.draw()
    first = capsys.readouterr().err
    assert "A" in first
    assert "running" in first
    assert "\x1b[1F" not in first
    screen.take([event(3, 2, "PassStateExited", name="A"), event(4, 3, "PassStateEntered", name="B")])
    screen.draw()
    second = capsys.readouterr().err
    assert second.startswith("\x1b[1F\x1b[J")
    assert second.count("\n") == 2
    assert "succeeded" in second
    screen.take([])
    screen.draw()
    assert capsys.readouterr().err == ""


def test_a_long_execution_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("COLUMNS", "40")
    screen = Screen(live=True)
    screen.take([event(n, n - 1, "PassStateEntered", name=f"S{n}" * 40) for n in range(1, 100)])
    screen.draw()
    rows = capsys.readouterr().err.splitlines()
    assert len(rows) == 6
    assert all(len(row) < 40 + len("\x1b[J\x1b[36m\x1b[0m") for row in rows)


@pytest.mark.parametrize("live", [True, False])
def test_names_do_not_steer_the_terminal(live: bool, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live)
    screen.take([event(1, 0, "PassStateEntered", name="\x1b]0;x\x07\x9b\u202e")])
    screen.draw()
    shown = capsys.readouterr().err
    assert "\x1b]" not in shown
    assert not any(character in shown for character in "\x07\x9b\u202e")


def test_without_a_terminal_a_batch_says_each_visit_once(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=False)
    screen.take([event(1, 0, "PassStateEntered", name="A"), event(2, 1, "PassStateExited", name="A")])
    screen.draw()
    assert capsys.readouterr().err.splitlines() == [f"{0:>9.3f}  {'A':<28}  succeeded in 0 ms"]


def counts(status: str, succeeded: int, failed: int, total: int, running: int, *, reading: bool) -> dict[str, Any]:
    """A map run with the names of DescribeMapRun."""
    items = {"succeeded": succeeded, "failed": failed, "timedOut": 0, "aborted": 0, "total": total}
    return {"status": status, "itemCounts": items, "executionCounts": {"running": running}, "reading": reading}


MAP = [
    event(1, 0, "ExecutionStarted"),
    event(2, 0, "MapStateEntered", name="Import"),
    event(3, 2, "MapStateStarted", length=0),
    event(4, 3, "MapRunStarted", mapRunArn="arn"),
]


@pytest.mark.parametrize("live", [True, False])
def test_map_runs_say_how_far_they_are(
    live: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    screen = Screen(live)
    screen.take(MAP)
    screen.draw()
    screen.progress("arn", counts("RUNNING", 1200, 3, 5000, 40, reading=True))
    screen.draw()
    shown = capsys.readouterr().err
    assert ("1,203 of 5,000 items read so far, 3 failed, 40 executions running" in shown) == live, "elsewhere too soon"
    screen.progress("arn", counts("SUCCEEDED", 5997, 3, 6000, 0, reading=False))
    assert not screen.timeline.map_runs
    screen.take(
        [event(5, 4, "MapRunSucceeded"), event(6, 5, "MapStateSucceeded"), event(7, 5, "MapStateExited", name="Import")]
    )
    screen.draw()
    assert "succeeded in 0 ms: 6,000 of 6,000 items, 3 failed" in capsys.readouterr().err


def test_elsewhere_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(live=False)
    screen.take(MAP)
    screen.draw()
    monkeypatch.setattr("statewright_cli.screen.PROGRESS_SECONDS", 0)
    for succeeded in (1, 1, 2):
        screen.progress("arn", counts("RUNNING", succeeded, 0, 5, 1, reading=False))
        screen.draw()
    lines = [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines[1:] == ["1 of 5 items, 1 execution running", "2 of 5 items, 1 execution running"]


@pytest.mark.parametrize("live", [True, False])
def test_a_line_is_redrawn_on_a_terminal_only(
    live: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: live)
    line = Line()
    for text in ("0 of 3", "1 of 3", "1 of 3"):
        line.show(text)
    line.show("3 of 3", last=True)
    again = "\x1b[1F\x1b[J"
    shown = f"0 of 3\n{again}1 of 3\n{again}3 of 3\n" if live else "0 of 3\n3 of 3\n"
    assert capsys.readouterr().err == shown
