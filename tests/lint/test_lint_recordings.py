"""What AWS accepted has no errors; what AWS refused is refused in the same words; published definitions are sound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from statewright.definition.lint import lint
from statewright.definition.problem import diagnostics, refusal, render_text
from statewright.definition.scopes import Target
from statewright.definition.source import load, load_file
from statewright.model import MachineType

SHARED = Path(__file__).resolve().parents[3] / "shared"
CASES = SHARED / "conformance" / "cases"
SAMPLES = sorted((SHARED / "samples").glob("*.asl.*"))


def recorded(kind: str) -> list[dict[str, Any]]:
    """The recorded cases of a kind; none where the recordings are not at hand."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((CASES / kind).glob("*.json"))]


@dataclass(frozen=True, slots=True)
class Judged:
    """A definition that AWS has seen: the case, its text, its type, and the words of the refusal if it was refused."""

    case: str
    text: str
    type: str
    refusal: str | None = None


def of_execution(case: dict[str, Any]) -> Iterator[Judged]:
    """The state machines of an execution: AWS has run them all."""
    for machine in (case, *case.get("state_machines", [])):
        text = machine.get("definition_text") or json.dumps(machine["definition"], indent=1)
        yield Judged(case["id"], text, machine.get("type") or "STANDARD")


def of_calls(case: dict[str, Any]) -> Iterator[Judged]:
    """What calls of the API brought along.  A call may be refused for other reasons than its definition."""
    for step in case["steps"]:
        text = step["params"].get("definition")
        if text and step["op"] in ("create_state_machine", "update_state_machine", "validate_state_machine_definition"):
            error = step.get("error") or {}
            refused = error["message"] if error.get("code") == "InvalidDefinition" else None
            yield Judged(case["id"], text, step["params"].get("type") or "STANDARD", refused)


def of_test_state(case: dict[str, Any]) -> Iterator[Judged]:
    """The definition of a TestState call: a whole one, or a state alone, whose targets are not looked at."""
    definition = case["definition"]
    if "States" not in definition:
        rows = (definition, *definition.get("Choices", []), *definition.get("Catch", []))
        targets = {row[name] for row in rows for name in ("Next", "Default") if name in row}
        others = {name: {"Type": "Succeed"} for name in targets}
        definition = {"StartAt": "the state", "States": {"the state": definition, **others}}
    refused = case["expect"]["message"] if case["expect"].get("code") == "InvalidDefinition" else None
    yield Judged(case["id"], json.dumps(definition, indent=1), "STANDARD", refused)


def judged() -> list[Judged]:
    """Every definition of the recordings but those that were only validated."""
    sources = {"execution": of_execution, "api": of_calls, "test_state": of_test_state}
    return [found for kind, find in sources.items() for case in recorded(kind) for found in find(case)]


def machine_type(name: str | None) -> MachineType:
    """The type as `lint` takes it."""
    return "EXPRESS" if name == "EXPRESS" else "STANDARD"


@pytest.mark.skipif(not CASES.is_dir(), reason="the recordings are not at hand")
@pytest.mark.parametrize("target", ["statewright", "aws"])
def test_what_aws_accepted_has_no_errors_and_what_it_refused_is_refused_alike(target: Target) -> None:
    wrong = []
    definitions = judged()
    for found in definitions:
        refused = refusal(lint(load(found.text, found.case, "json"), machine_type(found.type), target))
        if refused != found.refusal:
            wrong.append(f"{found.case}: AWS: {found.refusal or 'accepted'}; lint: {refused or 'accepted'}")
    assert len(definitions) > 860
    assert sum(found.refusal is not None for found in definitions) >= 2
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", recorded("validate"), ids=lambda case: case["id"])
def test_what_was_validated_has_the_diagnostics_of_aws(case: dict[str, Any]) -> None:
    problems = lint(load(json.dumps(case["definition"])), machine_type(case["request"].get("type")))
    if case["expect"]["status"] == "API_ERROR":
        assert refusal(problems) == case["expect"]["message"]
    else:
        assert diagnostics(problems) == case["expect"]["diagnostics"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_published_definitions_have_no_errors(path: Path) -> None:
    source = load_file(path)
    problems = [*lint(source), *lint(source, target="aws")]
    errors = [render_text(problem, source.text) for problem in problems if problem.severity == "error"]
    assert not errors, "\n".join(errors)
