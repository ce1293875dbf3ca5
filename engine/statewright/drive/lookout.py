"""Where a worker has to look for work, and when: only there and then where something is, or may be, to be done.

The store's bell names the shard in which a frame became ready, and each look at a shard answers when something is due
there next.  For each shard one of the workers is at *home* and looks at once; the others are its substitutes, in an
order on which all agree (see `homes`): the first of them looks a second later and takes only what has been waiting for
a second, the next one after two.  So a worker that is full, or gone, costs its shards a second.  What a worker orders
itself (a timer, children of a fork) it looks for itself, at home or not.

Being wrong about any of this costs time and never safety: a claim is atomic, whoever makes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

from statewright.drive.clock import Clock

__all__ = ["PATIENCE_MS", "Lookout"]

PATIENCE_MS: Final = 1000
"""How long something waits for its home before the next worker takes it; as long again for the one after that."""

_SUBSTITUTES: Final = 3
"""Workers beyond that do not wait any longer than the last of these."""

_SAFETY_MS: Final = 60_000
"""Every shard is looked at after one or two times so long, whatever was heard: a message of the bell may be lost."""


def _nothing() -> None:
    pass


class Lookout:
    """Keeps in mind which shards are to be looked at now, and which ones when.

    Arguments:
        clock: the store's.
        shards: how many there are.
        safe: look at every shard now and then, too.

    Example: ``lookout.ring([7]); [(shard, patience)] = lookout.take(1)``
    """

    def __init__(self, clock: Clock, shards: int, *, safe: bool = True) -> None:
        self.wake = asyncio.Event()
        """Set when there may be something to do, in some shard or otherwise."""
        self._clock = clock
        self._ranks = [0] * shards
        self._alone = True
        self._safe = safe
        self._now: dict[int, bool] = dict.fromkeys(range(shards), False)  # shards, and whether we ordered it ourselves
        self._busy: set[int] = set()
        self._plans: dict[tuple[int, bool], int] = {}  # (shard, ordered by ourselves): when, ms
        self._ours_until = [0] * shards
        self._target: int | None = None
        self._silence: Callable[[], None] = _nothing

    # -- what is known ------------------------------------------------------------------------------------------------
    def ring(self, shards: Collection[int] | None) -> None:
        """Something became ready in some shards; None: that was perhaps missed, or a worker is gone."""
        for shard in range(len(self._ranks)) if shards is None else shards:
            if shard < len(self._ranks):
                self._hear(shard)

    def look(self, shard: int) -> None:
        """This worker itself has made something ready."""
        self._now[shard] = True
        self.wake.set()

    def look_at(self, shard: int, due: int) -> None:
        """This worker itself has ordered something for then (ms)."""
        self._ours_until[shard] = max(self._ours_until[shard], due)
        self._plan(shard, True, due)

    def settle(self, ranks: Sequence[int], *, alone: bool = False) -> None:
        """How many workers come before this one, by shard: 0 where it is at home; and whether there are others at all
        that could take anything."""
        self._alone = alone
        before, self._ranks = self._ranks, [min(rank, _SUBSTITUTES) for rank in ranks]
        self.ring([shard for shard, rank in enumerate(self._ranks) if rank < before[shard]])

    def refresh(self) -> None:
        """The clock may have been corrected: set the alarm anew."""
        self._set_alarm(self.planned)

    @property
    def planned(self) -> int | None:
        """When the next look is due (ms)."""
        return min(self._plans.values(), default=None)

    @property
    def homes(self) -> int:
        """In how many shards this worker is at home."""
        return self._ranks.count(0)

    # -- looking ------------------------------------------------------------------------------------------------------
    @property
    def waiting(self) -> int:
        """How many shards are to be looked at now."""
        return sum(shard not in self._busy for shard in self._now)

    def take(self, count: int, *, full: bool = False) -> list[tuple[int, int]]:
        """Shards to be looked at now, up to `count`, those first that have waited longest; each with its patience: what
        has not been waiting for so long (ms) is left to others.  Say `looked` when that is done.

        A worker that is `full` leaves to others whatever any of them would take.
        """
        least = 0 if self._alone or not full else (_SUBSTITUTES + 1) * PATIENCE_MS
        taken = [shard for shard in self._now if shard not in self._busy][:count]
        return [(shard, max(least, self._begin(shard))) for shard in taken]

    def begin_all(self) -> range:
        """Every shard is being looked at now, and whatever was planned is forgotten."""
        self.wake.clear()
        self._now.clear()
        self._plans.clear()
        self.refresh()
        return range(len(self._ranks))

    def looked(self, shard: int, patience: int, now: int, due: int | None) -> None:
        """A shard was looked at with some patience, `now` (ms), and something is due there next at `due` (ms; None:
        nothing is known); if that is not in the future, there was more than could be taken."""
        self._busy.discard(shard)
        rank = self._ranks[shard]
        if self._safe:
            later = _SAFETY_MS + shard * _SAFETY_MS // len(self._ranks)
            self._plan(shard, False, now + later * (rank + 1))
        if due is not None and due + patience <= now:
            self._now[shard] = self._now.get(shard, False) or patience == 0
        elif due is not None:
            ours = rank == 0 or due <= self._ours_until[shard]
            self._plan(shard, ours, due if ours else due + rank * PATIENCE_MS)
        if self._now:
            self.wake.set()

    def failed(self, shard: int, pause_ms: int) -> None:
        """A shard could not be looked at: try again after a while."""
        self._busy.discard(shard)
        self.return_to(shard, pause_ms)

    def return_to(self, shard: int, pause_ms: int) -> None:
        """Not all that was found could be done: look again after a while."""
        if self._safe:
            self._plan(shard, self._ranks[shard] == 0, self._clock.estimate() + pause_ms)

    # -- inside -------------------------------------------------------------------------------------------------------
    def _hear(self, shard: int) -> None:
        if (rank := self._ranks[shard]) == 0:
            self._now.setdefault(shard, False)
            self.wake.set()
        else:
            self._plan(shard, False, self._clock.estimate() + rank * PATIENCE_MS)

    def _begin(self, shard: int) -> int:
        ours = self._now.pop(shard) or self._ranks[shard] == 0
        self._busy.add(shard)
        self._plans.pop((shard, False), None)
        if ours:
            self._plans.pop((shard, True), None)
        return 0 if ours else self._ranks[shard] * PATIENCE_MS

    def _plan(self, shard: int, ours: bool, when: int) -> None:
        if when < self._plans.get((shard, ours), when + 1):
            self._plans[shard, ours] = when
            if self._target is None or when < self._target:
                self._set_alarm(when)

    def _set_alarm(self, when: int | None) -> None:
        self._silence()
        self._target = when
        self._silence = _nothing if when is None else self._clock.alarm(when, self._time_has_come)

    def _time_has_come(self) -> None:
        now = max(self._clock.estimate(), self._target or 0)
        for (shard, ours), when in list(self._plans.items()):
            if when <= now:
                del self._plans[shard, ours]
                self._now[shard] = ours or self._now.get(shard, False)
        self.refresh()
        self.wake.set()
