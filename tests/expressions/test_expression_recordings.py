"""Recorded executions of AWS that consist of one Pass state with a payload template, put to the template directly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.lang.jsonpath import compile_path
from statewright.lang.scope import Entropy, Scope
from statewright.lang.template import TemplateError, compile_template
from statewright.values import same

CASES = Path(__file__).parents[3] / "shared" / "conformance" / "cases"
CHANCE = ("generated-uuid", "RandomNumberGenerated")  # what the recorder wrote over values that differ every time


def cases(kind: str) -> list[Any]:
    """Cases whose definition is one JSONPath Pass state with Parameters or InputPath and nothing else to it."""
    found = []
    for file in sorted((CASES / kind).glob("*.json")):
        case = json.loads(file.read_text())
        states = [*case.get("definition", {}).get("States", {}).values()]
        plain = len(states) == 1 and states[0].keys() <= {"Type", "Parameters", "InputPath", "End", "Comment"}
        if plain and states[0]["Type"] == "Pass" and "QueryLanguage" not in case["definition"]:
            found.append(pytest.param(case, states[0], id=case["id"]))
    return found


@pytest.mark.skipif(not CASES.exists(), reason="the recordings are not here")
@pytest.mark.parametrize(("case", "state"), cases("execution"))
def test_execution(case: dict[str, Any], state: dict[str, Any]) -> None:
    given = case.get("input", {})
    scope = Scope(given, {"Execution": {"Input": given}}, {}, Entropy(0))
    if case["expect"]["status"] == "FAILED":
        with pytest.raises(StatesError) as raised:
            evaluate(state, scope)
        assert raised.value.error == case["expect"]["error"]
        words = (raised.value.cause or "").split(" in the input ")[0]
        assert words in case["expect"]["cause"]
        return
    if state.get("InputPath", "").startswith("$$") and state["InputPath"] != "$$.Execution.Input":
        pytest.skip("the whole Context Object is not ours to make here")
    value, expected = evaluate(state, scope), case["expect"]["output"]
    if isinstance(expected, dict) and expected.get("FunctionResult") in CHANCE:
        assert value.keys() == expected.keys()
    else:
        assert same(value, expected)


@pytest.mark.skipif(not CASES.exists(), reason="the recordings are not here")
@pytest.mark.parametrize(("case", "state"), cases("validate"))
def test_refused_at_creation(case: dict[str, Any], state: dict[str, Any]) -> None:
    with pytest.raises(TemplateError) as raised:
        compile_template(state["Parameters"], "Parameters")
    assert raised.value.message in case["expect"]["message"]


def evaluate(state: dict[str, Any], scope: Scope) -> Any:
    scope = scope.with_input(compile_path(state.get("InputPath", "$")).require(scope))
    return compile_template(state["Parameters"], "Parameters").evaluate(scope) if "Parameters" in state else scope.input
