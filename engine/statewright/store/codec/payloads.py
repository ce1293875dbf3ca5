"""Large payloads are kept once per execution, under their content hash; everything else only refers to them.

Where nothing but a JSON text can stand, a reference is ``@`` and the hash (no JSON text begins like that); among the
details of history events, where other texts stand too, it is a msgpack extension that holds the hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container
from functools import partial
from typing import Any, Final, TypeAlias

from msgspec.msgpack import Encoder, Ext

from statewright.store.codec.integrity import BrokenRecordError
from statewright.values import Payload

__all__ = [
    "NOTHING_LARGE",
    "OFFLOADED",
    "Incoming",
    "LargePayloadError",
    "LostPayloadError",
    "Outgoing",
    "Resolve",
    "detail_hook",
]

OFFLOADED: Final = 2048
"""Payloads of so many bytes of UTF-8 or more are stored apart.  Measured (README, "Large payloads"): from here
on that is cheaper for worker and server even in an execution of a single state."""

_SHORT: Final = OFFLOADED // 4
"""A text of fewer characters cannot have so many bytes."""

_MARK: Final = "@"

Resolve: TypeAlias = Callable[[str], str]
"""From what was written for a payload to its JSON text."""


class LostPayloadError(BrokenRecordError):
    """A record refers to a payload that the store does not have (it lost data).

    Example: ``raise LostPayloadError("01ABC", "e3b0c442")``
    """

    def __init__(self, execution: str, content_hash: str) -> None:
        super().__init__(f"payload {content_hash} of execution {execution} is not in the store")


class Outgoing:
    """The payloads that one call to the server refers to.

    Arguments:
        apart: store large ones apart; otherwise all texts are written where they are needed.

    Example: ``Outgoing().text("[1]") == "[1]"``, ``Outgoing().text('"' + 9999 * "x" + '"').startswith("@")``
    """

    __slots__ = ("_apart", "_written", "texts")

    def __init__(self, *, apart: bool = True) -> None:
        self._apart = apart
        self.texts: dict[str, bytes] = {}
        self._written: dict[str, str] = {}  # the same texts occur several times in one step

    def text(self, text: str) -> str:
        """What is to be written for a JSON text: itself, or the reference to it."""
        if len(text) < _SHORT or not self._apart:
            return text
        written = self._written.get(text)
        if written is None:
            written = self._written[text] = self._reference(text)
        return written

    def _reference(self, text: str) -> str:
        content = text.encode()
        if len(content) < OFFLOADED:
            return text
        content_hash = hashlib.sha256(content).hexdigest()
        self.texts[content_hash] = content
        return _MARK + content_hash

    def detail(self, value: Any) -> str | Ext:
        """What is to be written for a payload in the details of an event; TypeError for what cannot be stored."""
        if not isinstance(value, Payload):
            raise TypeError(f"a {type(value).__name__} cannot be stored")
        text = value.text
        if len(text) < _SHORT:
            return text
        written = self.text(text)
        return Ext(0, written[1:].encode()) if written.startswith(_MARK) else written

    def packer(self) -> Callable[[Any], bytes]:
        """Writes the details of events.  (Not kept: it would hold this object, with all its texts, in a cycle.)"""
        return Encoder(enc_hook=self.detail).encode

    def arguments(self, stored: Container[str] = ()) -> list[str | bytes | int]:
        """The payloads as `keep_payloads` of ``lua/common.lua`` reads them, without the texts of those `stored`."""
        arguments: list[str | bytes | int] = [len(self.texts)]
        for content_hash, text in self.texts.items():
            arguments += (content_hash, "" if content_hash in stored else text)
        return arguments


class LargePayloadError(Exception):
    """`NOTHING_LARGE` met a payload that may have to be stored apart."""


class _NothingLarge(Outgoing):
    """Stays empty, so that one object serves the many calls that refer to no large payload."""

    __slots__ = ("_packer",)

    def __init__(self) -> None:
        super().__init__()
        self._packer = super().packer()

    def packer(self) -> Callable[[Any], bytes]:
        """Always the same."""
        return self._packer

    def text(self, text: str) -> str:
        """A short text, as it is; LargePayloadError for another."""
        if len(text) < _SHORT:
            return text
        raise LargePayloadError


NOTHING_LARGE: Final = _NothingLarge()


class Incoming:
    """The payloads that records refer to: decode them, fetch what is wanted, and decode them again.

    Example: ``Incoming().of("01ABC")("[1]") == "[1]"``
    """

    __slots__ = ("_texts", "_wanted")

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str | None] = {}
        self._wanted: dict[str, dict[str, None]] = {}

    def of(self, execution: str) -> Resolve:
        """How references of an execution's records are read; LostPayloadError if a text is known to be missing."""
        return partial(self._text, execution)

    def _text(self, execution: str, written: str) -> str:
        if not written.startswith(_MARK):
            return written
        content_hash = written[1:]
        try:
            text = self._texts[execution, content_hash]
        except KeyError:
            self._wanted.setdefault(execution, {})[content_hash] = None
            return "null"  # what is made of it now is made again
        if text is None:
            raise LostPayloadError(execution, content_hash)
        return text

    def wanted(self) -> dict[str, list[str]]:
        """The hashes asked for and not known yet, by execution; each is named once."""
        wanted, self._wanted = self._wanted, {}
        return {execution: list(hashes) for execution, hashes in wanted.items()}

    def add(self, execution: str, content_hash: str, text: bytes | None) -> None:
        """A payload as the server has it; None if it has not."""
        self._texts[execution, content_hash] = None if text is None else text.decode()


def detail_hook(resolve: Resolve) -> Callable[[int, memoryview], str]:
    """Reads the references in the details of events."""

    def read(code: int, data: memoryview) -> str:
        if code != 0:
            raise ValueError(f"unknown extension {code}")
        return resolve(_MARK + bytes(data).decode())

    return read
