"""When calls leave, and what becomes of several that are asked for together."""

from __future__ import annotations

import asyncio
import gc
import socket
from pathlib import Path

import pytest

from statewright.errors import StatewrightError
from statewright.store.address import Address
from statewright.store.connection import Connection
from statewright.store.scripts import Scripts


async def connected(folder: Path) -> tuple[Connection, socket.socket]:
    """A connection, and the other end of its socket, which does not block."""
    loop = asyncio.get_running_loop()

    async def resolve() -> Address:
        return Address.parse(f"unix://{folder}/s.sock")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.setblocking(False)
        listener.bind(f"{folder}/s.sock")
        listener.listen()
        connection = Connection(resolve)
        greeted = asyncio.ensure_future(connection.ensure())
        peer, _ = await loop.sock_accept(listener)
    await loop.sock_recv(peer, 1024)
    await loop.sock_sendall(peer, b"+PONG\r\n")
    await greeted
    return connection, peer


async def test_calls_of_one_turn_leave_together_behind_the_first(tmp_path: Path) -> None:
    connection, peer = await connected(tmp_path)
    with peer:
        calls = [connection.call("ECHO", number) for number in range(40)]
        assert peer.recv(65536).count(b"ECHO") == 1, "the first one has no company to wait for"
        await asyncio.sleep(0)
        assert peer.recv(65536).count(b"ECHO") == 39
        peer.send(b"".join(b":%d\r\n" % number for number in range(40)))
        assert await asyncio.gather(*calls) == list(range(40))
        await connection.close()


async def test_calls_asked_for_together_are_answered_in_order_or_refused_together(tmp_path: Path) -> None:
    connection, peer = await connected(tmp_path)
    scripts = Scripts(connection)
    commands: list[tuple[str | bytes | int, ...]] = [("GET", "a"), ("GET", "b"), ("GET", "c")]
    with peer:
        answers = asyncio.ensure_future(scripts.calls(commands))
        await asyncio.sleep(0)
        peer.send(b":1\r\n:2\r\n:3\r\n")
        assert await answers == [1, 2, 3]
        answers = asyncio.ensure_future(scripts.calls(commands))
        await asyncio.sleep(0)
        peer.send(b":1\r\n-WRONGTYPE no\r\n-WRONGTYPE neither\r\n")
        with pytest.raises(StatewrightError, match="WRONGTYPE no"):
            await answers
        del answers
        gc.collect()  # an error that nobody asked for would be told of now
        await connection.close()
