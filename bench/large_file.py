"""A distributed Map over a large file: how fast, and in how much memory.

The worker is a process of its own, so that nothing but its work counts: ``python -m bench.large_file STORE OBJECTS``
works until its stdin ends, and answers each line there with the most memory it has had so far.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.limit import used_memory
from statewright import AsyncEngine

__all__ = ["large_file"]

BUCKET, KEY = "bench", "items.jsonl"
BATCH = 1000
AT_ONCE = 40
MARKS = (0.1, 0.5, 1.0)
"""Shares of the file at which memory is looked at."""

ROOT = Path(__file__).parents[1]


def definition() -> dict[str, Any]:
    """A Map over a JSONL file whose EXPRESS children count the items they were given."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Count",
        "States": {"Count": {"Type": "Pass", "Parameters": {"n.$": "States.ArrayLength($.Items)"}, "End": True}},
    }
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSONL"},
        "Parameters": {"Bucket": BUCKET, "Key": KEY},
    }
    whole = {
        "Type": "Map",
        "ItemReader": reader,
        "ItemBatcher": {"MaxItemsPerBatch": BATCH},
        "MaxConcurrency": AT_ONCE,
        "ItemProcessor": processor,
        "ResultSelector": {"counts.$": "$[*].n"},
        "End": True,
    }
    return {"StartAt": "Whole", "States": {"Whole": whole}}


def write_items(path: Path, size: int) -> int:
    """Write lines of about 200 bytes until the file has `size` bytes; how many there are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = written = 0
    with path.open("wb") as file:
        while written < size:
            lines = "".join(
                f'{{"id":{number},"customer":"customer-{number % 9973:05}","amount":{{"value":{number % 1000},'
                f'"currency":"EUR"}},"note":"{"lorem ipsum dolor sit amet " * 4}"}}\n'
                for number in range(count, count + BATCH)
            ).encode()
            file.write(lines)
            written += len(lines)
            count += BATCH
    return count


class Peak:
    """Another process's most memory so far, asked for over its stdin and stdout."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self) -> float:
        """MB."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return float(await self._process.stdout.readline())


@asynccontextmanager
async def worker_process(data_dir: Path, objects: Path) -> AsyncIterator[Peak]:
    """A worker in a process of its own."""
    command = (sys.executable, "-m", "bench.large_file", data_dir, objects)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    try:
        yield Peak(process)
    finally:
        process.stdin.close()
        await process.wait()


async def large_file(data_dir: Path, objects: Path, megabytes: int) -> dict[str, float]:
    """Write a file and run a distributed Map over it.

    Arguments:
        data_dir: of the private server.
        objects: a directory, where the file will be.
        megabytes: size of the file.

    Returns items and megabytes per second; by how many MB the worker's peak of memory has grown at 10, 50 and 100 % of
    the file; by how many MB the server's memory in use has grown at most, looked at every tenth of a second.
    """
    items = write_items(objects / BUCKET / KEY, megabytes * 1_000_000)
    grown: dict[str, float] = {}
    async with AsyncEngine(data_dir=data_dir) as engine, worker_process(data_dir, objects) as peak:
        await engine.deploy(definition(), name="large-file")
        before, server = await peak(), [await used_memory(data_dir)]
        started = time.perf_counter()
        arn = (await engine.start("large-file")).arn
        ending = asyncio.ensure_future(engine.wait(arn))
        for mark in MARKS:
            while not ending.done() and await _items_done(engine, arn) < mark * items:
                await asyncio.wait([ending], timeout=0.1)
                server.append(await used_memory(data_dir))
            if mark == 1:
                description = await ending
                seconds = time.perf_counter() - started
            grown[f"worker_grown_mb_at_{mark:.0%}"] = round(await peak() - before, 1)
    counts = json.loads(description.output or "{}").get("counts", [])
    assert (description.status, sum(counts)) == ("SUCCEEDED", items), (description.error, description.cause)
    return {
        "items": items,
        "items_per_second": round(items / seconds),
        "mb_per_second": round(megabytes / seconds, 1),
        **grown,
        "server_grown_mb": round(max(server) - server[0], 1),
    }


async def _items_done(engine: AsyncEngine, arn: str) -> int:
    runs = await engine.map_runs(arn)
    return runs[0].items["succeeded"] if runs else 0


def _peak_mb() -> float:
    """This process's most memory so far.  Linux counts what the parent had before `exec` in its ru_maxrss, so ask it
    otherwise there."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


async def _work(data_dir: Path, objects: Path) -> None:
    async with AsyncEngine(data_dir=data_dir, objects=objects) as engine, engine.worker():
        while await asyncio.to_thread(sys.stdin.readline):
            print(_peak_mb(), flush=True)


if __name__ == "__main__":
    asyncio.run(_work(*map(Path, sys.argv[1:])))
