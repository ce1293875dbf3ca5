"""The README's tour and program, run as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, ROOT, Shell

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def block(language: str, words: str) -> str:
    """The README's block in a language that has certain words in it."""
    found = [text for of, text in BLOCKS if of == language and words in text]
    assert len(found) == 1
    return str(found[0])


@pytest.fixture
def checkout(tmp_path: Path) -> Shell:
    """A directory with the definitions and, in `.venv/bin`, this Python and this command."""
    shutil.copytree(
        ROOT / "definitions", tmp_path / "definitions", ignore=shutil.ignore_patterns(".statewright", "__pycache__")
    )
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, command in (("statewright", COMMAND), ("python", [sys.executable])):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (programs / name).chmod(0o700)
    return Shell(tmp_path)


def run(checkout: Shell, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the checkout; it must succeed."""
    done = subprocess.run(
        command, cwd=checkout.home, env=checkout.environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_tour(checkout: Shell) -> None:
    done = run(checkout, "bash", "-euo", "pipefail", "-c", block("bash", "kill -9"))
    said = done.stdout + done.stderr
    for words in (
        "nothing is run again",
        "exit code 1",
        "PaymentDeclined",
        "resumed order-1003",
        "TaskSubmitted",
        "noeviction",
    ):
        assert words in said
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r" +\d+  1003 ", line)]
    assert [row[2] for row in rows] == ["charged", "reserved", "labelled", "pickup", "confirmed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--type EXPRESS", ["SUCCEEDED", "worker ready", '"price": 28']),
        ("map-runs", ["12 of 12 items, 3 failed", "FAILED_0.json", "csv-import/rows"]),
        ("--with", ["SUCCEEDED order-7", "order-7-0", "TooHeavy"]),
    ],
)
def test_the_commands_of_a_section(words: str, said: list[str], checkout: Shell) -> None:
    script = 'export PATH="$PWD/.venv/bin:$PATH"\n' + block("bash", words)
    done = run(checkout, "bash", "-euo", "pipefail", "-c", script + "\nls -R\nwait\nstatewright server stop")
    for text in said:
        assert text in done.stdout + done.stderr


def test_the_first_command(checkout: Shell) -> None:
    line = block("bash", "pip install -q . ")
    done = run(checkout, "bash", "-c", re.sub(r"python3 -m venv .*?pip install -q \. && ", "", line))
    assert "7 files, 0 errors, 0 remarks" in done.stderr
    assert '"collectedBy": "van 7"' in done.stdout


def test_the_profiles(checkout: Shell) -> None:
    done = run(checkout, "bash", "-euc", f"PATH=$PWD/.venv/bin:$PATH; {block('bash', 'twice.asl.yaml')}")
    assert done.stdout == "exit code 1\n150000\n"
    assert "States.DataLimitExceeded: The state/task 'Twice' returned a result" in done.stderr


def test_the_program(checkout: Shell) -> None:
    done = run(checkout, sys.executable, "-c", block("python", "charge-card"))
    assert (done.stdout, done.stderr) == ("SUCCEEDED\n", "")
