"""run --type EXPRESS and start --sync."""

from __future__ import annotations

import json
import signal

from tests.cli.conftest import HELLO, Shell, read_until

WAITS = """
StartAt: Work
States:
  Work: {Type: Task, Resource: work, Next: Pause}
  Pause: {Type: Wait, Seconds: 1, Next: Again}
  Again: {Type: Task, Resource: work, End: true}
"""
WORK = """
from statewright import TaskContext, task

@task("work")
def work(given, context: TaskContext):
    print("working in", context.state, flush=True)
    return given
"""


def test_run_as_express(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    arns = set()
    for _ in range(2):
        row = shell(
            "run", "hello.yaml", "--type", "EXPRESS", "--name", "one", "--input", '{"who": "x"}', "--json"
        ).document
        assert (row["status"], row["output"], row["name"]) == ("SUCCEEDED", {"text": "hello x"}, "one")
        assert ":express:hello:one:" in row["executionArn"]
        arns.add(row["executionArn"])
    assert len(arns) == 2, "its name may be used again at once"


def test_an_express_execution_is_resumed_under_its_name_and_id(shell: Shell) -> None:
    shell.write("waits.yaml", WAITS)
    shell.write("work.py", WORK)
    words = ("run", "waits.yaml", "--functions", "work.py", "--type", "EXPRESS")
    process = shell.start(*words, "--name", "one")
    read_until(process.stdout, "working in Work")
    read_until(process.stderr, "Pause")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    command = err.strip().splitlines()[-1].split()
    name = command[command.index("--name") + 1]
    assert name.startswith("one:")
    assert command[-2:] == ["--type", "EXPRESS"]
    result = shell(*words, "--name", name, "--json")
    assert result.code == 0
    said, document = result.out.split("\n", 1)
    assert said == "working in Again", "it went on where it was persisted"
    assert json.loads(document)["resumed"] is True
    assert shell("describe", f"waits:{name}", "--json").document["status"] == "SUCCEEDED"


def test_start_and_wait(shell: Shell) -> None:
    shell.write("waits.yaml", WAITS)
    shell.write("work.py", WORK)
    assert shell("deploy", "waits.yaml", "--name", "quote", "--type", "EXPRESS").code == 0
    late = shell("start", "quote", "--sync", "--timeout", "0.2")
    assert (late.code, late.out) == (124, "")
    assert "statewright list --machine quote" in late.err
    process = shell.start("worker", "--functions", "work.py", "--json")
    read_until(process.stdout, "ready")
    result = shell("start", "quote", "--sync", "--input", '{"n": 1}')
    assert (result.code, json.loads(result.out)) == (0, {"n": 1})
    row = shell("start", "quote", "--sync", "--json").document
    assert row["status"] == "SUCCEEDED"
    assert row["billingDetails"]["billedDurationInMilliseconds"] >= 1000
    assert row["stopDate"] > row["startDate"]


def test_start_sync_is_for_express(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    shell("deploy", "hello.yaml")
    result = shell("start", "hello", "--sync")
    assert result.code == 2
    assert "StateMachineTypeNotSupported" in result.err
    assert shell("start", "hello", "--timeout", "1").code == 2
