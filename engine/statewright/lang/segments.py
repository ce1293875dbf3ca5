"""The steps of a path: each is a frozen node that selects values from values.

The dialect is that of the Jayway library, which AWS uses.  A step never fails for what a document contains: where it
does not apply, it selects nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from statewright.errors import runtime_error
from statewright.values import Json

__all__ = [
    "FUNCTIONS",
    "Call",
    "Descendants",
    "Filter",
    "Index",
    "Indexes",
    "Member",
    "Members",
    "Segment",
    "Slice",
    "Test",
    "Walk",
    "Wildcard",
    "select",
]

_RESULTS: Final = 100_000
_VISITS: Final = 1_000_000


class Walk:
    """One evaluation of one path: the document that `$` means within filters, and a budget against explosion."""

    __slots__ = ("_left", "document")

    def __init__(self, document: Json) -> None:
        self.document = document
        self._left = _VISITS

    def spend(self, visits: int) -> None:
        """Account for work; States.Runtime when it is more than any reasonable path needs."""
        self._left -= visits
        if self._left < 0:
            raise runtime_error(f"The path looks at more than {_VISITS} values")

    @property
    def seconds(self) -> float:
        """What was spent, for `Budget`: one walk may spend all of it."""
        return 1 - self._left / _VISITS

    def gather(self, values: Iterable[Json]) -> list[Json]:
        """The values as a list; States.Runtime when there are more than 100,000 of them."""
        gathered: list[Json] = []
        for value in values:
            gathered.append(value)
            if len(gathered) > _RESULTS:
                raise runtime_error(f"The path selects more than {_RESULTS} values")
        self.spend(len(gathered))
        return gathered


class Segment(Protocol):
    """A step of a path; `definite` means that it selects at most one value from one value."""

    @property
    def definite(self) -> bool: ...

    def select(self, nodes: list[Json], walk: Walk, /) -> list[Json]:
        """The values this step leads to from `nodes`, in document order."""
        ...


def select(segments: Iterable[Segment], start: Json, walk: Walk) -> list[Json]:
    """The values that `segments`, one after the other, lead to from `start`."""
    nodes = [start]
    for segment in segments:
        walk.spend(len(nodes) + 1)
        nodes = segment.select(nodes, walk)
    return nodes


def _quote(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class Member:
    """``.name`` or ``['name']``: one member of an object."""

    name: str
    definite: ClassVar[bool] = True

    def select(self, nodes: list[Json], _walk: Walk) -> list[Json]:
        """The member of each object that has it."""
        name = self.name
        return [node[name] for node in nodes if isinstance(node, dict) and name in node]

    def __str__(self) -> str:
        return f"[{_quote(self.name)}]"


@dataclass(frozen=True, slots=True)
class Members:
    """``['a','b']``: several members; as the last step of a path, merged into one object (Jayway's rule)."""

    names: tuple[str, ...]
    merged: bool

    @property
    def definite(self) -> bool:
        return self.merged

    def select(self, nodes: list[Json], walk: Walk) -> list[Json]:
        """One object, or the single values, for each object."""
        objects = [node for node in nodes if isinstance(node, dict)]
        walk.spend(len(objects) * len(self.names))
        if self.merged:
            return [{name: node[name] for name in self.names if name in node} for node in objects]
        return walk.gather(node[name] for node in objects for name in self.names if name in node)

    def __str__(self) -> str:
        return f"[{','.join(map(_quote, self.names))}]"


@dataclass(frozen=True, slots=True)
class Index:
    """``[0]``, ``[-1]`` or ``[(@.length-1)]``: one element of an array."""

    index: int
    definite: ClassVar[bool] = True

    def select(self, nodes: list[Json], _walk: Walk) -> list[Json]:
        """The element of each array that has it."""
        index = self.index
        return [node[index] for node in nodes if isinstance(node, list) and -len(node) <= index < len(node)]

    def __str__(self) -> str:
        return f"[{self.index}]"


@dataclass(frozen=True, slots=True)
class Indexes:
    """``[0,2]``: several elements."""

    indexes: tuple[int, ...]
    definite: ClassVar[bool] = False

    def select(self, nodes: list[Json], walk: Walk) -> list[Json]:
        """The elements, in the order of the indexes."""
        arrays = [node for node in nodes if isinstance(node, list)]
        walk.spend(len(arrays) * len(self.indexes))
        return walk.gather(node[i] for node in arrays for i in self.indexes if -len(node) <= i < len(node))

    def __str__(self) -> str:
        return f"[{','.join(map(str, self.indexes))}]"


@dataclass(frozen=True, slots=True)
class Slice:
    """``[start:stop:step]``, as Python has it."""

    start: int | None
    stop: int | None
    step: int | None
    definite: ClassVar[bool] = False

    def select(self, nodes: list[Json], walk: Walk) -> list[Json]:
        """The elements of the slice."""
        part = slice(self.start, self.stop, self.step)
        return walk.gather(item for node in nodes if isinstance(node, list) for item in node[part])

    def __str__(self) -> str:
        parts = [self.start, self.stop] + ([] if self.step is None else [self.step])
        return f"[{':'.join('' if part is None else str(part) for part in parts)}]"


def _children(node: Json) -> Iterable[Json]:
    if isinstance(node, list):
        return node
    return node.values() if isinstance(node, dict) else ()


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``*``: all elements or members."""

    definite: ClassVar[bool] = False

    def select(self, nodes: list[Json], walk: Walk) -> list[Json]:
        """Every child of every node."""
        return walk.gather(child for node in nodes for child in _children(node))

    def __str__(self) -> str:
        return "[*]"


@dataclass(frozen=True, slots=True)
class Descendants:
    """``..``: the values themselves and everything within them, parents first."""

    definite: ClassVar[bool] = False

    def select(self, nodes: list[Json], walk: Walk) -> list[Json]:
        """Every node and all below it."""
        return walk.gather(self._below(nodes))

    def _below(self, nodes: list[Json]) -> Iterator[Json]:
        waiting = nodes[::-1]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, list | dict):
                waiting.extend([*_children(node)][::-1])

    def __str__(self) -> str:
        return ".."


class Test(Protocol):
    """The condition of a filter."""

    def __call__(self, node: Json, walk: Walk, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Filter:
    """``[?(…)]``: the elements of an array, or the object itself, for which the condition holds (Jayway's rule).

    Arguments:
        test: the condition.
        scanned: it follows ``..``, which visits every object by itself, so that none is to be selected twice.
    """

    test: Test
    scanned: bool
    definite: ClassVar[bool] = False

    def select(self, nodes: list[Json], walk: Walk) -> list[Json]:
        """What passes the test."""
        return walk.gather(value for value in self._candidates(nodes) if self._passes(value, walk))

    def _passes(self, value: Json, walk: Walk) -> bool:
        walk.spend(1)
        return self.test(value, walk)

    def _candidates(self, nodes: list[Json]) -> Iterator[Json]:
        for node in nodes:
            if isinstance(node, dict):
                yield node
            elif isinstance(node, list):
                yield from (item for item in node if not (self.scanned and isinstance(item, dict)))

    def __str__(self) -> str:
        return "[?]"


def _length(value: Json) -> Json:
    return len(value) if isinstance(value, list | dict | str) else None


def _keys(value: Json) -> Json:
    return [*value] if isinstance(value, dict) else None


def _first(value: Json) -> Json:
    return value[0] if isinstance(value, list) and value else None


def _last(value: Json) -> Json:
    return value[-1] if isinstance(value, list) and value else None


def _stddev(numbers: list[float]) -> float:
    mean = math.fsum(numbers) / len(numbers)
    return math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))


def _aggregate(function: Callable[[list[float]], float]) -> Callable[[Json], Json]:
    """A function of the numbers in an array; always a float, and an error where there are none, as in Jayway."""

    def aggregate(value: Json) -> Json:
        items = value if isinstance(value, list) else []
        try:
            numbers = [float(item) for item in items if isinstance(item, int | float) and not isinstance(item, bool)]
            if not numbers:
                raise runtime_error("Aggregation function attempted to calculate value using empty array")
            result = function(numbers)
        except OverflowError:
            result = math.inf
        if not math.isfinite(result):
            raise runtime_error("Aggregation function result is not a finite number")
        return result

    return aggregate


FUNCTIONS: Final[dict[str, Callable[[Json], Json]]] = {
    "avg": _aggregate(lambda numbers: math.fsum(numbers) / len(numbers)),
    "first": _first,
    "keys": _keys,
    "last": _last,
    "length": _length,
    "max": _aggregate(max),
    "min": _aggregate(min),
    "size": _length,
    "stddev": _aggregate(_stddev),
    "sum": _aggregate(math.fsum),
}
"""Functions that may end a path; each takes one value, and gives null where it does not apply."""


_AT_ONCE: Final = frozenset({"first", "last", "length", "size"})
"""Functions that take as long for a large value as for a small one."""


@dataclass(frozen=True, slots=True)
class Call:
    """``.length()`` and the like.

    Arguments:
        name: a key of `FUNCTIONS`.
        gathered: the path before it is indefinite: the function is of the list of all values together.
    """

    name: str
    gathered: bool
    definite: ClassVar[bool] = True

    def select(self, nodes: list[Json], walk: Walk) -> list[Json]:
        """The function's value; nothing if the path led nowhere."""
        if not self.gathered and not nodes:
            return []
        value = nodes if self.gathered else nodes[0]
        if self.name not in _AT_ONCE and isinstance(value, list | dict):
            walk.spend(len(value))
        return [FUNCTIONS[self.name](value)]

    def __str__(self) -> str:
        return f".{self.name}()"
