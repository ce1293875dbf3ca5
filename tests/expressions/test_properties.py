"""Properties that hold for any text and any document."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonpath
from hypothesis import given
from hypothesis import strategies as st

from statewright.errors import StatesError
from statewright.lang.intrinsics import FUNCTIONS, compile_intrinsic
from statewright.lang.jsonpath import PathSyntaxError, compile_path
from statewright.lang.scope import Entropy, Scope
from statewright.lang.template import compile_template
from statewright.values import Json, check, same

NAMES = st.sampled_from(["a", "b", "c d", "é", "x-y"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.lists(VALUES, max_size=4) | st.dictionaries(NAMES, VALUES, max_size=4)

_MEMBERS = NAMES.map(lambda name: f"['{name}']")
_INDEXES = st.integers(-3, 3).map(lambda index: f"[{index}]")
_BOUND = st.none() | st.integers(-4, 4)
_SLICES = st.builds(
    lambda start, stop, step: f"[{'' if start is None else start}:{'' if stop is None else stop}{step}]",
    _BOUND, _BOUND, st.sampled_from(["", ":1", ":2", ":-1", ":-2"]),
)  # fmt: skip
_UNIONS = st.lists(st.integers(-3, 3), min_size=2, max_size=3).map(lambda found: f"[{','.join(map(str, found))}]")
_FIXED = st.sampled_from(["[*]", ".*", "..a", "..b", "..*", "..[0]"])
_COMMON = st.one_of(_MEMBERS, _INDEXES, _SLICES, _UNIONS, _FIXED)
PATHS = st.lists(_COMMON, max_size=4).map(lambda steps: "$" + "".join(steps))

_TEST = st.sampled_from(
    ["@.a", "!@.b", "@.a == 1", "@.a < 2", "@.a >= 0 && @.b", "@.a == 'a' || !(@.b == 1)", "@.b[0]", "@.a != 'b'"]
)


def attempt(action: Callable[[], Json]) -> Json | Exception:
    """The value, or one of the two errors that user data may cause; anything else fails the test."""
    try:
        return action()
    except (PathSyntaxError, StatesError) as error:
        return error


def assert_proper(outcome: Json | Exception, text: str) -> None:
    if isinstance(outcome, PathSyntaxError):
        assert 0 <= outcome.position <= len(text)
        assert outcome.message
    elif isinstance(outcome, StatesError):
        assert outcome.error == "States.Runtime"
        assert outcome.cause
    else:
        check(outcome)


@given(PATHS, DOCUMENTS)
def test_agrees_with_another_implementation(text: str, document: Any) -> None:
    path = compile_path(text)
    found = path.evaluate(document)
    expected = jsonpath.findall(text, document)
    assert same(found if not path.definite else [] if expected == [] else [found], expected)


@given(_TEST, st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 3) | st.just("a"), max_size=2)))
def test_filters_agree_with_another_implementation(test: str, document: Any) -> None:
    if test == "@.a != 'b'":
        document = [item for item in document if "a" in item]  # where absent the dialects differ
    assert same(compile_path(f"$[?({test})]").evaluate(document), jsonpath.findall(f"$[?({test})]", document))


_REFERENCES = st.lists(_MEMBERS | st.integers(0, 3).map(lambda index: f"[{index}]"), max_size=4)


@given(_REFERENCES, DOCUMENTS, VALUES)
def test_what_is_put_is_found(steps: list[str], document: Any, value: Any) -> None:
    path = compile_path("$" + "".join(steps))
    before = copy.deepcopy(document)
    changed = attempt(lambda: path.replace(document, value))
    if isinstance(changed, Exception):
        assert changed.args[0] == "States.ResultPathMatchFailure"
    else:
        assert path.evaluate(changed) is value
    assert same(document, before)


_PATH_TEXT = st.text("$@.[]()'\"*?!&|=<>~/:,-\\ab019 u", max_size=25)
_CALL_TEXT = st.text("States.ArrayFormat(),'{}\\$.a[]0-9e ntrue", max_size=30)


@given(st.text() | _PATH_TEXT.map(lambda text: f"${text}") | _PATH_TEXT.map(lambda text: f"$[?(@.a{text})]"), DOCUMENTS)
def test_any_text_as_path(text: str, document: Any) -> None:
    scope = Scope(document, document, {"a": document}, Entropy(0))
    assert_proper(attempt(lambda: compile_path(text).require(scope)), text)


@given(
    st.text()
    | _CALL_TEXT
    | st.builds(
        lambda name, text: f"States.{name}({text})",
        st.sampled_from(["Format", "Array", "MathAdd", "StringSplit", "ArrayRange", "JsonMerge", "Base64Decode"]),
        _CALL_TEXT,
    ),
    DOCUMENTS,
)
def test_any_text_as_intrinsic(text: str, document: Any) -> None:
    scope = Scope(document, document, {"a": document}, Entropy(0))
    assert_proper(attempt(lambda: compile_intrinsic(text).evaluate(scope)), text)


_ARGUMENTS = st.one_of(
    st.sampled_from(
        ["$.v", "$.w", "1", "-1", "0", "2.5", "1e300", "'a'", "''", "'{}'", "null", "true", "false", "'MD5'"]
    )
)


@given(
    st.sampled_from(sorted(FUNCTIONS)),
    st.lists(_ARGUMENTS, max_size=3), VALUES, VALUES,
)  # fmt: skip
def test_any_arguments(name: str, arguments: list[str], v: Any, w: Any) -> None:
    text = f"{name}({', '.join(arguments)})"
    scope = Scope({"v": v, "w": w}, {}, {}, Entropy(0))
    assert_proper(attempt(lambda: compile_intrinsic(text).evaluate(scope)), text)


@given(
    st.recursive(VALUES, lambda inner: st.dictionaries(st.sampled_from(["x", "x.$", "y.$"]), inner | st.just("$.a")))
)
def test_any_template(node: Any) -> None:
    scope = Scope({"a": 1}, {}, {}, Entropy(0))
    assert_proper(attempt(lambda: compile_template(node, "Parameters").evaluate(scope)), "$.a")
