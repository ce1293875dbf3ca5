"""A worker process that can die or pause at any named place, and whose connections break.

The engine it runs is the one that is shipped: its store's verbs, its handlers and its sockets are wrapped from outside.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from statewright import AsyncEngine
from statewright.arn import execution_id
from statewright.store import scripts, wire
from statewright.store.records import Commit, Committed
from statewright.store.verbs import Store
from tests.chaos.sagas import MACHINE, Ledger, tasks

__all__ = ["Perils", "lost_replies", "mutated", "work"]

PLACES = ("effect.before", "effect.after", "effect.after", "effect.after", "commit.before", "commit.after")
"""Where an order may meet its fate: mostly between an effect and its commit, which is where it can do most harm."""

_VERBS = ("claim", "claim_frame", "extend", "signal", "release")


@dataclass(frozen=True, slots=True)
class Perils:
    """What may happen to a worker.

    Arguments:
        site: directory of the whole storm.
        server: the program of the private server; `survive` knows it.
        seed: of all chance.
        lease: seconds.
        crash, pause: share of the orders during which a worker dies, or stands still for 1.8 leases.
        stumble: how likely it dies at any other call to the store.
        lost: share of the writes to the server, and of those of its answers, during which a connection breaks.
        mutant: texts in the server's scripts, and what each is replaced by.
    """

    site: Path
    server: str = ""
    seed: int = 1
    lease: float = 0.6
    crash: float = 0.02
    pause: float = 0.02
    stumble: float = 0.0001
    lost: float = 0.05
    mutant: tuple[tuple[str, str], ...] = ()


class Fates:
    """Decides, at each place that is reached, whether the process goes on.

    An order's fate is the same in every process and is met once: at the `n`-th time that one process reaches a place.
    """

    def __init__(self, perils: Perils) -> None:
        self._perils = perils
        self._reached: Counter[tuple[str, str]] = Counter()
        self._met = perils.site / "fates"
        self._chance = Random(f"{perils.seed} {os.getpid()} {time.monotonic_ns()}")

    def reach(self, place: str, execution: str) -> None:
        """Somebody is at a place on behalf of an execution."""
        perils = self._perils
        chance = Random(f"{perils.seed} {execution}")
        drawn = chance.random()
        if drawn >= perils.crash + perils.pause or place != chance.choice(PLACES):
            return
        self._reached[place, execution] += 1
        if self._reached[place, execution] == chance.randint(1, 3) and self._is_first(execution):
            self._meet(drawn < perils.crash)

    def stumble(self) -> None:
        """A call to the store that is about no single order."""
        if self._chance.random() < self._perils.stumble:
            self._meet(True)

    def _is_first(self, execution: str) -> bool:
        try:
            os.close(os.open(self._met / execution, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        return True

    def _meet(self, dies: bool) -> None:
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1.8 * self._perils.lease)  # nothing else goes on in this process either


def endanger(store: Store, fates: Fates, outcomes: Ledger) -> None:
    """Have every verb of a store object reach a place before and after; note how commits are answered if not by OK."""
    commit: Callable[[Commit], Awaitable[Committed]] = store.commit

    async def commit_in_danger(step: Commit) -> Committed:
        fates.reach("commit.before", step.execution)
        committed = await commit(step)  # it has taken its place in the pipeline before anything is awaited
        if committed.outcome != "OK":
            outcomes.write(committed.outcome, step.execution)
        fates.reach("commit.after", step.execution)
        return committed

    def in_danger(verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **options: Any) -> Any:
            fates.stumble()
            answer = await verb(*arguments, **options)
            fates.stumble()
            return answer

        return call

    setattr(store, "commit", commit_in_danger)  # noqa: B010  an object of its own, not the class
    for name in _VERBS:
        setattr(store, name, in_danger(getattr(store, name)))


@contextmanager
def lost_replies(share: float, chance: Random) -> Iterator[None]:
    """While the block runs connections of this process break: while a request is written (some of it arrives) or an
    answer read (some of it is heard)."""
    write, received = wire.Wire.write, wire.Wire.data_received

    def write_some(self: wire.Wire, data: bytes) -> None:
        breaks = chance.random() < share / 2
        write(self, data[: chance.randint(0, len(data))] if breaks else data)
        if breaks:
            self.abort()

    def hear_some(self: wire.Wire, data: bytes) -> None:
        breaks = chance.random() < share / 2
        received(self, data[: chance.randint(0, len(data))] if breaks else data)
        if breaks:
            self.abort()

    with patch.object(wire.Wire, "write", write_some), patch.object(wire.Wire, "data_received", hear_some):
        yield


@contextmanager
def mutated(mutant: tuple[tuple[str, str], ...]) -> Iterator[None]:
    """While the block runs this process gives servers scripts that are broken in a known way (a test of the test)."""
    library = scripts.LIBRARY
    for old, new in mutant:
        assert old in library
        library = library.replace(old, new)
    with patch.object(scripts, "LIBRARY", library):
        yield


def work(perils: Perils) -> None:
    """A worker process: from fork to SIGKILL."""
    os.environ["STATEWRIGHT_SERVER"] = perils.server
    logging.basicConfig(filename=perils.site / "workers.log", format="%(process)d %(message)s", level=logging.WARNING)
    fates = Fates(perils)
    outcomes = Ledger(perils.site / "outcomes")

    def reach(place: str, order: str) -> None:
        fates.reach(place, execution_id(MACHINE, order))

    handlers = tasks(Ledger(perils.site / "effects"), Ledger(perils.site / "tokens"), reach)

    async def main() -> None:
        engine = AsyncEngine(data_dir=perils.site / "store", tasks=handlers, lease_seconds=perils.lease, concurrency=32)
        async with engine:
            endanger(engine.store, fates, outcomes)
            with lost_replies(perils.lost, Random(os.getpid())):
                await engine.run_worker()

    with mutated(perils.mutant):
        asyncio.run(main())
