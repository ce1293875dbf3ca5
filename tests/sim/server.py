"""A simulated server: the commands of a connection, functions, publish and subscribe; words in, bytes out.

Keys (``keyspace.lua``), the rest of the server (``server.lua``) and scripts are at home in one Lua 5.1, as Redis has it
inside; the text of a function library is run unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any

import hiredis

try:
    from lupa.luajit21 import LuaRuntime
except ImportError:  # not every platform's package has it
    from lupa.lua51 import LuaRuntime

from tests.sim.keyspace import Keyspace, RedisError

__all__ = ["Libraries", "Server", "decode", "encode"]

_INFO = b"\r\n".join(
    (b"# Server", b"redis_version:7.2.4", b"valkey_version:9.1.2", b"# Stats", b"total_net_input_bytes:%d", b"")
)
_CONFIG = {b"appendonly": b"yes", b"appendfsync": b"always", b"maxmemory": b"0", b"maxmemory-policy": b"noeviction"}
_LUA = Path(__file__).parent
_SETTINGS = b"if jit then jit.off() end"
"""No code is run often enough to be worth compiling."""


class Libraries:
    """A Lua in which servers of one thread live, with the function libraries that they have loaded.

    Arguments:
        edit: changes the text of a library before it is loaded (mutants).

    Example: ``Server(lambda: 0, libraries=Libraries())``
    """

    def __init__(self, edit: Callable[[bytes], bytes] = lambda text: text) -> None:
        lua = LuaRuntime(encoding=None, unpack_returned_tuples=True, register_eval=False)
        lua.execute(_SETTINGS)
        commands = lua.execute((_LUA / "keyspace.lua").read_bytes())
        parts = lua.execute((_LUA / "server.lua").read_bytes(), *commands, edit, _sha1)
        self.execute, self.make, self.saved, self.restore, self.contents, self.busy, self.field = parts
        self.table = lua.table_from
        self.run = lua.execute
        self.deposits: dict[Any, Any] = {}
        """Copies of keyspaces to begin with (see `site.deposit`)."""


def _sha1(text: bytes) -> bytes:
    return sha1(text).hexdigest().encode()


@cache
def unchanged() -> Libraries:
    """The scripts as they are, for all who do not say otherwise."""
    return Libraries()


class Server:
    """What one server process has in memory.

    Arguments:
        micros: its clock, µs since 1970.
        chance: begins what Redis leaves to chance.
        libraries: where it lives.

    Example: ``Server(lambda: 0).execute([b"PING"]) == b"PONG"``
    """

    def __init__(self, micros: Callable[[], int], chance: int = 1, libraries: Libraries | None = None) -> None:
        self.libraries = libraries or unchanged()
        self._state = self.libraries.make(chance)
        self.space = Keyspace(self.libraries, self._state)
        self._micros = micros
        self._execute = self.libraries.execute
        self._table = self.libraries.table
        self._published = self._state[b"published"]
        self.published: list[tuple[bytes, bytes]] = []
        """Channels and messages."""
        self.received = 0
        """Bytes, as far as whoever owns the connections counts them."""

    def answer(self, command: list[bytes]) -> bytes:
        """The reply to a command, as it is sent."""
        name = command[0].upper()
        if name in _OWN:
            return encode(_OWN[name](self, *command[1:]))
        if name is not command[0]:
            command = [name, *command[1:]]
        reply, published = self._execute(self._state, self._micros(), *command)
        if published:
            self._publish(published)
        return reply  # type: ignore[no-any-return]

    def execute(self, command: list[bytes]) -> Any:
        """The reply to a command, or the RedisError of it."""
        return decode(self.answer(command))

    def _publish(self, count: int) -> None:
        words = [self._published[place] for place in range(1, count + 1)]
        self.published += zip(words[::2], words[1::2], strict=True)
        self._state[b"published"] = self._published = self._table([])

    def _config(self, action: bytes, name: bytes) -> list[bytes]:
        return [name, _CONFIG[name]] if action.upper() == b"GET" and name in _CONFIG else []


_OWN: dict[bytes, Callable[..., Any]] = {
    b"CONFIG": Server._config,
    b"INFO": lambda server, *_: _INFO % server.received,
}


def decode(reply: bytes) -> Any:
    """What a reply says; RedisError is an answer, too."""
    reader = hiredis.Reader(replyError=RedisError)
    reader.feed(reply)
    return reader.gets()


def encode(reply: Sequence[Any] | int | RedisError) -> bytes:
    """A reply in RESP 2."""
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, RedisError):
        return b"-%b\r\n" % str(reply).encode()
    return b"*%d\r\n%b" % (len(reply), b"".join(map(encode, reply)))
