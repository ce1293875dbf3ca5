"""Real processes, real SIGKILLs: workers and the embedded server die at random moments while orders are being filled.

Every order ends as if nothing had happened: the same events as an undisturbed run, and each side effect once.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import re
import signal
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import redis

from statewright import AsyncEngine
from statewright.store.embedded import start_embedded, stop_embedded

ROOT = Path(__file__).parents[2]
ORDER = ROOT / "definitions" / "order-fulfilment"
KILLS = int(os.environ.get("STATEWRIGHT_KILLS", "200"))
WORKERS = 2
LEASE = 1.0
UNDISTURBED = "undisturbed"


def work(data_dir: Path, started: Any) -> None:
    """A worker process: from fork to SIGKILL."""
    from statewright import load_functions

    async def main() -> None:
        tasks = load_functions(str(ORDER / "handlers.py"))
        async with AsyncEngine(data_dir=data_dir, tasks=tasks, lease_seconds=LEASE) as engine:
            started.set()
            await engine.run_worker()

    asyncio.run(main())


class Victims:
    """Worker processes that are replaced when they die, and the server's process."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        # A server process with everything imported, from which workers are forked in milliseconds.
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["statewright.api", "statewright.definition.lint", "statewright.store"])
        self.workers = [self.spawn() for _ in range(WORKERS)]
        self.killed: Counter[str] = Counter()

    def spawn(self) -> tuple[Any, Any]:
        started = self.context.Event()
        process = self.context.Process(target=work, args=(self.data_dir, started), daemon=True)
        process.start()
        return process, started

    async def kill_worker(self, number: int) -> None:
        process, started = self.workers[number]
        await asyncio.to_thread(started.wait, 30)
        process.kill()
        process.join()
        self.killed["worker"] += 1
        self.workers[number] = self.spawn()

    def kill_server(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.killed["server"] += 1

    def end(self) -> None:
        for process, _ in self.workers:
            process.kill()
            process.join()


def shape(events: list[dict[str, Any]], order_id: str) -> list[str]:
    """A history without what differs between two runs: times, the order's id, tokens, ids made of idempotency keys."""
    shown = []
    for event in events:
        event = {name: value for name, value in event.items() if name != "timestamp"}
        # A submission whose worker died before it could commit is known from its answer, without its output.
        for member in ("output", "outputDetails"):
            event.get("taskSubmittedEventDetails", {}).pop(member, None)
        text = json.dumps(event, sort_keys=True).replace(order_id, "ORDER")
        text = re.sub(r"\b(ch|rs|lb)-[0-9a-f]{12}", r"\1-KEY", text)
        shown.append(re.sub(r"(\\\\?\"token\\\\?\": ?\\\\?\")[\w.-]+", r"\1TOKEN", text))
    return shown


async def server_pid(data_dir: Path) -> int:
    url = await start_embedded(data_dir)
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])  # type: ignore[index]


def input_of(order_id: str) -> dict[str, Any]:
    return {**json.loads((ORDER / "input.json").read_text()), "orderId": order_id, "pickup": "auto"}


async def scenario(data_dir: Path, seed: int) -> tuple[dict[str, list[str]], dict[str, str], Counter[str]]:
    chance = random.Random(seed)
    victims = Victims(data_dir)
    try:
        async with AsyncEngine(data_dir=data_dir) as engine:
            await engine.deploy(ORDER / "workflow.asl.yaml", name="orders")
            await engine.start("orders", input_of(UNDISTURBED), name=UNDISTURBED)
            await engine.wait(f"orders:{UNDISTURBED}", timeout=60)
            for number in range(KILLS):
                # One order and one kill at a time, so that kills fall on every part of an order.
                order_id = f"o-{number:04d}"
                await engine.start("orders", input_of(order_id), name=order_id)
                await asyncio.sleep(chance.uniform(0, 0.12))
                if chance.random() < 0.2:
                    victims.kill_server(await server_pid(data_dir))
                else:
                    await victims.kill_worker(chance.randrange(WORKERS))
            statuses, histories = {}, {}
            for order_id in [UNDISTURBED, *(f"o-{number:04d}" for number in range(KILLS))]:
                statuses[order_id] = (await engine.wait(f"orders:{order_id}", timeout=120)).status
                histories[order_id] = shape(await engine.history(f"orders:{order_id}"), order_id)
            assert not [finding async for each in engine.verify() for finding in each.findings]
            return histories, statuses, victims.killed
    finally:
        victims.end()
        await stop_embedded(data_dir)


def test_every_order_ends_as_if_nothing_had_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "ledger.sqlite"
    monkeypatch.setenv("ORDER_LEDGER", str(ledger))
    monkeypatch.setenv("STATEWRIGHT_DATA_DIR", str(tmp_path / "store"))
    monkeypatch.delenv("STATEWRIGHT_STORE", raising=False)
    histories, statuses, killed = asyncio.run(scenario(tmp_path / "store", seed=1))
    print(killed)
    assert sum(killed.values()) >= KILLS
    assert set(statuses.values()) == {"SUCCEEDED"}
    for order_id, history in histories.items():
        assert history == histories[UNDISTURBED], order_id
        assert [json.loads(event)["id"] for event in history] == list(range(1, len(history) + 1))
    with sqlite3.connect(ledger) as connection:
        effects = connection.execute("select order_id, effect, count(*) from effects group by 1, 2").fetchall()
    connection.close()
    wanted = {"charged", "reserved", "labelled", "pickup requested", "confirmed"}
    assert {(order_id, effect): count for order_id, effect, count in effects} == {
        (order_id, effect): 1 for order_id in histories for effect in wanted
    }
