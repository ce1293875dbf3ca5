"""One connection to Redis or Valkey that pipelines by itself.

A call leaves at once if nothing is under way; all others made in one turn of the event loop leave in one write, and the
server makes them durable with one fsync.
Answers come in order.  When the connection breaks, the calls without an answer are sent again, in order, on the next
one: every verb of the store is safe to repeat, so a caller never sees a broken connection, only a late answer -- or
`StoreUnavailable` when the server stays away for longer than the deadline.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from statewright.errors import StatewrightError

__all__ = ["Address", "Connection", "ServerError", "StoreUnavailable"]

Command: TypeAlias = tuple[str | bytes | int, ...]

_pack = cast(Callable[[Command], bytes], hiredis.pack_command)
_WAIT_FOR = ("LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN")


class StoreUnavailable(StatewrightError):  # noqa: N818  the API's word
    """The store could not be reached before the deadline; whether the call was applied is not known.

    Example: ``raise StoreUnavailable("no answer from unix:///run/store.sock within 30 s")``
    """

    def __init__(self, message: str) -> None:
        super().__init__("StoreUnavailable", message)


class ServerError(Exception):
    """An error reply; `code` is its first word, e.g. ``LOADING``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.split(" ", 1)[0]

    @property
    def passing(self) -> bool:
        """The server asks for patience: the same call will do later."""
        return self.code in _WAIT_FOR


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens; made from a URL of scheme redis, rediss or unix.

    Example: ``Address.parse("redis://user:secret@db.example:6379/2")``, ``Address.parse("unix:///run/v.sock?db=1")``
    """

    host: str = ""
    port: int = 6379
    path: str = ""
    tls: bool = False
    user: str = ""
    password: str = ""
    database: int = 0

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address in `url`; StatewrightError ``InvalidStore`` if it is none."""
        try:
            parts = urlsplit(url)
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            if parts.scheme == "unix" and parts.path:
                database = int(parse_qs(parts.query).get("db", ["0"])[0])
                return cls(path=unquote(parts.path), user=user, password=password, database=database)
            if parts.scheme in ("redis", "rediss"):
                (parts.hostname or "localhost").encode("idna")  # UnicodeError: no name that could be looked up
                return cls(
                    host=parts.hostname or "localhost",
                    port=parts.port or 6379,
                    tls=parts.scheme == "rediss",
                    user=user,
                    password=password,
                    database=int(parts.path.strip("/") or 0),
                )
        except ValueError:
            pass
        raise StatewrightError(
            "InvalidStore", "a store is redis://host:port/db, rediss://... or unix:///path/to/socket"
        )

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"redis://{self.host}:{self.port}/{self.database}"

    def greeting(self) -> list[Command]:
        """What to say first on a connection."""
        commands: list[Command] = []
        if self.password:
            commands.append(("AUTH", self.user, self.password) if self.user else ("AUTH", self.password))
        if self.database:
            commands.append(("SELECT", self.database))
        return commands


class _Call:
    """A command without an answer yet."""

    __slots__ = ("future", "packed", "until")

    def __init__(self, packed: bytes, future: asyncio.Future[Any] | None, until: float) -> None:
        self.packed = packed
        self.future = future
        self.until = until


