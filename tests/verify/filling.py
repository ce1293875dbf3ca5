"""A store with a bit of everything: executions that run, in every way there is to wait, and ones that have ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from statewright import AsyncEngine

__all__ = ["DEFINITIONS", "TASKS", "fill"]


def _machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def _task(resource: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, **({} if "Next" in more else {"End": True}), **more}


_TOKEN = "arn:aws:states:::lambda:invoke.waitForTaskToken"
_DIG = "arn:aws:states:us-east-1:000000000000:activity:dig"
_WAIT = {"Type": "Wait", "Seconds": 7200, "End": True}
_CHOICE = {"Type": "Choice", "Choices": [{"Variable": "$.wait", "IsPresent": True, "Next": "W"}], "Default": "E"}

DEFINITIONS: dict[str, dict[str, Any]] = {
    "line": _machine(A=_task("echo", Next="B"), B=_task("echo", Next="C"), C={"Type": "Pass", "End": True}),
    "kept": _machine(A=_task("echo", Next="B"), B={"Type": "Pass", "Result": ["x" * 3000], "End": True}),
    "fails": _machine(A=_task("fail", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}]), B={"Type": "Fail"}),
    "wait": _machine(W=_WAIT),
    "token": _machine(
        T=_task(
            _TOKEN,
            Parameters={"FunctionName": "echo", "Payload": {"token.$": "$$.Task.Token"}},
            TimeoutSeconds=7200,
            HeartbeatSeconds=3600,
        )
    ),
    "activity": _machine(T=_task(_DIG, TimeoutSeconds=7200)),
    "retry": _machine(T=_task("fail", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 7200}])),
    "parallel": _machine(
        P={"Type": "Parallel", "End": True, "Branches": [_machine(A=_task("echo")), _machine(W=_WAIT)]}
    ),
    "map": _machine(
        M={
            "Type": "Map",
            "ItemProcessor": _machine(
                T=_task("echo", Next="C"), C=_CHOICE, W={**_WAIT, "Seconds": 3600}, E={"Type": "Pass", "End": True}
            ),
            "End": True,
        }
    ),
    "spread": _machine(
        M={
            "Type": "Map",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **_machine(C=_CHOICE, W={**_WAIT, "Seconds": 3600}, E={"Type": "Pass", "End": True}),
            },
            "End": True,
        }
    ),
}


def _fail(_: Any) -> None:
    raise ValueError("as ordered")


TASKS: dict[str, Any] = {"echo": lambda value: value, "fail": _fail}


async def fill(data_dir: Path, times: int = 1) -> None:
    """Make the store: each execution `times` times, and nobody working on them any more."""
    large = "x" * 3000
    async with AsyncEngine(data_dir=data_dir, tasks=TASKS) as engine:
        for name, definition in DEFINITIONS.items():
            await engine.deploy(definition, name=name)
        async with engine.worker(grace=0):
            for number in range(times):
                for name, given in (
                    ("line", {"n": number, "large": large}),
                    ("line", {"n": number}),
                    ("kept", {"n": number, "large": large}),
                    ("kept", {"n": number}),
                    ("fails", {}),
                    ("map", [{"n": 1}, {"n": 2}]),
                    ("spread", [{"n": 1}, {"n": 2}]),
                ):
                    await engine.wait((await engine.start(name, given)).arn, 20)
                for name in ("wait", "token", "activity", "retry", "parallel"):
                    await engine.start(name, {"n": number}, name=f"{name}-{number}")
                await engine.start("map", [{"wait": 1, "large": large}, {"n": 2}], name=f"map-{number}")
                await engine.start("spread", [{"wait": 1}, {"n": 2}], name=f"spread-{number}")
                stopped = await engine.start("wait", {})
                await engine.stop(stopped.arn, "Enough", "by hand")
                await engine.start("wait", {}, name=f"aside-{number}")
            await _at_rest(engine)
        await _archive(engine)
        for number in range(times):
            await _put_aside(engine, f"wait:aside-{number}")


async def _archive(engine: AsyncEngine) -> None:
    """Archive all executions of one state machine, and the children of map runs that have ended."""
    arns = [each.execution.arn for each in await engine.list("spread")]
    runs = [run.arn for arn in arns for run in await engine.map_runs(arn)]
    children = [child for run in runs for child in await engine.list(map_run=run)]
    for each in (*await engine.list("kept"), *children):
        if each.status != "RUNNING":
            assert await engine.store.archive(each.execution.id)


async def _put_aside(engine: AsyncEngine, execution: str) -> None:
    """Make a dead letter of an execution."""
    id_ = (await engine.describe(execution)).execution.id
    claimed = await engine.store.claim_frame(id_, "", "someone", 10_000)
    assert claimed is not None
    assert await engine.store.bury(claimed, "someone", "it cannot be got on with")


async def _at_rest(engine: AsyncEngine) -> None:
    """Until nothing changes any more: what runs waits for something that takes hours."""
    before = -1
    while True:
        lengths = [each.length for each in await engine.list(limit=10_000)]
        if sum(lengths) == before:
            return
        before = sum(lengths)
        await asyncio.sleep(0.3)
