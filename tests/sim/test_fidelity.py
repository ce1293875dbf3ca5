"""The simulated server answers as real ones do; otherwise nothing that is simulated proves anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import hiredis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim.keyspace import RedisError, Set, ZSet
from tests.sim.plan import plan_of
from tests.sim.run import Run
from tests.sim.server import Server
from tests.sim.site import beginning
from tests.store.conftest import Deployment

KINDS = ("valkey", "redis")
"""The deployments it is compared with."""

_UNORDERED = (b"HGETALL", b"SMEMBERS")


class Real:
    """A real server, spoken to without anything in between."""

    def __init__(self, url: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(url.removeprefix("unix://"))
        self._reader = hiredis.Reader(replyError=RedisError)
        self.execute([b"FLUSHALL"])

    def close(self) -> None:
        self._socket.close()

    def execute(self, command: list[bytes]) -> Any:
        return self.execute_all([command])[0]

    def execute_all(self, commands: list[list[bytes]]) -> list[Any]:
        """Replies to commands sent at once."""
        answers = []
        for start in range(0, len(commands), 500):
            part = commands[start : start + 500]
            self._socket.sendall(b"".join(hiredis.pack_command(tuple(command)) for command in part))
            for _ in part:
                while (reply := self._reader.gets()) is False:
                    self._reader.feed(self._socket.recv(1 << 20))
                answers.append(reply)
        return answers

    def contents(self) -> dict[bytes, Any]:
        """All there is, as `of_space` shows it."""
        found: dict[bytes, Any] = {}
        for key in self.execute([b"KEYS", b"*"]):
            match self.execute([b"TYPE", key]):
                case b"string":
                    found[key] = self.execute([b"GET", key])
                case b"hash":
                    parts = self.execute([b"HGETALL", key])
                    found[key] = dict(zip(parts[::2], parts[1::2], strict=True))
                case b"list":
                    found[key] = self.execute([b"LRANGE", key, b"0", b"-1"])
                case b"set":
                    found[key] = set(self.execute([b"SMEMBERS", key]))
                case _:
                    found[key] = self.execute([b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"])
        return found


@pytest.fixture
def real(deployment: Deployment) -> Iterator[Real]:
    with closing(Real(deployment.url)) as real:
        yield real


def of_space(keys: dict[bytes, Any]) -> dict[bytes, Any]:
    """Contents of a simulated server."""
    shown: dict[bytes, Any] = {}
    for key, value in keys.items():
        if isinstance(value, ZSet):
            shown[key] = [part for member, score in value.items() for part in (member, b"%.17g" % score)]
        else:
            shown[key] = set(value) if isinstance(value, Set) else value
    return shown


def same(command: list[bytes], one: Any, other: Any) -> bool:
    """Whether two replies are the same, where Redis promises an order."""
    if isinstance(one, RedisError) or isinstance(other, RedisError):
        return type(one) is type(other) and str(one).split()[0] == str(other).split()[0]
    if command[0].endswith(b"SCAN"):  # where a scan stands is each server's own; one that is complete tells the same
        return one[0] != other[0] or one[0] != b"0" or sorted(one[1]) == sorted(other[1])
    if command[0] == b"INFO":  # each server about itself
        return type(one) is type(other)
    if isinstance(one, list) and (command[0] in _UNORDERED or b"_claim" in command[1]):
        return isinstance(other, list) and sorted(map(repr, one)) == sorted(map(repr, other))
    return command[0] == b"INFO" or bool(one == other)  # how much memory there is, is each server's own


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_what_the_engine_asks_for(real: Real, first: int) -> None:
    """Everything the server was asked in simulated runs, faults included, asked of a real one."""
    asked = 0
    for seed in range(first, first + 50):
        run = Run(plan_of(seed), recording=True).carry_out()
        record = run.world.record
        assert record is not None
        real.execute([b"FLUSHALL"])
        real.execute([b"FUNCTION", b"FLUSH"])
        real.execute_all(beginning(run.plan.machines, run.plan.shards))
        answers = real.execute_all([command for command, _ in record])
        for (command, simulated), answer in zip(record, answers, strict=True):
            assert same(command, simulated, answer), f"seed {seed}: {command}\n{simulated}\n{answer}"
        assert of_space(run.world.server.space.keys) == real.contents(), f"seed {seed}"
        asked += len(record)
    assert asked > 1000


_KEY = st.sampled_from([b"one", b"two"])
_MEMBER = st.sampled_from([b"a", b"b", b"c", b"10", b"9"])
_PLACE = st.integers(-4, 4).map(lambda place: b"%d" % place)
# Redis 7.0 shows 0.1 with 17 digits, Valkey does not; all scores of the engine are integers.
_SCORE = st.sampled_from([b"0", b"-1", b"1.5", b"3", b"1700000000000", b"1e3", b"x", b"-inf", b"inf"])
_WORDS = st.lists(_MEMBER, min_size=1, max_size=4)


def _command(name: bytes, *arguments: Any) -> st.SearchStrategy[list[bytes]]:
    parts = [
        st.just([name]),
        *[each if each in (_WORDS, _FEW) else each.map(lambda word: [word]) for each in arguments],
    ]
    return st.tuples(*parts).map(lambda words: [word for part in words for word in part])


_FEW = st.sampled_from([[], [b"WITHSCORES"], [b"REV"], [b"REV", b"WITHSCORES"]])
_LIMIT = st.sampled_from([b"-inf", b"+inf", b"1", b"3", b"y"])
_COMMANDS = st.one_of(
    _command(b"SET", _KEY, _MEMBER),
    _command(b"GET", _KEY),
    _command(b"SETNX", _KEY, _MEMBER),
    _command(b"EXISTS", _WORDS),
    _command(b"UNLINK", _KEY),
    _command(b"DEL", _KEY, _KEY),
    _command(b"HSET", _KEY, _WORDS),
    _command(b"HSETNX", _KEY, _MEMBER, _MEMBER),
    _command(b"HGET", _KEY, _MEMBER),
    _command(b"HMGET", _KEY, _WORDS),
    _command(b"HGETALL", _KEY),
    _command(b"HLEN", _KEY),
    _command(b"HEXISTS", _KEY, _MEMBER),
    _command(b"HDEL", _KEY, _WORDS),
    _command(b"HINCRBY", _KEY, _MEMBER, _PLACE),
    _command(b"RPUSH", _KEY, _WORDS),
    _command(b"LLEN", _KEY),
    _command(b"LRANGE", _KEY, _PLACE, _PLACE),
    _command(b"LTRIM", _KEY, _PLACE, _PLACE),
    _command(b"LREM", _KEY, st.sampled_from([b"1", b"2"]), _MEMBER),
    _command(b"LPOS", _KEY, _MEMBER),
    _command(b"SADD", _KEY, _WORDS),
    _command(b"SREM", _KEY, _WORDS),
    _command(b"SMEMBERS", _KEY),
    _command(b"ZADD", _KEY, _SCORE, _MEMBER),
    _command(b"ZADD", _KEY, st.just(b"NX"), _SCORE, _MEMBER),
    _command(b"ZREM", _KEY, _WORDS),
    _command(b"ZSCORE", _KEY, _MEMBER),
    _command(b"ZRANGE", _KEY, _PLACE, _PLACE, _FEW),
    _command(b"ZRANGEBYSCORE", _KEY, _LIMIT, _LIMIT),
    _command(b"ZRANGEBYSCORE", _KEY, _LIMIT, _LIMIT, st.just(b"LIMIT"), _PLACE, _PLACE),
    st.just([b"NONSENSE"]),
    st.just([b"HSET", b"one"]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_COMMANDS, max_size=30))
def test_commands(real: Real, commands: list[list[bytes]]) -> None:
    simulated = Server(lambda: 0)
    real.execute([b"FLUSHALL"])
    for command, answer in zip(commands, real.execute_all(commands), strict=True):
        expected = simulated.execute(command)
        assert same(command, expected, answer), f"{command}: {expected!r}, but really {answer!r}"
    assert of_space(simulated.space.keys) == real.contents()
