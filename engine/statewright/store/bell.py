"""Waiting without polling: the scripts ring a bell (publish) when there is something to do or an execution ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from statewright.store import keys
from statewright.store.connection import Connection, Resolve

__all__ = ["Bell"]


_BELL = keys.BELL.encode()
_TRUST = 5.0  # seconds


class Bell:
    """A subscription to the store's bell, on a connection of its own, made when first listened to.

    Messages are hints: they may be missed while there is no connection, so each (re)connect counts as a ring.

    Arguments:
        resolve: the server to listen to; of a cluster any, as messages reach all nodes.
        deadline: as in `Connection`.

    Example: ``await bell.ring()``
    """

    def __init__(self, resolve: Resolve, deadline: float) -> None:
        self._resolve = resolve
        self._deadline = deadline
        self._connection: Connection | None = None
        self._rung = asyncio.Event()
        self._shards: set[int] | None = None
        self._waiting: dict[bytes, asyncio.Event] = {}
        self._listeners: dict[bytes, int] = {}

    def _listen(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(
                self._resolve,
                greeting=[("SUBSCRIBE", keys.BELL), ("SUBSCRIBE", keys.END)],
                deadline=self._deadline,
                on_push=self._heard,
                on_change=self._ring_all,
            )
        return self._connection

    def _ring_all(self) -> None:
        self._shards = None
        self._rung.set()
        for event in self._waiting.values():
            event.set()

    def _heard(self, message: Any) -> None:
        if message[1] == _BELL:
            if not message[2]:
                self._shards = None
            elif self._shards is not None:
                self._shards.add(int(message[2]))
            self._rung.set()
        elif (event := self._waiting.get(message[2])) is not None:
            event.set()

    async def ring(self) -> frozenset[int] | None:
        """Return at the next ring since the last call, with the shards named since then; early on the first call and
        after a reconnect, with None: it may have been any.

        Raises StoreUnavailable when there is no server to listen to.
        """
        await self._listen().ensure()
        await self._rung.wait()
        self._rung.clear()
        shards, self._shards = self._shards, set()
        return None if shards is None else frozenset(shards)

    async def end(self, execution: str, ended: Callable[[], Awaitable[bool]]) -> None:
        """Return when the execution has ended, or may have: a message may be lost between the nodes of a cluster, so
        nobody waits for one for long.  `ended` is asked once the subscription stands.
        """
        name = execution.encode()
        event = self._waiting.setdefault(name, asyncio.Event())
        self._listeners[name] = self._listeners.get(name, 0) + 1
        try:
            await self._listen().ensure()
            if not await ended():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TRUST):
                        await event.wait()
        finally:
            self._listeners[name] -= 1
            if not self._listeners[name]:
                del self._listeners[name], self._waiting[name]

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
