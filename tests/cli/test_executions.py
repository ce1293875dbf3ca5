"""run, deploy, start, worker, describe, list, history, stop, send-*: real processes on a real store."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.cli.conftest import ASK, HANDLERS, HELLO, Shell, read_until

RUN_ASK = ("run", "ask.yaml", "--functions", "handlers.py", "--name", "one")


@pytest.fixture
def asking(shell: Shell) -> Shell:
    """A shell with a definition that waits for an answer."""
    shell.write("ask.yaml", ASK)
    shell.write("handlers.py", HANDLERS)
    return shell


def started(process: subprocess.Popen[str]) -> None:
    """Wait until the execution waits for its answer."""
    read_until(process.stdout, "asked")
    read_until(process.stderr, "waiting for an answer")


def test_run_to_success(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    shell.write("input.json", '{"who": "you"}')
    result = shell("run", "hello.yaml", "--input", "@input.json")
    assert result.code == 0
    assert json.loads(result.out) == {"text": "hello you"}
    assert "started " in result.err
    assert "SUCCEEDED" in result.err
    assert "  Hello  " in result.err


def test_run_says_all_in_one_json_document(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    result = shell("run", "hello.yaml", "--input", "-", "--json", "--name", "one", stdin='{"who": "x"}')
    row = result.document
    assert row["status"] == "SUCCEEDED"
    assert row["output"] == {"text": "hello x"}
    assert row["input"] == {"who": "x"}
    assert row["resumed"] is False
    assert row["executionArn"].endswith(":execution:hello:one")
    assert set(row) >= {"name", "stateMachineArn", "startDate", "stopDate"}


def test_run_fails_with_the_reason(shell: Shell) -> None:
    shell.write("fail.yaml", "StartAt: No\nStates: {No: {Type: Fail, Error: Bad\\x1b, Cause: 'luck'}}\n")
    result = shell("run", "fail.yaml")
    assert result.code == 1
    assert result.err.endswith("error: FAILED: Bad\\x1b: luck\n")


def test_run_without_functions_says_so(asking: Shell) -> None:
    result = asking("run", "ask.yaml")
    assert result.code == 1
    assert "--functions" in result.err


def test_run_under_a_used_name_runs_nothing_again(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    first = shell("run", "hello.yaml", "--name", "one", "--input", '{"who": "x"}')
    again = shell("run", "hello.yaml", "--name", "one", "--input", '{"who": "x"}')
    assert (again.code, again.out) == (0, first.out)
    assert "nothing is run again" in again.err
    other = shell("run", "hello.yaml", "--name", "one", "--input", '{"who": "y"}')
    assert other.code == 2
    assert "ExecutionAlreadyExists" in other.err


def test_run_watches_no_longer_than_asked(asking: Shell) -> None:
    result = asking(*RUN_ASK, "--timeout", "0.5")
    assert result.code == 124
    assert "statewright run ask.yaml --name one --functions handlers.py" in result.err
    assert asking("describe", "ask:one", "--json").document["status"] == "RUNNING"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_and_resume(number: signal.Signals, asking: Shell) -> None:
    process = asking.start(*RUN_ASK)
    started(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "statewright run ask.yaml --name one --functions handlers.py" in err
    token = (asking.home / "token").read_text()
    assert asking("send-success", token, "--output", '{"yes": 1}').code == 0
    result = asking(*RUN_ASK)
    assert result.code == 0
    assert "resumed one" in result.err
    assert json.loads(result.out) == {"yes": 1}


def test_kill_and_resume(asking: Shell) -> None:
    process = asking.start(*RUN_ASK)
    started(process)
    process.kill()
    process.communicate()
    answered = asking(
        "send-failure", "-", "--error", "No", "--cause", "way", "--json", stdin=(asking.home / "token").read_text()
    )
    assert answered.document == {"accepted": True}
    result = asking(*RUN_ASK, "--json")
    assert result.code == 1
    assert {key: result.document[key] for key in ("status", "error", "cause", "resumed")} == {
        "status": "FAILED",
        "error": "No",
        "cause": "way",
        "resumed": True,
    }


def test_start_worker_answer(asking: Shell) -> None:
    deployed = asking("deploy", "ask.yaml", "--json").document
    assert deployed["name"] == "ask"
    assert deployed["stateMachineArn"].endswith(":stateMachine:ask")
    begun = asking("start", "ask", "--name", "one", "--json").document
    assert begun["duplicate"] is False
    assert asking("start", "ask", "--name", "one", "--json").document["duplicate"] is True
    process = asking.start("worker", "--functions", "handlers.py", "--json")
    read_until(process.stdout, "ready")
    read_until(process.stdout, "asked")
    token = (asking.home / "token").read_text()
    assert asking("send-heartbeat", token).code == 0
    assert asking("send-success", token).code == 0
    assert asking("send-success", token, "--output", "1").code == 2
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert [json.loads(line) for line in out.splitlines()] == [{"event": "draining"}, {"event": "stopped"}]


def test_a_worker_finishes_what_it_has_begun(shell: Shell) -> None:
    shell.write("slow.yaml", "StartAt: Slow\nStates: {Slow: {Type: Task, Resource: slow, End: true}}\n")
    shell.write(
        "handlers.py",
        "from pathlib import Path\nfrom statewright import task\n@task('slow')\ndef slow(_):\n"
        "    print('begun', flush=True)\n    open('gate').read()\n    return 'done'\n",
    )
    gate = shell.home / "gate"
    subprocess.run(["mkfifo", gate], check=True)
    shell("deploy", "slow.yaml")
    shell("start", "slow", "--name", "one")
    process = shell.start("worker", "--functions", "handlers.py")
    read_until(process.stdout, "begun")
    process.send_signal(signal.SIGTERM)
    read_until(process.stderr, "stopping")
    gate.write_text("go")
    assert process.wait(30) == 0
    assert [event["type"] for event in shell("history", "slow:one", "--json").lines].count(
        "LambdaFunctionSucceeded"
    ) == 1


def test_describe_list_history(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    for name in ("one", "two"):
        shell("run", "hello.yaml", "--name", name, "--input", '{"who": "x"}')
    assert "SUCCEEDED" in shell("describe", "hello:one").out
    arn = shell("describe", "hello:one", "--json").document["executionArn"]
    assert shell("describe", arn, "--json").document["name"] == "one"
    rows = shell("list", "--machine", "hello", "--status", "SUCCEEDED", "--json").lines
    assert [row["name"] for row in rows] == ["two", "one"]
    assert [row["name"] for row in shell("list", "--limit", "1", "--json").lines] == ["two"]
    assert shell("list", "--status", "RUNNING").out.split() == ["MACHINE", "NAME", "STATUS", "STARTED"]
    assert shell("list").out.splitlines()[1].split()[:3] == ["hello", "two", "SUCCEEDED"]
    events = shell("history", "hello:one", "--json").lines
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert events[1]["stateEnteredEventDetails"]["name"] == "Hello"
    last = shell("history", "hello:one", "--reverse", "--limit", "1", "--json").lines
    assert last == events[-1:]
    assert "ExecutionSucceeded" in shell("history", "hello:one").out


def test_stop(asking: Shell) -> None:
    asking("deploy", "ask.yaml", "--name", "other")
    asking("start", "other", "--name", "one")
    stopped = asking("stop", "other:one", "--error", "Enough", "--cause", "\x1b[1m", "--json").document
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Enough", "\x1b[1m")
    shown = asking("describe", "other:one")
    assert "\x1b" not in shown.out
    assert "\\x1b[1m" in shown.out


def test_the_environment_names_the_store(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    assert shell("deploy", "hello.yaml", STATEWRIGHT_DATA_DIR="elsewhere").code == 0
    assert (shell.home / "elsewhere").is_dir()
    assert not (shell.home / ".statewright").exists()
    assert shell("start", "hello", "--data-dir", "elsewhere", STATEWRIGHT_DATA_DIR="wrong").code == 0
    assert shell("server", "stop", "--data-dir", "elsewhere").code == 0
