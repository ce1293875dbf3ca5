"""JSON values: the one place that encodes and decodes them.

Numbers stay what they are: integers of any size are exact, floats are finite.  `msgspec` keeps big integers and
refuses lone surrogates; `NaN` and infinities are refused here, because they are not JSON.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import Any, Final, TypeAlias

import msgspec

__all__ = ["Json", "NotJsonError", "Payload", "check", "decode", "encode", "json_type", "same", "weight"]

Json: TypeAlias = Any
"""None, bool, int, float, str, list of Json, or dict from str to Json.  Values are never changed once made."""

_DEPTH: Final = 500
"""Nesting beyond this is refused everywhere, so that no recursive walk over a value can fail."""


class NotJsonError(ValueError):
    """A value or text that is not JSON as the engine takes it; the message says why.

    Example: ``raise NotJsonError("nan is not a JSON number")``
    """


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode(value: Json) -> str:
    """`value` as compact JSON text.

    Raises NotJsonError: for a lone surrogate, an object that has no JSON form, and nesting over 500 levels, so that
    whatever is encoded can be decoded again.

    Example: ``encode({"a": [1, 2.0]}) == '{"a":[1,2.0]}'``
    """
    try:
        text = _encoder.encode(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJsonError(f"not a JSON value: {error}") from None
    if text.count("{") + text.count("[") > _DEPTH:
        _check_depth(value)
    return text


def decode(text: str | bytes) -> Json:
    """The value of a JSON text; NotJsonError where it is not JSON (also for NaN, 1e400 and nesting over 500 levels).

    Example: ``decode('[1, 2]') == [1, 2]``
    """
    try:
        value = _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error) or "nested too deeply") from None
    brackets = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if brackets > _DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Json) -> None:
    """Refuse nesting over 500 levels; level by level, as a recursive walk would take four times as long."""
    level = [value]
    for _ in range(_DEPTH + 1):
        containers = (node for node in level if isinstance(node, dict | list | tuple))
        level = [*chain.from_iterable(node.values() if isinstance(node, dict) else node for node in containers)]
        if not level:
            return
    raise NotJsonError(f"nested more than {_DEPTH} levels deep")


def check(value: Json, depth: int = 0) -> None:
    """Refuse what Python allows in a tree of values and JSON does not, e.g. in the result of a task handler.

    Raises NotJsonError with the reason: NaN or infinity, keys that are not text, foreign types, deep nesting.
    """
    if depth > _DEPTH:
        raise NotJsonError(f"nested more than {_DEPTH} levels deep")
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise NotJsonError(f"an object key must be text, not {type(key).__name__}")
            check(member, depth + 1)
    elif isinstance(value, list | tuple):
        for member in value:
            check(member, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotJsonError(f"{value} is not a JSON number")
    elif value is not None and not isinstance(value, str | int | bool):
        raise NotJsonError(f"a {type(value).__name__} is not a JSON value")


def weight(value: Json, _known: dict[int, int] | None = None) -> int:
    """About how long the JSON text of a value would be, without making it.

    Parts that occur more than once are visited once, so a small value that stands for a huge text is weighed quickly.

    Example: ``weight(["abc", 1]) >= len('["abc",1]')``
    """
    if isinstance(value, str):
        return len(value) + 3
    if not isinstance(value, dict | list):
        return 8
    known = {} if _known is None else _known
    if id(value) not in known:
        size = 2 + sum(len(key) + 3 for key in value) if isinstance(value, dict) else 2
        for member in value.values() if isinstance(value, dict) else value:  # a generator would double the stack
            size += weight(member, known) + 1
        known[id(value)] = size
    return known[id(value)]


def json_type(value: Json) -> str:
    """The JSON name of a value's type: null, boolean, number, string, array or object."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def same(a: Json, b: Json) -> bool:
    """Deep equality as JSON has it: ``1 == 1.0``, but ``1 != true``."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return False
        for name, member in a.items():  # noqa: SIM110  a generator would double the stack
            if not same(member, b[name]):
                return False
        return True
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return False
        for x, y in zip(a, b, strict=True):  # noqa: SIM110
            if not same(x, y):
                return False
        return True
    return (type(a) is type(b) and bool(a == b)) or (_number(a) and _number(b) and bool(a == b))


def _number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Payload:
    """A JSON value together with its text, each made once and only when asked for.

    State input flows from state to state, into history and into the store: it is encoded one time.

    Example: ``Payload.of({"a": 1}).text == '{"a":1}'``, ``Payload.parse('[1]').value == [1]``
    """

    __slots__ = ("_text", "_value")
    _unset: Any = object()

    def __init__(self, value: Json = _unset, text: str | None = None) -> None:
        self._value = value
        self._text = text

    @classmethod
    def of(cls, value: Json) -> Payload:
        """The payload of a value."""
        return cls(value)

    @classmethod
    def parse(cls, text: str) -> Payload:
        """The payload of a JSON text; the text is decoded when the value is first asked for."""
        return cls(text=text)

    @property
    def value(self) -> Json:
        """The value; NotJsonError if the text is not JSON."""
        if self._value is Payload._unset:
            self._value = decode(self._text or "")
        return self._value

    @property
    def text(self) -> str:
        """Compact JSON text; NotJsonError if the value is not JSON."""
        if self._text is None:
            self._text = encode(self._value)
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Payload) and same(self.value, other.value)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Payload({self.text})"
