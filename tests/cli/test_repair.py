"""repair, and the durability word, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import HELLO, Shell


@pytest.fixture
def damaged(shell: Shell) -> Path:
    """The append-only file of a private server with two executions, the second damaged in the middle."""
    shell.write("hello.asl.yaml", HELLO)
    for name in ("one", "two"):
        assert shell("run", "hello.asl.yaml", "--input", '{"who": "x"}', "--name", name).code == 0
    assert shell("server", "stop").code == 0
    log = next((shell.home / ".statewright" / "appendonlydir").glob("*.incr.aof"))
    text = log.read_bytes()
    place = text.index(b"MULTI", text.rindex(b"ExecutionStarted") - 1500)
    log.write_bytes(text[:place] + b"MULTJ" + text[place + 5 :])
    return log


def test_a_whole_store(shell: Shell) -> None:
    assert shell("repair").code == 2  # there is none yet
    assert shell("list").code == 0
    result = shell("repair")
    assert (result.code, result.out) == (0, "the append-only files of .statewright are whole\n")
    assert shell("repair", "--json").document == {"whole": True, "damage": None, "kept": []}


def test_damage_is_shown_and_cut_off_when_told(shell: Shell, damaged: Path) -> None:
    before = damaged.read_bytes()
    refused = shell("list")
    assert refused.code == 2
    assert "statewright repair --data-dir" in refused.err
    for arguments in (["--dry-run"], ["--dry-run", "--yes"], ["--json"]):
        result = shell("repair", *arguments)
        assert result.code == 1, arguments
        assert "a command named b'MULTJ'" in result.err
        assert "whole commands behind the damage" in result.err
        assert damaged.read_bytes() == before
    asked = shell("repair", stdin="n\n")
    assert asked.code == 1
    assert damaged.read_bytes() == before
    result = shell("repair", "--yes")
    assert result.code == 0
    assert "cut off, and kept in" in result.out
    assert shell("repair").code == 0
    listed = shell("list", "--json")
    assert listed.code == 0
    assert "one" in listed.out


def test_a_server_that_runs(shell: Shell) -> None:
    worker = shell.start("worker")
    assert worker.stderr is not None
    while "ready" not in (line := worker.stderr.readline()):
        assert line
    result = shell("repair", "--yes")
    assert result.code == 2
    assert "server stop" in result.err


def test_durability(shell: Shell) -> None:
    def fsync(*arguments: str, **environment: str) -> str:
        report = shell(*arguments, "doctor", "--json", **environment)
        assert report.document["safe"] is True
        return str(report.document["store"]["durability"] + " " + report.document["store"]["appendfsync"])

    assert fsync() == "durable always"
    assert fsync("--durability", "fast") == "fast everysec"
    assert fsync(STATEWRIGHT_DURABILITY="fast") == "fast everysec"
    assert fsync("--durability", "durable", STATEWRIGHT_DURABILITY="fast") == "durable always"
    result = shell("list", "--durability", "replicated")
    assert result.code == 2
    assert "no replicas" in result.err
    assert shell("list", "--durability", "none").code == 2
