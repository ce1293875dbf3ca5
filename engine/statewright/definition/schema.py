"""The JSON Schemas of states and of whole definitions: where they are, and what they find, in our own words.

Each state is checked against the schema of its own type, so a message is about the state at hand; a schema never
follows into nested states or choice rules, which are checked in their turn.  So depth costs nothing.

``python -m statewright.definition.schema`` writes the self-contained bundle for editors.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from statewright import values
from statewright.definition.problem import Pointer
from statewright.definition.rules.rule import Finding
from statewright.definition.scopes import Definition, has_placeholder
from statewright.values import Json, json_type

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

__all__ = ["SCHEMA_CODES", "STATE_TYPES", "bundle", "load_schema", "schema_directory", "schema_names", "violations"]

STATE_TYPES = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
"""The state types in the order in which AWS lists them."""

SCHEMA_CODES = {
    "MISSING_FIELD": "a required field is missing",
    "UNKNOWN_FIELD": "a field is not one of those that belong there",
    "WRONG_TYPE": "a value has the wrong JSON type",
    "NOT_AN_OPTION": "a value is not one of the words that are allowed",
    "OUT_OF_RANGE": "a value is too small, too large or too long",
    "EMPTY_VALUE": "a value is empty and must not be",
}
"""What the schemas can find: codes, each with one line about it.  All are errors, SCHEMA_VALIDATION_FAILED for AWS."""

BUNDLE = "statewright.schema.json"
_ELSEWHERE = ("state.json", "choice-rule.json")
"""What a schema does not follow, because it is checked on its own."""


def schema_directory() -> Traversable:
    """Where the schemas are: inside the installed package, else in the checkout.

    Example: ``(schema_directory() / "pass.json").read_text()``
    """
    installed = files("statewright") / "schemas"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "schemas"


def schema_names() -> list[str]:
    """The names of the schema files without the bundle, sorted, e.g. ``"pass.json"``."""
    names = (entry.name for entry in schema_directory().iterdir())
    return sorted(name for name in names if name.endswith(".json") and name != BUNDLE)


@cache
def load_schema(name: str) -> Json:
    """The schema in the file `name`; OSError if there is none.

    Example: ``load_schema("pass.json")["title"] == "Pass state"``
    """
    return values.decode((schema_directory() / name).read_bytes())


def bundle() -> Json:
    """All schemas in one, which refers to nothing outside: for ``# yaml-language-server: $schema=…``.

    Example: ``bundle()["$ref"] == "#/$defs/state-machine"``
    """
    names = schema_names()
    parts = {name.removesuffix(".json"): _embedded(_without_dialect(load_schema(name)), name) for name in names}
    top = load_schema("state-machine.json")
    return {
        "$schema": top["$schema"],
        "title": "Statewright state machine",
        "description": top["description"],
        "$ref": "#/$defs/state-machine",
        "$defs": parts,
        "examples": top["examples"],
    }


def _without_dialect(schema: Json) -> Json:
    return {name: value for name, value in schema.items() if name != "$schema"}


def _embedded(part: Json, home: str) -> Json:
    """`part` of the file `home` with its references as they are inside the bundle."""
    if isinstance(part, list):
        return [_embedded(member, home) for member in part]
    if not isinstance(part, dict):
        return part
    copy = {name: _embedded(member, home) for name, member in part.items()}
    if isinstance(part.get("$ref"), str):
        file, _, fragment = part["$ref"].partition("#")
        copy["$ref"] = f"#/$defs/{(file or home).removesuffix('.json')}{fragment}"
    return copy


def _shallow(validator: Any, reference: str, instance: Json, schema: Json) -> Iterator[ValidationError]:
    from jsonschema import Draft202012Validator

    if reference not in _ELSEWHERE:
        yield from Draft202012Validator.VALIDATORS["$ref"](validator, reference, instance, schema)


@cache
def _validator(name: str) -> Validator:
    """The validator of one schema file.  The library takes 65 ms to import, so only linting pays for it."""
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    # A schema that names its dialect would be handed to the library's own validator, which follows every reference.
    plain = {file: _without_dialect(load_schema(file)) for file in schema_names()}
    resources = [(file, DRAFT202012.create_resource(contents)) for file, contents in plain.items()]
    registry: Registry[Json] = Registry().with_resources(resources)
    shallow = validators.extend(Draft202012Validator, {"$ref": _shallow})  # type: ignore[no-untyped-call]  # the library has no types
    validator: Validator = shallow({"$ref": name} if name not in _ELSEWHERE else plain[name], registry=registry)
    return validator


def _targets(definition: Definition) -> Iterator[tuple[str, Pointer, Json]]:
    """Schema, pointer and value of all that is checked on its own."""
    yield "state-machine.json", (), definition.value
    for scope in definition.scopes:
        members = scope.value.get("States")
        for name, value in (members if isinstance(members, dict) else {}).items():
            state = scope.states.get(name)
            if name == "QueryLanguage" and isinstance(value, str):
                continue  # misplaced, see Definition
            known = state is not None and state.type in STATE_TYPES
            schema = f"{state.type.lower()}.json" if state and known else "state.json"
            yield schema, (*scope.pointer, "States", name), value
    for state in definition.states:
        for pointer, row, _ in state.rules():
            yield "choice-rule.json", pointer, row


def violations(definition: Definition) -> Iterator[tuple[str, Finding]]:
    """What the schemas find, each with its code (a key of `SCHEMA_CODES`).

    Example: ``[code for code, _ in violations(Definition({}))] == ["MISSING_FIELD"]``
    """
    for name, pointer, value in _targets(definition):
        missing: set[Pointer] = set()
        for error in _validator(name).iter_errors(value):
            place = (*pointer, *error.absolute_path)
            if error.validator == "required" and place in missing:
                continue
            if error.validator == "required":
                missing.add(place)
            if not has_placeholder(error.instance):
                yield from _findings(error, place)


def _findings(error: ValidationError, place: Pointer) -> Iterator[tuple[str, Finding]]:
    """A violation in our words; AWS's words where they are known (recorded, or quoted from AWS by its users)."""
    keyword, limit, instance = str(error.validator), cast(Json, error.validator_value), cast(Json, error.instance)
    field = place[-1] if place else ""
    if keyword == "required":
        names = [name for name in limit if name not in instance]
        yield "MISSING_FIELD", Finding(place, _missing(names, machine="States" in limit), key=True)
    elif keyword == "anyOf":
        yield "MISSING_FIELD", Finding(place, _missing(limit[0]["required"], machine=False), key=True)
    elif keyword == "additionalProperties":
        known = cast(Json, error.schema)["properties"]
        for name in instance:
            if name not in known:
                hint = _unknown_hint(name, known, instance)
                yield (
                    "UNKNOWN_FIELD",
                    Finding(place, f"Field '{name}' is not supported", hint, (*place, name), key=True),
                )
    elif keyword == "enum":
        message = f"The field '{field}' should have one of these values: [{', '.join(map(str, limit))}]"
        yield "NOT_AN_OPTION", Finding(place, message, _did_you_mean(instance, limit))
    elif keyword in ("minimum", "maximum"):
        yield "OUT_OF_RANGE", Finding(place, f"{keyword.capitalize()} value is {limit}")
    elif keyword in ("minItems", "minLength", "minProperties"):
        yield "EMPTY_VALUE", Finding(place, "Value cannot be empty")
    elif keyword == "maxLength":
        yield "OUT_OF_RANGE", Finding(place, f"The value must not be longer than {limit} characters")
    elif keyword == "type":
        kind = limit if isinstance(limit, str) else limit[0]
        found = f"this is {_article(json_type(instance))}"
        yield "WRONG_TYPE", Finding(place, f"Expected value of type {kind.capitalize()}", found)
    else:
        hint = "text stands for another value only as an expression: {% … %}"
        yield "WRONG_TYPE", Finding(place, f"The text in '{field}' is not an expression", hint)


def _missing(names: list[str], machine: bool) -> str:
    if machine or len(names) > 1:
        return f"These fields are required: [{', '.join(names)}]"
    return f"The field '{names[0]}' is required but was missing"


def _unknown_hint(name: str, known: Iterable[str], present: Iterable[str]) -> str | None:
    """The field that was probably meant, or the state types that have it."""
    near = _did_you_mean(name, [field for field in known if field not in present])
    owners = [kind for kind in STATE_TYPES if name in load_schema(f"{kind.lower()}.json")["properties"]]
    return near or (f"only {', '.join(owners)} states have it" if owners else None)


def _did_you_mean(word: Json, options: Iterable[Json]) -> str | None:
    texts = {str(option).lower(): option for option in options}
    near = difflib.get_close_matches(str(word)[:80].lower(), texts, n=1, cutoff=0.7)
    return f"did you mean '{texts[near[0]]}'?" if near else None


def _article(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _main() -> None:
    text = msgspec.json.format(values.encode(bundle()), indent=2)
    (Path(str(schema_directory())) / BUNDLE).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    _main()
