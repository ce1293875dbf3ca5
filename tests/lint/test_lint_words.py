"""The words and places of AWS, as far as they are known from recordings and from what AWS's users quote."""

from __future__ import annotations

import json

import pytest

from statewright.definition.lint import lint
from statewright.definition.problem import diagnostics, refusal
from statewright.definition.source import load
from statewright.values import Json

DONE = {"Type": "Succeed"}


def machine(**states: Json) -> Json:
    """A machine that starts at its first state."""
    return {"StartAt": next(iter(states)), "States": states}


WORDS = [
    ({}, "SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt, States] at /"),
    (
        machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}),
        "MISSING_END_STATE: Workflow has no terminal state at null",
    ),
    (
        machine(A={"Type": "Pass", "Next": "NOPE"}),
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next, "
        "MISSING_END_STATE: Workflow has no terminal state at null",
    ),
    (
        {"StartAt": "Not sure", "States": {"One": {"Type": "Pass", "Next": "Two"}, "Two": DONE}},
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: Not sure at /StartAt, "
        'MISSING_TRANSITION_TARGET: State "One" is not reachable. at /States/One',
    ),
    (
        machine(
            C={"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "X"}], "Default": "D"}, D=DONE
        ),
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/C/Choices[0]/Next",
    ),
    (
        machine(P={"Type": "Pass", "Catch": [], "End": True}),
        "SCHEMA_VALIDATION_FAILED: Field 'Catch' is not supported at /States/P",
    ),
    (
        machine(P={"Type": "Parallel", "Branches": [], "End": True}),
        "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/P/Branches",
    ),
    (
        machine(W={"Type": "Wait", "Seconds": 10**16, "End": True}),
        "SCHEMA_VALIDATION_FAILED: Maximum value is 99999999 at /States/W/Seconds",
    ),
    (
        machine(P={"Type": "Pass", "Output": 1, "End": True}),
        "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for "
        "the 'JSONata' QueryLanguage at /States/P",
    ),
    (
        machine(
            M={
                "Type": "Map",
                "ToleratedFailurePercentage": -1,
                "MaxConcurrency": 1,
                "MaxConcurrencyPath": "$.n",
                "ItemProcessor": machine(X=DONE),
                "End": True,
            }
        ),
        "SCHEMA_VALIDATION_FAILED: Minimum value is 0.0 at /States/M/ToleratedFailurePercentage, "
        "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [MaxConcurrency, "
        "MaxConcurrencyPath] at /States/M",
    ),
    (
        machine(M={"Type": "Map", "MaxConcurrencyPath": "$$.n", "ItemProcessor": machine(X=DONE), "End": True}),
        "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/M/MaxConcurrencyPath",
    ),
]


@pytest.mark.parametrize(("definition", "words"), WORDS)
def test_refusal(definition: Json, words: str) -> None:
    assert refusal(lint(load(json.dumps(definition)))) == f"Invalid State Machine Definition: '{words}'"


def test_advice_of_ours_is_no_diagnostic_of_aws() -> None:
    definition = machine(
        C={"Type": "Choice", "Choices": [{"Variable": "$.a", "StringEquals": "$.b", "Next": "D"}]}, D=DONE
    )
    problems = lint(load(json.dumps(definition)))
    assert [problem.code for problem in problems] == ["MISSING_DEFAULT", "NO_PATH"]
    assert [row["code"] for row in diagnostics(problems)] == ["NO_PATH"]
    assert refusal(problems) is None


def test_did_you_mean() -> None:
    definition = machine(
        T={"Type": "Task", "Resource": "x", "TimeoutSecond": 1, "ItemsPath": "$", "Next": "Dnoe"}, Done=DONE
    )
    hints = {problem.location: problem.hint for problem in lint(load(json.dumps(definition)))}
    assert hints["/States/T/Next"] == "did you mean 'Done'?"
    found = {problem.message: problem.hint for problem in lint(load(json.dumps(definition)))}
    assert found["Field 'TimeoutSecond' is not supported"] == "did you mean 'TimeoutSeconds'?"
    assert found["Field 'ItemsPath' is not supported"] == "only Map states have it"
