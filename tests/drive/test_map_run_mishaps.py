"""Map runs whose workers die, drain, or lose the Map's frame: every item is worked on once, and nothing hangs."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import statewright.drive.children.feeding as feeding
from statewright import AsyncEngine, TaskContext
from statewright.items import Objects, open_objects
from statewright.store.records import Claim, Lease
from tests.drive.conftest import Site, idle_worker
from tests.drive.maps import (
    adds_up,
    distributed,
    machine,
    only_run,
    output,
    reader,
    until_running,
    working_keys,
)

LINES = 20_000
BATCH = 50


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "items.jsonl").write_text("".join(f'{{"n":{n}}}\n' for n in range(LINES)))
    return tmp_path


def batches(kind: str = "EXPRESS", **fields: Any) -> dict[str, Any]:
    more: dict[str, Any] = {"ItemBatcher": {"MaxItemsPerBatch": BATCH}, "MaxConcurrency": 40, **fields}
    return machine(distributed(kind=kind, ItemReader=reader("items.jsonl"), **more))


def expected(lines: int = LINES) -> list[list[int]]:
    return [[start, start + BATCH - 1] for start in range(0, lines, BATCH)]


class Ledger:
    """What was worked on, and by which key."""

    def __init__(self) -> None:
        self.done: dict[str, tuple[int, int]] = {}
        self.calls = 0

    async def work(self, given: Any, context: TaskContext) -> Any:
        numbers = [item["n"] for item in given["Items"]]
        span = (numbers[0], numbers[-1])
        assert numbers == list(range(span[0], span[1] + 1))
        assert self.done.setdefault(context.idempotency_key, span) == span
        self.calls += 1
        await asyncio.sleep(0)
        return span

    def check(self, lines: int = LINES) -> None:
        assert sorted(map(list, self.done.values())) == expected(lines)


async def check_run(engine: AsyncEngine, lines: int = LINES) -> None:
    described = await engine.map_run(await only_run(engine))
    assert adds_up(described.items)
    assert adds_up(described.executions)
    assert (described.items["succeeded"], described.executions["succeeded"]) == (lines, lines // BATCH)
    assert await working_keys(engine) == set()


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
async def test_workers_are_killed_while_they_feed(site: Site, bucket: Path, kind: str) -> None:
    ledger = Ledger()
    options: dict[str, Any] = {"real": True, "objects": bucket, "lease_seconds": 0.3}
    async with site.engine({"work": ledger.work}, **options) as engine:
        await engine.deploy(batches(kind), name="machine")
        started = await engine.start("machine", name="parent")
        waiting = asyncio.create_task(engine.wait(started.arn, 25))
        kills = 0
        workers = [engine.new_worker() for _ in range(3)]
        running = {worker: asyncio.create_task(worker.run()) for worker in workers}
        seen = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            if kills < 8 and ledger.calls > seen + 20:
                seen, kills = ledger.calls, kills + 1
                victim = workers.pop(0)
                victim.kill()
                await running.pop(victim)
                workers.append(fresh := engine.new_worker())
                running[fresh] = asyncio.create_task(fresh.run())
        for worker in workers:
            await worker.stop(1)
        await asyncio.gather(*running.values())
        assert output(await waiting) == expected()
        assert kills >= 5
        await check_run(engine)
    ledger.check()


async def test_a_worker_that_drains_leaves_the_run_to_the_next(site: Site, bucket: Path) -> None:
    ledger = Ledger()
    async with site.engine({"work": ledger.work}, real=True, objects=bucket, lease_seconds=30) as engine:
        await engine.deploy(batches(), name="machine")
        started = await engine.start("machine", name="parent")
        drained = 0
        while (await engine.describe(started.arn)).status == "RUNNING":
            before = ledger.calls
            async with engine.worker(grace=5):
                while ledger.calls < before + 20 and (await engine.describe(started.arn)).status == "RUNNING":
                    await asyncio.sleep(0.001)
            drained += 1
        assert drained > 5
        assert output(await engine.describe(started.arn)) == expected()
        assert ledger.calls == LINES // BATCH, "nobody was killed"
        await check_run(engine)


async def test_a_feeder_that_lost_its_lease_counts_nothing(
    site: Site, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands still before it tells what it has created, while another one feeds; then it goes on."""
    monkeypatch.setattr(feeding, "_CREATED_AT_ONCE", 16)
    ledger = Ledger()
    async with site.engine({"work": ledger.work}, real=True, objects=bucket) as engine:
        await engine.deploy(batches(MaxConcurrency=1000), name="machine")
        store: Any = engine.store
        stuck, go_on = asyncio.Event(), asyncio.Event()
        plain = store.advance

        async def advance(*arguments: Any, **options: Any) -> Any:
            if options["begun"][0] == 32 and not stuck.is_set():
                stuck.set()
                await go_on.wait()
            return await plain(*arguments, **options)

        async def nothing(*arguments: Any) -> Claim:
            return Claim((), await store.now(), None)

        monkeypatch.setattr(store, "advance", advance)
        async with engine.worker(grace=1) as first:
            started = await engine.start("machine", name="parent")
            await asyncio.wait_for(stuck.wait(), 5)
            execution = (await engine.describe(started.arn)).execution.id
            monkeypatch.setattr(store, "claim", nothing)  # it does not get the frame back
            stolen = await store.claim_frame(execution, "", "thief", 60_000)
            await store.release(store.shard_of(execution), "thief", [Lease(execution, "", stolen.revision)])
            async with site.engine({"work": ledger.work}, real=True, objects=bucket) as other, other.worker():
                assert output(await other.wait(started.arn, 20)) == expected()
            go_on.set()
            while first._held:
                await asyncio.sleep(0.001)
        await check_run(engine)
        assert ledger.calls == LINES // BATCH
    ledger.check()


