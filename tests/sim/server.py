"""A simulated server: the commands of a connection, functions, publish and subscribe; bytes in, bytes out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.sim.functions import Library
from tests.sim.keyspace import COMMANDS, OK, Keyspace, RedisError, Status, integer

__all__ = ["Server", "encode"]

_INFO = b"\r\n".join(
    (b"# Server", b"redis_version:7.2.4", b"valkey_version:9.1.2", b"# Stats", b"total_net_input_bytes:%d", b"")
)
_CONFIG = {b"appendonly": b"yes", b"appendfsync": b"always", b"maxmemory": b"0", b"maxmemory-policy": b"noeviction"}
_PONG = Status(b"PONG")


class Server:
    """What one server process has in memory.

    Arguments:
        micros: its clock, µs since 1970.
        chance: decides what Redis leaves to chance.
        libraries: loaded ones, to be shared by servers of one thread; they keep nothing between calls.

    Example: ``Server(lambda: 0, random.Random(1)).execute([b"PING"])``
    """

    def __init__(
        self,
        micros: Callable[[], int],
        chance: random.Random,
        libraries: Libraries | None = None,
    ) -> None:
        self.space = Keyspace(lambda count: chance.randrange(count))
        self.published: list[tuple[bytes, bytes]] = []
        self._micros = micros
        self._libraries = libraries or Libraries()
        self._loaded: dict[bytes, Library] = {}
        self.calls = 0
        self.received = 0
        """Bytes, as far as whoever owns the connections counts them."""

    def execute(self, command: list[bytes]) -> Any:
        """The reply to a command, or the RedisError of it; what it published is in `published`."""
        try:
            return self._run(command[0].upper(), command[1:])
        except RedisError as error:
            return error
        except TypeError:
            return RedisError(f"ERR wrong number of arguments for '{command[0].decode().lower()}' command")

    def _run(self, name: bytes, arguments: list[bytes]) -> Any:
        data = COMMANDS.get(name)
        if data is not None:
            return data(self.space, *arguments)
        if name == b"PUBLISH":
            self.published.append((arguments[0], arguments[1]))
            return 0
        if name == b"TIME":
            now = self._micros()
            return [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]
        own = _OWN.get(name)
        if own is None:
            raise RedisError(f"ERR unknown command '{name.decode(errors='replace')}'")
        return own(self, *arguments)

    def _fcall(self, name: bytes, count: bytes, *rest: bytes) -> Any:
        library = self._loaded.get(name)
        if library is None:
            raise RedisError("ERR Function not found")
        self.calls += 1
        self._libraries.server = self
        keys = integer(count)
        return library.call(name, rest[:keys], rest[keys:])

    def _function(self, action: bytes, *arguments: bytes) -> Any:
        if action.upper() == b"FLUSH":
            self._loaded.clear()
            return OK
        if action.upper() != b"LOAD":
            raise RedisError("ERR unknown subcommand")
        text = arguments[-1]
        library, names = self._libraries.get(text)
        if arguments[0].upper() != b"REPLACE" and any(name in self._loaded for name in names):
            raise RedisError("ERR Library already exists")
        self._loaded.update(dict.fromkeys(names, library))
        return text.split(b"\n", 1)[0].partition(b"name=")[2]

    def _config(self, action: bytes, name: bytes) -> list[bytes]:
        return [name, _CONFIG[name]] if action.upper() == b"GET" and name in _CONFIG else []


class Libraries:
    """Loaded libraries by text.  What ``redis.call`` reaches is `server`, the one that called last.

    Arguments:
        edit: changes a text before it is loaded (mutants).

    Example: ``Server(clock, chance, Libraries())``
    """

    def __init__(self, edit: Callable[[bytes], bytes] = lambda text: text) -> None:
        self._edit = edit
        self._known: dict[bytes, tuple[Library, list[bytes]]] = {}
        self.server: Server | None = None

    def get(self, text: bytes) -> tuple[Library, list[bytes]]:
        """The library of a text, and the names of its functions."""
        if text not in self._known:
            names = [line.split(b"'")[1] for line in text.split(b"\n") if line.startswith(b"redis.register_function(")]
            library = Library(self._edit(text), self._call)
            assert all(name in library for name in names)
            self._known[text] = library, names
        return self._known[text]

    def _call(self, name: bytes, arguments: list[bytes]) -> Any:
        assert self.server is not None
        data = COMMANDS.get(name)
        if data is not None:
            return data(self.server.space, *arguments)
        return self.server._run(name, arguments)


_OWN: dict[bytes, Callable[..., Any]] = {
    b"FCALL": Server._fcall,
    b"FUNCTION": Server._function,
    b"CONFIG": Server._config,
    b"INFO": lambda server, *_: _INFO % server.received,
    b"PING": lambda server: _PONG,
    b"SELECT": lambda server, _: OK,
}


def encode(reply: Any) -> bytes:
    """A reply in RESP 2."""
    kind = type(reply)
    if kind is bytes:
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if kind is int:
        return b":%d\r\n" % reply
    if reply is None:
        return b"$-1\r\n"
    if kind is list:
        return b"*%d\r\n%b" % (len(reply), b"".join(map(encode, reply)))
    if kind is Status:
        return b"+%b\r\n" % reply
    if isinstance(reply, RedisError):
        return b"-%b\r\n" % str(reply).encode().replace(b"\r", b" ").replace(b"\n", b" ")
    raise TypeError(f"no reply: {reply!r}")
