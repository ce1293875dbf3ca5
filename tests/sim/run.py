"""One run: a plan is carried out with faults, then without any until everything has ended."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from statewright.drive import ServerClock, Worker
from statewright.errors import StatewrightError
from statewright.store import RedisStore
from statewright.tasks import Tokens
from tests.sim import site
from tests.sim.client import Client, Order
from tests.sim.faults import INJECT
from tests.sim.handlers import Ledger, registry
from tests.sim.loop import SimLoop
from tests.sim.plan import Plan
from tests.sim.server import Libraries
from tests.sim.sources import simulated_sources
from tests.sim.world import World

__all__ = ["Run"]

_PATIENCE = 1200.0
"""Virtual seconds after the last fault within which everything has to end."""

_MOST_STEPS = 10_000


_REPEAT = 60.0
"""Virtual seconds after which clients of a store that has lost something do what they did once more."""


@dataclass(slots=True, eq=False)
class Run:
    """One run of a plan.

    Arguments:
        plan: what is to happen.
        libraries: loaded scripts, shared by runs.
        recording: keep all commands and their answers in `world.record`; every call says what time it is.
        tracing: keep an account of everything in `world.trace`.

    Example: ``Run(plan_of(7)).carry_out().stuck``
    """

    plan: Plan
    libraries: Libraries | None = None
    tracing: bool = False
    recording: bool = False
    world: World = field(init=False)
    ledger: Ledger = field(init=False)
    orders: list[Order] = field(default_factory=list)
    workers: list[SimLoop] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    earlier: Any = None
    rolled_back: bool = False
    set_back: float = 0.0
    stuck: bool = False
    lease: float = 9.0
    _hired: int = 0
    client: Client = field(init=False)
    left: dict[bytes, Any] = field(default_factory=dict)
    struck: int = 0
    _saved_at: int = 0
    _at_work: dict[SimLoop, Worker] = field(default_factory=dict)

    def carry_out(self) -> Run:
        """Do it all; what is left is to be judged (see `checker`)."""
        plan = self.plan
        self.world = world = World(plan.seed, libraries=self.libraries, tracing=self.tracing)
        world.late = plan.late
        world.record = [] if self.recording else None
        self.client = client = Client(world, self.open_store, self._dawdle, self.problems)
        self.ledger = Ledger(self._dawdle, client.submitted)
        site.deposit(world.server, plan.machines, plan.shards)
        world.over = self._over
        first = next((step for step, kind in plan.faults if kind.startswith("roll back")), 0)
        self._saved_at = world.chance.randrange(first) if first else -1
        if first:
            self.earlier = world.server.space.copy()
        with simulated_sources(world, swept=plan.swept), _watched(self.problems, world):
            self.orders = [self._order(number) for number in range(len(plan.orders))]
            client.orders = self.orders
            client.loop = world.spawn("client", client.work)
            for _ in range(plan.workers):
                self.hire()
            self._faulty()
            self._sound()
            if plan.seed % 8 == 0 and not self.stuck:
                self._swept()
            for loop in list(world.loops):
                self.problems += loop.problems
                loop.kill()
        self.left = world.server.space.but(b"sw:{meta}")
        return self

    # -- the two phases -----------------------------------------------------------------------------------------------
    def _faulty(self) -> None:
        world = self.world
        for step, kind in self.plan.faults:
            while world.steps < step:
                if world.steps == self._saved_at:
                    self.earlier = world.server.space.copy()
                if not world.step():
                    return
            world.note(f"*** {kind}")
            INJECT[kind](self)
            self.struck += 1

    def _sound(self) -> None:
        world = self.world
        until, most = world.now + _PATIENCE, world.steps + _MOST_STEPS
        repeat = world.now + _REPEAT
        while world.step():
            if world.now > until or world.steps > most:
                self.stuck = True
                return
            if self.rolled_back and world.now > repeat:
                repeat = world.now + _REPEAT
                self.client.repeat()

    def _swept(self) -> None:
        """Go through all keys once more, when all has ended."""
        world = self.world
        until, loop = world.steps + 1000, next((loop for loop in self.workers if loop in self._at_work), None)
        done = self.sweep(loop) if loop is not None else [0]
        while not done and world.steps < until:
            world.step()

    def _over(self) -> bool:
        """Whether everything has ended, and nothing is left to be done about it."""
        return all(order.acknowledged for order in self.orders) and not self.world.server.space.busy

    # -- processes ----------------------------------------------------------------------------------------------------
    def hire(self) -> None:
        """Start another worker."""
        self._hired += 1
        worker = self.world.spawn(f"worker {self._hired}", self._work, self.ledger)
        worker.ahead = self.world.chance.choice((0.0, 0.7, 3600.0, 86_400.0))
        self.workers.append(worker)

    def any_process(self) -> SimLoop:
        """One of the workers at work, or the client."""
        return self.world.chance.choice([*self.workers, self.client.loop])

    def any_worker(self) -> SimLoop:
        """One of the workers at work."""
        return self.world.chance.choice(self.workers)

    def sweep(self, loop: SimLoop) -> list[int]:
        """Have a worker go through all keys now; the answer has the number of repairs when it is done."""
        worker, done = self._at_work.get(loop), list[int]()

        async def go(worker: Worker) -> None:
            with suppress(StatewrightError):
                done.append(await worker.sweeper.sweep())

        if worker is not None:
            loop.call_soon(lambda: loop.create_task(go(worker)))
        return done

    def open_store(self) -> RedisStore:
        """A store as the processes of this run have it."""
        clock = (lambda: self.world.micros() // 1000) if self.recording else None
        return site.open_store(clock, self.plan.shards)

    async def _work(self, loop: SimLoop) -> None:
        store = self.open_store()
        worker = Worker(
            store,
            site.programs_of(store, self.plan.machines),
            registry(),
            Tokens(site.SECRET),
            clock=ServerClock(),
            concurrency=self.plan.handlers,
            lease_seconds=self.lease,
            archive_seconds=self.plan.archive,
        )
        worker.session.monotonic = loop.time
        self._at_work[loop] = worker
        await worker.run()

    async def _dawdle(self) -> None:
        chance = self.world.chance.random()
        if chance > 0.6:
            await asyncio.sleep(0.001 if chance < 0.8 else chance - 0.7 if chance < 0.98 else 4 * chance)

    # -- orders -------------------------------------------------------------------------------------------------------
    def _order(self, number: int) -> Order:
        workload, choice = self.plan.orders[number]
        execution = site.execution_of(workload, choice)
        return Order(workload, replace(execution, started_at=self.world.micros() // 1000))


class _watched(logging.Handler):  # noqa: N801  used as a context manager
    """What the engine logs is part of the account; an exception that is none of its own is a problem."""

    def __init__(self, problems: list[str], world: World) -> None:
        super().__init__()
        self._problems = problems
        self._world = world

    def __enter__(self) -> None:
        logger = logging.getLogger("statewright")
        self._was = logger.handlers, logger.propagate
        logger.handlers, logger.propagate = [self], False

    def __exit__(self, *error: object) -> None:
        logger = logging.getLogger("statewright")
        logger.handlers, logger.propagate = self._was

    def emit(self, record: logging.LogRecord) -> None:
        found = record.args if isinstance(record.args, tuple) else ()
        asyncio_loop = asyncio._get_running_loop()
        if isinstance(asyncio_loop, SimLoop) and asyncio_loop.dead:
            return
        self._world.note(f"log: {record.getMessage()}")
        if record.levelno >= logging.ERROR and not isinstance(found[-1] if found else None, StatewrightError):
            self._problems.append(f"logged: {record.getMessage()}")
