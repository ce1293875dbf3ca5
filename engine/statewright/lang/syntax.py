"""What the parsers of paths and of intrinsic functions share: a cursor over text, and the error with a position."""

from __future__ import annotations

import math
import re
from typing import Final

from statewright.values import Json

__all__ = ["PathSyntaxError", "Scanner"]

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_DIGITS: Final = 309  # as many as a double can have; more is no number anyone means


class PathSyntaxError(ValueError):
    """A path or an intrinsic function call that cannot be read.

    Arguments:
        message: what is wrong, without the position.
        position: 0-based offset of the character in the text.

    Example: ``raise PathSyntaxError("a path must not end with '.'", 3)``
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(f"{message} (position {position})")
        self.message = message
        self.position = position


class Scanner:
    """A cursor over `text`; every method leaves it behind what it read.

    Example: ``Scanner("[1]").accept("[")``
    """

    __slots__ = ("position", "text")

    def __init__(self, text: str, position: int = 0) -> None:
        self.text = text
        self.position = position

    def peek(self) -> str:
        """The character at the cursor, or the empty text at the end."""
        return self.text[self.position : self.position + 1]

    def skip_blanks(self) -> str:
        """Go to the next character that is not a blank, and return it ("" at the end)."""
        while (char := self.peek()) and char in " \t\r\n":
            self.position += 1
        return char

    def accept(self, token: str) -> bool:
        """Step over `token` if it is next."""
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def expect(self, token: str) -> None:
        """Step over `token`, after any blanks; PathSyntaxError if something else is there."""
        found = self.skip_blanks()
        if not self.accept(token):
            raise self.error(f"expected '{token}' but found {self._name(found)}")

    def error(self, message: str, position: int | None = None) -> PathSyntaxError:
        """The error to raise for `message` at `position` (default: the cursor)."""
        return PathSyntaxError(message, self.position if position is None else position)

    def unexpected(self) -> PathSyntaxError:
        """The error to raise for the character at the cursor."""
        return self.error(f"unexpected {self._name(self.peek())}")

    @staticmethod
    def _name(char: str) -> str:
        return f"{char!r}" if char else "the end"

    def number(self) -> Json:
        """A JSON number; PathSyntaxError if there is none, or none that a JSON document could hold."""
        start = self.position
        match = _NUMBER.match(self.text, start)
        if not match or len(match[0]) > _DIGITS:
            raise self.error("not a number" if not match else "a number with too many digits")
        self.position = match.end()
        if match[1] is None and match[2] is None:
            return int(match[0])
        value = float(match[0])
        if not math.isfinite(value):
            raise self.error("a number that is too large", start)
        return value

    def quoted(self) -> str:
        """A text between quotes of either kind, with the escapes of JSON; any other escaped character is itself."""
        quote = self.peek()
        start = self.position
        self.position += 1
        pieces = []
        while (char := self.peek()) != quote:
            if not char:
                raise self.error(f"a text that begins with {quote} does not end", start)
            if char == "\\":
                pieces.append(self.escape(_CONTROLS))
            else:
                pieces.append(char)
                self.position += 1
        self.position += 1
        return "".join(pieces)

    def escape(self, controls: dict[str, str] | None = None) -> str:
        """The character that an escape stands for, the cursor being on the backslash.

        The States Language lets a backslash in a dotted name stand before any character; `\\uXXXX` is a UTF-16 unit
        as in JSON, and two of them may make one character.  `controls` names the other letters with a meaning.
        """
        start = self.position
        self.position += 1
        char = self.peek()
        if not char:
            raise self.error("a backslash with nothing after it", start)
        self.position += 1
        if char != "u" or not _HEX.match(self.text, self.position):
            return (controls or {}).get(char, char)
        unit = self._unit()
        if 0xD800 <= unit < 0xDC00 and self.text.startswith("\\u", self.position):
            self.position += 2
            if _HEX.match(self.text, self.position):
                low = self._unit()
                if 0xDC00 <= low < 0xE000:
                    return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        if 0xD800 <= unit < 0xE000:
            raise self.error("half of a surrogate pair is not a character", start)
        return chr(unit)

    def _unit(self) -> int:
        self.position += 4
        return int(self.text[self.position - 4 : self.position], 16)