@pytest.mark.parametrize("batcher", [{"MaxItemsPerBatch": 7}, {"MaxInputBytesPerBatch": 300}])
async def test_chance_in_the_selector_cuts_batches_where_they_were(
    site: Site, bucket: Path, monkeypatch: pytest.MonkeyPatch, batcher: dict[str, int]
) -> None:
    """A second feeder selects the same items again: what it gets must be what the first one got."""
    monkeypatch.setattr(feeding, "_CREATED_AT_ONCE", 8)
    monkeypatch.setattr(feeding, "_ITEMS", 13)
    seen: Counter[int] = Counter()

    async def work(given: Any) -> None:
        seen.update(item["n"] for item in given["Items"])

    state: dict[str, Any] = {
        "Type": "Map",
        "QueryLanguage": "JSONata",
        "ItemReader": {**reader("items.jsonl", {"InputType": "JSONL", "MaxItems": 700}), "Arguments": {}},
        "ItemSelector": {"n": "{% $states.context.Map.Item.Value.n %}", "r": "{% $random() < 0.5 ? $uuid() : '' %}"},
        "ItemBatcher": batcher,
    }
    state["ItemReader"]["Arguments"] = state["ItemReader"].pop("Parameters")
    definition = machine({**distributed(kind="EXPRESS"), **state}, QueryLanguage="JSONata")
    work_state = definition["States"]["M"]["ItemProcessor"]["States"]["Work"]
    assert "Parameters" not in work_state
    async with site.engine({"work": work}, objects=bucket) as engine:
        await engine.deploy(definition, name="machine")
        started = await engine.start("machine", name="parent")
        store: Any = engine.store
        plain, calls = store.advance, 0

        async def advance(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % 3 == 1 and options["read"]:
                raise ConnectionError("gone before it could tell")
            return await plain(*arguments, **options)

        monkeypatch.setattr(store, "advance", advance)
        for _ in range(60):
            async with idle_worker(engine) as worker:
                await worker.run_until_idle()
            if (await engine.describe(started.arn)).status != "RUNNING":
                break
            site.clock.advance_to(site.clock() + 10_000)
        assert (await engine.describe(started.arn)).status == "SUCCEEDED"
        described = await engine.map_run(await only_run(engine))
        assert described.items["succeeded"] == 700
    assert seen == Counter(range(700))


class Slow:
    """An object store whose reads take until they are let go."""

    def __init__(self, objects: Objects, begun: asyncio.Event, go_on: Any) -> None:
        self._objects, self._begun, self._go_on = objects, begun, go_on
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def open(self, bucket: str, key: str, start: int = 0, **options: Any) -> Any:
        self._loop.call_soon_threadsafe(self._begun.set)
        self._go_on.wait(10)
        return self._objects.open(bucket, key, start, **options)


async def test_stopped_in_the_middle_of_a_read(site: Site, bucket: Path, caplog: pytest.LogCaptureFixture) -> None:
    import threading

    begun, go_on = asyncio.Event(), threading.Event()
    slow: Any = Slow(open_objects(bucket), begun, go_on)
    async with site.engine({}, real=True, objects=slow) as engine:
        await engine.deploy(batches(), name="machine")
        with caplog.at_level(logging.WARNING):
            async with engine.worker(grace=1):
                started = await engine.start("machine", name="parent")
                await asyncio.wait_for(begun.wait(), 5)
                assert (await engine.stop(started.arn)).status == "ABORTED"
                go_on.set()
        assert not caplog.records
        assert (await engine.map_run(await only_run(engine))).status == "ABORTED"
        assert await working_keys(engine) == set()


async def test_one_notice_that_cannot_be_obeyed_does_not_keep_others(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forever = {"W": {"Type": "Wait", "Seconds": 1_000_000, "End": True}}
    async with site.engine({}, real=True) as engine:
        await engine.deploy(machine(distributed(forever)), name="machine")
        store: Any = engine.store
        async with engine.worker():
            started = await engine.start("machine", [1, 2], name="parent")
            arn = await until_running(engine, 2)
            shard = store.shard_of((await engine.describe(started.arn)).execution.id)
            await store._scripts.call("RPUSH", f"sw:{{{shard}}}:n", "Xwhatever", "A", "Cnobody")
            looks = 0
            plain = store.claim

            async def claim(*arguments: Any, **options: Any) -> Any:
                nonlocal looks
                looks += 1
                return await plain(*arguments, **options)

            monkeypatch.setattr(store, "claim", claim)
            await engine.stop(started.arn)
            await until_running(engine, 0)
            assert (await engine.map_run(arn)).executions["aborted"] == 2
            await asyncio.sleep(0.2)
            assert looks < 16 * 40, "the worker does not spin"
        assert await store.notices(shard, 10) == ("A",)


# -- real deaths ------------------------------------------------------------------------------------------------------
def _work(url: str, folder: Path) -> None:
    """A worker process."""

    async def work(given: Any, context: TaskContext) -> Any:
        numbers = [item["n"] for item in given["Items"]]
        line = f"{context.idempotency_key} {numbers[0]} {numbers[-1]} {len(numbers)}\n"
        descriptor = os.open(folder / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)
        return [numbers[0], numbers[-1]]

    async def main() -> None:
        async with AsyncEngine(url, tasks={"work": work}, lease_seconds=0.5, objects=folder) as engine:
            await engine.run_worker()

    asyncio.run(main())


def spawned(url: str, folder: Path) -> Iterator[Any]:
    while True:
        process = multiprocessing.get_context("spawn").Process(target=_work, args=(url, folder), daemon=True)
        process.start()
        yield process


async def test_kill_9_while_they_feed(site: Site, bucket: Path) -> None:
    fresh = spawned(site.url, bucket)
    ledger = bucket / "ledger"
    ledger.touch()
    async with site.engine(real=True, objects=bucket) as engine:
        await engine.deploy(batches(MaxConcurrency=20), name="machine")
        processes = [next(fresh) for _ in range(2)]
        try:
            started = await engine.start("machine", name="parent")
            waiting = asyncio.create_task(engine.wait(started.arn, 25))
            kills, seen = 0, 0
            while not waiting.done():
                await asyncio.sleep(0.005)
                if kills < 4 and (size := ledger.stat().st_size) > seen:
                    seen, kills = size + 2000, kills + 1
                    victim = processes.pop(0)
                    victim.kill()
                    victim.join()
                    processes.append(next(fresh))
            ended = await waiting
        finally:
            for process in processes:
                process.kill()
                process.join()
        assert kills >= 2
        assert output(ended) == expected()
        await check_run(engine)
    lines = [tuple(line.split()) for line in ledger.read_text().splitlines()]
    assert len(set(lines)) == LINES // BATCH, "one key for each batch, and one batch for each key"
    assert sorted(int(first) for _, first, _, _ in set(lines)) == list(range(0, LINES, BATCH))
    assert json.loads(ended.output or "")[-1] == [LINES - BATCH, LINES - 1]
