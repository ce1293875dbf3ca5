"""Hostile states: whatever its expressions do together, a state ends within a second or so, as does each path and
intrinsic function.  (Single JSONata and JMESPath expressions: `test_expression_limits.py`.)"""

import time
from typing import Any

import pytest

from statewright.definition.compile import compile_definition
from statewright.errors import DefinitionError
from statewright.model import Continue
from statewright.step import begin, step
from tests.core.memory import execution

NUMBERS = list(range(20_000))
INPUT = {
    "numbers": NUMBERS[:9000],
    "objects": [{"a": "x" * 8, "b": number} for number in range(4000)],
    "same": [{"a": [1, {"b": "x"}]}] * 3000,
    "text": "a" * 200_000,
    "texts": ["a" * 50_000] * 4,
    "commas": "," * 100_000,
    "digits": "9" * 5000,
    "deep": "[" * 100_000,
    "deepish": "[" * 499 + "]" * 499,
    "tree": [
        [[[[[{"a": n} for n in range(3)] for _ in range(3)] for _ in range(3)] for _ in range(3)] for _ in range(3)]
    ],
    "k10": "x" * 10_000,
    "k10b": "x" * 10_001,
}
FAILS, ANY = "fails", "any"


def nested(function: str, levels: int, innermost: str) -> str:
    return function.format(innermost if levels == 1 else nested(function, levels - 1, innermost))


DOUBLE = "States.Format('{{}}{{}}', {0}, {0})"
EIGHT = "States.Array({0}, {0}, {0}, {0}, {0}, {0}, {0}, {0})"

JSONPATH = [
    # paths that lead to ever more values
    (FAILS, "$..*..*..*..*"),
    (FAILS, "$..[*]..[*]..[*]"),
    (ANY, "$['numbers','numbers','numbers'][*]"),
    (ANY, "$..tree..a"),
    (FAILS, "$.numbers[" + ",".join(["0"] * 20_000) + "]"),
    (ANY, "$.numbers[::-1]"),
    (ANY, "$.numbers[-99999999999:99999999999:1]"),
    # filters
    (FAILS, "$.numbers[?(@ in $.numbers)]"),
    (FAILS, "$.objects[?(@ in $.objects)]"),
    (FAILS, "$..[?(@..[?(@..[?(@..a)])])]"),
    (FAILS, "$.objects[?($.objects[?($.objects[?(@.b == 1)])])]"),
    (FAILS, "$.same[?($.same subsetof $.same)]"),
    (ANY, "$.same[?(@ == @)]"),
    (ANY, "$.objects[?(@.b > 1 && @.b < 3 || !(@.a == 'x'))]"),
    # regular expressions
    (ANY, "$.texts[?(@ =~ /(a+)+b/)]"),
    (ANY, "$.texts[?(@ =~ /(a|aa)+b/)]"),
    (ANY, "$.texts[?(@ =~ /(.*)*(.*)*b/)]"),
    (ANY, "$.texts[?(@ =~ /(a?){30}a{30}b/)]"),
    (FAILS, "$.objects[?($.texts[0] =~ /(a|a|a|a)*b/)]"),
    # intrinsic functions
    (FAILS, "States.ArrayRange(0, 1000000000, 1)"),
    (FAILS, "States.ArrayRange(-2147483648, 2147483647, 1)"),
    (FAILS, "States.ArrayRange(1, 1001, 1)"),
    (ANY, "States.ArrayRange(1, 1000, 1)"),
    (FAILS, "States.ArrayRange(1, 10, 0)"),
    (FAILS, "States.Base64Encode($.k10b)"),
    (ANY, "States.Base64Encode($.k10)"),
    (FAILS, "States.Hash($.k10b, 'MD5')"),
    (ANY, "States.Hash($.k10, 'SHA-512')"),
    (ANY, "States.StringSplit($.commas, $.commas)"),
    (ANY, "States.StringSplit($.text, ',')"),
    (FAILS, "States.StringToJson($.deep)"),
    (ANY, "States.StringToJson($.deepish)"),
    (ANY, "States.StringToJson($.digits)"),
    (FAILS, nested("States.Array({})", 10, "States.StringToJson($.deepish)")),
    (FAILS, nested(DOUBLE, 9, "$.text")),
    (FAILS, nested(EIGHT, 4, "$.text")),
    (FAILS, f"States.JsonToString({nested(EIGHT, 4, '$.text')})"),
    (FAILS, f"States.ArrayUnique({nested(EIGHT, 4, '$.objects')})"),
    (FAILS, f"States.ArrayContains({nested(EIGHT, 4, '$.objects')}, 1)"),
    (FAILS, nested("States.Array({})", 11, "1")),
    (ANY, "States.ArrayUnique($.objects)"),
    (ANY, "States.ArrayContains($.objects, $.objects)"),
    (ANY, "States.ArrayPartition($.numbers, 1)"),
    (FAILS, "States.MathAdd(1e308, 1)"),
    (FAILS, "States.MathRandom(1, 99999999999)"),
    (FAILS, "States.Format('" + "{}" * 900 + "', " + ", ".join(["$.text"] * 900) + ")"),
    (ANY, "States.Format('{0.__class__}')"),
    (FAILS, "States.Format('" * 5000),
]

