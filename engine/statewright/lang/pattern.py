"""Regular expressions that cannot hang: all alternatives are followed at once, in time linear in the text.

The subset of `java.util.regex` that has that property: characters, classes, groups, alternatives and repetition.
What one character may be is left to `re`, which has nothing to backtrack over there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from statewright.lang.syntax import PathSyntaxError, Scanner

__all__ = ["Pattern", "compile_pattern"]

_LENGTH: Final = 500
_STATES: Final = 300
_DEPTH: Final = 20
_REPEATS: Final = re.compile(r"\{([0-9]{1,4})(,([0-9]{0,4}))?\}")
_CLASS: Final = re.compile(r"\[\^?(?:[^\[\]\\]|\\[dDwWsStnrf]|\\[^A-Za-z0-9])+\]")
_SET_OPERATORS: Final = ("&&", "--", "||", "~~")  # Java and Python give these different meanings, or none


@dataclass(frozen=True, slots=True)
class _Char:
    one: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    item: _Node
    least: int
    most: int | None


_Node: TypeAlias = _Char | _Sequence | _Choice | _Repeat


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern.

    Arguments:
        text: as it was written, without slashes.
        states: per state, what one character may be (None: go on without one) and the states that follow.

    Example: ``compile_pattern("(a+)+b").matches("aaab")``
    """

    text: str
    states: tuple[tuple[re.Pattern[str] | None, tuple[int, ...]], ...]

    def cost(self, length: int) -> int:
        """About how many values' worth of work a text of `length` characters is."""
        return length * (len(self.states) // 4 + 1)

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches (as Java's ``matches``).

        Example: ``not compile_pattern("b").matches("abc")``
        """
        final = len(self.states) - 1
        current = self._closure([0])
        for char in text:
            following: list[int] = []
            for state in current:
                one, targets = self.states[state]
                if one is not None and one.match(char):
                    following.extend(targets)
            if not following:
                return False
            current = self._closure(following)
        return final in current

    def _closure(self, states: Iterable[int]) -> set[int]:
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state not in reached:
                reached.add(state)
                one, targets = self.states[state]
                if one is None:
                    waiting.extend(targets)
        return reached


@lru_cache(maxsize=256)
def compile_pattern(text: str, flags: str = "") -> Pattern:
    """The pattern of a regular expression literal ``/text/flags``.

    Arguments:
        text: the expression; look-around, back-references, possessive and inner anchors are not in the subset.
        flags: ``i`` (ignore case of ASCII letters) and ``s`` (a dot also matches line ends), in any order.

    Raises PathSyntaxError with the offset in `text`.

    Example: ``compile_pattern("order-[0-9]{4}", "i").matches("ORDER-2024")``
    """
    if len(text) > _LENGTH:
        raise PathSyntaxError(f"a regular expression longer than {_LENGTH} characters")
    options = re.ASCII
    for flag in flags:
        if flag not in "is":
            raise PathSyntaxError(f"the flag '{flag}' of a regular expression is not supported")
        options |= re.IGNORECASE if flag == "i" else re.DOTALL
    parser = _Parser(Scanner(text), options)
    program = _Program()
    program.add(parser.parse())
    program.state(None)
    return Pattern(text, tuple((one, tuple(targets)) for one, targets in program.states))


class _Parser:
    def __init__(self, scanner: Scanner, options: int) -> None:
        self._scanner = scanner
        self._options = options

    def parse(self) -> _Node:
        self._scanner.accept("^")  # the whole text has to match anyway
        node = self._choice(0)
        self._scanner.accept("$")
        if self._scanner.peek():
            raise self._scanner.unexpected()
        return node

    def _choice(self, depth: int) -> _Node:
        if depth > _DEPTH:
            raise self._scanner.error("groups are nested too deeply")
        options = [self._sequence(depth)]
        while self._scanner.accept("|"):
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else _Choice(tuple(options))

    def _sequence(self, depth: int) -> _Node:
        items: list[_Node] = []
        while (char := self._scanner.peek()) and char not in "|)$":
            items.append(self._repeated(self._atom(depth)))
        return _Sequence(tuple(items))

    def _repeated(self, item: _Node) -> _Node:
        scanner = self._scanner
        bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(scanner.peek())
        if bounds:
            scanner.position += 1
        elif match := _REPEATS.match(scanner.text, scanner.position):
            least = int(match[1])
            bounds = (least, least if match[2] is None else int(match[3]) if match[3] else None)
            if bounds[1] is not None and bounds[1] < least:
                raise scanner.error("a repetition whose bounds are the wrong way round")
            scanner.position = match.end()
        if not bounds:
            return item
        scanner.accept("?")  # reluctant or greedy makes no difference to whether the whole text matches
        if scanner.peek() in ("*", "+", "?", "{"):
            raise scanner.unexpected()
        return _Repeat(item, *bounds)

    def _atom(self, depth: int) -> _Node:
        scanner = self._scanner
        start = scanner.position
        char = scanner.peek()
        if char == "(":
            scanner.position += 1
            if scanner.accept("?") and not scanner.accept(":"):
                raise scanner.error("only plain groups '(…)' and '(?:…)' are supported", start)
            node = self._choice(depth + 1)
            if not scanner.accept(")"):
                raise scanner.unexpected()
            return node
        if char == "[":
            match = _CLASS.match(scanner.text, start)
            if not match or any(operator in match[0] for operator in _SET_OPERATORS):
                raise scanner.error("this character class is not supported")
            return self._char(match[0])
        if char == "\\":
            escaped = scanner.text[start + 1 : start + 2]
            if not escaped or (escaped.isalnum() and escaped not in "dDwWsStnrf"):
                raise scanner.error("this escape is not supported in a regular expression")
            return self._char(char + escaped)
        if char in "*+?{^":
            raise scanner.unexpected()
        return self._char(char if char == "." else re.escape(char), 1)

    def _char(self, source: str, width: int | None = None) -> _Char:
        try:
            one = re.compile(source, self._options)
        except re.error as error:
            raise self._scanner.error(f"this character class is not valid: {error.msg}") from None
        self._scanner.position += width or len(source)
        return _Char(one)


class _Program:
    """States under construction; each piece added starts at the next state and ends where the one after it starts."""

    def __init__(self) -> None:
        self.states: list[tuple[re.Pattern[str] | None, list[int]]] = []

    def state(self, one: re.Pattern[str] | None, *targets: int) -> list[int]:
        if len(self.states) >= _STATES:
            raise PathSyntaxError("this regular expression is too large")
        self.states.append((one, list(targets)))
        return self.states[-1][1]

    def add(self, node: _Node) -> None:
        match node:
            case _Char(one):
                self.state(one, len(self.states) + 1)
            case _Sequence(items):
                for item in items:
                    self.add(item)
            case _Choice(options):
                self._choice(options)
            case _Repeat(item, least, most):
                for _ in range(least):
                    self.add(item)
                    self._limit()
                if most is None:
                    self._loop(item)
                else:
                    self._optional(item, most - least)

    def _limit(self) -> None:
        # A repeated empty group adds no states; without this, `(){9999}` within another one would take for ever.
        self.state(None, len(self.states) + 1)

    def _choice(self, options: tuple[_Node, ...]) -> None:
        fork = self.state(None)
        ends = []
        for option in options:
            fork.append(len(self.states))
            self.add(option)
            ends.append(self.state(None))
        for end in ends:
            end.append(len(self.states))

    def _loop(self, item: _Node) -> None:
        start = len(self.states)
        fork = self.state(None, start + 1)
        self.add(item)
        self.state(None, start)
        fork.append(len(self.states))

    def _optional(self, item: _Node, times: int) -> None:
        forks = []
        for _ in range(times):
            forks.append(self.state(None, len(self.states) + 1))
            self.add(item)
        for fork in forks:
            fork.append(len(self.states))
