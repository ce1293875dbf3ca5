"""Connections between simulated processes and a simulated server, as segments of bytes on their way."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import hiredis

from tests.sim.keyspace import RedisError
from tests.sim.loop import SimLoop
from tests.sim.server import Server, encode

__all__ = ["Link"]


class Link(asyncio.Transport):
    """One connection, and the transport its client sees.

    Arguments:
        loop: of the client.
        protocol: the client.
        number: for the trace.

    Example: ``link.serve(server)`` takes what came first to the server, ``link.answer()`` its replies to the client
    """

    def __init__(self, loop: SimLoop, protocol: asyncio.Protocol, number: int) -> None:
        super().__init__()
        self.loop = loop
        self.number = number
        self.up: deque[bytes] = deque()
        self.commands: deque[list[bytes]] = deque()
        self.down: list[bytes] = []
        self.last = b""
        """The segment that was sent last."""
        self.channels: set[bytes] = set()
        self.lost = False  # the client's side is gone; what it sent may still come
        self._protocol = protocol
        self._reader = hiredis.Reader()

    # -- the client's side --------------------------------------------------------------------------------------------
    def write(self, data: Any) -> None:
        if not self.lost:
            self.last = bytes(data)
            self.up.append(self.last)

    def abort(self) -> None:
        self.cut(len(self.up))

    close = abort

    def is_closing(self) -> bool:
        return self.lost

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    # -- the world's side ---------------------------------------------------------------------------------------------
    def cut(self, arriving: int) -> None:
        """The connection breaks: of the segments sent, the first `arriving` still come, without anybody to answer."""
        if self.lost:
            return
        self.lost = True
        while len(self.up) > arriving:
            self.up.pop()
        self.down.clear()
        self.channels.clear()
        self.loop.call_soon(self._protocol.connection_lost, None)

    def ghost(self, number: int) -> Link:
        """A connection that is lost already, with a copy of the last segment on its way."""
        ghost = Link(self.loop, self._protocol, number)
        ghost.up.append(self.last)
        ghost.lost = True
        return ghost

    def reset(self) -> None:
        """The server is gone, and all that was on its way to it."""
        self.cut(0)
        self.commands.clear()

    @property
    def waiting(self) -> bool:
        """Whether the server has something to do for it."""
        return bool(self.commands or self.up)

    def receive(self) -> list[bytes] | None:
        """The next command that came in full; None if there is none yet."""
        while not self.commands and self.up:
            self._reader.feed(self.up.popleft())
            while (command := self._reader.gets()) is not False:
                self.commands.append(command)
        return self.commands.popleft() if self.commands else None

    def reply(self, server: Server, command: list[bytes], refused: RedisError | None) -> bytes:
        """Have the server execute a command, or refuse it, and send what it answers; that."""
        name = command[0].upper()
        if name == b"SUBSCRIBE" and refused is None:
            if not self.lost:
                self.channels.update(command[1:])
            answer = encode([b"subscribe", command[1], len(self.channels)])
        else:
            answer = server.answer(command) if refused is None else encode(refused)
        if not self.lost:
            self.down.append(answer)
        return answer

    def push(self, channel: bytes, message: bytes) -> None:
        """Send a message that was published."""
        self.down.append(encode([b"message", channel, message]))

    def answer(self, count: int) -> None:
        """The first `count` replies on their way arrive at the client."""
        data = b"".join(self.down[:count])
        del self.down[:count]
        self._protocol.data_received(data)
