"""Throughput and latency under load: a steady stream of starts, many executions that wait, a worker with nothing to do.

The worker that idles is a process of its own: ``python -m bench.load STORE`` works until its stdin ends, and answers
each line there with the seconds of CPU it has used so far.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.limit import server_information
from bench.scenarios import chain, chain_concurrent
from statewright import AsyncEngine

__all__ = ["idle_share", "live_executions", "start_latency"]

ROOT = Path(__file__).parents[1]
AT_ONCE = 500
"""Executions that are started together to be parked."""

Json = dict[str, Any]


async def noop(order: Json) -> Json:
    """The trivial task."""
    return order


async def start_latency(data_dir: Path, per_second: int, seconds: float) -> dict[str, float]:
    """Start executions at a fixed rate, whatever becomes of those before (an open loop), and see when the first task of
    each begins: ms from the moment its start was due.

    Example: ``await start_latency(folder, 100, 10)``
    """
    begun: dict[int, float] = {}

    async def first(order: Json) -> Json:
        begun.setdefault(order["order"], time.perf_counter())
        return order

    definition = chain()
    definition["States"]["S0"]["Resource"] = "first"
    count = round(per_second * seconds)
    async with AsyncEngine(data_dir=data_dir, tasks={"first": first, "noop": first}) as engine, engine.worker():
        await engine.deploy(definition, name="latency")
        await engine.run("latency", {"order": -1})
        opened = time.perf_counter()
        due = [opened + index / per_second for index in range(count)]
        starting = []
        for index in range(count):
            await asyncio.sleep(max(0, due[index] - time.perf_counter()))
            starting.append(asyncio.ensure_future(engine.start("latency", {"order": index})))
        for run in await asyncio.gather(*starting):
            assert (await engine.wait(run.arn)).status == "SUCCEEDED"
    latencies = sorted((begun[index] - due[index]) * 1000 for index in range(count))
    return {
        "starts": count,
        "p50_ms": round(latencies[count // 2], 2),
        "p99_ms": round(latencies[min(count - 1, int(count * 0.99))], 2),
        "max_ms": round(latencies[-1], 2),
    }


def parked() -> Json:
    """An execution that waits for a day."""
    return {"StartAt": "Parked", "States": {"Parked": {"Type": "Wait", "Seconds": 86_400, "End": True}}}


async def park(engine: AsyncEngine, executions: int) -> None:
    """Start so many executions that wait."""
    await engine.deploy(parked(), name="parked")
    for first in range(0, executions, AT_ONCE):
        batch = range(first, min(first + AT_ONCE, executions))
        await asyncio.gather(*(engine.start("parked", {"order": index}) for index in batch))


async def live_executions(data_dir: Path, counts: list[int], executions: int) -> dict[str, float]:
    """The concurrent chain with ever more executions waiting beside it: transitions/s, and the ratio of the last to the
    first; the best of three, as what disturbs a run only ever makes it slower.

    Example: ``await live_executions(folder, [100, 10_000], 1000)``
    """
    figures: dict[str, float] = {}
    live = 0
    async with AsyncEngine(data_dir=data_dir, tasks={"noop": noop}) as engine, engine.worker():
        for count in counts:
            await park(engine, count - live)
            live = count
            results = [await chain_concurrent(engine, executions) for _ in range(3)]
            figures[f"live_{count}"] = round(max(result.transitions / result.seconds for result in results))
    return {**figures, "ratio": round(figures[f"live_{counts[-1]}"] / figures[f"live_{counts[0]}"], 2)}


async def idle_share(data_dir: Path, executions: int, seconds: float) -> dict[str, float]:
    """What a worker process and its server take of one core (%) while there is nothing to do: without executions, and
    with so many that wait.

    Example: ``await idle_share(folder, 10_000, 10)``
    """
    figures: dict[str, float] = {}
    async with AsyncEngine(data_dir=data_dir) as engine:
        for count in (0, executions):
            await park(engine, count)
            async with _worker_process(data_dir) as used:
                before = -1.0
                while (now := await used()) - before > 0.2:  # until it has done what there was to do
                    before = now
                    await asyncio.sleep(1)
                worker, server, started = await used(), await _server_cpu(data_dir), time.perf_counter()
                await asyncio.sleep(seconds)
                passed = time.perf_counter() - started
                figures[f"worker_{count}_parked_percent"] = round((await used() - worker) / passed * 100, 2)
                figures[f"server_{count}_parked_percent"] = round(
                    (await _server_cpu(data_dir) - server) / passed * 100, 2
                )
    return figures


async def _server_cpu(data_dir: Path) -> float:
    """Seconds of CPU the server has used."""
    cpu = await server_information(data_dir, "cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


@asynccontextmanager
async def _worker_process(data_dir: Path) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A worker in a process of its own; what it gives says how many seconds of CPU that has used."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "bench.load", data_dir)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    async def used() -> float:
        stdin.write(b"\n")
        return float(await stdout.readline())

    try:
        await used()
        yield used
    finally:
        stdin.close()
        await process.wait()


async def _work(data_dir: Path) -> None:
    async with AsyncEngine(data_dir=data_dir) as engine, engine.worker():
        while await asyncio.to_thread(sys.stdin.readline):
            print(time.process_time(), flush=True)


if __name__ == "__main__":
    asyncio.run(_work(Path(sys.argv[1])))
