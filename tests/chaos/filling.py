"""Orders that are filled by a worker in this process while something is done to its servers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from statewright import AsyncEngine
from statewright.arn import execution_id
from statewright.errors import StatewrightError
from statewright.history import render
from tests.chaos.checker import flaws, shape

__all__ = ["ORDER", "Filled", "Shop"]


def _act(**more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:act", **more}


ORDER: dict[str, Any] = {
    "StartAt": "Reserve",
    "States": {
        "Reserve": _act(Next="Lines"),
        "Lines": {
            "Type": "Map",
            "ItemsPath": "$.lines",
            "ItemProcessor": {"StartAt": "Pack", "States": {"Pack": _act(End=True)}},
            "Next": "Note",
        },
        "Note": {"Type": "Pass", "Next": "Breathe"},
        "Breathe": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
        "Done": {"Type": "Succeed"},
    },
}
_EFFECTS = 5  # of one order

_REFUSALS = ("StoreRefused", "StoreBroken", "ThrottlingException")
"""Codes by which a start is refused that may be tried again."""


@dataclass(slots=True)
class Filled:
    """What came of the orders.

    Arguments:
        lost: acknowledged, and not there any more.
        stuck: did not end in time.
        wrong: what is wrong with the histories of the others, in words.
        attempts: how often each idempotency key was tried.
        refused: starts that were refused, each of which was tried again.
        flushed: how often functions that were there were removed.
        removed: how many members of queues and the like were removed.
        repaired: what sweeps had to put right, and how often.
        incidents: roll-backs that were noticed, by what showed them.
        longest: seconds the longest start took.
    """

    acknowledged: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    flushed: int = 0
    removed: int = 0
    repaired: Counter[str] = field(default_factory=Counter)
    incidents: list[str] = field(default_factory=list)
    longest: float = 0.0

    def assert_whole(self) -> None:
        """Nothing is lost or stuck, or was thought to be; all histories are those of undisturbed orders; nothing had to
        be repaired that was not broken; each effect has one key."""
        bad = [*self.wrong, *self.incidents, *(f"{name} is lost" for name in self.lost)]
        assert not bad + [f"{name} is stuck" for name in self.stuck], bad[:5]
        assert bool(self.repaired) == (self.removed > 0), self.repaired
        assert len(self.attempts) == _EFFECTS * len(self.acknowledged)


class Shop:
    """An engine with a worker, and its orders.

    Arguments:
        url: the store; None: a private server.
        options: of the engine.

    Example: ``filled = await Shop(url).fill(disturb, 60)``
    """

    def __init__(self, url: str | None = None, **options: Any) -> None:
        self._url = url
        self._options = {"lease_seconds": 2.0, **options}
        self.filled = Filled()

    async def fill(
        self, disturb: Callable[[], Awaitable[None]], count: int, *, patience: float = 60, pause: float = 0.02
    ) -> Filled:
        """Start at least `count` orders, before, during and after a disturbance; what came of them."""
        filled = self.filled

        async def act(value: Any, context: Any) -> Any:
            filled.attempts[context.idempotency_key] += 1
            await asyncio.sleep(0)
            return value

        async with AsyncEngine(self._url, tasks={"act": act}, **self._options) as engine:
            await engine.deploy(ORDER, name="orders")
            async with engine.worker(grace=1):
                await self._start(engine, "undisturbed")
                await engine.wait("orders:undisturbed", timeout=20)
                disturbing = asyncio.ensure_future(disturb())
                while len(filled.acknowledged) < count or not disturbing.done():
                    await self._start(engine, f"o-{len(filled.acknowledged)}")
                    await asyncio.sleep(pause)
                await disturbing
                await self._look_back(engine, patience)
        return filled

    async def _start(self, engine: AsyncEngine, name: str) -> None:
        began = time.monotonic()
        while True:
            try:
                await engine.start("orders", {"lines": [{"n": n} for n in range(4)]}, name=name)
                break
            except StatewrightError as error:
                if error.code not in _REFUSALS:
                    raise
                self.filled.refused += 1
                await asyncio.sleep(0.1)
        self.filled.longest = max(self.filled.longest, time.monotonic() - began)
        self.filled.acknowledged.append(name)

    async def _look_back(self, engine: AsyncEngine, patience: float) -> None:
        filled, until = self.filled, time.monotonic() + patience
        wanted = shape(await engine.history("orders:undisturbed"))
        for name in filled.acknowledged:
            try:
                await engine.wait(f"orders:{name}", timeout=max(0.1, until - time.monotonic()))
            except TimeoutError:
                filled.stuck.append(name)
                continue
            except StatewrightError as error:
                if error.code != "ExecutionDoesNotExist":
                    raise
                filled.lost.append(name)
                continue
            page = await engine.store.history(execution_id("orders", name), 0, 1000)
            events = [render(event) for event in page.events]
            filled.wrong += [f"{name}: {flaw}" for flaw in flaws([*page.events], {"Breathe": 1000})]
            if shape(events) != wanted:
                filled.wrong.append(f"{name} is not as an undisturbed one: {[e['type'] for e in events]}")
        async for verified in engine.verify():
            filled.wrong += [f"verify: {verified.execution}: {finding}" for finding in verified.findings]
        filled.repaired.update(await engine.store.repairs())
        again = await engine.sweep()
        filled.wrong += [f"swept: {count} {what}" for what, count in again.items()]
        filled.incidents += [each.evidence for each in await engine.incidents() if each.kind == "rollback"]
