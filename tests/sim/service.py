"""The simulated server behind a real socket, so that tests written for real servers can be run on it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hiredis

from tests.sim.server import Libraries, Server, encode

__all__ = ["serving"]


class _Service:
    """Connections to one server."""

    def __init__(self) -> None:
        self._server = Server(lambda: time.time_ns() // 1000, libraries=Libraries())
        self._channels: dict[asyncio.StreamWriter, set[bytes]] = {}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._channels[writer] = set()
        commands = hiredis.Reader()
        try:
            while data := await reader.read(1 << 20):
                if data[:1] != b"*" and not commands.has_data():
                    data = hiredis.pack_command(tuple(data.split()))  # a command in one line, as for telnet
                self._server.received += len(data)
                commands.feed(data)
                while (command := commands.gets()) is not False:
                    writer.write(self._answer(writer, command))
        except ConnectionError:
            pass
        finally:
            del self._channels[writer]
            writer.close()

    def _answer(self, writer: asyncio.StreamWriter, command: list[bytes]) -> bytes:
        name = command[0].upper()
        if name == b"SUBSCRIBE":
            self._channels[writer].update(command[1:])
            count = len(self._channels[writer])
            return b"".join(encode([b"subscribe", channel, count]) for channel in command[1:])
        answer = self._server.answer(command)
        for channel, message in self._server.published:
            for other, channels in self._channels.items():
                if channel in channels:
                    other.write(encode([b"message", channel, message]))
        self._server.published.clear()
        return answer


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """A simulated server at a socket, in a thread; the URL.

    Example: ``with serving(tmp_path / "socket") as url: store = await open_store(url)``
    """
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def main() -> None:
        service = _Service()
        server = await asyncio.start_unix_server(service.connected, path)
        loop.call_soon(started.set)
        try:
            await server.serve_forever()
        finally:
            server.close()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            rest = asyncio.all_tasks(loop)
            for each in rest:
                each.cancel()
            loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            loop.close()

    task = loop.create_task(main())
    thread = threading.Thread(target=run, name="simulated server")
    thread.start()
    started.wait()
    try:
        yield f"unix://{path}"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
