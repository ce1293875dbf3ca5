"""The compiler refuses what cannot run, with the place, and never fails in another way."""

import re
from typing import Any

import pytest

from statewright.definition.compile import compile_definition
from statewright.definition.lint import lint
from statewright.definition.source import load
from statewright.errors import DefinitionError
from statewright.values import encode


def machine(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True} | fields}}


@pytest.mark.parametrize(
    ("definition", "location"),
    [
        ({"StartAt": "${X}", "States": machine()["States"]}, "/StartAt"),
        (machine() | {"TimeoutSeconds": "${X}"}, "/TimeoutSeconds"),
        (machine(Type="${X}"), "/States/A/Type"),
        (machine(Type="Task", Resource="${X}"), "/States/A/Resource"),
        (machine(Type="Wait", Seconds="${X}"), "/States/A/Seconds"),
        (
            machine(Type="Task", Resource="a", Retry=[{"ErrorEquals": ["B"], "MaxAttempts": "${X}"}]),
            "/States/A/Retry[0]/MaxAttempts",
        ),
        (machine(Assign="${X}"), "/States/A"),
        (machine(ResultPath="${X}"), "/States/A"),
        ({"StartAt": "A", "States": {"A": "${X}"}}, "/States/A"),
    ],
)
def test_placeholders_have_to_be_filled_in(definition: Any, location: str) -> None:
    assert [problem.code for problem in lint(load(encode(definition))) if problem.severity == "error"] == []
    with pytest.raises(DefinitionError) as raised:
        compile_definition(definition)
    assert raised.value.location == location


def test_text_may_have_a_dollar_and_a_brace() -> None:
    compile_definition(machine(Comment="${a}", Result={"a": "${b}"}, Parameters={"c.$": "States.Format('${}', $.d)"}))
    rule = {"Variable": "$.a", "StringEquals": "${b}", "Next": "B"}
    states = {"A": {"Type": "Choice", "Choices": [rule]}, "B": {"Type": "Fail", "Error": "${c}"}}
    compile_definition({"StartAt": "A", "States": states})


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"StartAt": "A", "States": "x"},
        {"StartAt": "A", "States": [[1]]},
        {"StartAt": "A", "States": {"A": None}},
        machine(Type="Choice", Choices="x"),
        machine(Type="Choice", Choices=[{"Variable": "$.a", "Next": "A"}]),
        machine(Type="Map", ItemProcessor=[]),
        machine(Type="Parallel", Branches=[1]),
        machine(Type="Task", Resource=1),
    ],
)
def test_what_lint_refuses_is_refused_here_too(definition: Any) -> None:
    with pytest.raises(DefinitionError):
        compile_definition(definition)


@pytest.mark.parametrize(
    ("language", "output", "words"),
    [
        ("JSONata", "{% 1 + %}", "S0207"),
        ("JMESPath", "{% a[ %}", "Incomplete"),
        ("JMESPath", "{% nofn(a) %}", "no function nofn"),
        ("SQL", "1", "There is no QueryLanguage 'SQL'"),
    ],
)
def test_what_a_language_cannot_read_is_refused_with_its_place(language: str, output: str, words: str) -> None:
    state = {"Type": "Pass", "QueryLanguage": language, "Output": {"a": [output]}, "End": True}
    with pytest.raises(DefinitionError, match=re.escape(words)) as caught:
        compile_definition({"StartAt": "A", "States": {"A": state}})
    assert caught.value.location == "/States/A"
