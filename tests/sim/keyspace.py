"""The data commands of Redis that the scripts and `statewright.store` use, over dictionaries.

A command is a method of `Keyspace` named like it; arguments are bytes.  Answers are what RESP has: bytes, integers,
None, lists of those, and `Status`.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

__all__ = ["Keyspace", "RedisError", "Status", "number"]

Reply: TypeAlias = Any
_INFINITE = float("inf")


class RedisError(Exception):
    """An error reply; its text begins with the code."""


class Status(bytes):
    """A simple string, e.g. ``+OK``."""


class Hash(dict[bytes, bytes]):
    pass


class List(list[bytes]):
    pass


class Set(dict[bytes, None]):
    """In order of insertion, so that a run can be repeated."""


class ZSet(dict[bytes, float]):
    """Score by member."""

    def ordered(self) -> list[tuple[float, bytes]]:
        """(score, member) as Redis has them in order."""
        return sorted([(score, member) for member, score in self.items()])


OK = Status(b"OK")
_WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def number(value: float) -> bytes:
    """A double as Redis shows it: ``number(3.0) == b"3"``, ``number(0.5) == b"0.5"``."""
    if value in (_INFINITE, -_INFINITE):
        return b"inf" if value > 0 else b"-inf"
    return b"%d" % value if value == int(value) and abs(value) < 1e17 else repr(value).encode()


def integer(text: bytes) -> int:
    """An integer argument; RedisError as Redis has it."""
    try:
        return int(text)
    except ValueError:
        raise RedisError("ERR value is not an integer or out of range") from None


def score_of(text: bytes) -> float:
    """A score or a bound of a range: a double, ``-inf`` or ``+inf``."""
    try:
        return float(text)
    except ValueError:
        raise RedisError("ERR value is not a valid float") from None


def span(start: bytes, stop: bytes, length: int) -> slice:
    """The places `start` to `stop`, inclusive, counted from the end if negative."""
    first, last = integer(start), integer(stop)
    first = max(0, first + length) if first < 0 else first
    last = last + length if last < 0 else last
    return slice(first, max(first, last + 1))


class Keyspace:
    """All keys of one database.

    Arguments:
        choose: a place among so many, for SRANDMEMBER.

    Example: ``Keyspace(lambda count: 0).run("HSET", b"key", b"field", b"value") == 1``
    """

    def __init__(self, choose: Callable[[int], int]) -> None:
        self.keys: dict[bytes, Any] = {}
        self._choose = choose

    def copy(self) -> dict[bytes, Any]:
        """Everything there is, as it is now; give it to `restore`."""
        return {key: value if type(value) is bytes else type(value)(value) for key, value in self.keys.items()}

    def restore(self, keys: dict[bytes, Any]) -> None:
        """Go back to what `copy` gave."""
        self.keys = {key: value if type(value) is bytes else type(value)(value) for key, value in keys.items()}

    def run(self, name: str, *arguments: bytes) -> Reply:
        """Run a command of `COMMANDS`."""
        return COMMANDS[name.encode()](self, *arguments)

    def _get(self, key: bytes, kind: type) -> Any:
        value = self.keys.get(key)
        if value is not None and type(value) is not kind:
            raise RedisError(_WRONG_TYPE)
        return value

    def _make(self, key: bytes, kind: type) -> Any:
        value = self.keys.get(key)
        if value is None:
            value = self.keys[key] = kind()
        elif type(value) is not kind:
            raise RedisError(_WRONG_TYPE)
        return value

    def _drop(self, key: bytes, gone: tuple[bytes, ...], kind: type) -> int:
        """Remove members; a key without any does not exist."""
        value = self._get(key, kind)
        if value is None:
            return 0
        count = 0
        for member in gone:
            if member in value:
                del value[member]
                count += 1
        if not value:
            del self.keys[key]
        return count

    # -- keys and strings ---------------------------------------------------------------------------------------------
    def del_(self, *keys: bytes) -> int:
        return self.unlink(*keys)

    def dump(self, key: bytes) -> bytes | None:
        """Not what Redis answers, but everything that is under the key, too."""
        value = self.keys.get(key)
        if value is None or type(value) is bytes:
            return value
        return b" ".join(part for member in value for part in (member, value[member] if type(value) is Hash else b""))

    def exists(self, *keys: bytes) -> int:
        return sum(key in self.keys for key in keys)

    def unlink(self, *keys: bytes) -> int:
        return sum(self.keys.pop(key, None) is not None for key in keys)

    def keys_(self, pattern: bytes) -> list[bytes]:
        """KEYS; patterns as `fnmatch` has them, in which a brace stands for itself."""
        return [key for key in self.keys if fnmatchcase(key, pattern)]

    def scan(self, cursor: bytes, *options: bytes) -> list[Any]:
        """SCAN with a pattern that ends with its only asterisk, always to the end at once."""
        prefix = options[options.index(b"MATCH") + 1].removesuffix(b"*")
        return [b"0", [key for key in self.keys if key.startswith(prefix)]]

    def flushall(self) -> Status:
        self.keys.clear()
        return OK

    def get(self, key: bytes) -> bytes | None:
        return self._get(key, bytes)  # type: ignore[no-any-return]

    def set(self, key: bytes, value: bytes) -> Status:
        self.keys[key] = value
        return OK

    def setnx(self, key: bytes, value: bytes) -> int:
        if key in self.keys:
            return 0
        self.keys[key] = value
        return 1

    # -- hashes -------------------------------------------------------------------------------------------------------
    def hset(self, key: bytes, *pairs: bytes) -> int:
        if not pairs or len(pairs) % 2:
            raise RedisError("ERR wrong number of arguments for 'hset' command")
        value = self._make(key, Hash)
        before = len(value)
        value.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(value) - before

    def hsetnx(self, key: bytes, field: bytes, text: bytes) -> int:
        value = self._make(key, Hash)
        if field in value:
            return 0
        value[field] = text
        return 1

    def hget(self, key: bytes, field: bytes) -> bytes | None:
        value = self._get(key, Hash)
        return None if value is None else value.get(field)

    def hmget(self, key: bytes, *fields: bytes) -> list[bytes | None]:
        if not fields:
            raise RedisError("ERR wrong number of arguments for 'hmget' command")
        value = self._get(key, Hash)
        return [None] * len(fields) if value is None else [value.get(field) for field in fields]

    def hgetall(self, key: bytes) -> list[bytes]:
        return [part for pair in (self._get(key, Hash) or {}).items() for part in pair]

    def hlen(self, key: bytes) -> int:
        return len(self._get(key, Hash) or ())

    def hexists(self, key: bytes, field: bytes) -> int:
        return int(field in (self._get(key, Hash) or ()))

    def hdel(self, key: bytes, *fields: bytes) -> int:
        return self._drop(key, fields, Hash)

    def hincrby(self, key: bytes, field: bytes, by: bytes) -> int:
        step = integer(by)
        value = self._make(key, Hash)
        try:
            total = int(value.get(field, b"0")) + step
        except ValueError:
            raise RedisError("ERR hash value is not an integer") from None
        value[field] = b"%d" % total
        return total

    # -- lists --------------------------------------------------------------------------------------------------------
    def rpush(self, key: bytes, *values: bytes) -> int:
        if not values:
            raise RedisError("ERR wrong number of arguments for 'rpush' command")
        value = self._make(key, List)
        value.extend(values)
        return len(value)

    def llen(self, key: bytes) -> int:
        return len(self._get(key, List) or ())

    def lrange(self, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
        value = self._get(key, List) or []
        return list(value[span(start, stop, len(value))])

    def lindex(self, key: bytes, place: bytes) -> bytes | None:
        found = self.lrange(key, place, place)
        return found[0] if found else None

    def ltrim(self, key: bytes, start: bytes, stop: bytes) -> Status:
        value = self._get(key, List)
        if value is not None:
            value[:] = value[span(start, stop, len(value))]
            if not value:
                del self.keys[key]
        return OK

    def lrem(self, key: bytes, count: bytes, wanted: bytes) -> int:
        """Only from the head, and at most so many, as `settle` does."""
        value, left = self._get(key, List), integer(count)
        if left <= 0:
            raise RedisError("ERR the simulated LREM removes from the head only")
        removed = 0
        while value and left and wanted in value:
            value.remove(wanted)
            removed, left = removed + 1, left - 1
        if value is not None and not value:
            del self.keys[key]
        return removed

    def lpos(self, key: bytes, wanted: bytes) -> int | None:
        value = self._get(key, List) or []
        return value.index(wanted) if wanted in value else None

    # -- sets ---------------------------------------------------------------------------------------------------------
    def sadd(self, key: bytes, *members: bytes) -> int:
        value = self._make(key, Set)
        before = len(value)
        value.update(dict.fromkeys(members))
        return len(value) - before

    def srem(self, key: bytes, *members: bytes) -> int:
        return self._drop(key, members, Set)

    def scard(self, key: bytes) -> int:
        return len(self._get(key, Set) or ())

    def smembers(self, key: bytes) -> list[bytes]:
        return list(self._get(key, Set) or ())

    def srandmember(self, key: bytes, count: bytes) -> list[bytes]:
        members = list(self._get(key, Set) or ())
        return [members.pop(self._choose(len(members))) for _ in range(min(integer(count), len(members)))]

    # -- sorted sets --------------------------------------------------------------------------------------------------
    def zadd(self, key: bytes, *arguments: bytes) -> int:
        only_new = arguments[:1] == (b"NX",)
        pairs = arguments[1:] if only_new else arguments
        if not pairs or len(pairs) % 2:
            raise RedisError("ERR syntax error")
        scores = [score_of(score) for score in pairs[::2]]
        value = self._make(key, ZSet)
        before = len(value)
        for score, member in zip(scores, pairs[1::2], strict=True):
            if not (only_new and member in value):
                value[member] = score
        return len(value) - before

    def zrem(self, key: bytes, *members: bytes) -> int:
        return self._drop(key, members, ZSet)

    def zcard(self, key: bytes) -> int:
        return len(self._get(key, ZSet) or ())

    def zscore(self, key: bytes, member: bytes) -> bytes | None:
        score = (self._get(key, ZSet) or {}).get(member)
        return None if score is None else number(score)

    def zrange(self, key: bytes, start: bytes, stop: bytes, *options: bytes) -> list[bytes]:
        value = self._get(key, ZSet)
        if value is None:
            return []
        ordered = value.ordered()
        if b"REV" in options:
            ordered.reverse()
        return _members(ordered[span(start, stop, len(ordered))], b"WITHSCORES" in options)

    def zrangebyscore(self, key: bytes, low: bytes, high: bytes, *options: bytes) -> list[bytes]:
        first, last = score_of(low), score_of(high)
        value = self._get(key, ZSet)
        if value is None:
            return []
        found = sorted([(score, member) for member, score in value.items() if first <= score <= last])
        if b"LIMIT" in options:
            at = options.index(b"LIMIT")
            offset, count = integer(options[at + 1]), integer(options[at + 2])
            found = found[offset : offset + count] if count >= 0 else found[offset:]
        return _members(found, b"WITHSCORES" in options)


def _members(found: list[tuple[float, bytes]], scored: bool) -> list[bytes]:
    if not scored:
        return [member for _, member in found]
    return [part for score, member in found for part in (member, number(score))]


COMMANDS: dict[bytes, Callable[..., Reply]] = {
    name.rstrip("_").upper().encode(): member
    for name, member in vars(Keyspace).items()
    if callable(member) and not name.startswith("_") and name not in ("copy", "restore", "run")
}
"""The commands by name."""
