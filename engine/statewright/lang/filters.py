"""The conditions within ``[?(…)]``, as frozen callable nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statewright.lang.pattern import Pattern
from statewright.lang.scope import MISSING
from statewright.lang.segments import Segment, Test, Walk, select
from statewright.values import Json, decode, json_type, same

__all__ = ["RELATIONS", "All", "Any", "Comparison", "Exists", "Literal", "Matches", "Not", "Operand", "Query"]


_CHUNK: Final = 250  # characters that take about as long to search as a value
_DIGITS: Final = 5000  # no number is written longer


@dataclass(frozen=True, slots=True)
class Literal:
    """A JSON value written in the filter."""

    value: Json

    def __call__(self, _node: Json, _walk: Walk) -> Json:
        return self.value


@dataclass(frozen=True, slots=True)
class Query:
    """A path within a filter: from ``@``, the value under test, or from ``$``, the whole document."""

    absolute: bool
    segments: tuple[Segment, ...]
    definite: bool

    def __call__(self, node: Json, walk: Walk) -> Json:
        found = select(self.segments, walk.document if self.absolute else node, walk)
        if not self.definite:
            return found
        return found[0] if found else MISSING


Operand = Literal | Query


@dataclass(frozen=True, slots=True)
class Exists:
    """A path alone is true where it leads to something, be it null."""

    query: Query

    def __call__(self, node: Json, walk: Walk) -> bool:
        found = self.query(node, walk)
        return found is not MISSING and (self.query.definite or bool(found))


@dataclass(frozen=True, slots=True)
class Not:
    """``!condition``"""

    test: Test

    def __call__(self, node: Json, walk: Walk) -> bool:
        return not self.test(node, walk)


@dataclass(frozen=True, slots=True)
class All:
    """``condition && condition``"""

    tests: tuple[Test, ...]

    def __call__(self, node: Json, walk: Walk) -> bool:
        return all(test(node, walk) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Any:
    """``condition || condition``"""

    tests: tuple[Test, ...]

    def __call__(self, node: Json, walk: Walk) -> bool:
        return any(test(node, walk) for test in self.tests)


def _weight(value: Json, walk: Walk) -> int:
    """How many values there are in `value`: what a deep comparison may have to look at; long texts count for more."""
    size = 1 + len(value) // _CHUNK if isinstance(value, str) else 1
    if isinstance(value, list | dict):
        waiting = [value]
        while waiting:
            node = waiting.pop()
            if isinstance(node, list | dict):
                size += len(node)
                walk.spend(len(node))  # here, so that counting itself cannot get out of hand
                waiting.extend(node.values() if isinstance(node, dict) else node)
    return size


@dataclass(frozen=True, slots=True)
class Comparison:
    """``operand operator operand``; `relation` is a key of `RELATIONS`."""

    relation: str
    left: Operand
    right: Operand

    def __call__(self, node: Json, walk: Walk) -> bool:
        left, right = self.left(node, walk), self.right(node, walk)
        sizes = _weight(left, walk), _weight(right, walk)
        walk.spend(sizes[0] * sizes[1] if self.relation in _OF_EACH else min(sizes))
        return RELATIONS[self.relation](left, right)


@dataclass(frozen=True, slots=True)
class Matches:
    """``operand =~ /pattern/``: the whole text, or one of a list of texts, matches; numbers and booleans as text."""

    left: Operand
    pattern: Pattern

    def __call__(self, node: Json, walk: Walk) -> bool:
        value = self.left(node, walk)
        return any(self._matches(item, walk) for item in (value if isinstance(value, list) else [value]))

    def _matches(self, value: Json, walk: Walk) -> bool:
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, int | float):
            value = repr(value)
        if not isinstance(value, str):
            return False
        walk.spend(self.pattern.cost(len(value)))
        return self.pattern.matches(value)


def _equal(left: Json, right: Json) -> bool:
    """Deep equality; between a number and a text, the left one's type decides; nothing equals what is absent.

    (Jayway's value nodes.)
    """
    if left is MISSING or right is MISSING:
        return False
    types = json_type(left), json_type(right)
    if types == ("number", "string"):
        try:
            return len(right) <= _DIGITS and same(left, decode(right))
        except ValueError:
            return False
    if types == ("string", "number"):
        return bool(left == repr(right))
    return same(left, right)


def _ordered(compare: Callable[[Json, Json], bool]) -> Callable[[Json, Json], bool]:
    """An order exists only within numbers and within texts."""

    def relation(left: Json, right: Json) -> bool:
        kind = json_type(left)
        return kind in ("number", "string") and kind == json_type(right) and compare(left, right)

    return relation


def _within(left: Json, right: Json) -> bool:
    if not isinstance(right, list):
        return False
    return any(_equal(left, item) for item in right)


def _contains(left: Json, right: Json) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return right in left
    return _within(right, left)


def _all_of(left: Json, right: Json) -> bool:
    return isinstance(right, list) and isinstance(left, list) and all(_within(item, left) for item in right)


def _subset_of(left: Json, right: Json) -> bool:
    return _all_of(right, left)


def _any_of(left: Json, right: Json) -> bool:
    return isinstance(left, list) and any(_within(item, right) for item in left)


def _none_of(left: Json, right: Json) -> bool:
    return isinstance(left, list) and isinstance(right, list) and not _any_of(left, right)


def _size(left: Json, right: Json) -> bool:
    return isinstance(left, list | dict | str) and json_type(right) == "number" and bool(len(left) == right)


def _empty(left: Json, right: Json) -> bool:
    return isinstance(left, list | dict | str) and isinstance(right, bool) and (not left) == right


def _exists(left: Json, right: Json) -> bool:
    return isinstance(right, bool) and (left is not MISSING) == right


_OF_EACH: Final = frozenset({"in", "nin", "contains", "all", "subsetof", "anyof", "noneof"})


RELATIONS: Final[dict[str, Callable[[Json, Json], bool]]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<=": _ordered(lambda left, right: left <= right),
    ">=": _ordered(lambda left, right: left >= right),
    "<": _ordered(lambda left, right: left < right),
    ">": _ordered(lambda left, right: left > right),
    "in": _within,
    "nin": lambda left, right: not _within(left, right),
    "contains": _contains,
    "all": _all_of,
    "subsetof": _subset_of,
    "anyof": _any_of,
    "noneof": _none_of,
    "size": _size,
    "empty": _empty,
    "exists": _exists,
}
"""The operators of filters, besides ``=~``: name to relation of two values (`MISSING` where a path led nowhere)."""
