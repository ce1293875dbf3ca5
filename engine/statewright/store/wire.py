"""One socket to one server: bytes out, replies in."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

import hiredis

from statewright.errors import StatewrightError
from statewright.store.address import Address, Command
from statewright.store.replies import ServerError

__all__ = ["Wire", "ask", "open_wire", "pack"]

pack = cast(Callable[[Command], bytes], hiredis.pack_command)
"""A command as bytes of the protocol."""


class Wire(asyncio.Protocol):
    """A connected socket; made by `open_wire`."""

    def __init__(self, on_reply: Callable[[Any], None], on_lost: Callable[[Wire], None]) -> None:
        self._reader = hiredis.Reader(replyError=ServerError)
        self._on_reply = on_reply
        self._on_lost = on_lost
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._on_reply(reply)
        except hiredis.ProtocolError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See `asyncio.Protocol`."""
        self.transport = None
        self._on_lost(self)

    def write(self, data: bytes) -> None:
        """Send, unless the connection is lost."""
        if self.transport is not None:
            self.transport.write(data)

    def abort(self) -> None:
        """Close at once; `on_lost` is called later."""
        if self.transport is not None:
            self.transport.abort()


async def open_wire(
    address: Address,
    commands: list[Command],
    on_reply: Callable[[Any], None],
    on_lost: Callable[[Wire], None],
    timeout: float,
) -> tuple[Wire, list[Any]]:
    """Connect, log in, send `commands`; the wire, and their answers (a refused command's is a ServerError).

    `timeout` is for connecting and the answers together.  Later replies go to `on_reply`; `on_lost` is told when the
    connection ends, also when it ends in here.

    Raises OSError, TimeoutError; ServerError if the login fails; StatewrightError if the server's certificate is not
    accepted.
    """
    loop = asyncio.get_running_loop()
    greeting = [*address.greeting(), *commands]
    answers: list[Any] = []
    complete: asyncio.Future[None] = loop.create_future()

    def received(reply: Any) -> None:
        if complete.done():
            on_reply(reply)
            return
        answers.append(reply)
        if len(answers) == len(greeting):
            complete.set_result(None)

    def lost(wire: Wire) -> None:
        if not complete.done():
            complete.set_exception(ConnectionResetError("connection lost"))
        on_lost(wire)

    async with asyncio.timeout(timeout):
        wire = await _socket(address, lambda: Wire(received, lost))
        try:
            if greeting:
                wire.write(b"".join(map(pack, greeting)))
                await complete
            else:
                complete.set_result(None)
            split = len(greeting) - len(commands)
            for answer in answers[:split]:
                if isinstance(answer, ServerError):
                    raise answer
            if wire.transport is None:
                raise ConnectionResetError("connection lost")
        except BaseException:
            wire.abort()
            raise
    return wire, answers[split:]


async def _socket(address: Address, protocol: Callable[[], Wire]) -> Wire:
    loop = asyncio.get_running_loop()
    if address.path:
        return (await loop.create_unix_connection(protocol, address.path))[1]
    context = address.tls.context() if address.tls is not None else None
    try:
        transport, wire = await loop.create_connection(protocol, address.host, address.port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        message = f"the certificate of {address} is not accepted: {error.verify_message} (say whom to trust with ?ca=)"
        raise StatewrightError("StoreRefused", message) from None
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return wire


async def ask(address: Address, *commands: Command, timeout: float) -> list[Any]:
    """The answers to a few commands, over a connection of their own; a refused command's is a ServerError.

    Raises as `open_wire` does.

    Example: ``await ask(address, ("CLUSTER", "SLOTS"), timeout=1)``
    """
    gone = asyncio.Event()
    wire, answers = await open_wire(address, list(commands), lambda _: None, lambda _: gone.set(), timeout)
    wire.abort()
    await gone.wait()
    return answers
