"""JSONata as the States Language has it: rows of expression and value, what is undefined, what is refused."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statewright.lang.expression import ExpressionError
from statewright.lang.jsonata import compile_expression
from statewright.lang.scope import MISSING, Entropy, Scope
from statewright.lang.syntax import PathSyntaxError
from statewright.values import same

INPUT = {"a": {"b": 1, "c": None}, "list": [{"v": 1}, {"v": 2}], "one": [5], "none": [], "big": 2**80 + 1, "f": 1.0}
CONTEXT = {"State": {"Name": "S"}}
VARIABLES = {"x": [3, 4], "count": 2, "pad": "mine", "nul": None, "été": "summer"}
NOW = 1_700_000_000_000


def evaluate(text: str, seed: int = 1, **more: Any) -> Any:
    return compile_expression(text).evaluate(Scope(INPUT, CONTEXT, VARIABLES, Entropy(seed), NOW), more)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # AWS's functions (AWS documentation, "JSONata functions provided by Step Functions")
        ("$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([], 2)", []),
        ("$partition([[1],[2]], 1)", [[[1]], [[2]]]),
        ("$range(0, 10, 3)", [0, 3, 6, 9]),
        ("$range(0, 9, 3)", [0, 3, 6, 9]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ('$hash("hello", "MD5")', "5d41402abc4b2a76b9719d911017c592"),
        ('$hash("hello", "SHA-1")', "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
        ("$random(42)", 0.7275636800328681),  # measured on AWS
        ("$random(42) = $random(42)", True),
        ('$parse("{\\"a\\": [1, null]}")', {"a": [1, None]}),
        ('$parse("null")', None),
        ('$map(["1", "[2]"], $parse)', [1, [2]]),
        ("$now()", "2023-11-14T22:13:20.000Z"),
        ("$millis()", NOW),
        # what an expression sees
        ("$states.input", INPUT),
        ("$states.input.a.b", 1),
        ("$states.input.a.c", None),
        ("$states.input.list.v", [1, 2]),
        ("$states.input.list[v=2]", {"v": 2}),
        ("$states.input.one", [5]),
        ("$states.input.none", []),
        ("$states.input.big", 2**80 + 1),
        ("$states.context.State.Name", "S"),
        ("$keys($states)", ["input", "context"]),
        ("$x", [3, 4]),
        ("$x[0] + $count", 5),
        ("$pad", "mine"),
        ("$nul", None),
        ("$été", "summer"),
        ("($x := 1; $x)", 1),
        ("$variable := 1", 1),
        ("$parse('[5]')", [5]),
        ("$map(['1', 'null'], $parse)", [1, None]),
        ("$distinct($states.input.list.v)", [1, 2]),
        ("$map([[1, 1], [2]], $distinct)", [[1], [2]]),
        ("$keys($states.input.list)", "v"),
        ("$keys({'a': 1, 'b': 2})", ["a", "b"]),
        ("$states.input.a.$keys()", ["b", "c"]),
        ("$toMillis('1970-01-01T00:00:01Z')", 1000),
        ("$toMillis('1971', '[Y0001]')", 31_536_000_000),
        ("[$nope]", []),
        ("{'a': $nope, 'b': null}", {"b": None}),
        ("$exists($nope)", False),
        ("/* the answer */ 42", 42),
        ("$distinct([1, 1, 2])", [1, 2]),
        ("$distinct($states.input.list.(v > 0))", True),
        ("'a' ~> $uppercase", "A"),
    ],
)
def test_value(text: str, value: Any) -> None:
    assert same(evaluate(text), value)


@pytest.mark.parametrize(
    "text",
    ["$nope", "$states.nope", "$states.input.a.b.c", "$states.input.a.c.d", "$states.result", "$x.y", "$", "$$",
     "states.input", "$states.input.list[v=3]", "[1][1]", "**"],
)  # fmt: skip
def test_undefined(text: str) -> None:
    assert evaluate(text) is MISSING


@pytest.mark.parametrize("text", ["$sum", "function($x) {$x}", "$f := function($x) {$x}", "$uuid"])
def test_a_function_is_no_result(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"^returned an unsupported result type\.$"):
        evaluate(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$nope()", "T1006: Attempted to invoke a non-function"),  # recorded
        ("1 + 'a'", "T2002"),
        ("$count([1])", "T1006"),  # a variable hides the function of its name
        ("$error('mine')", "D3137: mine"),
        ("$eval('1')", "$eval is not available"),
        ("($e := $eval; $e('1'))", "$eval is not available"),
        ("$map(['1'], $eval)", "$eval is not available"),
        ("$partition([1], 0)", "above 0"),
        ("$partition([1])", "T0410: Argument 2"),
        ("$partition($nope, 1)", "expected an array"),
        ("$range(1, 1002, 1)", "1000 are allowed"),
        ("$range(1, 2, 0)", "must not be 0"),
        ("($hash := 1; $hash('a', 'MD5'))", "T1006"),
        ("$random('a')", "a seed is a number"),
        ("$uuid(1)", 'T0410: Argument 1 of function "uuid"'),
        ("$parse('x')", "malformed"),
        ("$parse(1)", "only text"),
        ("1 / 0", "D1001"),
    ],
)
def test_failure(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=f"^threw an error during evaluation. .*{re.escape(words)}"):
        evaluate(text)


def test_the_result_and_the_error_are_where_they_belong() -> None:
    assert evaluate("$states.result.a", result={"a": 1}) == 1
    assert evaluate("$states.errorOutput.Error & '!'", errorOutput={"Error": "Boom"}) == "Boom!"


@pytest.mark.parametrize("name", ["uuid", "parse", "distinct", "sum"])
def test_a_variable_hides_the_function_of_its_name(name: str) -> None:
    scope = Scope({}, {}, {name: [1]}, Entropy(0))
    for text in (f"${name}", f"(${name})", f"$append(${name}, [])"):
        assert compile_expression(text).evaluate(scope, {}) == [1]


def test_chance_is_determined_by_the_event() -> None:
    for text in ("$uuid()", "$random()", "[1..3].$uuid()"):
        assert evaluate(text, 5) == evaluate(text, 5)
        assert evaluate(text, 5) != evaluate(text, 6)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", evaluate("$uuid()"))
    assert len(set(evaluate("[1..3].$uuid()"))) == 3


@pytest.mark.parametrize(
    ("text", "position"), [("1 +", 3), ("$a b", 3), ("(1", 2), ("1) + (2", 1), ("a;", 1), ("", 0), ("'\ud800'", 0)]
)
def test_syntax(text: str, position: int) -> None:
    with pytest.raises(PathSyntaxError) as caught:
        compile_expression(text)
    assert caught.value.position == position


PIECES = st.sampled_from(
    "$ $$ $states $states.input .a .list .v [ ] [0] ( ) { } , : ; := = != < + - * / % & ? 1 0 'a' \"b\" null true "
    "function($x){ $x $f $map $sum $string $partition $range $hash $random $uuid $parse $distinct $eval $reduce ~> | "
    "^ @ # .. ** in and or /a+/ ` \\ é 1e400 -".split()
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=8).map(" ".join) | st.text(max_size=8))
def test_nothing_else_is_raised(text: str) -> None:
    with contextlib.suppress(PathSyntaxError, ExpressionError):
        evaluate(text)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["a", "b", "c", "list", "one", "none", "f", "nope", "v"]), max_size=3))
def test_a_plain_path_is_what_the_library_makes_of_it(names: list[str]) -> None:
    path = ".".join(["$states.input", *names])
    if names:  # only the whole input has a number that JSONata cannot hold
        assert same(evaluate(path), evaluate(f"({path})")) or (evaluate(path), evaluate(f"({path})")) == (MISSING,) * 2
