"""Who uses the engine: starts executions, answers tasks by token, stops executions, and asks again until it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from statewright.drive import ServerClock, callbacks
from statewright.drive.doorbell import Doorbell
from statewright.drive.starting import start_execution
from statewright.errors import StatewrightError
from statewright.model import Execution, Limits
from statewright.store import RedisStore
from statewright.store.records import Signal
from statewright.tasks import Tokens
from tests.sim import site
from tests.sim.loop import SimLoop
from tests.sim.workloads import ACTIVITY, Workload
from tests.sim.world import World

__all__ = ["Answer", "Client", "Order"]

_LIMITS = Limits()
_TOKENS = Tokens(site.SECRET)


@dataclass(slots=True)
class Order:
    """An execution that is started.  `acknowledged`: whoever started it was told that it exists."""

    workload: Workload
    execution: Execution
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer by task token that was taken."""

    token: str
    output: str


class Client:
    """A process whose memory of what it was told outlives it, as if it were written down.

    Arguments:
        world: it is in.
        open_store: connects it.
        dawdle: waits for a while, or not.
        problems: gets what should not be.

    Example: ``client.loop = world.spawn("client", client.work)``
    """

    loop: SimLoop

    def __init__(
        self,
        world: World,
        open_store: Callable[[], RedisStore],
        dawdle: Callable[[], Awaitable[None]],
        problems: list[str],
    ) -> None:
        self._open_store = open_store
        self.orders: list[Order] = []
        self.answers: list[Answer] = []
        self._world = world
        self._dawdle = dawdle
        self._problems = problems
        self._tokens: list[str] = []  # handed out, and not answered so that this is known

    async def work(self, loop: SimLoop) -> None:
        """Start all orders, and stop those that are to be stopped."""
        self._store = self._open_store()
        self._programs = site.programs_of(self._store, {order.workload.name for order in self.orders})
        self._clock = ServerClock()
        for order in self.orders:
            loop.create_task(self._start(order))
            if order.workload.polled:
                loop.create_task(self._poll())
            if order.workload.stopped:
                loop.create_task(self._stop(order))
        for token in self._tokens:
            loop.create_task(self._answer(token))

    def submitted(self, token: str) -> None:
        """A handler has handed out a token."""
        self._tokens.append(token)
        self._begin(partial(self._answer, token))

    def repeat(self) -> None:
        """Do again what was acknowledged, in case it was lost by the store."""
        for answer in dict.fromkeys(self.answers):
            self._begin(partial(self._send, answer))
        for order in self.orders:
            self._begin(partial(self._start, order))

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        self.loop.call_soon(lambda: self.loop.create_task(work()))  # type: ignore[arg-type]

    async def _start(self, order: Order) -> None:
        while True:
            try:
                created = await start_execution(self._store, self._programs, self._clock, order.execution, None)
            except StatewrightError:
                await asyncio.sleep(1)
                continue
            if created.outcome not in ("OK", "DUP", "EXISTS"):
                self._problems.append(f"{order.workload.name}: start answered {created.outcome}")
            order.acknowledged = True
            return

    async def _stop(self, order: Order) -> None:
        await asyncio.sleep(self._world.chance.choice((0.001, 0.01, 0.5, 2.5, 4)))
        while True:
            try:
                return await callbacks.stop(self._store, self._programs, order.execution.id, "Enough", None, _LIMITS)
            except StatewrightError:
                await asyncio.sleep(1)

    async def _poll(self) -> None:
        """Ask for the tasks of an activity, and do them."""
        doorbell = Doorbell(self._store)
        while True:
            try:
                offer = await callbacks.poll(self._store, doorbell, ACTIVITY, "reviewer", 60.0)
            except StatewrightError:
                await asyncio.sleep(1)
                continue
            if offer is not None:
                token = _TOKENS.sign(offer.execution, offer.frame_id, offer.epoch)
                self._tokens.append(token)
                self.loop.create_task(self._answer(token))

    async def _answer(self, token: str) -> None:
        """Answer a task by its token, and then differently."""
        await self._dawdle()
        with suppress(StatewrightError):  # some say first that they are at it
            await callbacks.beat(self._store, _TOKENS, token)
        for output in ('"yes"', '"no"'):
            answer = Answer(token, output)
            while True:
                try:
                    await self._send(answer, quietly=False)
                except StatewrightError as error:
                    if error.code in ("TaskTimedOut", "TaskDoesNotExist"):
                        break
                    await asyncio.sleep(1)
                else:
                    self.answers.append(answer)
                    break
        self._tokens.remove(token)

    async def _send(self, answer: Answer, *, quietly: bool = True) -> None:
        target = _TOKENS.check(answer.token)
        with suppress(*([StatewrightError] if quietly else [])):
            await callbacks.answer(self._store, target, Signal("answer", target.epoch, output=answer.output))
