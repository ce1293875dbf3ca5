"""Where every value and key of a document is written: the one tree that the readers of YAML and JSON build.

The limits are checked while the tree grows, so nothing costly is ever made of a hostile document.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from statewright.definition.problem import Pointer, Problem, location
from statewright.values import Json

__all__ = ["MAX_DEPTH", "MAX_NODES", "Builder", "Node", "Position", "SourceError", "Text"]

MAX_DEPTH = 100
"""The deepest nesting of objects and arrays."""

MAX_NODES = 50_000
"""The most values (scalars, objects, arrays) in a document."""


class Position(NamedTuple):
    """A place in a text: 1-based line and column in characters, and how many characters of the line are meant."""

    line: int
    column: int
    width: int = 1


class SourceError(Exception):
    """A text that is not a document: `problem` says what and where, `text` is the text as far as it is one.

    Example: ``except SourceError as error: print(render_text(error.problem, error.text))``
    """

    def __init__(self, problem: Problem, text: str) -> None:
        super().__init__(f"{problem.source}:{problem.line}:{problem.column}: {problem.code} {problem.message}")
        self.problem = problem
        self.text = text


@dataclass(frozen=True)
class Text:
    """A text with its name, able to say where an offset is.

    Example: ``Text("a.yaml", "a: 1\\nb: 2").position(5) == Position(2, 1, 1)``
    """

    name: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", self.text))]

    def position(self, start: int, end: int | None = None) -> Position:
        """The position of the characters from offset `start` up to `end`, as far as they are on one line."""
        start = max(0, min(start, len(self.text)))
        row = bisect_right(self._line_starts, start) - 1
        following = self._line_starts[row + 1] if row + 1 < len(self._line_starts) else len(self.text)
        stop = min(end if end is not None else start + 1, following)
        width = len(self.text[start:stop].rstrip("\r\n")) or 1
        return Position(row + 1, start - self._line_starts[row] + 1, width)

    def error(
        self, code: str, message: str, offset: int, hint: str | None = None, pointer: Pointer = ()
    ) -> SourceError:
        """The error for the character at `offset`; `pointer` is the value that was being read."""
        line, column, width = self.position(offset)
        aws_code = "MISSING_DESCRIPTION" if code == "EMPTY" else "INVALID_JSON_DESCRIPTION"
        place = location(pointer) if pointer else ""
        problem = Problem(code, "error", message, place, self.name, line, column, width, hint, aws_code)
        return SourceError(problem, self.text)


@dataclass(slots=True)
class Node:
    """The place of a value: offsets of its text, of its keys, and the nodes of its members."""

    start: int
    end: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    parts: dict[str | int, Node] = field(default_factory=dict)


class Builder:
    """Grows a document and its tree of places, refusing what is too deep, too large or said twice.

    A reader calls `open` and `close` around objects and arrays, `key` before each member and `add` for scalars.

    Example: ``builder.open({}, 0); builder.key("a", 1, 4); builder.add(1, 6, 7); builder.close(8)``
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.value: Json = None
        self.node = Node(0, 0)
        self._nodes = 0
        self._open: list[tuple[Json, Node, str | int]] = []
        self._key: str | None = None

    @property
    def wants_key(self) -> bool:
        """Whether an object is open whose next member has not been named yet."""
        return self._key is None and isinstance(self.container, dict)

    @property
    def container(self) -> Json:
        """The innermost open object or array; None outside."""
        return self._open[-1][0] if self._open else None

    @property
    def pointer(self) -> Pointer:
        """The pointer of the innermost open object or array."""
        return tuple(step for _, _, step in self._open[1:])

    def key(self, name: str, start: int, end: int) -> None:
        """The name of the member that comes next; SourceError DUPLICATE_KEY if the object has it already."""
        container, node, _ = self._open[-1]
        if name in container:
            first = self.text.position(node.keys[name][0]).line
            hint = f"the first one is on line {first}; other readers silently keep only one of them"
            raise self.text.error("DUPLICATE_KEY", f"the key '{name}' is there twice", start, hint, self.pointer)
        node.keys[name] = (start, end)
        self._key = name

    def add(self, value: Json, start: int, end: int) -> None:
        """A scalar."""
        self._place(value, Node(start, end))

    def open(self, container: Json, start: int) -> None:
        """The beginning of an object (an empty dict) or array (an empty list)."""
        if len(self._open) >= MAX_DEPTH:
            raise self.text.error("TOO_DEEP", f"nested more than {MAX_DEPTH} levels deep", start)
        node = Node(start, start + 1)
        self._open.append((container, node, self._place(container, node)))

    def close(self, end: int) -> None:
        """The end of the innermost object or array."""
        _, node, _ = self._open.pop()
        node.end = end

    def _place(self, value: Json, node: Node) -> str | int:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self.text.error("TOO_MANY_NODES", f"more than {MAX_NODES} values in one document", node.start)
        if not self._open:
            self.value, self.node = value, node
            return ""
        container, parent, _ = self._open[-1]
        step: str | int
        if self._key is not None:
            step, self._key = self._key, None
            container[step] = value
        else:
            step = len(container)
            container.append(value)
        parent.parts[step] = node
        return step
