"""The keys of a simulated server, which live in Lua (``keyspace.lua``), seen from Python."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import hiredis

if TYPE_CHECKING:
    from tests.sim.server import Libraries

__all__ = ["Hash", "Keyspace", "List", "RedisError", "Set", "Value", "ZSet", "making"]


class RedisError(Exception):
    """An error reply; its text begins with the code."""


class Hash(dict[bytes, bytes]):
    """Value by field."""


class List(list[bytes]):
    """Elements."""


class Set(dict[bytes, None]):
    """Members, in order of insertion."""


class ZSet(dict[bytes, float]):
    """Score by member, in order."""


Value: TypeAlias = bytes | Hash | List | Set | ZSet


def _value(kind: bytes, parts: Any) -> Value:
    match kind:
        case b"string":
            return bytes(parts)
        case b"hash":
            return Hash(zip(parts[::2], parts[1::2], strict=True))
        case b"list":
            return List(parts)
        case b"set":
            return Set.fromkeys(parts)
    return ZSet(zip(parts[::2], map(float, parts[1::2]), strict=True))


def making(keys: dict[bytes, Value]) -> Iterator[list[bytes]]:
    """The commands that make keys as they are in `Keyspace.keys` (but for sorted sets, which nothing is begun with)."""
    for key, value in keys.items():
        if isinstance(value, bytes):
            yield [b"SET", key, value]
        elif isinstance(value, Hash):
            yield [b"HSET", key, *chain.from_iterable(value.items())]
        else:
            yield [b"RPUSH" if isinstance(value, List) else b"SADD", key, *value]


class Keyspace:
    """All keys of one database.

    Arguments:
        libraries: where the server lives.
        state: of the server, a Lua table.

    Example: ``server.space.keys[b"sw:{meta}:meta"]``
    """

    def __init__(self, libraries: Libraries, state: Any) -> None:
        self._libraries = libraries
        self._state = state

    @property
    def keys(self) -> dict[bytes, Any]:
        """Everything there is, as it is now (a `Value` by key), in order of keys."""
        return self.but(b"")

    def but(self, without: bytes) -> dict[bytes, Any]:
        """Everything but keys that begin with `without`."""
        reader = hiredis.Reader()
        reader.feed(self._libraries.contents(self._state, without))
        return {key: _value(kind, parts) for key, kind, parts in reader.gets()}

    def field(self, key: bytes, name: bytes) -> bytes | None:
        """A field of a hash."""
        found: bytes | None = self._libraries.field(self._state, key, name)
        return found

    @property
    def busy(self) -> bool:
        """Whether anything is left to be done: something runs, is ready or leased, or somebody is to be told."""
        return bool(self._libraries.busy(self._state))

    def copy(self) -> Any:
        """Everything there is, and functions, as it is now: for `restore` of a server with the same libraries."""
        return self._libraries.saved(self._state)

    def restore(self, earlier: Any, within: bytes = b"") -> None:
        """Go back to what `copy` gave; with keys only that begin with `within`, if that is given."""
        self._libraries.restore(self._state, earlier, within)
