"""The schema files: sound, described, with examples that hold, and bundled."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from statewright import values
from statewright.definition.lint import lint
from statewright.definition.schema import BUNDLE, STATE_TYPES, bundle, load_schema, schema_directory, schema_names
from statewright.definition.source import load
from statewright.values import Json


def definitions(schema: Json, place: str = "") -> Iterator[tuple[str, Json]]:
    """Every schema inside a schema that describes a field or a part, with its place."""
    if not isinstance(schema, dict):
        return
    if place.rpartition("/")[0].endswith(("properties", "$defs")) or not place:
        yield place, schema
    for name in ("properties", "$defs"):
        for key, part in schema.get(name, {}).items():
            yield from definitions(part, f"{place}/{name}/{key}")


def test_the_bundle_is_up_to_date() -> None:
    """If not: ``python -m statewright.definition.schema``."""
    assert values.decode((schema_directory() / BUNDLE).read_bytes()) == bundle()


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(load_schema(name))


@pytest.mark.parametrize("name", schema_names())
def test_everything_is_described_and_has_examples(name: str) -> None:
    for place, schema in definitions(load_schema(name)):
        if set(schema) != {"$ref"}:
            assert schema["title"], place
            assert schema["description"], place
            assert schema.get("examples") or "$defs" in schema, place


def test_every_state_type_has_a_schema() -> None:
    assert load_schema("state.json")["properties"]["Type"]["enum"] == list(STATE_TYPES)
    for kind in STATE_TYPES:
        schema = load_schema(f"{kind.lower()}.json")
        assert schema["properties"]["Type"]["const"] == kind
        assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", schema_names())
def test_examples_hold(name: str) -> None:
    """Each example is valid where it stands, by the bundle, as an editor would check it."""
    whole = bundle()
    stem = name.removesuffix(".json")
    for place, schema in definitions(whole["$defs"][stem]):
        here = {**whole, "$ref": f"#/$defs/{stem}{place}"}
        for example in schema.get("examples", []):
            errors = [error.message for error in Draft202012Validator(here).iter_errors(example)]
            assert not errors, (place, example)


@pytest.mark.parametrize("kind", STATE_TYPES)
def test_examples_of_states_pass_the_linter(kind: str) -> None:
    for example in load_schema(f"{kind.lower()}.json")["examples"]:
        names = {example.get("Next"), example.get("Default"), *(rule["Next"] for rule in example.get("Choices", []))}
        others = {name: {"Type": "Succeed"} for name in names if name}
        source = load(json.dumps({"StartAt": "It", "States": {"It": example, **others}}))
        assert lint(source) == []


def test_the_bundle_finds_what_editors_should_show() -> None:
    validator = Draft202012Validator(bundle())
    wrong = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Nxt": "B"}}}
    assert [list(error.absolute_path) for error in validator.iter_errors(wrong)] == [["States", "A"]]
    assert not list(validator.iter_errors({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}))
