"""How a worker notices that a shard was rolled back: it counts what it was told is done (F8).

A shard counts, for each worker, the calls by which that worker let go of something: the frames it handed out, the
commits after which it holds a frame no longer, the executions it created.  The worker counts the acknowledgements.  As
a call is acknowledged after it was counted, the store's number is never the smaller one, unless it has forgotten
something.  (What is lost of a frame that is still held shows at its next commit, which is refused.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Loss", "Serials"]

_FORGOTTEN: Final = 1800.0
"""Seconds after the last call in which a shard is sure to keep a worker's count (an hour, `lua/repair.lua`)."""


@dataclass(slots=True)
class _Count:
    acknowledged: int = 0
    at: float = 0.0
    since: int = 0


class Serials:
    """What the shards have acknowledged to the workers of this process.

    Example: ``serials.add(7, owner); serials.evidence(7, owner, serials.known(7, owner), found=0, now=ms)``
    """

    def __init__(self, monotonic: Callable[[], float] = lambda: time.monotonic()) -> None:
        self._monotonic = monotonic
        self._counts: dict[tuple[int, str], _Count] = {}

    def add(self, shard: int, owner: str) -> None:
        """A call that is counted was acknowledged."""
        count = self._counts.setdefault((shard, owner), _Count())
        if self._silent(count):
            count.acknowledged = 0  # the shard may begin at 1, or may not
        count.acknowledged += 1
        count.at = self._monotonic()

    def known(self, shard: int, owner: str) -> int:
        """How many were acknowledged so far; to be asked before the store is."""
        count = self._counts.get((shard, owner))
        return count.acknowledged if count is not None else 0

    def judge(self, shard: int, owner: str, known: int, found: int, now: int) -> Loss | None:
        """What it means that the store had counted `found` at `now` (ms), after `known` were acknowledged."""
        count = self._counts.get((shard, owner))
        if count is None:
            return None
        if found >= known:
            count.since = now
            return None
        forgotten = found == 0 and self._silent(count)
        count.acknowledged = found
        if forgotten:
            return None
        return Loss(count.since, f"of {known} calls that it had acknowledged to worker {owner} it knows {found}")

    def _silent(self, count: _Count) -> bool:
        return self._monotonic() - count.at > _FORGOTTEN


@dataclass(frozen=True, slots=True)
class Loss:
    """A shard has lost something: all was there at `since` (ms; 0: not known), and what shows it."""

    since: int
    evidence: str
