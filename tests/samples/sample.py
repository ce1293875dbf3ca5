"""A published definition with its placeholders filled in, an input, and results for its tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from statewright.definition.source import load_file
from statewright.model import MachineType
from statewright.values import Json
from tests.samples.analysis import analyse
from tests.samples.decisions import Way, ways

DIRECTORY = Path(__file__).resolve().parents[3] / "shared" / "samples"
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_MACHINES = "arn:aws:states:us-east-1:000000000000:stateMachine:"
_NUMBERS = ("Seconds", "TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency", "MaxItemsPerBatch")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample, ready to be run.

    Arguments:
        name: its short name.
        definition, type, input: as they are deployed and started.
        results: of its Tasks, by their names.
        datasets: what an item of the file looks like, for each Map that reads one.
        places: where that file is, for Maps where the input does not tell.
        faults: the error with which a Task fails when it is first entered.
        ends, why: the status it should end with, and the reason for any but SUCCEEDED.
    """

    name: str
    definition: dict[str, Any]
    type: MachineType = "STANDARD"
    input: Json = None
    results: dict[str, Json] = field(default_factory=dict)
    datasets: dict[str, Json] = field(default_factory=dict)
    places: dict[str, dict[str, str]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    ends: str = "SUCCEEDED"
    why: str = ""


@cache
def special() -> dict[str, Any]:
    """The data file: values for placeholders, and what single samples need besides what their paths say."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("special.json").read_text(encoding="utf-8"))
    return found


def samples() -> list[Sample]:
    """All samples; none where they are not at hand."""
    return [_sample(path) for path in sorted(DIRECTORY.glob("*.asl.*"))]


def _sample(path: Path) -> Sample:
    name = path.name.partition(".asl.")[0].removesuffix("__statemachine").removesuffix("__statemachine")
    more = special()["samples"].get(name, {})
    plain = Sample(
        name,
        _filled(load_file(path).value),
        type=more.get("type", "STANDARD"),
        places=more.get("places", {}),
        ends=more.get("ends", "SUCCEEDED"),
        why=more.get("why", ""),
    )
    return variant(plain, None)


def nested(sample: Sample) -> dict[str, list[str]]:
    """Names of the state machines that a sample starts executions of, each with the Tasks that do so.

    Example: ``for name in nested(sample): await engine.deploy(STAND_IN, name=name)``
    """
    found: dict[str, list[str]] = {}
    for name, state in states(sample.definition):
        if "startExecution" in state.get("Resource", ""):
            arn = state["Parameters"]["StateMachineArn"]
            found.setdefault(arn.removeprefix(_MACHINES), []).append(name)
    return found


def faults(definition: Any) -> Iterator[tuple[str, str]]:
    """Task and error name for each error that a catcher of a Task is for, as far as a handler can raise it.

    Example: ``[variant(sample, None, dict([fault])) for fault in faults(sample.definition)]``
    """
    for name, state in states(definition):
        for row in state.get("Catch", []) if state.get("Type") == "Task" else ():
            for error in row["ErrorEquals"]:
                if not error.startswith("States.") or error in ("States.ALL", "States.TaskFailed"):
                    yield name, "Broken" if error.startswith("States.") else error


def variants(sample: Sample) -> Iterator[Sample]:
    """The sample made to go each way out of its Choices, and with each of its Tasks failing as its catchers foresee.

    Example: ``[await run(other, url, tmp_path) for other in variants(sample)]``
    """
    for way in ways(sample.definition):
        yield variant(sample, way)
    for state, error in faults(sample.definition):
        yield variant(sample, None, {state: error})


def variant(sample: Sample, way: Way | None, faults: dict[str, str] | None = None) -> Sample:
    """The sample with input and results such that it goes a certain way; `faults`: Tasks that fail, with which error.

    Example: ``[variant(sample, way) for way in ways(sample.definition)]``
    """
    more = special()["samples"].get(sample.name, {})
    findings = analyse(sample.definition, way)
    input_ = findings.input.make()
    if "input" in more or isinstance(input_, str):
        input_ = (input_ if isinstance(input_, dict) else {}) | more.get("input", {})
    results = {state: need.make() for state, need in findings.results.items()} | more.get("results", {})
    datasets = {state: need.make() for state, need in findings.datasets.items()}
    return replace(sample, input=input_, results=results, datasets=datasets, faults=faults or {})


def _filled(value: Json, field: str = "") -> Json:
    """`value` with every placeholder replaced by something plausible in the field it stands in."""
    if isinstance(value, dict):
        return {_filled(name): _filled(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, field) for member in value]
    if field == "StateMachineArn" and isinstance(value, str):
        return f"{_MACHINES}{re.sub(r'[^a-zA-Z0-9_-]', '-', value.rpartition(':')[2])}"
    if not isinstance(value, str) or "${" not in value:
        return value
    if field in _NUMBERS:
        return 60
    return _PLACEHOLDER.sub(lambda match: _word(match[1], field == "Resource" and match[0] == value), value)


def _word(name: str, resource: bool) -> str:
    known = special()["placeholders"].get(name)
    if known is not None:
        return str(known)
    plain = re.sub(r"\W", "-", name)
    return f"arn:aws:lambda:us-east-1:000000000000:function:{plain}" if resource else plain


def states(definition: Any) -> list[tuple[str, dict[str, Any]]]:
    """Name and value of every state of a definition, at any depth.

    Example: ``[name for name, _ in states(definition)]``
    """
    found: list[tuple[str, dict[str, Any]]] = []
    pending = [definition]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            inside = part.get("States")
            found += [
                item for item in (inside if isinstance(inside, dict) else {}).items() if isinstance(item[1], dict)
            ]
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return found
