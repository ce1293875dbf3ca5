"""Chunks: broken definitions whose lines say what the linter finds there.

A chunk is one YAML document; a comment at the end of a line names the problems on it, e.g. ``# error: CODE @ 14`` with
severity, code and, if it matters, column.  There must be those problems and no others.  A first line ``# type:
EXPRESS`` makes it an express state machine, ``# target: aws`` one that is to run on AWS.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from statewright.definition.lint import descriptions, lint
from statewright.definition.problem import Problem, render_text
from statewright.definition.source import SourceError, load
from statewright.model import MachineType

MARK = re.compile(r"(error|warning|info): ([A-Z_]+)(?: @ (\d+))?")
CHUNKS = {
    f"{path.stem}-{number}": chunk
    for path in sorted((Path(__file__).parent / "chunks").glob("*.yaml"))
    for number, chunk in enumerate(path.read_text(encoding="utf-8").split("\n---\n"), 1)
}


def marks(chunk: str) -> list[tuple[int, str, str, str]]:
    """Line, severity, code and column (empty if it does not matter) of every expected problem."""
    found: list[tuple[int, str, str, str]] = []
    for number, line in enumerate(chunk.split("\n"), 1):
        _, _, comment = line.rpartition("#")
        found.extend((number, severity, code, column) for severity, code, column in MARK.findall(comment))
    return found


def problems(chunk: str) -> list[Problem]:
    """What is found in a chunk."""
    machine_type: MachineType = "EXPRESS" if chunk.startswith("# type: EXPRESS") else "STANDARD"
    try:
        return lint(
            load(chunk, "chunk.yaml"), machine_type, "aws" if chunk.startswith("# target: aws") else "statewright"
        )
    except SourceError as error:
        return [error.problem]


@pytest.mark.parametrize("name", CHUNKS)
def test_chunk(name: str) -> None:
    chunk = CHUNKS[name]
    found = problems(chunk)
    unmet = marks(chunk)
    unexpected = []
    for problem in found:
        columns = (str(problem.column), "")
        mine = [(problem.line, problem.severity, problem.code, column) for column in columns]
        met = next((mark for mark in mine if mark in unmet), None)
        if met:
            unmet.remove(met)
        else:
            unexpected.append(render_text(problem, chunk))
    assert not unexpected, "\n".join(unexpected)
    assert not unmet


def test_every_code_has_a_chunk() -> None:
    marked = {code for chunk in CHUNKS.values() for _, _, code, _ in marks(chunk)}
    assert set(descriptions()) - marked == {"TOO_DEEPLY_NESTED", "AWS_PAYLOAD"}, "these have tests of their own"


def test_nesting() -> None:
    machine: dict[str, object] = {"StartAt": "s0", "States": {"s0": {"Type": "Succeed"}}}
    for level in range(1, 32):
        name = f"s{level}"
        state = {"Type": "Map", "ItemProcessor": machine, "End": True}
        machine = {"StartAt": name, "States": {name: state}}
    found = lint(load(json.dumps(machine)))
    assert [(problem.code, problem.aws_code) for problem in found] == [("TOO_DEEPLY_NESTED", "TOO_DEEPLY_NESTED")]


def test_payloads_that_are_too_large_for_aws() -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "x" * 262_143, "End": True}}}
    source = load(json.dumps(definition))
    assert lint(source) == []
    (problem,) = lint(source, target="aws")
    assert (problem.code, problem.location) == ("AWS_PAYLOAD", "/States/A/Result")
    assert "has 262145 bytes" in problem.message
