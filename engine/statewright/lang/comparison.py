"""The 39 comparison operators of Choice rules, as one table.

A value of another type than the operator compares is never an error: the comparison is false (recorded:
choice_operators, e.g. NumericEquals of null).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from statewright.lang.scope import MISSING
from statewright.lang.timestamps import parse_instant
from statewright.values import Json, json_type

__all__ = ["OPERATORS", "Operator"]

_TOKEN: Final = re.compile(r"\\([*\\])|(\*)")


@dataclass(frozen=True, slots=True)
class Operator:
    """A comparison operator.

    Arguments:
        name: the field of the Choice rule, e.g. ``"NumericLessThanPath"``.
        operand: the JSON type of the value to compare with: string, number, boolean or timestamp.
        takes_path: the field holds a path to that value.
        compare: from the variable's value (`MISSING` where there is none) and the operand to the result; never raises.

    Example: ``OPERATORS["NumericLessThan"].compare(1, 2)``
    """

    name: str
    operand: str
    takes_path: bool
    compare: Callable[[Json, Json], bool]


def _comparable(kind: str) -> Callable[[Json], Json]:
    """From a value to what is compared, or MISSING for a value of another type."""

    def of_type(value: Json) -> Json:
        return value if value is not MISSING and json_type(value) == kind else MISSING

    def instant(value: Json) -> Json:
        found = parse_instant(value) if isinstance(value, str) else None
        return MISSING if found is None else found

    return instant if kind == "timestamp" else of_type


def _relation(kind: str, compare: Callable[[Json, Json], bool]) -> Callable[[Json, Json], bool]:
    """Texts are ordered by code point, numbers by value, timestamps by the instant they name."""
    comparable = _comparable(kind)

    def test(value: Json, operand: Json) -> bool:
        left, right = comparable(value), comparable(operand)
        return left is not MISSING and right is not MISSING and bool(compare(left, right))

    return test


def _is(condition: Callable[[Json], bool]) -> Callable[[Json, Json], bool]:
    """``IsX: false`` is the opposite of ``IsX: true`` (recorded: is_operators)."""

    def test(value: Json, operand: Json) -> bool:
        return isinstance(operand, bool) and condition(value) == operand

    return test


def _is_type(kind: str) -> Callable[[Json, Json], bool]:
    comparable = _comparable(kind)
    return _is(lambda value: comparable(value) is not MISSING)


@lru_cache(maxsize=1024)
def _chunks(pattern: str) -> tuple[str, ...]:
    """The texts between the wildcards; ``\\*`` is a star and ``\\\\`` a backslash."""
    chunks = [""]
    end = 0
    for token in _TOKEN.finditer(pattern):
        chunks[-1] += pattern[end : token.start()] + (token[1] or "")
        if token[2]:
            chunks.append("")
        end = token.end()
    chunks[-1] += pattern[end:]
    return tuple(chunks)


def _matches(value: Json, pattern: Json) -> bool:
    """Whether the whole text matches; each chunk is sought once, from left to right, so it takes linear time."""
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    first, *rest = _chunks(pattern)
    if not rest:
        return value == first
    last = rest.pop()
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    position, end = len(first), len(value) - len(last)
    for chunk in rest:
        position = value.find(chunk, position, end)
        if position < 0:
            return False
        position += len(chunk)
    return True


_ORDERS: Final[dict[str, Callable[[Json, Json], bool]]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_KINDS: Final = {"String": "string", "Numeric": "number", "Boolean": "boolean", "Timestamp": "timestamp"}


def _operators() -> list[Operator]:
    found = [
        Operator(f"{prefix}{order}{suffix}", kind, suffix == "Path", _relation(kind, compare))
        for prefix, kind in _KINDS.items()
        for order, compare in _ORDERS.items()
        for suffix in ("", "Path")
        if kind != "boolean" or order == "Equals"
    ]
    found.append(Operator("StringMatches", "string", False, _matches))
    found.append(Operator("IsNull", "boolean", False, _is_type("null")))
    found.append(Operator("IsPresent", "boolean", False, _is(lambda value: value is not MISSING)))
    found += [Operator(f"Is{prefix}", "boolean", False, _is_type(kind)) for prefix, kind in _KINDS.items()]
    return found


OPERATORS: Final[dict[str, Operator]] = {found.name: found for found in _operators()}
"""Field name to operator.  Only `IsPresent` is meant for a variable that is MISSING."""
