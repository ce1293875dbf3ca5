"""Lets the conformance checker drive the engine in process: one embedded store, virtual time.

python ../shared/conformance/check.py ../shared/conformance/cases --adapter tests.conformance.adapter:run_case
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import redis

from statewright import AsyncEngine, Description, TaskContext, TaskError, VirtualClock
from statewright.store.embedded import start_embedded

SHARED = Path(__file__).parents[3] / "shared" / "conformance"


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """Run one `execution` case; answers with its status, output, error, cause and history.

    One case at a time: each has the store for itself and a clock of its own.
    """
    with _LOCK:
        return asyncio.run(_run(case, _empty_store()))


_LOCK = threading.Lock()


async def _run(case: dict[str, Any], url: str) -> dict[str, Any]:
    _, _, _, _, _, _, machine, name, *_ = case["execution_arn"].split(":")
    clock = VirtualClock(int(time.time() * 1000))
    async with AsyncEngine(url, tasks=_functions(), clock=clock) as engine:
        definition = case.get("definition_text") or json.dumps(case["definition"])
        await engine.deploy(definition, name=machine, type=case["type"], role_arn=case["role_arn"])
        input_ = {} if case.get("input_omitted") else json.loads(case.get("input_text") or json.dumps(case["input"]))
        answer = await _run_to_the_end(engine, machine, input_, name, sync="sync" in case)
        ours, recorded = answer.execution.arn, case["execution_arn"]  # of an EXPRESS execution, the last part is chance
        return {
            "status": answer.status,
            "output": answer.output and answer.output.replace(ours, recorded),
            "error": answer.error,
            "cause": answer.cause,
            "history": await engine.history(ours),
        }


async def _run_to_the_end(engine: AsyncEngine, machine: str, input_: Any, name: str, *, sync: bool) -> Description:
    if sync:
        async with engine.worker():
            return await engine.start_sync(machine, input_, name=name)
    run = await engine.start(machine, input_, name=name)
    worker = engine.new_worker()
    await worker.run_until_idle()
    await worker.stop(0)
    return await engine.describe(run.arn)


# -- the Lambda functions of the cases --------------------------------------------------------------------------------
@cache
def _functions() -> dict[str, Callable[..., Any]]:
    specification = importlib.util.spec_from_file_location("conformance_functions", SHARED / "functions.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return {name: _handler(module, name) for name in module.FUNCTIONS if name != "wait_60_seconds"} | {
        "wait_60_seconds": _wait_60_seconds
    }


def _handler(module: Any, name: str) -> Callable[..., Any]:
    def call(event: Any) -> Any:
        try:
            return module.FUNCTIONS[name](event)
        except module.FunctionError as error:
            raise TaskError(error.document["errorType"], json.dumps(error.document)) from None

    return call


async def _wait_60_seconds(event: Any, context: TaskContext) -> Any:
    await context.sleep(60)
    return {}


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
