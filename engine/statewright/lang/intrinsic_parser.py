"""The grammar of intrinsic function calls: text to a tree of calls (States Language, "Intrinsic Functions")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from statewright.lang.jsonpath import Path, compile_path
from statewright.lang.syntax import PathSyntaxError, Scanner
from statewright.values import Json

__all__ = ["Argument", "Invocation", "Literal", "Quoted", "parse_invocation", "unescape"]

_LENGTH: Final = 100_000
_NESTING: Final = 10  # "You can nest up to 10 intrinsic functions" (AWS documentation)
_ARGUMENTS: Final = 1000
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_ESCAPED: Final = re.compile(r"\\(['{}\\])")
_KEYWORDS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, true, false or null."""

    value: Json


@dataclass(frozen=True, slots=True)
class Quoted:
    """A text in single quotes, its escapes still in it: `States.Format` has to see which braces are escaped."""

    raw: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """``States.Name(argument, …)``; `position` is where it begins."""

    name: str
    arguments: tuple[Argument, ...]
    position: int


Argument: TypeAlias = Literal | Quoted | Path | Invocation


def unescape(raw: str) -> str:
    """The text that `raw` means: ``\\'``, ``\\{``, ``\\}`` and ``\\\\`` are the escapes, all else is as it is.

    Example: ``unescape("it\\\\'s") == "it's"``
    """
    return _ESCAPED.sub(r"\1", raw)


def parse_invocation(text: str) -> Invocation:
    """The tree of a call; which functions there are is not known here.

    Raises PathSyntaxError with the position.  An escape other than the four is an error already when the definition
    is created (recorded: illegal_escapes ESCAPE_SEQUENCES_ILLEGAL_INTRINSIC_FUNCTION).

    Example: ``parse_invocation("States.Array(1, $.a)").name == "States.Array"``
    """
    if len(text) > _LENGTH:
        raise PathSyntaxError(f"a call longer than {_LENGTH} characters", _LENGTH)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PathSyntaxError("half of a surrogate pair is not a character", error.start) from None
    scanner = Scanner(text)
    invocation = _invocation(scanner, 1)
    if scanner.skip_blanks():
        raise scanner.unexpected()
    return invocation


def _invocation(scanner: Scanner, depth: int) -> Invocation:
    start = scanner.position
    if depth > _NESTING:
        raise scanner.error(f"more than {_NESTING} intrinsic functions within each other")
    word = _WORD.match(scanner.text, start)
    if not word:
        raise scanner.error("expected the name of an intrinsic function")
    scanner.position = word.end()
    scanner.expect("(")
    arguments: list[Argument] = []
    if scanner.skip_blanks() != ")":
        arguments.append(_argument(scanner, depth))
        while scanner.skip_blanks() == ",":
            scanner.position += 1
            arguments.append(_argument(scanner, depth))
            if len(arguments) > _ARGUMENTS:
                raise scanner.error(f"more than {_ARGUMENTS} arguments")
    scanner.expect(")")
    return Invocation(word[0], tuple(arguments), start)


def _argument(scanner: Scanner, depth: int) -> Argument:
    char = scanner.skip_blanks()
    if char == "'":
        return _quoted(scanner)
    if char == "$":
        return _path(scanner)
    word = _WORD.match(scanner.text, scanner.position)
    if not word:
        return Literal(scanner.number())
    if word[0] in _KEYWORDS:
        scanner.position = word.end()
        return Literal(_KEYWORDS[word[0]])
    return _invocation(scanner, depth + 1)


def _quoted(scanner: Scanner) -> Quoted:
    start = scanner.position
    scanner.position += 1
    while (char := scanner.peek()) != "'":
        if not char:
            raise scanner.error("a text that begins with ' does not end", start)
        if char == "\\":
            if not _ESCAPED.match(scanner.text, scanner.position):
                raise scanner.error("a backslash stands only before ', {, } and \\")
            scanner.position += 1
        scanner.position += 1
    scanner.position += 1
    return Quoted(scanner.text[start + 1 : scanner.position - 1])


def _path(scanner: Scanner) -> Path:
    """A path ends at a comma or parenthesis that is not within its own brackets, parentheses or quotes."""
    start = scanner.position
    depth = 0
    quote = ""
    while char := scanner.peek():
        if char == "\\":
            scanner.position += 1
        elif quote:
            quote = "" if char == quote else quote
        elif depth and char in "'\"":
            quote = char
        elif char in "[(":
            depth += 1
        elif not depth and char in ",)":
            break
        elif char in "])":
            depth -= 1
        scanner.position += 1
    scanner.position = min(scanner.position, len(scanner.text))
    try:
        return compile_path(scanner.text[start : scanner.position].rstrip())
    except PathSyntaxError as error:
        raise PathSyntaxError(error.message, start + error.position) from None
