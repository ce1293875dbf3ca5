"""What the runners of one worker share."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from statewright.drive.clock import Clock
from statewright.drive.lookout import Lookout
from statewright.drive.programs import Programs
from statewright.items import Objects
from statewright.model import EndExecution, Execution, Finish, Fork, Frame, Limits, StartTimer, Step
from statewright.states.distributed import Feeding
from statewright.store.records import Claimed, Commit, Committed
from statewright.store.verbs import Store
from statewright.tasks import Registry, Tokens

__all__ = ["Session"]


_TURN: Final = 0.05
"""Seconds of steps in one turn of the event loop after which the others wait for the next."""


def _seeds() -> Callable[[], str]:
    """A seed for each step: the system is asked for chance once, not each time."""
    seed, numbers = secrets.token_hex(16), count()
    return lambda: f"{seed}.{next(numbers)}"


@dataclass(slots=True, eq=False)
class Session:
    """The tools of a worker, and the little it keeps in common for the frames it holds.

    Arguments:
        store, programs, registry, tokens, limits, clock: see there.
        owner: unique to the worker; who holds the leases.
        lease_ms: how long a frame stays ours without a word (ms).
        threads: where synchronous handlers run.
        slots: as many handlers run at once.
        objects: where distributed Maps read items from and write results to.
        abandon: stop working on frames (execution id, frame ids), because a step has ended them.
        ended: the same for all frames of an execution.
        room: how many frames more the worker takes on without waiting for its turn.
        take: takes on a frame.
        refused: a commit was, to whose revision all had been acknowledged; and since when (s, monotonic) the frame has
            been ours for all we know.
        feed: starts child executions of a map run (see `Feeder.feed`).
        entropy: seed of every step.
        stopping: the worker drains: finish what runs, begin nothing.
        lookout: where the worker looks for work, and when.
    """

    store: Store
    programs: Programs
    registry: Registry
    tokens: Tokens
    limits: Limits
    clock: Clock
    owner: str
    lease_ms: int
    threads: Executor
    slots: asyncio.Semaphore
    objects: Objects | None
    lookout: Lookout
    abandon: Callable[[str, Iterable[str]], None]
    ended: Callable[[str], None]
    room: Callable[[], int]
    take: Callable[[Claimed], None]
    refused: Callable[[Commit, Committed, float], None] = field(init=False)
    feed: Callable[[Execution, Frame, Callable[[], Feeding], Callable[[], bool]], Awaitable[bool]] = field(init=False)
    entropy: Callable[[], str] = field(default_factory=_seeds)
    monotonic: Callable[[], float] = time.monotonic
    stopping: bool = False
    _commits: int = 0
    _since: float = 0.0
    _marked: bool = False

    def commit_id(self) -> str:
        """A name that no other commit of this worker has; and, but for 1 in 16 million, none of another worker."""
        self._commits += 1
        return f"{self.owner[:6]}.{self._commits:x}"

    def long_turn(self) -> bool:
        """Whether this turn of the event loop has been a long one, so that everybody else is to have one: the steps of
        many frames, each of which may take some tenths of a second, must not follow each other without a word to the
        store."""
        if self._marked:
            return self.monotonic() - self._since > _TURN
        self._marked, self._since = True, self.monotonic()
        asyncio.get_running_loop().call_soon(self._next_turn)
        return False

    def _next_turn(self) -> None:
        self._marked = False

    def offer(self, execution: str, step: Step) -> int:
        """How many of the frames that become ready by a step this worker takes on with its commit.  Who takes leases
        looks when they lapse: the answer may be lost, and nobody rings then."""
        if self.stopping or not any(isinstance(command, Fork | Finish) for command in step.commands):
            return 0
        room = self.room()
        if room:
            self.lookout.look_at(self.store.shard_of(execution), self.clock.now() + self.lease_ms)
        return room

    def follow(self, execution: str, step: Step, committed: Committed) -> None:
        """Do what follows, for this worker, from a step that was committed."""
        now = committed.now or self.clock.now()
        self.abandon(execution, step.drop)
        for claimed in committed.claimed:
            self.take(claimed)
        for command in step.commands:
            if isinstance(command, StartTimer):
                self.lookout.look_at(self.store.shard_of(execution), command.due or now + command.delay)
            elif isinstance(command, Fork | Finish) and committed.more:
                self.lookout.look(self.store.shard_of(execution))
            elif isinstance(command, EndExecution):
                if command.successor is not None:
                    self.lookout.look(self.store.shard_of(execution))
                self.ended(execution)