class _Wire(asyncio.Protocol):
    """One socket: bytes out, replies in."""

    def __init__(self, on_reply: Callable[[Any], None], on_lost: Callable[[_Wire], None]) -> None:
        self._reader = hiredis.Reader(replyError=ServerError)
        self._on_reply = on_reply
        self._on_lost = on_lost
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._on_reply(reply)
        except hiredis.ProtocolError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.transport = None
        self._on_lost(self)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Connection:
    """An auto-pipelining connection that comes back by itself.

    Arguments:
        resolve: answers with the server's URL; asked before each attempt to connect (an embedded server is started
            by it when it has died).
        greeting: commands to send first on every connection, before anything else.
        accept: is given the answers to `greeting`; a StatewrightError it raises fails all calls.
        deadline: how long, in seconds, a call may wait for its answer.
        on_push: is given every reply that no call waits for (messages of a subscription).
        on_change: is called after each successful connect, and when connecting was given up.

    Example: ``await Connection(resolve).call("GET", "key")``
    """

    def __init__(
        self,
        resolve: Callable[[], Awaitable[str]],
        *,
        greeting: Sequence[Command] = (),
        accept: Callable[[list[Any]], None] | None = None,
        deadline: float = 30.0,
        on_push: Callable[[Any], None] | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._resolve = resolve
        self._greeting = greeting
        self._accept = accept
        self._deadline = deadline
        self._on_push = on_push
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        self._pending: deque[_Call] = deque()
        self._out: list[bytes] = []
        self._wire: _Wire | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._closed = False
        self._trouble = ""  # why the last attempt to connect failed

    def call(self, *command: str | bytes | int) -> asyncio.Future[Any]:
        """Send a command; the future has its reply, or raises ServerError, StoreUnavailable or StatewrightError.

        The command takes its place in the pipeline at once, before anything is awaited.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed or os.getpid() != self._process:
            reason = "store has been closed" if self._closed else "process has forked since the store was opened"
            future.set_exception(StoreUnavailable(f"the {reason}"))
            return future
        packed = _pack(command)
        alone = not self._pending
        self._pending.append(_Call(packed, future, self._loop.time() + self._deadline))
        if self._wire is not None and alone:
            self._wire.write(packed)  # nothing is under way, so there is no company to wait for
        elif self._wire is not None:
            if not self._out:
                self._loop.call_soon(self._flush)
            self._out.append(packed)
        elif self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())
        if self._watchdog is None:
            self._watchdog = self._loop.call_later(self._deadline, self._check)
        return future

    async def ensure(self) -> None:
        """Wait until there is a connection (the server may still be loading its data)."""
        if self._wire is None:
            try:
                await self.call("PING")
            except ServerError as error:
                if not error.passing:
                    raise refusal(error) from None

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._wire is not None and out:
            self._wire.write(b"".join(out) if len(out) > 1 else out[0])

    def _replied(self, reply: Any) -> None:
        if not self._pending:
            return
        future = self._pending.popleft().future
        if future is None or future.done():
            return
        if isinstance(reply, ServerError):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def _received(self, reply: Any) -> None:
        pushed = isinstance(reply, list) and reply and reply[0] == b"message"
        if self._on_push is not None and pushed:
            self._on_push(reply)
        else:
            self._replied(reply)

    def _lost(self, wire: _Wire) -> None:
        if wire is not self._wire:
            return
        self._wire = None
        self._out = []
        if not self._closed and self._connecting is None and (self._pending or self._on_push is not None):
            self._connecting = self._loop.create_task(self._connect())

    def _check(self) -> None:
        """Fail what has waited too long; a server that lets calls wait is left for a new connection."""
        self._watchdog = None
        now, overdue = self._loop.time(), False
        while self._pending and self._pending[0].until <= now:
            call = self._pending.popleft()
            overdue = True
            if call.future is not None and not call.future.done():
                reason = f"no answer from the store within {self._deadline:g} s{self._trouble}"
                call.future.set_exception(StoreUnavailable(reason))
        if overdue and self._wire is not None:
            self._wire.abort()
        if self._pending:
            self._watchdog = self._loop.call_later(self._pending[0].until - now, self._check)

    def _fail_all(self, error: StatewrightError) -> None:
        pending, self._pending = self._pending, deque()
        for call in pending:
            if call.future is not None and not call.future.done():
                call.future.set_exception(error)

    def _give_up(self, error: StatewrightError) -> None:
        self._fail_all(error)
        if self._on_change is not None:
            self._on_change()

    async def _connect(self) -> None:
        """Connect, with jittered back-off while somebody waits for an answer, then repeat what was not answered."""
        pause = 0.02
        try:
            while not self._closed and (self._pending or self._on_push is not None):
                try:
                    self._wire = await self._open()
                except (OSError, TimeoutError, ServerError) as error:
                    if isinstance(error, ServerError) and not error.passing:
                        return self._give_up(refusal(error))
                    self._trouble = f": {error}" if str(error) else ""
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                    pause = min(pause * 2, 1.0)
                    continue
                except StatewrightError as error:
                    return self._give_up(error)
                self._trouble = ""
                # Nothing is awaited between the greeting's last answer and this write, so the order is kept.
                self._wire.write(b"".join(call.packed for call in self._pending))
                if self._on_change is not None:
                    self._on_change()
                return None
        finally:
            self._connecting = None

    async def _open(self) -> _Wire:
        address = Address.parse(await self._resolve())
        greeting = [*address.greeting(), *self._greeting]
        answers: list[Any] = []
        complete: asyncio.Future[None] = self._loop.create_future()

        def received(reply: Any) -> None:
            if complete.done():
                self._received(reply)
                return
            answers.append(reply)
            if isinstance(reply, ServerError):
                complete.set_exception(reply)
            elif len(answers) == len(greeting):
                complete.set_result(None)

        def lost(wire: _Wire) -> None:
            if not complete.done():
                complete.set_exception(ConnectionResetError("connection lost"))
            self._lost(wire)

        def protocol() -> _Wire:
            return _Wire(received, lost)

        async with asyncio.timeout(self._deadline):
            wire = await self._socket(address, protocol)
            try:
                if greeting:
                    wire.write(b"".join(_pack(command) for command in greeting))
                    await complete
                else:
                    complete.set_result(None)
                if self._accept is not None:
                    self._accept(answers[len(address.greeting()) :])
                if wire.transport is None:
                    raise ConnectionResetError("connection lost")
            except BaseException:
                wire.abort()
                raise
        return wire

    async def _socket(self, address: Address, protocol: Callable[[], _Wire]) -> _Wire:
        if address.path:
            return (await self._loop.create_unix_connection(protocol, address.path))[1]
        context = ssl.create_default_context() if address.tls else None
        transport, wire = await self._loop.create_connection(protocol, address.host, address.port, ssl=context)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return wire

    async def close(self) -> None:
        """Close the socket; calls without an answer fail with StoreUnavailable."""
        self._closed = True
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._wire is not None:
            self._flush()
            self._wire.abort()
            self._wire = None
        self._fail_all(StoreUnavailable("the store has been closed"))
        await asyncio.sleep(0)  # the transport closes its socket in the next turn


_ADVICE = {
    "READONLY": "this server is a replica; give the address of the primary",
    "NOAUTH": "the server wants a password: redis://user:password@host:port",
    "WRONGPASS": "user name or password is wrong: redis://user:password@host:port",
    "NOPERM": "the user may not run this command; see the ACL in the documentation",
    "OOM": "the server is out of memory: raise maxmemory (with maxmemory-policy noeviction)",
    "MISCONF": "the server cannot persist: free disk space, or see its log (stop-writes-on-bgsave-error)",
    "NOREPLICAS": "too few replicas are connected for min-replicas-to-write",
    "MOVED": "this server is part of a cluster, which is not supported; use a single server or Sentinel",
    "CROSSSLOT": "this server is part of a cluster, which is not supported; use a single server or Sentinel",
}


def refusal(error: ServerError) -> StatewrightError:
    """The error to show for a reply that repeating the call will not change, with the setting to look at.

    Example: ``refusal(ServerError("OOM command not allowed")).code == "StoreRefused"``
    """
    advice = _ADVICE.get(error.code)
    return StatewrightError("StoreRefused", f"{error} ({advice})" if advice else str(error))
