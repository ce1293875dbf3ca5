"""Hostile definitions among others: they end in errors, and the worker goes on with everybody else's executions."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.drive.conftest import Site, idle_worker

ATTACKS: dict[str, dict[str, Any]] = {
    "sum": {"QueryLanguage": "JSONata", "Output": "{% $sum($map([1..50000], function($x) {$sum([1..50000])})) %}"},
    "recursion": {"QueryLanguage": "JSONata", "Output": "{% ($f := function($n) {$f($n + 1)}; $f(1)) %}"},
    "pattern": {"QueryLanguage": "JSONata", "Output": "{% $match($pad('', 50000, 'a'), /^(a|a)+$/)[1].x %}"},
    "copies": {"QueryLanguage": "JSONata", "Assign": {f"v{n}": "{% $states.input %}" for n in range(2000)}},
    "doubling": {"QueryLanguage": "JMESPath", "Output": "{% " + "|".join(["[@,@]"] * 30) + " %}"},
    "many": {"QueryLanguage": "JMESPath", "Output": ["{% length(states.input.n[?@ > `5`]) %}"] * 300},
    "paths": {"Parameters": {"x.$": "$.n[?(@ in $.n)]"}},
    "filters": {"Parameters": {"x.$": "$.n[?($.n[?($.n[?(@ == -1)])])]"}},
    "functions": {"Parameters": {f"m{n}.$": "States.ArrayUnique($.n)" for n in range(1000)}},
    "range": {"Parameters": {"x.$": "States.ArrayRange(0, 1000000000, 1)"}},
}


async def test_a_worker_serves_others_meanwhile(site: Site) -> None:
    calls: list[int] = []
    longest = 0.0

    async def work(given: Any) -> Any:
        calls.append(given)
        return given

    async def watch() -> None:
        """How long the loop is busy with one thing, at most."""
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    steps = {f"S{n}": {"Type": "Task", "Resource": "work", "Next": f"S{n + 1}"} for n in range(5)}
    honest = {"StartAt": "S0", "States": steps | {"S5": {"Type": "Succeed"}}}
    async with site.engine({"work": work}) as engine, idle_worker(engine) as worker:
        await engine.deploy(honest, name="honest")
        for name, fields in ATTACKS.items():
            states = {"S": {"Type": "Pass", **fields, "End": True}}
            await engine.deploy({"StartAt": "S", "States": states}, name=name)
        hostile = [await engine.start(name, {"n": list(range(3000))}) for name in ATTACKS]
        good = [await engine.start("honest", n) for n in range(40)]
        watching = asyncio.create_task(watch())
        await worker.run_until_idle()
        watching.cancel()
        failed = [await engine.describe(started.arn) for started in hostile]
        assert {(end.execution.machine_name, end.status) for end in failed} == {(name, "FAILED") for name in ATTACKS}
        assert {end.error for end in failed} == {
            "States.Runtime",
            "States.QueryEvaluationError",
            "States.DataLimitExceeded",
        }
        assert {(await engine.describe(started.arn)).status for started in good} == {"SUCCEEDED"}
    assert len(calls) == 200
    assert longest < 6  # some limits of 250 ms each, on a slow machine
