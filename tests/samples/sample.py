"""A published definition with its placeholders filled in, an input, and results for its tasks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from statewright.definition.source import load_file
from statewright.values import Json
from tests.samples.analysis import analyse

DIRECTORY = Path(__file__).resolve().parents[3] / "shared" / "samples"
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_NUMBERS = ("Seconds", "TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency", "MaxItemsPerBatch")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample, ready to be run.

    Arguments: its short name; the definition; its type; the input; results by the name of the Task; an item for each
    Map that reads its items from a file; how it is expected to end; why, where that is not SUCCEEDED; what the engine
    lacks for it, if anything.
    """

    name: str
    definition: dict[str, Any]
    type: Literal["STANDARD", "EXPRESS"]
    input: Json
    results: dict[str, Json]
    datasets: dict[str, Json]
    ends: str = "SUCCEEDED"
    why: str = ""
    waits_for: str = ""


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
    definition = _filled(load_file(path).value)
    findings = analyse(definition)
    results = {state: need.make("text") for state, need in findings.results.items()} | more.get("results", {})
    input_ = findings.input.make("text")
    if "input" in more or isinstance(input_, str):
        input_ = (input_ if isinstance(input_, dict) else {}) | more.get("input", {})
    return Sample(
        name,
        definition,
        more.get("type", "STANDARD"),
        input_,
        results,
        {state: need.make("text") for state, need in findings.datasets.items()},
        more.get("ends", "SUCCEEDED"),
        more.get("why", ""),
        more.get("waits_for", ""),
    )


def _filled(value: Json, field: str = "") -> Json:
    """`value` with every placeholder replaced by something plausible in the field it stands in."""
    if isinstance(value, dict):
        return {_filled(name): _filled(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, field) for member in value]
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
