"""What executions cost in the server's memory: those that wait, each event of a history, those that are archived."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from statewright import AsyncEngine
from statewright.store.embedded import start_embedded, stop_embedded
from statewright.store.wire import ask

__all__ = ["REFERENCE", "memory"]

REFERENCE = {"live": 1783, "event": 136, "archived": 838}
"""Bytes that a prototype needed (reliability notes, 3.4): a live execution with 10 events, an event, and an execution
of 25 events as an archive."""

ORDER = {"order": 1001, "customer": "ann", "items": ["A-7", "B-12"], "total": 59.9}
"""As large as it takes for an event of 124 bytes on average, as in the notes."""


def parked(passes: int) -> dict[str, Any]:
    """Some Pass states, then a long wait: 2 + 2 * passes events."""
    states: dict[str, Any] = {f"Step{n}": {"Type": "Pass", "Next": f"Step{n + 1}"} for n in range(1, passes + 1)}
    states[f"Step{passes + 1}"] = {"Type": "Wait", "Seconds": 1_000_000, "End": True}
    return {"StartAt": "Step1", "States": states}


def saga() -> dict[str, Any]:
    """Four tasks and a Pass state: 24 events."""
    names = ["ReserveStock", "ChargeCard", "BookCourier", "SendReceipt"]
    work = {"Type": "Task", "Resource": "noop"}
    states: dict[str, Any] = {name: {**work, "Next": after} for name, after in zip(names, [*names[1:], "Done"])}  # noqa: B905
    return {"StartAt": names[0], "States": {**states, "Done": {"Type": "Pass", "End": True}}}


async def memory(folder: Path, count: int) -> dict[str, Any]:
    """Bytes of each, by the difference of `used_memory` over `count` executions; beside them the reference.

    Example: ``asyncio.run(memory(Path("store"), 10_000))["archived"]``
    """
    address = await start_embedded(folder)

    async def noop(order: Any) -> Any:
        return order

    async with AsyncEngine(data_dir=folder, tasks={"noop": noop}, archive_after=None) as engine, engine.worker():

        async def grown(machine: str, definition: dict[str, Any], events: int) -> int:
            await engine.deploy(definition, name=machine)
            before = await used(address)
            for start in range(0, count, 100):
                await asyncio.gather(
                    *(engine.start(machine, ORDER, name=f"order-{n}") for n in range(start, start + 100))
                )
            await settled(engine, machine, events)
            return await used(address) - before

        live = await grown("ten", parked(4), 10) / count
        longer = await grown("thirty", parked(14), 30) / count
        before = await used(address)
        ended = await grown("saga", saga(), 0) / count
        store = engine.store
        for shard in range(store.shards):
            while found := await store.ended(shard, 0, 200, archived=False):
                await asyncio.gather(*(store.archive(each.execution) for each in found))
        archived = (await used(address) - before) / count
    await stop_embedded(folder)
    figures = {"live": live, "event": (longer - live) / 20, "archived": archived}
    ratios = {f"{name}_ratio": figure / REFERENCE[name] for name, figure in figures.items()}
    rounded = {name: round(figure) for name, figure in {**figures, "ended": ended}.items()}
    return {**rounded, **{name: round(ratio, 2) for name, ratio in ratios.items()}, "executions": count}


async def settled(engine: AsyncEngine, machine: str, events: int) -> None:
    """Wait until all executions of a state machine have so many events, or (0) have ended."""
    store = engine.store
    while True:
        found, _ = await store.executions(machine, "RUNNING", 0, 20_000)
        if all(each.length == events for each in found):
            return
        await asyncio.sleep(0.1)


async def used(url: str) -> int:
    """The server's `used_memory`, when it has freed what it frees in the background."""
    from statewright.store.address import Address

    while True:
        await asyncio.sleep(0.1)
        [answer] = await ask(Address.parse(url), ("INFO", "memory"), timeout=10)
        lines = dict(line.split(":", 1) for line in answer.decode().splitlines() if ":" in line)
        if lines["lazyfree_pending_objects"] == "0":
            return int(lines["used_memory"])
