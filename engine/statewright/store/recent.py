"""The values used last, as many as there is room for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["IDLE", "Recent"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

IDLE: Final = 30.0
"""Seconds for which something about an execution is remembered though nobody asks: half of the time for which nothing
is deleted after its end (`drive.upkeep.retention.SETTLED_MS`).  After that, something else may have its name."""


class Recent(Generic[K, V]):
    """Remembers the most recently used values, by key.

    Arguments:
        entries: how many at most.
        weight: how much they may weigh together, by the unit of `put`; one is remembered however heavy it is.
        idle: seconds after which a value that nobody has asked for is forgotten; None: never.

    Example: ``Recent[str, Fork](128, weight=16_000_000)``
    """

    def __init__(self, entries: int, weight: int | None = None, *, idle: float | None = None) -> None:
        self._entries = entries
        self._idle = idle
        self._weight = weight
        self._heavy = 0
        self._values: OrderedDict[K, tuple[V, int, float]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value of a key, if it is still remembered."""
        found = self._values.get(key)
        if found is None:
            return None
        value, weight, used = found
        if self._idle is not None:
            now = time.monotonic()
            if now - used > self._idle:
                self.forget(key)
                return None
            self._values[key] = (value, weight, now)
        self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V, weight: int = 0) -> None:
        """Remember a value, and forget those not used for longest as far as there is no room."""
        self.forget(key)
        self._values[key] = (value, weight, time.monotonic() if self._idle is not None else 0.0)
        self._heavy += weight
        while len(self._values) > self._entries or (
            self._weight is not None and self._heavy > self._weight and len(self._values) > 1
        ):
            self._heavy -= self._values.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Remember nothing."""
        self._values.clear()
        self._heavy = 0

    def forget(self, key: K) -> None:
        """Remember it no longer."""
        found = self._values.pop(key, None)
        if found is not None:
            self._heavy -= found[1]
