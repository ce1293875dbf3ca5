"""The loader: what YAML and JSON mean, where everything is, and what is refused."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from statewright.definition.problem import render_text
from statewright.definition.source import MAX_BYTES, Position, SourceError, load, load_file
from statewright.values import Json, same

YAML_VALUES = [
    ("on: no", {"on": "no"}),
    ("yes: off", {"yes": "off"}),
    ("null: ~", {"null": None}),
    ("a:", {"a": None}),
    ("[true, True, FALSE, y]", [True, True, False, "y"]),
    ("t: 12:30:00", {"t": "12:30:00"}),
    ("d: 2020-01-01", {"d": "2020-01-01"}),
    ("1: 2", {"1": 2}),
    ("a: =", {"a": "="}),
    ("[1e3, 1.10, .5, 5., -1, +1, 1_000]", [1000.0, 1.1, 0.5, 5.0, -1, 1, "1_000"]),
    ("[\"1\", '2', ! 3, !!str 4]", ["1", "2", "3", "4"]),
    ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ("a: 9007199254740993", {"a": 9007199254740993}),
    ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
    ("a: &unused 1", {"a": 1}),
]
JSON_VALUES = [
    '{"a": [1, -0.5, 1e3, true, null, "\\u00e9\\ud83d\\ude00\\/"]}',
    "  []\n",
    '{"": {"a": ""}}',
    "[" * 100 + "]" * 100,
]
REFUSED = [
    ("a: 1\na: 2", "DUPLICATE_KEY", 2, 1),
    ('{"a": 1, "\\u0061": 2}', "DUPLICATE_KEY", 1, 10),
    ("a: &x 1\nb: *x", "ALIAS", 2, 4),
    ("a:\n  <<: {b: 1}", "MERGE_KEY", 2, 3),
    ("a: !!binary aGk=", "TAG", 1, 4),
    ("a: !Ref b", "TAG", 1, 4),
    ("a: !!int 3", "TAG", 1, 4),
    ("a: !!set {b}", "TAG", 1, 4),
    ("a: 0x1F", "NOT_JSON", 1, 4),
    ("a: 0o17", "NOT_JSON", 1, 4),
    ("a: 0123", "NOT_JSON", 1, 4),
    ("a: -08.5", "NOT_JSON", 1, 4),
    ("a: .inf", "NOT_JSON", 1, 4),
    ("a: .NaN", "NOT_JSON", 1, 4),
    ("a: 1e400", "NOT_JSON", 1, 4),
    ("a: " + "9" * 310, "NOT_JSON", 1, 4),
    ("? {a: 1}\n: 2", "NOT_JSON", 1, 3),
    ("a: 1\n---\nb: 2", "MULTIPLE_DOCUMENTS", 2, 1),
    ("a:\n\tb: 1", "SYNTAX", 2, 1),
    ("a: b: c", "SYNTAX", 1, 5),
    ("a: [1", "SYNTAX", 1, 6),
    ("a: \x00", "SYNTAX", 1, 4),
    ("a: \x1b[2J", "SYNTAX", 1, 4),
    ("a: *x", "ALIAS", 1, 4),
    ("", "EMPTY", 1, 1),
    (" \n# nothing\n", "EMPTY", 1, 1),
    ("a: \ud800", "ENCODING", 1, 4),
    (b"a: \xff", "ENCODING", 1, 4),
    ("a: 1".encode("utf-16"), "ENCODING", 1, 1),
    ('{"a": NaN}', "NOT_JSON", 1, 7),
    ('{"a": -Infinity}', "NOT_JSON", 1, 7),
    ('{"a": 1e400}', "NOT_JSON", 1, 7),
    ('{"a": 01}', "NOT_JSON", 1, 7),
    ('{"a": ' + "9" * 310 + "}", "NOT_JSON", 1, 7),
    ('{"a": "\\ud800"}', "NOT_JSON", 1, 8),
    ('{"a": "\\udc00\\ud800"}', "NOT_JSON", 1, 8),
    ('{"a": "\\ud800\\u0041"}', "NOT_JSON", 1, 8),
    ('{"a": "\\x41"}', "SYNTAX", 1, 8),
    ('{"a": "\\u00g0"}', "SYNTAX", 1, 8),
    ('{"a": "b', "SYNTAX", 1, 7),
    ('{"a": "b\nc"}', "SYNTAX", 1, 7),
    ('{"a": "b\x00c"}', "SYNTAX", 1, 9),
    ("{'a': 1}", "SYNTAX", 1, 2),
    ('{"a" 1}', "SYNTAX", 1, 6),
    ('{"a": 1,}', "SYNTAX", 1, 8),
    ('{"a": 1 "b": 2}', "SYNTAX", 1, 9),
    ("[1 2]", "SYNTAX", 1, 4),
    ("[,]", "SYNTAX", 1, 2),
    ("[1", "SYNTAX", 1, 3),
    ("{} {}", "SYNTAX", 1, 4),
    ("{\n  // no\n}", "SYNTAX", 2, 3),
    ("[tru]", "SYNTAX", 1, 2),
    ("[" * 101, "TOO_DEEP", 1, 101),
]
ATTACKS = {
    "brackets": "a: " + "[" * 100_000,
    "braces": "a: " + "{a: " * 50_000,
    "json brackets": "[" * 100_000,
    "json objects": '{"a":' * 100_000,
    "dashes": "- " * 100_000,
    "question marks": "? " * 100_000,
    "indents": "\n".join(" " * depth + "a:" for depth in range(1000)),
    "alias bomb": "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}]\n" for n in range(9)),
    "merge bomb": "a: &a {x: 1}\n" + "b: {<<: [" + ", ".join(["*a"] * 1000) + "]}",
    "many items": "- 1\n" * 60_000,
    "json many items": "[" + "1," * 60_000 + "1]",
    "many keys": "\n".join(f"k{number}: 1" for number in range(60_000)),
    "huge integer": "a: " + "9" * 1_000_000,
    "json huge integer": "[" + "9" * 1_000_000 + "]",
    "long fraction": "[0." + "0" * 1_000_000 + "1]",
    "too large": " " * (MAX_BYTES + 1),
    "too large in bytes": "é" * (MAX_BYTES // 2 + 1),
    "escapes": '["' + "\\ud800" * 100_000 + '"]',
    "open quote": '["' + "a" * 1_000_000,
    "tags": "!!a " * 100_000,
    "anchors": "&a " * 100_000,
    "colons": "a: " * 100_000,
    "tabs": "\t" * 100_000,
    "directives": "%TAG ! tag:x,2000:\n" * 10_000,
    "percent escapes": "a: !<" + "%41" * 100_000,
    "open flow": "[a" + ",\n" * 50_000,
}


@pytest.mark.parametrize(("text", "value"), YAML_VALUES)
def test_yaml_means_json(text: str, value: Json) -> None:
    found = load(text, syntax="yaml").value
    assert same(found, value)
    assert [type(member) for member in found] == [type(member) for member in value]


@pytest.mark.parametrize("text", JSON_VALUES)
def test_json(text: str) -> None:
    assert load(text).value == json.loads(text)


@pytest.mark.parametrize(("text", "code", "line", "column"), REFUSED)
def test_refused(text: str | bytes, code: str, line: int, column: int) -> None:
    with pytest.raises(SourceError) as caught:
        load(text)
    problem = caught.value.problem
    assert (problem.code, problem.line, problem.column) == (code, line, column), problem.message
    assert problem.severity == "error"
    assert render_text(problem, caught.value.text)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_at_once(name: str) -> None:
    began = time.process_time()
    with pytest.raises(SourceError):
        load(ATTACKS[name])
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        'StartAt: A\nStates:\n  A: {Type: Pass, "No": [1, é, x]}\n',
        'StartAt: A\r\nStates:\r\n  A: {Type: Pass, "No": [1, é, x]}\r\n',
        '\ufeffStartAt: A\nStates:\n  A: {Type: Pass, "No": [1, é, x]}\n',
    ],
)
def test_positions_in_yaml(text: str) -> None:
    source = load(text)
    assert source.position(("StartAt",)) == Position(1, 10, 1)
    assert source.position(("StartAt",), key=True) == Position(1, 1, 7)
    assert source.position(("States",)) == Position(3, 3, 32)
    assert source.position(("States", "A", "Type")) == Position(3, 13, 4)
    assert source.position(("States", "A", "No"), key=True) == Position(3, 19, 4)
    assert source.position(("States", "A", "No", 2)) == Position(3, 32, 1)
    assert source.position(("States", "A", "Next")) == Position(3, 3, 1), "what is not there is at its parent"
    assert source.position(()) == Position(1, 1, 10)


def test_positions_in_json() -> None:
    source = load('{\n  "a": ["x", {"é\\n": 12}],\r\n  "b": "\\u0041$.c"}')
    assert source.position(("a",), key=True) == Position(2, 3, 3)
    assert source.position(("a", 1, "é\n")) == Position(2, 22, 2)
    assert source.position(("a", 1, "é\n"), key=True) == Position(2, 15, 5)
    assert source.position(("b",)) == Position(3, 8, 11)
    assert source.inside(("a", 0), 0) == Position(2, 10, 1)
    assert source.inside(("b",), 2) == Position(3, 8, 11), "escapes: the place inside is not known"


def test_syntax_is_known_by_the_name_or_the_first_character(tmp_path: Path) -> None:
    assert load("{a: 1}", "x.yaml").value == {"a": 1}
    assert load('\n {"a": 1}').value == {"a": 1}
    assert load("a: 1").value == {"a": 1}
    with pytest.raises(SourceError):
        load("a: 1", "x.json")
    for name, text in (("a.yml", "a: {b: c}"), ("a.JSON", '{"a": {"b": "c"}}'), ("a", "a:\n  b: c")):
        (tmp_path / name).write_text(text)
        source = load_file(tmp_path / name)
        assert source.value == {"a": {"b": "c"}}
        assert source.name == str(tmp_path / name)
    (tmp_path / "large").write_bytes(b" " * (MAX_BYTES + 10))
    with pytest.raises(SourceError, match="TOO_LARGE"):
        load_file(tmp_path / "large")


PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\u2028\u2029")
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**300), 10**300),
        st.floats(allow_nan=False, allow_infinity=False),
        PRINTABLE,
        st.sampled_from(
            ["on", "no", "null", "~", "0123", "1e3", ".inf", "<<", "12:30", "=", "- a", "*x", "{", "2020-01-01"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(PRINTABLE, inner)),
    max_leaves=20,
)


@settings(max_examples=200)
@given(VALUES, st.sampled_from([None, 2]))
def test_json_round_trip(value: Json, indent: int | None) -> None:
    assert load(json.dumps(value, indent=indent), syntax="json").value == value
    assert load(json.dumps(value, indent=indent, ensure_ascii=False), syntax="json").value == value


class _Quoting(yaml.SafeDumper):
    """Writes text in double quotes: PyYAML leaves plain what only YAML 1.2 takes for a number, such as 1e3."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@settings(max_examples=200)
@given(VALUES, st.booleans())
def test_yaml_round_trip(value: Json, flow: bool) -> None:
    text = yaml.dump(value, Dumper=_Quoting, allow_unicode=True, default_flow_style=flow, width=10**6)
    assert load(text, syntax="yaml").value == value


@settings(max_examples=300)
@given(
    st.one_of(st.text(max_size=60), st.text(alphabet='{}[]",:\\ua1-#&*!|>%@?\n \t', max_size=60)),
    st.sampled_from(["yaml", "json"]),
)
def test_any_text_is_a_document_or_a_problem(text: str, syntax: str) -> None:
    try:
        source = load(text, syntax=syntax)  # type: ignore[arg-type]
    except SourceError as error:
        shown = render_text(error.problem, error.text)
    else:
        shown = json.dumps(source.value, allow_nan=False)
    assert shown


@settings(max_examples=100)
@given(st.binary(max_size=40))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(SourceError):
        load(data)
