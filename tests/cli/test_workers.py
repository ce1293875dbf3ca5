"""worker --processes: several under one, which die, are restarted and drain; metrics: what they have before them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.cli.conftest import ASK, HELLO, Shell

SLOW = """
from pathlib import Path
from time import sleep
from statewright import task

@task("slow")
def slow(given):
    Path(f"begun-{given['n']}").touch()
    while not Path("go-on").exists():
        sleep(0.01)
    return given
"""
SLOW_MACHINE = "StartAt: S\nStates: {S: {Type: Task, Resource: slow, End: true}}\n"


def heard(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """The next report of that kind."""
    assert process.stdout is not None
    for line in process.stdout:
        report: dict[str, Any] = json.loads(line)
        if report["event"] == event:
            return report
    raise AssertionError(f"no {event!r} came: {process.stderr.read() if process.stderr else ''}")


def until(there: Path) -> None:
    deadline = time.monotonic() + 30
    while not there.exists():
        assert time.monotonic() < deadline, there
        time.sleep(0.01)


def begun(shell: Shell, count: int) -> tuple[subprocess.Popen[str], dict[int, int]]:
    """Two workers in the middle of so many tasks: the process that started them, and theirs by number."""
    shell.write("handlers.py", SLOW)
    shell.write("slow.asl.yaml", SLOW_MACHINE)
    assert shell("deploy", "slow.asl.yaml").code == 0
    process = shell.start("worker", "--processes", "2", "--functions", "handlers.py", "--json")
    ready = [heard(process, "ready") for _ in range(2)]
    pids = {report["worker"]: report["process"] for report in ready}
    assert set(pids) == {1, 2}
    for number in range(count):
        assert shell("start", "slow", "--name", f"s{number}", "--input", f'{{"n": {number}}}').code == 0
    for number in range(count):
        until(shell.home / f"begun-{number}")
    return process, pids


def test_processes_finish_what_they_have_begun(shell: Shell) -> None:
    process, _ = begun(shell, 6)
    process.send_signal(signal.SIGTERM)
    heard(process, "draining")
    (shell.home / "go-on").touch()
    assert process.wait(30) == 0
    assert {shell("describe", f"slow:s{n}", "--json").document["status"] for n in range(6)} == {"SUCCEEDED"}


def test_a_process_that_dies_is_replaced(shell: Shell) -> None:
    process, pids = begun(shell, 0)
    metrics = shell("metrics", "--json").document
    assert [each["value"] for each in metrics if each["name"] == "statewright_workers"] == [2]
    os.kill(pids[1], signal.SIGKILL)
    heard(process, "died")
    heard(process, "restarting")
    ready = heard(process, "ready")
    assert (ready["worker"], ready["process"] in pids.values()) == (1, False)
    (shell.home / "go-on").touch()
    assert shell("start", "slow", "--name", "after", "--input", '{"n": 99}').code == 0
    until(shell.home / "begun-99")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert shell("describe", "slow:after", "--json").document["status"] == "SUCCEEDED"


def test_a_second_signal_ends_all_at_once(shell: Shell) -> None:
    process, _ = begun(shell, 1)
    process.send_signal(signal.SIGINT)
    heard(process, "draining")
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    assert shell("describe", "slow:s0", "--json").document["status"] == "RUNNING"


def test_workers_of_a_killed_supervisor_drain(shell: Shell) -> None:
    process, _ = begun(shell, 1)
    process.kill()
    (shell.home / "go-on").touch()
    reports = [json.loads(line) for line in process.stdout or ()]  # until the last worker has closed it, too
    assert sorted(report["event"] for report in reports) == ["stopped", "stopped"]
    assert shell("describe", "slow:s0", "--json").document["status"] == "SUCCEEDED"


def test_workers_that_cannot_start_are_not_started_for_ever(shell: Shell) -> None:
    done = shell("worker", "--processes", "2", "--functions", "missing.py")
    assert done.code == 2
    assert "missing.py" in done.err
    assert "giving up" in done.err


def test_metrics_in_every_form(shell: Shell) -> None:
    shell.write("ask.asl.yaml", ASK)
    shell.write("hello.asl.yaml", HELLO)
    for name in ("ask", "hello"):
        assert shell("deploy", f"{name}.asl.yaml").code == 0
    assert shell("start", "hello", "--name", "h", "--input", '{"who": "you"}').code == 0
    shown = shell("metrics").out
    assert ["statewright_ready_frames", "hello", "1"] in [line.split() for line in shown.splitlines()]
    text = shell("metrics", "--prometheus").out
    assert '\nstatewright_ready_frames{machine="ask"} 0\nstatewright_ready_frames{machine="hello"} 1\n' in text
    assert "\n# TYPE statewright_timers gauge\nstatewright_timers 0\n" in text
    refused = shell("metrics", "--prometheus", "--json")
    assert refused.code == 2
