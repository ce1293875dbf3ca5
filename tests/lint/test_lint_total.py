"""The linter and the drawings never raise, whatever JSON they are given."""

from __future__ import annotations

import copy
import json
import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statewright.definition.draw import dot, mermaid
from statewright.definition.lint import lint
from statewright.definition.problem import render_json
from statewright.definition.schema import load_schema, schema_names
from statewright.definition.source import load
from statewright.values import Json

WORDS = sorted(
    {word for name in schema_names() for word in re.findall(r'"([A-Z]\w+)": \{', json.dumps(load_schema(name)))}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(
        ["$", "$.a", "$$", "$.a[*]", "States.Format('{}', $)", "{% 1 %}", "${x}", "A", "States.ALL", "Map", "Task"]
    ),
)
KEYS = st.one_of(st.sampled_from(WORDS), st.sampled_from(["A", "B", "x.$", "States.ALL"]), st.text(max_size=3))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=30,
)
FULL = {
    "StartAt": "A",
    "States": {
        "A": load_schema("task.json")["examples"][0]
        | {
            "Retry": load_schema("recovery.json")["$defs"]["retry"]["examples"][0],
            "Catch": load_schema("recovery.json")["$defs"]["catch"]["examples"][0],
            "Parameters": {"a.$": "States.Array($.a, $$.b)"},
        },
        "B": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$.a", "IsNull": True}, {"Not": {}}], "Next": "C"}]},
        "C": load_schema("map.json")["examples"][0],
        "D": load_schema("parallel.json")["examples"][0],
        "E": load_schema("wait.json")["examples"][0],
    },
}


def check(value: Json) -> None:
    """Lint and draw a document."""
    source = load(json.dumps(value), syntax="json")
    problems = [*lint(source, "STANDARD"), *lint(source, "EXPRESS", "aws")]
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    mermaid(source.value)
    dot(source.value)


@settings(max_examples=150)
@given(DOCUMENTS)
def test_any_document(value: Json) -> None:
    check(value)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from(["A", "B", "C"]), st.dictionaries(KEYS, DOCUMENTS, max_size=8), max_size=3))
def test_any_states(states: Json) -> None:
    check({"StartAt": "A", "States": states})


@pytest.mark.parametrize("seed", range(60))
def test_mutations(seed: int) -> None:
    """A sound definition with a few of its parts exchanged."""
    generator = random.Random(seed)
    value = copy.deepcopy(FULL)
    for _ in range(generator.randint(1, 6)):
        places = list(_places(value))
        container, step = generator.choice(places)
        other_container, other_step = generator.choice(places)
        replacement = generator.choice([None, 0, "", [], {}, True, "$.", -1, other_container[other_step]])
        container[step] = copy.deepcopy(replacement)
    check(value)


def _places(value: Json) -> list[tuple[Json, str | int]]:
    """Container and step of every value inside `value`."""
    found: list[tuple[Json, str | int]] = []
    pending = [value]
    while pending:
        part = pending.pop()
        steps = list(part) if isinstance(part, dict) else list(range(len(part))) if isinstance(part, list) else []
        found.extend((part, step) for step in steps)
        pending.extend(part[step] for step in steps)
    return found


def test_deep_choice_rules_and_long_chains_are_no_problem() -> None:
    rule: Json = {"Variable": "$.a", "IsNull": True}
    for _ in range(90):
        rule = {"Not": rule}
    check({"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{**rule, "Next": "A"}]}}})
    chain = {f"s{number}": {"Type": "Pass", "Next": f"s{number + 1}"} for number in range(5000)}
    source = load(json.dumps({"StartAt": "s0", "States": {**chain, "s5000": {"Type": "Succeed"}}}))
    assert lint(source) == []


ATTACKS: dict[str, Json] = {
    "missing targets": {"StartAt": "s0", "States": {f"s{n}": {"Type": "Pass", "Next": f"t{n}"} for n in range(9000)}},
    "unknown fields": {f"StartA{n}": n for n in range(30_000)},
    "a huge name": {"StartAt": "A", "States": {"A" * 300_000: {"Type": "Pass", **{f"x{n}": 1 for n in range(9000)}}}},
    "huge wrong values": {"StartAt": ["x" * 100] * 5000, "States": {"A": {"Type": ["x" * 100] * 3000}}},
    "a filter without an end": {
        "StartAt": "A",
        "QueryLanguage": "JSONata",
        "States": {"A": {"Type": "Map", "Items": "{% a[" + "a" * 300_000 + " %}"}},
    },
    "bad paths": {
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "End": True, "Parameters": {f"x{n}.$": "$." + "[" * 50 for n in range(9000)}}},
    },
    "one big loop": {
        "StartAt": "s0",
        "States": {f"s{n}": {"Type": "Pass", "Next": f"s{(n + 1) % 8000}"} for n in range(8000)},
    },
    "many errors names": {
        "StartAt": "A",
        "States": {"A": {"Type": "Task", "Resource": "x", "Retry": [{"ErrorEquals": ["States.Nope"] * 20_000}]}},
    },
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_definitions_take_no_long_time(name: str) -> None:
    source = load(json.dumps(ATTACKS[name]))
    began = time.process_time()
    problems = lint(source)
    assert problems
    assert len(render_json(problems)) < 20_000_000
    mermaid(source.value)
    assert time.process_time() - began < 5
