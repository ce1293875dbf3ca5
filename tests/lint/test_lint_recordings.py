"""What AWS accepted has no errors; what AWS refused is refused in the same words; published definitions are sound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from statewright.definition.lint import lint
from statewright.definition.problem import diagnostics, refusal, render_text
from statewright.definition.source import load, load_file

SHARED = Path(__file__).resolve().parents[3] / "shared"
CASES = SHARED / "conformance" / "cases"
SAMPLES = sorted((SHARED / "samples").glob("*.asl.*"))


def recorded(kind: str) -> list[dict[str, Any]]:
    """The recorded cases of a kind; none where the recordings are not at hand."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((CASES / kind).glob("*.json"))]


def accepted() -> Iterator[tuple[str, Any, str]]:
    """Name, definition and type of everything AWS created a state machine from."""
    for case in recorded("execution"):
        for machine in (case, *case.get("state_machines", [])):
            if isinstance(machine.get("definition"), dict):
                yield case["id"], machine["definition"], machine.get("type") or "STANDARD"
    for case in recorded("api"):
        for step in case["steps"]:
            definition = step["params"].get("definition")
            if step["op"] == "create_state_machine" and definition and not step["raises"]:
                yield case["id"], json.loads(definition), step["params"].get("type", "STANDARD")


@pytest.mark.skipif(not CASES.is_dir(), reason="the recordings are not at hand")
def test_what_aws_accepted_has_no_errors() -> None:
    wrong = []
    count = 0
    for name, definition, machine_type in accepted():
        count += 1
        source = load(json.dumps(definition, indent=1), name, "json")
        problems = lint(source, "EXPRESS" if machine_type == "EXPRESS" else "STANDARD")
        wrong += [render_text(problem, source.text) for problem in problems if problem.severity == "error"]
    assert count > 700
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", recorded("validate"), ids=lambda case: case["id"])
def test_what_aws_refused_is_refused_in_the_same_words(case: dict[str, Any]) -> None:
    source = load(json.dumps(case["definition"]))
    problems = lint(source, "EXPRESS" if case["request"].get("type") == "EXPRESS" else "STANDARD")
    if case["expect"]["status"] == "API_ERROR":
        assert refusal(problems) == case["expect"]["message"]
    else:
        assert diagnostics(problems) == case["expect"]["diagnostics"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_published_definitions_have_no_errors(path: Path) -> None:
    source = load_file(path)
    errors = [render_text(problem, source.text) for problem in lint(source) if problem.severity == "error"]
    assert not errors, "\n".join(errors)
