"""One listener to the store's bell for everybody in this process who waits for something to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from statewright.errors import StatewrightError
from statewright.store.verbs import Store

__all__ = ["Doorbell", "Listener"]

_log = logging.getLogger("statewright")

Listener: TypeAlias = Callable[[Collection[int] | None], None]
"""Is told in which shards something became ready; None: perhaps anywhere, as messages may have been missed."""


class Doorbell:
    """Hands the store's rings to every listener.

    Example: ``with doorbell.listen(lambda shards: event.set()): await event.wait()``
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listen(self, listener: Listener) -> Iterator[None]:
        """Call `listener` at every ring, as long as the block runs."""
        self._listeners.append(listener)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._listeners.remove(listener)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            rung: Collection[int] | None = None
            try:
                rung = await self._store.watch_bell()
            except StatewrightError as error:
                _log.warning("cannot listen to the store: %s", error)
                await asyncio.sleep(1)
            for listener in list(self._listeners):
                listener(rung)
