"""JSON: an array of items, at the top of the file or where ItemsPointer says (InputType JSON).

The file is never in memory as a whole.  What is found here are the places where values begin and end, by brackets and
quotes alone; each item's text is then decoded, and so checked, by the one decoder of the engine.  That gives exact byte
offsets to go on from, which parsers that make events of a stream do not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, Final

from statewright.items.config import ReaderConfig, unreadable
from statewright.items.formats.source import BOM, CHUNK, LONGEST, File, Found, Position, item, open_bytes
from statewright.values import NotJsonError, decode

__all__ = ["read"]

_SPACE: Final = re.compile(rb"[ \t\n\r]*+")
_SCALAR: Final = re.compile(rb'[^\s,\[\]{}":]*+')
_TEXT: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _within(*parts: bytes) -> bytes:
    """A pattern of what can lie between two brackets: texts, the other `parts`, and whatever is no quote or bracket."""
    other = rb'[^"\[\]{}]*+'
    return other + rb"(?:(?:" + rb"|".join([_TEXT, *parts]) + rb")" + other + rb")*+"


_BRACKETS: Final = rb"[\[{]%s[\]}]"
_FLAT: Final = _BRACKETS % _within()
_DEEPER: Final = _BRACKETS % _within(_FLAT)
_INSIDE: Final = re.compile(_within(_DEEPER), re.DOTALL)
"""Up to the next bracket that matters: whole arrays and objects of up to two levels are passed over at once."""

_STRING: Final = re.compile(_TEXT, re.DOTALL)
_ENDS: Final = {b"[": b"]", b"{": b"}"}
_BLANK: Final = b" \t\n\r"


def read(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """The elements of the array, or the members of an object that ItemsPointer leads to.

    An object at the top of the file is refused, as recorded in 2023; ItemsPointer came in 2025, with a documentation
    that lets Maps have objects.  A position is the array's or object's opening bracket, and the offset of the byte
    after an element.
    """
    opening, start = at or ("", 0)
    with closing(open_bytes(file, start)) as stream:
        text, source, first = _Text(stream, start), file.source, at is None
        if at is None:
            opening = _enter(text, config)
        ending, key = _ENDS[opening.encode()], None
        while text.next_in(ending, first):
            first = False
            if opening == "{":
                key = _name(text)
            text.peek()
            start, value = text.offset, text.value()
            yield Found(item(value, start), len(value), [opening, text.offset], source, key)
        if not config.pointer and text.peek():
            raise text.broken("the end of the file")


def _enter(text: _Text, config: ReaderConfig) -> str:
    """Move into the array or object that is the data set, and return its bracket."""
    text.skip_mark()
    for token in config.pointer:
        _descend(text, token)
    opening = text.peek()
    if opening in (b"", b"]", b"}", b",", b":"):
        raise text.broken("an array")
    if opening not in _ENDS or (opening == b"{" and not config.pointer):
        raise unreadable("Attempting to map over non-iterable node.")
    text.step()
    return opening.decode()


def _descend(text: _Text, token: str) -> None:
    """Move to the member or element that a reference token names; the first of members with the same name."""
    opening, count = text.peek(), 0
    if opening in _ENDS:
        text.step()
        while text.next_in(_ENDS[opening], count == 0):
            name = _name(text) if opening == b"{" else str(count)
            if name == token:
                return
            text.peek()
            text.value(keep=False)
            count += 1
    raise unreadable(f"The ItemsPointer leads to nothing: there is no '{token}'.")


def _name(text: _Text) -> str:
    if text.peek() != b'"':
        raise text.broken("a member's name")
    start, name = text.offset, text.value()
    if text.peek() != b":":
        raise text.broken("':'")
    text.step()
    try:
        return str(decode(name))
    except NotJsonError as error:
        raise unreadable(f"The name at byte {start} is not valid JSON: {error}") from None


class _Text:
    """A window on a stream of JSON text: `_data` from `_at` on is yet to be read, and `_data[0]` is byte `_base`."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self._stream = stream
        self._base = offset
        self._data = b""
        self._at = 0

    @property
    def offset(self) -> int:
        """The offset in the file of the byte that comes next."""
        return self._base + self._at

    def broken(self, expected: str) -> Exception:
        """The error of a text that is not JSON here."""
        found = "the file ends" if not self.peek() else f"there is {self.peek().decode(errors='replace')!r}"
        return unreadable(f"The file is not valid JSON: {found} at byte {self.offset} where {expected} was expected.")

    def skip_mark(self) -> None:
        """Pass over a byte order mark."""
        self._more(0)
        if self._data.startswith(BOM):
            self._at = len(BOM)

    def peek(self) -> bytes:
        """The next byte that is no space, and move to it; empty at the end of the file."""
        while True:
            byte = self._data[self._at : self._at + 1]
            if byte and byte not in _BLANK:
                return byte
            match = _SPACE.match(self._data, self._at)
            assert match  # noqa: S101  it matches the empty text
            self._at = match.end()
            if self._at == len(self._data) and not self._more(self._at):
                return b""

    def step(self) -> None:
        """Move over one byte, which has been peeked at."""
        self._at += 1

    def next_in(self, ending: bytes, first: bool) -> bool:
        """Move to the next value in an array or object, over the comma before all but the first; False at the end."""
        following = self.peek()
        if following == ending:
            self.step()
            return False
        if not first:
            if following != b",":
                raise self.broken(f"',' or '{ending.decode()}'")
            self.step()
        return True

    def value(self, *, keep: bool = True) -> bytes:
        """Move over the value that begins at the next byte; its text if it is to be kept, else ``b""``.

        Raises StatesError: where the text ends within the value, no value begins here, or it is longer than LONGEST (a
            string or number is, of a value that is not kept).
        """
        opening = self.peek()
        if opening in (b"{", b"["):
            return self._container(keep)
        pattern = _STRING if opening == b'"' else _SCALAR
        while True:
            match = pattern.match(self._data, self._at)
            if match and (opening == b'"' or match.end() < len(self._data)):
                break
            if not self._more(self._at):
                break
        if not match or match.end() == self._at:
            raise self.broken("a value")
        self._at = match.end()
        return match[0]

    def _container(self, keep: bool) -> bytes:
        start, scan, depth = self._at, self._at + 1, 1
        while True:
            match = _INSIDE.match(self._data, scan)
            assert match  # noqa: S101  it matches the empty text
            scan = match.end()
            byte = self._data[scan : scan + 1]
            if byte in (b"{", b"["):
                depth += 1
                scan += 1
            elif byte in (b"}", b"]"):
                depth -= 1
                scan += 1
                if depth == 0:
                    self._at = scan
                    return self._data[start:scan] if keep else b""
            else:  # the end of what has been read, or a string that goes on beyond it
                drop = start if keep else scan
                self._at = drop
                if not self._more(drop):
                    raise unreadable(
                        f"The file is not valid JSON: it ends in the middle of a value at byte {self.offset}."
                    )
                scan, start = scan - drop, 0

    def _more(self, drop: int) -> bool:
        """Read on, dropping the bytes before `drop`; False at the end of the file."""
        chunk = self._stream.read(CHUNK)
        if not chunk:
            return False
        rest = self._data[drop:]
        if len(rest) > LONGEST:
            raise unreadable(f"The value at byte {self._base + drop} is longer than {LONGEST} bytes.")
        self._data = rest + chunk
        self._base += drop
        self._at -= drop
        return True
