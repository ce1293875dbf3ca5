"""Every recorded Choice comparison of AWS, put to the operators directly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from statewright.lang.comparison import OPERATORS
from statewright.lang.jsonpath import compile_path

CASES = sorted(
    (Path(__file__).parents[3] / "shared" / "conformance" / "cases" / "execution").glob("choice_operators.*.json")
)


@pytest.mark.skipif(not CASES, reason="the recordings are not here")
@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_recorded(file: Path) -> None:
    case: dict[str, Any] = json.loads(file.read_text())
    states = case["definition"]["States"]
    choice = states[case["definition"]["StartAt"]]
    (rule,) = choice["Choices"]
    (name,) = rule.keys() - {"Variable", "Next"}
    found = OPERATORS[name]
    document = case["input"]
    operand = compile_path(rule[name]).evaluate(document) if found.takes_path else rule[name]
    result = found.compare(compile_path(rule["Variable"]).evaluate(document), operand)
    reached = states[rule["Next"] if result else choice["Default"]]
    assert reached["Result"] == case["expect"]["output"]
