"""The handlers of the workloads, and the ledger in which their effects are."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, cast

from statewright.tasks import Registry, TaskContext, TaskError
from statewright.values import encode
from tests.sim.loop import SimLoop

__all__ = ["Ledger", "registry"]

_TOKEN = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"


class Ledger:
    """Something outside the store that knows idempotency keys: the first attempt under a key counts.

    Arguments:
        dawdle: waits for a while, or not.
        submitted: is given the token of each task that waits for an answer.

    Example: ``ledger.keys["order-1", "Charge"]`` has one key, ``ledger.inputs`` of which are one text
    """

    def __init__(self, dawdle: Callable[[], Awaitable[None]], submitted: Callable[[str], None]) -> None:
        self.keys: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.inputs: defaultdict[str, set[str]] = defaultdict(set)
        self._dawdle = dawdle
        self._submitted = submitted

    async def work(self, given: Any, context: TaskContext) -> Any:
        """Have an effect, perhaps slowly; fail or hang where the input says so."""
        await self._dawdle()
        self._effect(context, given)
        await self._dawdle()
        given = given if isinstance(given, dict) else {}
        if context.attempt < given.get("hangs", {}).get(context.state, 0):
            await asyncio.sleep(60)
        if context.attempt < given.get("fails", {}).get(context.state, 0):
            raise TaskError("Unavailable", f"attempt {context.attempt}")
        return {"done": context.state}

    async def submit(self, given: Any, context: TaskContext) -> Any:
        """Hand out the token of a task that waits for its answer."""
        await self._dawdle()
        self._effect(context, given)
        if not cast(SimLoop, asyncio.get_running_loop()).dead:
            self._submitted(given["token"])
        await self._dawdle()
        return {"submitted": True}

    def _effect(self, context: TaskContext, given: Any) -> None:
        if not cast(SimLoop, asyncio.get_running_loop()).dead:
            self.inputs[context.idempotency_key].add(encode(given))
            self.keys[context.execution_name, context.state][context.idempotency_key] += 1


@cache
def registry() -> Registry:
    """Handlers by resource; each has its effect in the ledger of the world in which it runs."""

    async def work(given: Any, context: TaskContext) -> Any:
        return await _ledger().work(given, context)

    async def submit(given: Any, context: TaskContext) -> Any:
        return await _ledger().submit(given, context)

    return Registry({"work": work, _TOKEN: submit})


def _ledger() -> Ledger:
    ledger = cast(SimLoop, asyncio.get_running_loop()).belongings
    assert isinstance(ledger, Ledger)
    return ledger
