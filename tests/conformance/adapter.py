"""Lets the conformance checker drive the engine in process: one embedded store, virtual time.

python ../shared/conformance/check.py ../shared/conformance/cases --adapter tests.conformance.adapter:run_case
"""

from __future__ import annotations

import asyncio
import atexit
import json
import shutil
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import redis

from statewright import AsyncEngine, Description, VirtualClock
from statewright.store.embedded import start_embedded
from tests.conformance.world import World

__all__ = ["SHARED", "run_case"]

SHARED = Path(__file__).parents[3] / "shared" / "conformance"


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """Run one `execution` case; answers with its status, output, error, cause and history.

    One case at a time: each has the store for itself and a clock of its own.
    """
    with _LOCK, tempfile.TemporaryDirectory(prefix="statewright-objects-") as objects:
        return asyncio.run(_run(case, _empty_store(), Path(objects)))


_LOCK = threading.Lock()


async def _run(case: dict[str, Any], url: str, objects: Path) -> dict[str, Any]:
    _, _, _, _, _, _, machine, name, *_ = case["execution_arn"].split(":")
    clock = VirtualClock(int(time.time() * 1000))
    async with AsyncEngine(url, shards=16, clock=clock, objects=objects) as engine:
        world = World(case, engine, clock, objects, SHARED / "functions.py")
        await world.prepare()
        definition = case.get("definition_text") or json.dumps(case["definition"])
        await engine.deploy(definition, name=machine, type=case["type"], role_arn=case["role_arn"])
        input_ = {} if case.get("input_omitted") else json.loads(case.get("input_text") or json.dumps(case["input"]))
        if "sync" in case:
            async with engine.worker():
                answer = await engine.start_sync(machine, input_, name=name)
        else:
            answer = await _run_to_the_end(engine, clock, world, case, machine, input_, name)
        world.end()
        ours = answer.execution.arn
        wrong = [finding async for each in engine.verify([ours]) for finding in each.findings]
        assert not wrong, wrong
        seen = {
            "status": answer.status,
            "output": answer.output,
            "error": answer.error,
            "cause": answer.cause,
            "history": await engine.history(ours),
        }
        return _renamed(seen, ours, case["execution_arn"])


async def _run_to_the_end(
    engine: AsyncEngine, clock: VirtualClock, world: World, case: dict[str, Any], machine: str, input_: Any, name: str
) -> Description:
    run = await engine.start(machine, input_, name=name)
    worker = engine.new_worker()
    if "stop_execution" in case["needs"]:
        world.spawn(_stop(engine, clock, run.arn))
    await worker.run_until_idle()
    await worker.stop(0)
    return await engine.describe(run.arn)


async def _stop(engine: AsyncEngine, clock: VirtualClock, execution: str) -> None:
    """StopExecution a second after the start, as the recorded tests did."""
    await clock.sleep(1)
    await engine.stop(execution)


def _renamed(seen: dict[str, Any], ours: str, theirs: str) -> dict[str, Any]:
    """With the id that the case speaks of in place of the one that the engine chose for an EXPRESS execution."""
    if ours == theirs:
        return seen
    text: dict[str, Any] = json.loads(json.dumps(seen, default=str).replace(ours.split(":")[-1], theirs.split(":")[-1]))
    return text


# -- the store --------------------------------------------------------------------------------------------------------
@cache
def _url() -> str:
    """The embedded server, which is told to go when this process ends."""
    folder = tempfile.mkdtemp(prefix="statewright-conformance-")
    url = asyncio.run(start_embedded(Path(folder) / "store"))

    def stop() -> None:
        redis.Redis.from_url(url).shutdown(nosave=True)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return url


def _empty_store() -> str:
    with redis.Redis.from_url(_url()) as client:
        client.flushall()
    return _url()