TEMPLATES = {
    "JSONPath": [
        {f"m{n}.$": "$" for n in range(20_000)},
        {f"m{n}.$": "$.numbers[?(@ in $.numbers[0:50])]" for n in range(50)},
        {f"m{n}.$": "$.objects[?(@.a =~ /(x+)+y/)]" for n in range(100)},
        {f"m{n}.$": "States.ArrayUnique($.objects)" for n in range(100)},
        {f"m{n}.$": "States.Format('{}{}{}{}', $.text, $.text, $.text, $.text)" for n in range(300)},
    ],
    "JSONata": [
        ["{% $states.input %}"] * 5_000,
        ["{% $sum($map([1..20000], function($x) {$x})) %}"] * 1500,
        ["{% $distinct($states.input.numbers[[0..3000]]) ~> $count() %}"] * 300,
        ["{% $contains($states.input.text, /(a*)*b/) %}"] * 300,
        ["{% $pad('x', 1000000) %}"] * 1500,
        ["{% $range(1, 1000, 1) %}"] * 3000,
    ],
    "JMESPath": [
        ["{% states.input %}"] * 20_000,
        ["{% length(states.input.numbers[?@ > `5`]) %}"] * 300,
        ["{% sort_by(states.input.objects, &b)[0] %}"] * 300,
        ["{% contains(states.input.text, 'b') %}"] * 3000,
        ["{% to_string(@) %}"] * 300,
    ],
}


def attack(language: str, value: Any) -> tuple[str, float]:
    """The status, and how long the step took that enters the state."""
    field = {"Parameters": value} if language == "JSONPath" else {"Output": value}
    states = {"S": {"Type": "Pass", **field, "End": True}}
    program = compile_definition({"QueryLanguage": language, "StartAt": "S", "States": states})
    made = execution(INPUT)
    frame = begin(program, made).frame
    started = time.thread_time()
    taken = step(program, made, frame, Continue(at=0, entropy=""))
    return taken.commands[0].status, time.thread_time() - started  # type: ignore[union-attr]


def short(value: Any) -> str | None:
    return value[:50] if isinstance(value, str) else str(value)[:50]


@pytest.mark.parametrize(("outcome", "text"), JSONPATH, ids=short)
def test_a_path_or_function(outcome: str, text: str) -> None:
    try:
        status, seconds = attack("JSONPath", {"x.$": text})
    except DefinitionError:
        assert outcome == FAILS
        return
    assert outcome == ANY or status == "FAILED"
    assert seconds < 3


@pytest.mark.parametrize(
    ("language", "value"), [(name, value) for name, values in TEMPLATES.items() for value in values], ids=short
)
def test_many_expressions(language: str, value: Any) -> None:
    status, seconds = attack(language, value)
    assert status == "FAILED"
    assert seconds < 4
