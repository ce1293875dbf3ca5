"""How much there is to do in a store, and who is there to do it: what autoscaling and alarms go by."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from statewright.store import keys
from statewright.store.mapruns import MapRuns
from statewright.store.records import Presence
from statewright.store.scripts import Argument

__all__ = ["Measures", "Measuring", "Queue"]


@dataclass(slots=True)
class Queue:
    """What waits for some state machine, or for the workers of an activity.

    Arguments:
        waiting: frames that are ready, or tasks that nobody has taken.
        oldest_ms: for how long the first of them has been waiting; 0 if there is none.
        running: executions that run (state machines only; child executions of a map run are not counted).
    """

    waiting: int = 0
    oldest_ms: int = 0
    running: int = 0

    def add(self, waiting: int, oldest_ms: int, running: int = 0) -> None:
        """Count those of another shard, too."""
        self.waiting += waiting
        self.oldest_ms = max(self.oldest_ms, oldest_ms)
        self.running += running


@dataclass(slots=True)
class Measures:
    """Answer of `Measuring.measure`: the sum over all shards, each as it was when it was asked.

    Arguments:
        machines, activities: by name, and by ARN.
        leases: frames that workers hold.
        timers: that are armed; `timer_lag_ms`: for how long the first of them has been due, 0 if none is.
        dead_letters: frames that are put aside.
        notices: what is to be done about other executions (see `drive.children.notices`).
        workers: those that are there.
    """

    machines: dict[str, Queue] = field(default_factory=dict)
    activities: dict[str, Queue] = field(default_factory=dict)
    leases: int = 0
    timers: int = 0
    timer_lag_ms: int = 0
    dead_letters: int = 0
    notices: int = 0
    workers: tuple[Presence, ...] = ()

    def add(self, answer: list[Any]) -> None:
        """Count a shard by its answer (see ``lua/measure.lua``)."""
        now, leases, timers, first, notices, dead_letters, machines, activities = answer
        self.leases += leases
        self.timers += timers
        self.timer_lag_ms = max(self.timer_lag_ms, _since(first, now))
        self.notices += notices
        self.dead_letters += dead_letters
        for name, waiting, oldest, running in zip(*[iter(machines)] * 4, strict=True):
            self.machines.setdefault(name.decode(), Queue()).add(waiting, _since(oldest, now), running)
        for name, waiting, oldest in zip(*[iter(activities)] * 3, strict=True):
            self.activities.setdefault(name.decode(), Queue()).add(waiting, _since(oldest, now))


def _since(moment: int | None, now: int) -> int:
    return 0 if moment is None else max(0, now - moment)


class Measuring(MapRuns):
    """The verbs about the workers of a store and what is to be done."""

    async def announce(self, presence: Presence, keep_ms: int) -> tuple[tuple[Presence, ...], int]:
        """See `Store.announce`."""
        arguments: list[Argument] = [self._time(), presence.owner, keep_ms, msgspec.json.encode(presence)]
        now, *found = await self._scripts.run("announce", keys.WORKERS, arguments)
        return _decoded(found), now

    async def measure(self) -> Measures:
        """See `Store.measure`."""
        names: list[Argument] = list(await self._scripts.call("SMEMBERS", keys.MACHINES))
        arguments = [self._time(), *names]
        calls = [self._scripts.run("measure", f"{keys.prefix(shard)}q", arguments) for shard in range(self.shards)]
        measures = Measures(workers=await self._workers())
        for answer in await asyncio.gather(*calls):
            measures.add(answer)
        return measures

    async def _workers(self) -> tuple[Presence, ...]:
        """Those that are there."""
        arguments: list[Argument] = [self._time(), "", 0, ""]
        _, *found = await self._scripts.run("announce", keys.WORKERS, arguments)
        return _decoded(found)


def _decoded(found: Sequence[bytes | None]) -> tuple[Presence, ...]:
    return tuple([msgspec.json.decode(each, type=Presence) for each in found if each is not None])
