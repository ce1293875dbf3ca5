"""Something between a client and a server that lets nothing through any more, in one way or both."""

from __future__ import annotations

import asyncio
from pathlib import Path

__all__ = ["BOTH", "REPLIES", "REQUESTS", "Proxy"]

REQUESTS, REPLIES = frozenset(["requests"]), frozenset(["replies"])
BOTH = REQUESTS | REPLIES


class Proxy:
    """A unix socket in front of another.

    Arguments:
        path: where it listens.
        server: the socket of the server.

    Example: ``async with Proxy(tmp_path / "p", socket) as proxy: proxy.swallow(BOTH); …; proxy.heal()``
    """

    def __init__(self, path: Path, server: str) -> None:
        self.url = f"unix://{path}"
        self._path, self._server = path, server
        self._swallowed: frozenset[str] = frozenset()
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._listening = await asyncio.start_unix_server(self._join, self._path)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._listening.close()
        self.heal()
        await asyncio.gather(*self._pumps)

    def swallow(self, ways: frozenset[str]) -> None:
        """From now on what is sent in these ways is gone; no connection is closed, and new ones are accepted."""
        self._swallowed = ways

    def heal(self) -> None:
        """Everything comes through again, on new connections."""
        self._swallowed = frozenset()
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        self._writers |= {writer, to_server}
        for pump in (self._pump(reader, to_server, "requests"), self._pump(from_server, writer, "replies")):
            self._pumps.add(task := asyncio.create_task(pump))
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
        try:
            while data := await source.read(65536):
                if way not in self._swallowed:
                    target.write(data)
        except ConnectionError:
            pass
        finally:
            target.close()
            self._writers.discard(target)
