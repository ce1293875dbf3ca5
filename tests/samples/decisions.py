"""Where Choice states should go, and what the data has to be for that.

Unless a way is asked for, of those that come to a good end without meeting the Choice again the one past the most
states is taken; so a loop that polls is left at once, and as much as possible of a definition runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from statewright.lang.jsonpath import Path, compile_path
from statewright.lang.scope import MISSING
from statewright.values import Json

_LATER, _EARLIER = "2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z"
_TYPES: dict[str, tuple[Json, Json]] = {
    "IsNull": (None, "text"),
    "IsNumeric": (1, "text"),
    "IsString": ("text", 1),
    "IsBoolean": (True, "text"),
    "IsTimestamp": (_EARLIER, "text"),
}
ABSENT = object()
"""Stands for: nothing may be there."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way through a definition: past a Choice and there by a certain rule (its number; the Default is last)."""

    choice: str
    rule: int


def ways(definition: Any) -> Iterator[Way]:
    """Every way out of every Choice that comes to an end without meeting the Choice again.

    Example: ``list(ways(definition))``
    """
    for states in _machines(definition):
        for name, state in states.items():
            for number, rule in enumerate(_rules(state)):
                if any(_ends(states[to], well=False) for to in _reached(rule["Next"], states, without=name)):
                    yield Way(name, number)


def decide(name: str, states: dict[str, Any], way: Way | None) -> dict[str, Any] | None:
    """The rule that a Choice state should follow; None for its Default."""
    rules = _rules(states[name])
    if way is not None and way.choice == name:
        best = way.rule
    else:
        goal = way.choice if way is not None else ""
        best = max(range(len(rules)), key=lambda number: _score(rules[number]["Next"], states, name, goal, number))
    return rules[best] if best < len(states[name]["Choices"]) else None


def _score(target: str, states: dict[str, Any], name: str, goal: str, number: int) -> tuple[bool, int, int]:
    reached = _reached(target, states, without=name)
    good = any(_ends(states[to], well=True) for to in reached)
    return goal in reached, sum(_size(states[to]) for to in reached) if good else 0, -number


def _rules(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [*state.get("Choices", []), *([{"Next": state["Default"]}] if "Default" in state else [])]


def _ends(state: dict[str, Any], well: bool) -> bool:
    return bool(state.get("End")) or state.get("Type") in (("Succeed",) if well else ("Succeed", "Fail"))


def _machines(definition: Any) -> Iterator[dict[str, Any]]:
    """The states of a definition and of all machines inside it."""
    states = {name: state for name, state in definition["States"].items() if isinstance(state, dict)}
    yield states
    for state in states.values():
        for machine in _inside(state):
            yield from _machines(machine)


def _inside(state: dict[str, Any]) -> list[Any]:
    return [*state.get("Branches", []), *(state[name] for name in ("ItemProcessor", "Iterator") if name in state)]


def _size(state: dict[str, Any]) -> int:
    """How many states a state is, with those inside it."""
    return 1 + sum(_size(inner) for machine in _inside(state) for inner in machine["States"].values())


def _reached(start: str, states: dict[str, Any], without: str) -> set[str]:
    """The states that can be reached from `start` while nothing fails, without passing through one of them."""
    found: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name in found or name == without or name not in states:
            continue
        found.add(name)
        state = states[name]
        pending += [row["Next"] for row in (state, *state.get("Choices", [])) if "Next" in row]
        pending += [state["Default"]] if "Default" in state else []
    return found


def conditions(rule: dict[str, Any], truth: bool = True) -> Iterator[tuple[Path, Json]]:
    """Paths and the values with which a rule holds (or does not); ABSENT where there must be none."""
    if "Not" in rule:
        yield from conditions(rule["Not"], not truth)
        return
    for connective, all_of in (("And", truth), ("Or", not truth)):
        if connective in rule:
            for part in rule[connective][:-1]:
                yield from conditions(part, truth if all_of else not truth)
            yield from conditions(rule[connective][-1], truth)
            return
    path = compile_path(rule["Variable"])
    for operator, operand in rule.items():
        if operator.endswith("Path"):
            yield path, 1
            yield compile_path(operand), 1 if truth == operator.endswith("EqualsPath") else 2
        elif operator not in ("Variable", "Next", "Comment"):
            yield path, _value(operator, operand, truth)


def _value(operator: str, operand: Json, truth: bool) -> Json:
    if operator == "IsPresent":
        return MISSING if operand == truth else ABSENT
    if operator in _TYPES:
        return _TYPES[operator][0 if operand == truth else 1]
    if operator.startswith("Boolean"):
        return operand == truth
    if operator.startswith("Numeric"):
        step = {"NumericLessThan": -1, "NumericGreaterThan": 1}.get(operator, 0)
        other = {"NumericLessThan": 0, "NumericGreaterThan": 0, "NumericGreaterThanEquals": -1}.get(operator, 1)
        return operand + (step if truth else other)
    if operator.startswith("Timestamp"):
        return operand if operator.endswith("Equals") == truth else (_EARLIER if "Less" in operator else _LATER)
    text = str(operand).replace("*", "x") if operator == "StringMatches" else str(operand)
    return text if truth else f"not {text}"
