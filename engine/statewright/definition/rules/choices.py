"""Choice states: the form of their rules."""

from __future__ import annotations

from collections.abc import Iterator

from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition

_ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_COMPARISONS = frozenset(
    [
        f"{kind}{order}{path}"
        for kind in ("String", "Numeric", "Timestamp")
        for order in _ORDERS
        for path in ("", "Path")
    ]
    + ["BooleanEquals", "BooleanEqualsPath", "StringMatches"]
    + [f"Is{kind}" for kind in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")]
)
_CONNECTIVES = frozenset({"And", "Or", "Not"})
_OF_TOP_RULES = ("Next", "Assign", "Output", "Condition")


@rule("CHOICE_OPERATOR", "error", "a choice rule has none or several comparisons")
def choice_operator(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, value, _ in state.rules() if state.language == "JSONPath" else ():
            if "Condition" in value:
                continue  # WRONG_LANGUAGE says so already
            given = [name for name in value if name in _COMPARISONS or name in _CONNECTIVES]
            if len(given) > 1:
                message = f"There should only be one of the following fields: [{', '.join(given)}]"
                yield Finding(pointer, message, "join several conditions with And", (*pointer, given[1]), key=True)
            elif not given:
                yield Finding(pointer, "A choice rule needs a comparison, such as StringEquals, or And, Or, Not")


@rule("CHOICE_VARIABLE", "error", "a comparison has no Variable, or And, Or, Not have one")
def choice_variable(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, value, _ in state.rules() if state.language == "JSONPath" else ():
            if "Variable" not in value and not _COMPARISONS.isdisjoint(value):
                yield Finding(pointer, "The field 'Variable' is required but was missing")
            elif "Variable" in value and not _CONNECTIVES.isdisjoint(value):
                message = "Field 'Variable' is not supported beside And, Or, Not"
                yield Finding(pointer, message, at=(*pointer, "Variable"), key=True)


@rule("CHOICE_CONDITION", "error", "a choice rule in JSONata or JMESPath has no Condition")
def choice_condition(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, value, nested in state.rules() if state.language != "JSONPath" else ():
            if "Condition" not in value and not nested and _CONNECTIVES.isdisjoint(value):
                yield Finding(pointer, "The field 'Condition' is required but was missing")


@rule("NESTED_RULE", "error", "a rule inside And, Or or Not has a field of an outer rule")
def nested_rule(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, value, nested in state.rules():
            for name in _OF_TOP_RULES if nested else ():
                if name in value:
                    hint = "only the outermost rule decides where to go"
                    yield Finding(pointer, f"Field '{name}' is not supported", hint, (*pointer, name), key=True)


@rule("MISSING_DEFAULT", "warning", "a Choice state has no Default")
def missing_default(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if state.type == "Choice" and "Default" not in state.value:
            hint = "a Choice cannot catch errors: add a Default, be it a Fail state"
            yield Finding(state.pointer, "Without a Default the execution fails when no rule holds", hint, key=True)
