"""One listener to the store's bell for everybody in this process who waits for something to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from statewright.errors import StatewrightError
from statewright.store.verbs import Store

__all__ = ["Doorbell"]

_log = logging.getLogger("statewright")


class Doorbell:
    """Hands the store's rings to every listener.

    Example: ``with doorbell.listen(event): await event.wait()``
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[asyncio.Event] = []
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listen(self, event: asyncio.Event) -> Iterator[None]:
        """Set `event` at every ring, as long as the block runs."""
        self._listeners.append(event)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._listeners.remove(event)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._store.watch_bell()
            except StatewrightError as error:
                _log.warning("cannot listen to the store: %s", error)
                await asyncio.sleep(1)
            for event in self._listeners:
                event.set()
