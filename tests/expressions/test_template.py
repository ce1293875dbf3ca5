from __future__ import annotations

from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.lang.scope import Entropy, Scope
from statewright.lang.template import TemplateError, compile_expression, compile_template

INPUT = {"a": 1, "list": [1, 2]}


def scope() -> Scope:
    return Scope(INPUT, {"Execution": {"Id": "e"}}, {"v": {"w": True}}, Entropy(0))


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"x.$": "$.a"}, {"x": 1}),
        ({"x.$": "$"}, {"x": INPUT}),
        ({"x.$": "$$.Execution.Id", "y.$": "$v.w", "z": "$.a"}, {"x": "e", "y": True, "z": "$.a"}),
        ({"x": {"y": [{"z.$": "$.list[*]"}, 1, [{"q.$": "States.UUID()"}]]}},
         {"x": {"y": [{"z": [1, 2]}, 1, [{"q": Entropy(0).uuid()}]]}}),
        ({"x.$": "$.no.such[*]"}, {"x": []}),
        ({".$": "$.a"}, {"": 1}),
        ({"a.$.$": "$.a"}, {"a.$": 1}),
        ([{"x.$": "$.a"}, "$.a"], [{"x": 1}, "$.a"]),
        ({}, {}),
        ("$.a", "$.a"),
        (None, None),
    ],
)  # fmt: skip
def test_value(node: Any, expected: Any) -> None:
    assert compile_template(node, "Parameters").evaluate(scope()) == expected


def test_static_parts_are_shared() -> None:
    node = {"kept": {"deep": [1]}, "x.$": "$.a"}
    template = compile_template(node, "Parameters")
    assert template.evaluate(scope())["kept"] is node["kept"]
    static = compile_template(node["kept"], "Parameters")
    assert static.evaluate(scope()) is node["kept"]


def test_what_a_template_uses() -> None:
    template = compile_template({"a.$": "$v.w", "b": [{"c.$": "States.Array($.x, $$.y)"}]}, "Assign")
    assert [path.text for path in template.paths] == ["$v.w", "$.x", "$$.y"]
    assert [expression.field for expression in template.expressions] == ["a.$", "c.$"]


@pytest.mark.parametrize("text", ["$.no", "$$.no.such", "$no", "$.list[5]", "$.a.b"])
def test_missing(text: str) -> None:
    template = compile_template({"deep": {"value.$": text}}, "Parameters")
    with pytest.raises(StatesError) as raised:
        template.evaluate(scope())
    assert raised.value.error == "States.Runtime"
    assert raised.value.cause == (
        f"The JSONPath '{text}' specified for the field 'value.$' could not be found in the input "
        '\'{"a":1,"list":[1,2]}\''
    )


def test_expression_of_a_field() -> None:
    assert compile_expression("States.Format('{}', $.a)", "CausePath").evaluate(scope()) == "1"
    with pytest.raises(StatesError, match=r"specified for the field .*ErrorPath.* could not be found"):
        compile_expression("$.ErrorX", "ErrorPath").evaluate(scope())


@pytest.mark.parametrize(
    ("node", "field", "pointer"),
    [
        ({"parsed.$": 'States.StringToJson(\'{"text":"An \\"x\\" here"}\')'}, "parsed.$", ()),
        ({"parsed.$": "States.Format('He said, \\\"Hello, {}!\\\"', 'Test \\\"Name\\\" Here')"}, "parsed.$", ()),
        ({"x": [0, {"y.$": "text"}]}, "y.$", ("x", 1)),
        ({"y.$": 5}, "y.$", ()),
        ({"y.$": {"z.$": "$.a"}}, "y.$", ()),
        ({"y.$": ""}, "y.$", ()),
        ({"y.$": "{% $x %}"}, "y.$", ()),
    ],
)
def test_not_an_expression(node: Any, field: str, pointer: tuple[str | int, ...]) -> None:
    with pytest.raises(TemplateError) as raised:
        compile_template(node, "Parameters")
    error = raised.value
    assert error.message == (
        f"The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"
    )
    assert (error.field, error.pointer) == (field, pointer)
    assert error.detail


@pytest.mark.parametrize("node", [{"a": 1, "a.$": "$.a"}, {"a.$": "$.a", "a": 1}])
def test_same_name_twice(node: Any) -> None:
    with pytest.raises(TemplateError, match="'a' is there twice"):
        compile_template({"x": node}, "Parameters")


def test_too_deep() -> None:
    node: Any = {"x.$": "$.a"}
    for _ in range(5000):
        node = [node]
    with pytest.raises(TemplateError, match="nested more than"):
        compile_template(node, "Parameters")
