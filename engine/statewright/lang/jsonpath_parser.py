"""The grammar of paths: text to the steps of `segments`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from statewright.lang.filters import (
    RELATIONS,
    All,
    Any,
    Comparison,
    Exists,
    Literal,
    Matches,
    Not,
    Operand,
    Query,
)
from statewright.lang.pattern import Pattern, compile_pattern
from statewright.lang.segments import (
    FUNCTIONS,
    Call,
    Descendants,
    Filter,
    Index,
    Indexes,
    Member,
    Members,
    Segment,
    Slice,
    Test,
    Wildcard,
)
from statewright.lang.syntax import PathSyntaxError, Scanner
from statewright.values import Json

__all__ = ["definite", "parse_segments"]

_DEPTH: Final = 20
_VALUES: Final = 1000
_INTEGER: Final = re.compile(r"-?[0-9]{1,15}")
_LAST: Final = re.compile(r"\(\s*@\.length(?:\(\))?\s*-\s*([0-9]{1,15})\s*\)")
_WORD: Final = re.compile(r"[A-Za-z]+")
_NAME_END: Final = ".[( \t\r\n"
_RESERVED: Final = "@,:?*"  # not in the names of a Reference Path unless escaped (States Language, "Reference Paths")
_KEYWORDS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}


def parse_segments(scanner: Scanner) -> tuple[tuple[Segment, ...], bool]:
    """The steps of the path that begins at the cursor, just behind its root, and whether names were plain.

    Arguments:
        scanner: over the text of the path; it has to end where the path ends.

    Returns the segments, and whether every name could stand in a Reference Path.

    Raises PathSyntaxError.

    Example: ``parse_segments(Scanner("$.a[0]", 1))[0] == (Member("a"), Index(0))``
    """
    parser = _Parser(scanner)
    segments = parser.segments(0)
    if scanner.skip_blanks():
        raise scanner.unexpected()
    return segments, parser.plain


class _Parser:
    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self.plain = True

    def segments(self, depth: int) -> tuple[Segment, ...]:
        scanner = self._scanner
        segments: list[Segment] = []
        while (char := scanner.peek()) and char in ".[":
            if char == "[":
                segments.append(self._bracket(segments, depth))
                continue
            scanner.position += 1
            if scanner.accept("."):
                segments.append(Descendants())
            segments.append(self._dotted(segments, depth))
        return tuple(
            Members(step.names, False) if isinstance(step, Members) and step is not segments[-1] else step
            for step in segments
        )

    def _dotted(self, segments: list[Segment], depth: int) -> Segment:
        scanner = self._scanner
        char = scanner.peek()
        if not char or char == " ":
            raise scanner.error("a path must not end with '.'")
        if char == ".":
            raise scanner.unexpected()
        if char == "[":  # '$.[0]' is the same as '$[0]' (AWS's own example workflows do it; Jayway's rule)
            return self._bracket(segments, depth)
        if scanner.accept("*"):
            return Wildcard()
        start = scanner.position
        name = self._name(depth)
        if scanner.accept("("):
            scanner.expect(")")
            if name not in FUNCTIONS:
                raise scanner.error(f"there is no function '{name}'; there are {', '.join(FUNCTIONS)}", start)
            return Call(name, not definite(segments))
        return Member(name)

    def _name(self, depth: int) -> str:
        scanner = self._scanner
        pieces = []
        ends = _NAME_END if depth == 0 else _NAME_END + ")]=!<>&|,"  # in a filter, an operator may follow at once
        while (char := scanner.peek()) and char not in ends:
            if char == "\\":
                pieces.append(scanner.escape())
                continue
            if char in _RESERVED:
                self.plain = False
            pieces.append(char)
            scanner.position += 1
        if not pieces:
            raise scanner.unexpected()
        if depth == 0 and char and char in " \t\r\n" and scanner.skip_blanks():
            raise scanner.error("a name with blanks in it has to be written in brackets: ['a name']")
        return "".join(pieces)

    def _bracket(self, segments: list[Segment], depth: int) -> Segment:
        scanner = self._scanner
        start = scanner.position
        scanner.position += 1
        char = scanner.skip_blanks()
        step: Segment
        if char in ("'", '"'):
            step = self._names()
        elif char == "*":
            scanner.position += 1
            step = Wildcard()
        elif char == "?":
            scanner.position += 1
            after_descent = bool(segments) and isinstance(segments[-1], Descendants)
            step = Filter(self._filter(depth + 1), after_descent)
        elif char == "(":
            step = self._last()
        elif char and char in "-:0123456789":
            step = self._positions()
        else:
            raise scanner.error("expected a name in quotes, an index, '*' or '?(' after '['", start + 1)
        scanner.expect("]")
        return step

    def _names(self) -> Segment:
        scanner = self._scanner
        names = [scanner.quoted()]
        while scanner.skip_blanks() == ",":
            scanner.position += 1
            if scanner.skip_blanks() not in ("'", '"'):
                raise scanner.error("expected a name in quotes")
            names.append(scanner.quoted())
        return Member(names[0]) if len(names) == 1 else Members(tuple(names), True)

    def _last(self) -> Segment:
        scanner = self._scanner
        match = _LAST.match(scanner.text, scanner.position)
        if not match or int(match[1]) == 0:
            raise scanner.error("the only computed index is '(@.length-n)' with n from 1")
        scanner.position = match.end()
        return Index(-int(match[1]))

    def _positions(self) -> Segment:
        scanner = self._scanner
        first = self._integer()
        if scanner.skip_blanks() == ":":
            parts = [first]
            while len(parts) < 3 and scanner.skip_blanks() == ":":
                scanner.position += 1
                parts.append(self._integer())
            if parts[-1] == 0 and len(parts) == 3:
                raise scanner.error("the step of a slice cannot be 0")
            return Slice(parts[0], parts[1], parts[2] if len(parts) == 3 else None)
        indexes = [first]
        while scanner.skip_blanks() == ",":
            scanner.position += 1
            indexes.append(self._integer())
        found = tuple(index for index in indexes if index is not None)
        if len(found) != len(indexes):
            raise scanner.error("expected an index")
        return Index(found[0]) if len(found) == 1 else Indexes(found)

    def _integer(self) -> int | None:
        scanner = self._scanner
        scanner.skip_blanks()
        match = _INTEGER.match(scanner.text, scanner.position)
        if not match:
            return None
        scanner.position = match.end()
        return int(match[0])

    # Filters: or, and, not, comparison, from the loosest to the tightest.

    def _filter(self, depth: int) -> Test:
        scanner = self._scanner
        scanner.expect("(")
        test = self._or(depth)
        scanner.expect(")")
        return test

    def _or(self, depth: int) -> Test:
        if depth > _DEPTH:
            raise self._scanner.error("the conditions of a filter are nested too deeply")
        tests = [self._and(depth)]
        while self._operator("||"):
            tests.append(self._and(depth))
        return tests[0] if len(tests) == 1 else Any(tuple(tests))

    def _and(self, depth: int) -> Test:
        tests = [self._condition(depth)]
        while self._operator("&&"):
            tests.append(self._condition(depth))
        return tests[0] if len(tests) == 1 else All(tuple(tests))

    def _operator(self, token: str) -> bool:
        self._scanner.skip_blanks()
        return self._scanner.accept(token)

    def _condition(self, depth: int) -> Test:
        scanner = self._scanner
        negations = 0
        while self._operator("!"):
            negations += 1
        test = self._filter(depth + 1) if scanner.peek() == "(" else self._comparison(depth)
        return Not(test) if negations % 2 else test

    def _comparison(self, depth: int) -> Test:
        scanner = self._scanner
        start = scanner.position
        left = self._operand(depth)
        relation = self._relation()
        if relation == "=~":
            return Matches(left, self._pattern())
        if relation:
            return Comparison(relation, left, self._operand(depth))
        if isinstance(left, Query):
            return Exists(left)
        raise scanner.error("a value is not a condition", start)

    def _relation(self) -> str | None:
        scanner = self._scanner
        scanner.skip_blanks()
        for symbol, relation in (("===", "=="), ("!==", "!="), ("=~", "=~"), *((name, name) for name in RELATIONS)):
            if not symbol.isalpha() and scanner.accept(symbol):
                return relation
        word = _WORD.match(scanner.text, scanner.position)
        if not word:
            return None
        if word[0].lower() not in RELATIONS:
            raise scanner.error(f"there is no operator '{word[0]}'")
        scanner.position = word.end()
        return word[0].lower()

    def _operand(self, depth: int) -> Operand:
        scanner = self._scanner
        char = scanner.skip_blanks()
        if char and char in "@$":
            scanner.position += 1
            segments = self.segments(depth)
            return Query(char == "$", segments, definite(segments))
        return Literal(self._literal(depth, [0]))

    def _literal(self, depth: int, count: list[int]) -> Json:
        """A JSON value with quotes of either kind; `count` bounds how many there are in all."""
        scanner = self._scanner
        count[0] += 1
        if depth > _DEPTH or count[0] > _VALUES:
            raise scanner.error("this value is too large for a filter")
        char = scanner.skip_blanks()
        if char in ("'", '"'):
            return scanner.quoted()
        if char == "[":
            return self._list("]", lambda: self._literal(depth + 1, count))
        if char == "{":
            return dict(self._list("}", lambda: self._pair(depth, count)))
        word = _WORD.match(scanner.text, scanner.position)
        if not word:
            return scanner.number()
        if word[0] not in _KEYWORDS:
            raise scanner.error(f"'{word[0]}' is not a value; texts stand in quotes")
        scanner.position = word.end()
        return _KEYWORDS[word[0]]

    def _pair(self, depth: int, count: list[int]) -> tuple[str, Json]:
        scanner = self._scanner
        if scanner.skip_blanks() not in ("'", '"'):
            raise scanner.error("expected a name in quotes")
        name = scanner.quoted()
        scanner.expect(":")
        return name, self._literal(depth + 1, count)

    def _list(self, end: str, item: Callable[[], Json]) -> list[Json]:
        scanner = self._scanner
        scanner.position += 1
        items: list[Json] = []
        while scanner.skip_blanks() != end or items:
            items.append(item())
            if scanner.skip_blanks() != ",":
                break
            scanner.position += 1
        scanner.expect(end)
        return items

    def _pattern(self) -> Pattern:
        scanner = self._scanner
        scanner.expect("/")
        start = scanner.position
        pieces = []
        while (char := scanner.peek()) != "/":
            if not char:
                raise scanner.error("a regular expression that does not end", start)
            step = 2 if char == "\\" else 1
            piece = scanner.text[scanner.position : scanner.position + step]
            pieces.append("/" if piece == "\\/" else piece)
            scanner.position += step
        scanner.position += 1
        flags = _WORD.match(scanner.text, scanner.position)
        scanner.position += len(flags[0]) if flags else 0
        try:
            return compile_pattern("".join(pieces), flags[0] if flags else "")
        except PathSyntaxError as error:
            raise scanner.error(error.message, start + error.position) from None


def definite(segments: Iterable[Segment]) -> bool:
    """Whether the steps lead to at most one value."""
    single = True
    for segment in segments:
        single = isinstance(segment, Call) or (single and segment.definite)
    return single
