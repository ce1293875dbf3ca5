"""JMESPath: the standard language over `states` and the variables, our functions, what is refused."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statewright.lang.expression import ExpressionError
from statewright.lang.jmespath import compile_expression
from statewright.lang.scope import Entropy, Scope
from statewright.lang.syntax import PathSyntaxError
from statewright.values import same

INPUT = {"a": {"b": 1}, "list": [{"v": 1}, {"v": 2}], "big": 2**80 + 1}
NOW = 1_700_000_000_000


def evaluate(text: str, seed: int = 1, **more: Any) -> Any:
    scope = Scope(INPUT, {"State": {"Name": "S"}}, {"x": [3, 4], "s": "hello"}, Entropy(seed), NOW)
    return compile_expression(text).evaluate(scope, more)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("states.input.a.b", 1),
        ("states.input", INPUT),
        ("states.input.big", 2**80 + 1),
        ("states.input.nope.nope", None),
        ("states.input.list.v", None),
        ("nope", None),
        ("x", [3, 4]),
        ("sum(x)", 7),
        ("states.context.State.Name", "S"),
        ("states.input.list[?v > `1`].v | [0]", 2),
        ("{n: length(x), s: s}", {"n": 2, "s": "hello"}),
        ("keys(states)", ["input", "context"]),
        ("partition(x, `1`)", [[3], [4]]),
        ("range(`0`, `10`, `5`)", [0, 5, 10]),
        ("hash(s, 'MD5')", "5d41402abc4b2a76b9719d911017c592"),
        ("random(`42`)", 0.7275636800328681),
        ("parse('[1, {}]')", [1, {}]),
        ("now()", "2023-11-14T22:13:20.000Z"),
        ("millis()", NOW),
        ("x[::-1]", [4, 3]),
        ("'a' < 'b'", True),
    ],
)
def test_value(text: str, value: Any) -> None:
    assert same(evaluate(text), value)


def test_the_result_and_the_error_are_where_they_belong() -> None:
    assert evaluate("states.result.a", result={"a": 1}) == 1
    assert evaluate("[states.errorOutput.Error]", errorOutput={"Error": "Boom"}) == ["Boom"]


def test_chance_is_determined_by_the_event() -> None:
    assert evaluate("[uuid(), uuid(), random()]", 5) == evaluate("[uuid(), uuid(), random()]", 5)
    assert evaluate("uuid()", 5) != evaluate("uuid()", 6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("abs('a')", "invalid type"),
        ("uuid(s)", "T0410: Argument 1"),
        ("partition(x)", "T0410: Argument 2"),
        ("parse(x)", "only text"),
        ("to_number('NaN')", "not a JSON number"),
        ("`1e400`", "not a JSON number"),
        ("&a", "not a JSON value"),
        ("x[::0]", "slice step"),
    ],
)
def test_failure(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=f"^threw an error during evaluation. .*{re.escape(words)}"):
        evaluate(text)


@pytest.mark.parametrize(
    ("text", "position"), [("a b", 2), ("a[", 2), ("a.", 2), ("'a", 0), ("", 0), ("a || nofn(@)", 5), ("a" * 5000, 0)]
)
def test_syntax(text: str, position: int) -> None:
    with pytest.raises(PathSyntaxError) as caught:
        compile_expression(text)
    assert caught.value.position == position


PIECES = st.sampled_from(
    "states states.input .list .v x s @ & [ ] [0] [*] [] [? | || && ! ( ) { } , : . * 'a' `1` `null` `[1]` \"b\" == < "
    "sum( map( sort_by( to_number( to_string( join( uuid( hash( range( parse( partition( random( length( max(".split()
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=8))
def test_nothing_else_is_raised(text: str) -> None:
    with contextlib.suppress(PathSyntaxError, ExpressionError):
        evaluate(text)
