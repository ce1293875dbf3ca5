"""What a seed stands for: which executions run, on how many workers, and which faults befall them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from tests.sim.workloads import WORKLOADS, Workload

__all__ = ["FAULTS", "ROLL_BACK", "ROLL_BACK_A_SHARD", "Plan", "plan_of"]

FAULTS: Final = {
    "crash": 4,
    "pause": 3,
    "cut": 4,
    "restart": 1,
    "duplicate": 2,
    "mute": 1,
    "deaf": 1,
    "standstill": 1,
    "client crash": 1,
    "busy": 1,
    "loading": 1,
    "cluster down": 1,
    "try again": 1,
    "no replicas": 1,
    "not persisted": 1,
    "out of memory": 1,
    "read only": 1,
    "flush functions": 1,
    "clock forward": 1,
    "clock back": 1,
    "sweep": 1,
    "bury": 1,
}
"""Kinds of faults that the engine has to survive, by how often they are drawn (see `faults`)."""

ROLL_BACK: Final = "roll back"
"""The store loses what came last (F8)."""

ROLL_BACK_A_SHARD: Final = "roll back a shard"
"""One shard does, as in a Cluster; what its executions have told others, or have been told, is not lost."""

_SHARES: Final = [workload.share for workload in WORKLOADS]

_TOGETHER: Final = 0.06
"""Share of plans with two executions; what goes wrong with one needs no other, mostly."""

_SWEPT: Final = 0.15
"""Share of plans in which workers sweep, where nothing is lost: a sweep finds nothing then."""

_LIKELY_STEPS: Final = 60
"""Faults fall into the first so many steps for each order, and rather into the first of them: most runs are short."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Arguments of a `Run`.

    Arguments:
        seed: of all choices that are not said here.
        orders: what is started: a workload and which of its inputs.
        workers: how many there are at a time.
        faults: (step, kind), in the order of steps.
        late: share of steps in which time passes though messages are on their way.
        shards: of the store.
        handlers: how many a worker runs at once; it holds four times as many frames.
        archive: seconds after their end executions are archived; None: they are not.
        swept: workers go through all keys in the background.
    """

    seed: int
    orders: tuple[tuple[Workload, int], ...]
    workers: int = 2
    faults: tuple[tuple[int, str], ...] = ()
    late: float = 0.0
    shards: int = 2
    handlers: int = 256
    archive: float | None = None
    swept: bool = True

    @property
    def machines(self) -> frozenset[str]:
        """Names of the state machines that are deployed."""
        return frozenset(name for workload, _ in self.orders for name in (workload.name, *workload.calls))

    @property
    def calm(self) -> bool:
        """What happens next does not depend on who is faster, nor on anybody outside, and no message is late."""
        same = all(workload.determined and workload.ordered and not workload.answered for workload, _ in self.orders)
        return same and not self.late

    @property
    def harmless(self) -> bool:
        """Nothing happens by which a worker could lose a lease, nor does anything end before its time."""
        kinds = {kind for _, kind in self.faults}
        return self.calm and kinds <= {"cut", "flush functions", "sweep", "bury"}

    def __str__(self) -> str:
        orders = ", ".join(f"{workload.name}/{choice}" for workload, choice in self.orders)
        faults = ", ".join(f"{kind} at {step}" for step, kind in self.faults) or "no faults"
        return f"seed {self.seed}: {orders}; {self.workers} workers, {self.shards} shards; {faults}"


def plan_of(seed: int, *, roll_back: bool = False) -> Plan:
    """The plan of a seed, in which the store is rolled back if you like.

    Example: ``plan_of(7).faults``
    """
    chance = random.Random(f"plan {seed}")
    chosen = list(dict.fromkeys(chance.choices(WORKLOADS, _SHARES, k=1 + (chance.random() < _TOGETHER))))
    count = chance.choice((0, 1, 1, 1, 1, 1, 2, 2, 3))
    kinds = chance.choices(list(FAULTS), list(FAULTS.values()), k=count)
    kinds += [chance.choice((ROLL_BACK, ROLL_BACK_A_SHARD))] * roll_back
    steps = sorted(1 + int(_LIKELY_STEPS * len(chosen) * chance.random() ** 1.5) for _ in kinds)
    return Plan(
        seed,
        tuple((workload, chance.randrange(len(workload.inputs))) for workload in chosen),
        workers=chance.choice((1, 1, 1, 2)),
        faults=tuple(zip(steps, kinds, strict=True)),
        late=chance.choice((0.0, 0.0, 0.01, 0.05)),
        archive=chance.choice((None, None, None, 0.5)),
        shards=chance.choice((1, 1, 2)),
        swept=roll_back or chance.random() < _SWEPT,
        handlers=chance.choice((1, 256, 256)),
    )
