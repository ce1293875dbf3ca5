"""Help, version, wrong usage: answered without a store, quickly, and never with a traceback."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from statewright_cli.main import cli
from tests.cli.conftest import COMMAND, HELLO, Shell

HEAVY = ("redis", "hiredis", "jsonschema", "yaml", "msgspec", "asyncio")


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All commands, with the names that lead to them."""
    found = []
    for name, command in group.commands.items():
        found.append((*prefix, name))
        if isinstance(command, click.Group):
            found += commands(command, (*prefix, name))
    return found


@pytest.mark.parametrize("words", [(), *commands(cli)], ids=lambda words: " ".join(words) or "statewright")
def test_every_command_has_help_with_examples(words: tuple[str, ...], shell: Shell) -> None:
    result = shell(*words, "--help")
    assert result.code == 0
    assert "Examples:\n    statewright" in result.out
    assert "--json" in result.out or words == ("server",)


def test_help_lists_every_command_under_a_heading(shell: Shell) -> None:
    said = shell("--help").out
    sections = said.partition("Show this message and exit.\n")[2].strip().split("\n\n")
    listed = {part.splitlines()[0]: [line.split()[0] for line in part.splitlines()[1:]] for part in sections}
    assert sorted(name for names in listed.values() for name in names) == sorted(cli.commands)
    upkeep = "doctor repair server metrics verify sweep dead-letters revive gc"
    assert listed["Upkeep of the store:"] == upkeep.split()
    assert "..." not in sections[-1], "these are short enough to be read"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option: str, shell: Shell) -> None:
    program = (
        "import sys\nfrom statewright_cli.main import main\n"
        f"try: main(['{option}'])\n"
        f"except SystemExit: print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=shell.environment)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "nonsense"),
        (["run"], "FILE"),
        (["run", "hello.yaml", "--input", "{bad"], "not JSON"),
        (["run", "hello.yaml", "--input", "@missing.json"], "cannot read missing.json"),
        (["run", "missing.yaml"], "missing.yaml"),
        (["run", "broken.yaml"], "MISSING"),
        (["run", "hello.yaml", "--functions", "missing.py"], "missing.py"),
        (["run", "hello.yaml", "--timeout", "-1"], "--timeout"),
        (["start", "nowhere"], "nowhere"),
        (["start", "nowhere", "--input", "NaN"], "NaN is not a JSON number"),
        (["start", "nowhere", "--input", "[" * 100_000], "nested too deeply"),
        (["start"], "MACHINE"),
        (["lint"], "FILE"),
        (["lint", "missing.yaml"], "cannot read missing.yaml"),
        (["lint", "."], "cannot read ."),
        (["describe", "hello:nobody"], "nobody"),
        (["describe", "\x1b[31mred"], "\\x1b[31mred"),
        (["history", "hello:nobody"], "nobody"),
        (["stop", "hello:nobody"], "nobody"),
        (["send-success", "abc"], "InvalidToken"),
        (["send-success", "-", "--output", "-"], "only one"),
        (["send-failure", "abc"], "InvalidToken"),
        (["send-heartbeat", "abc"], "InvalidToken"),
        (["list", "--status", "ODD"], "--status"),
        (["list", "--map-run", "hello:nobody"], "nobody"),
        (["list", "--map-run", "hello:nobody", "--machine", "hello"], "only one"),
        (["map-runs", "hello:nobody"], "nobody"),
        (["map-run", "hello:nobody"], "nobody"),
        (["map-run", "hello"], "InvalidArn"),
        (["map-run", "arn:aws:states:us-east-1:000000000000:mapRun:hello/rows:none"], "ResourceNotFound"),
        (["update-map-run", "hello:nobody"], "at least one limit"),
        (["update-map-run", "hello:nobody", "--max-concurrency", "many"], "--max-concurrency"),
        (["run", "hello.yaml", "--objects", "nowhere"], "nowhere"),
        (["run", "hello.yaml", "--objects", "ftp://x"], "InvalidObjects"),
        (["run", "hello.yaml", "--with", "missing.yaml"], "missing.yaml"),
        (["worker", "--objects", "nowhere"], "InvalidObjects"),
        (["graph", "missing.yaml"], "cannot read missing.yaml"),
        (["deploy", "broken.yaml"], "MISSING"),
        (["worker", "--functions", "no.such.module"], "no.such.module"),
        (["doctor", "--store", "redis://127.0.0.1:1/0"], "error: "),
        (["doctor", "--store", "http://x"], "error: "),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_wrong_usage_is_explained(arguments: list[str], words: str, shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    shell.write("broken.yaml", "StartAt: A\nStates: {A: {Type: Pass, Next: B}}\n")
    result = shell(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert words in result.err
    assert "\x1b" not in result.err


def test_a_reader_that_leaves_early_is_no_error(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    process = subprocess.Popen(
        [*COMMAND, "graph", "hello.yaml"],
        cwd=shell.home,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
