"""JSON (RFC 8259) read with positions; strict, iterative, and every error says what was expected instead."""

from __future__ import annotations

import math
import re
from typing import NoReturn

from statewright.definition.position import Builder, Text
from statewright.definition.yaml_reader import MAX_DIGITS
from statewright.values import Json

__all__ = ["read_json"]

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[-+.\w]+")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def read_json(text: Text) -> Builder:
    """The document of a JSON text.

    Raises SourceError: SYNTAX, DUPLICATE_KEY, TOO_DEEP, TOO_MANY_NODES, NOT_JSON, EMPTY.

    Example: ``read_json(Text("a.json", '{"a": 1}')).value == {"a": 1}``
    """
    return _Scanner(text).read()


class _Scanner:
    """One pass over the text; `at` is the offset of the next character."""

    def __init__(self, text: Text) -> None:
        self.source = text
        self.text = text.text
        self.at = 0
        self.builder = Builder(text)

    def fail(self, message: str, offset: int, hint: str | None = None, code: str = "SYNTAX") -> NoReturn:
        raise self.source.error(code, message, offset, hint, self.builder.pointer)

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def read(self) -> Builder:
        if not self.peek():
            self.fail("there is no document in this file", 0, code="EMPTY")
        self.value()
        while self.builder.container is not None:
            self.member()
        if self.peek():
            self.fail("there is more after the end of the document", self.at)
        return self.builder

    def member(self) -> None:
        """The next member of the innermost open object or array, or its end."""
        container = self.builder.container
        bracket = "}" if isinstance(container, dict) else "]"
        character = self.peek()
        if character == bracket:
            self.at += 1
            self.builder.close(self.at)
            return
        if container:
            if character != ",":
                self.fail(f"expected ',' or '{bracket}'{self.found(character)}", self.at)
            comma, self.at = self.at, self.at + 1
            character = self.peek()
            if character == bracket:
                self.fail(f"a comma before '{bracket}'", comma, "JSON allows no comma after the last member")
        if isinstance(container, dict):
            self.key(character)
        self.value()

    def key(self, character: str) -> None:
        start = self.at
        if character != '"':
            self.fail(f"expected a key in double quotes{self.found(character)}", start)
        self.builder.key(self.string(), start, self.at)
        character = self.peek()
        if character != ":":
            self.fail(f"expected ':'{self.found(character)}", self.at)
        self.at += 1

    def value(self) -> None:
        character, start = self.peek(), self.at
        if character in ("{", "["):
            self.builder.open({} if character == "{" else [], start)
            self.at += 1
        elif character == '"':
            self.builder.add(self.string(), start, self.at)
        else:
            self.builder.add(self.word(character), start, self.at)

    def word(self, character: str) -> Json:
        start = self.at
        match = _WORD.match(self.text, start)
        if not match:
            hint = "JSON has no comments" if character in ("/", "#") else None
            hint = "strings are written in double quotes" if character == "'" else hint
            self.fail(f"expected a value{self.found(character)}", start, hint)
        word = match.group()
        self.at = match.end()
        if word in _WORDS:
            return _WORDS[word]
        number = _NUMBER.fullmatch(word)
        if not number:
            shown = word if len(word) <= 40 else f"{word[:40]}…"
            self.fail(
                f"{shown} is not a JSON value", start, code="NOT_JSON" if word[0] in "-+.0123456789NI" else "SYNTAX"
            )
        if len(word) > MAX_DIGITS:
            message = f"a number of {len(word)} characters; at most {MAX_DIGITS} are allowed"
            self.fail(message, start, code="NOT_JSON")
        if number.group(1) is None and number.group(2) is None:
            return int(word)
        value = float(word)
        if math.isinf(value):
            self.fail(f"{word} is too large for a JSON number", start, code="NOT_JSON")
        return value

    def string(self) -> str:
        """The string whose opening quote is next."""
        start = self.at
        self.at += 1
        pieces: list[str] = []
        while True:
            match = _PLAIN.match(self.text, self.at)
            assert match is not None  # noqa: S101 - the pattern matches nothing, too
            pieces.append(match.group())
            self.at = match.end()
            character = self.text[self.at : self.at + 1]
            if character == '"':
                self.at += 1
                return "".join(pieces)
            if character != "\\":
                self.unfinished(character, start)
            pieces.append(self.escape())

    def unfinished(self, character: str, start: int) -> NoReturn:
        if character in ("", "\n", "\r"):
            self.fail("this string has no closing quote on its line", start)
        self.fail(f"the control character U+{ord(character):04X} must be escaped in a string", self.at)

    def escape(self) -> str:
        start = self.at
        letter = self.text[start + 1 : start + 2]
        if letter in _ESCAPES:
            self.at += 2
            return _ESCAPES[letter]
        if letter != "u":
            self.fail(f"\\{letter} is not an escape of JSON", start, 'write "\\\\" for a backslash')
        high = self.unit(start)
        if 0xDC00 <= high <= 0xDFFF or (0xD800 <= high <= 0xDBFF and self.text[self.at : self.at + 2] != "\\u"):
            self.fail("half of a surrogate pair is not a character", start, code="NOT_JSON")
        if not 0xD800 <= high <= 0xDBFF:
            return chr(high)
        low = self.unit(self.at)
        if not 0xDC00 <= low <= 0xDFFF:
            self.fail("half of a surrogate pair is not a character", start, code="NOT_JSON")
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))

    def unit(self, start: int) -> int:
        """The four hexadecimal digits of the escape at `start`."""
        match = _HEX.match(self.text, start + 2)
        if not match:
            self.fail("\\u needs four hexadecimal digits", start)
        self.at = match.end()
        return int(match.group(), 16)

    @staticmethod
    def found(character: str) -> str:
        return f", found '{character}'" if character else ", found the end of the file"
