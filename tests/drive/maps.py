"""Distributed Maps for the tests of map runs: a machine around one, and a look at what it leaves behind."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from statewright import AsyncEngine, Description
from tests.drive.conftest import one_task

KINDS = pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
CLOCKS = pytest.mark.parametrize("real", [False, True], ids=["virtual", "real"])
PASS = {"P": {"Type": "Pass", "End": True}}
ASK = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
EXCEEDED = "States.ExceedToleratedFailureThreshold"


async def double(given: Any) -> Any:
    return given * 2


def processor(states: dict[str, Any], kind: str = "STANDARD") -> dict[str, Any]:
    return {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
        "StartAt": next(iter(states)),
        "States": states,
    }


def distributed(states: dict[str, Any] | None = None, kind: str = "STANDARD", **fields: Any) -> dict[str, Any]:
    """A Map state; without `states` its children call the handler `work`."""
    inner = processor(one_task("work") if states is None else states, kind)
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Map", "Label": "items", "ItemProcessor": inner, **end, **fields}


def machine(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"StartAt": "M", "States": {"M": state}, **fields}


def reader(key: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "b", "Key": key},
        "ReaderConfig": config or {"InputType": "JSONL"},
    }


async def run(engine: AsyncEngine, state: dict[str, Any], given: Any = None, **fields: Any) -> Description:
    """Deploy and run a machine of one Map."""
    await engine.deploy(machine(state, **fields), name="machine")
    return await engine.run("machine", given, name="parent", timeout=25)


def types(history: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in history]


def output(ended: Description) -> Any:
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return json.loads(ended.output or "null")


async def only_run(engine: AsyncEngine, execution: str = "machine:parent") -> str:
    """ARN of an execution's one map run."""
    [described] = await engine.map_runs(execution)
    return described.arn


async def until_running(engine: AsyncEngine, number: int) -> str:
    """Wait until the one map run of ``machine:parent`` has so many children that run; its ARN."""
    async with asyncio.timeout(10):
        while True:
            for described in await engine.map_runs("machine:parent"):
                if described.executions["running"] == number:
                    return described.arn
            await asyncio.sleep(0.005)


def adds_up(counts: dict[str, int]) -> bool:
    return sum(counts.values()) == 2 * counts["total"] and min(counts.values()) >= 0


async def keys(engine: AsyncEngine) -> set[str]:
    """Names of the keys of the server's executions and queues."""
    store: Any = engine.store
    found = await store._scripts.call("KEYS", "sw:{[0-9]*")
    return {key.decode().partition("}:")[2] for key in found}


async def working_keys(engine: AsyncEngine) -> set[str]:
    """Those that nothing may have when all is over."""
    return {key for key in await keys(engine) if key.partition(":")[0] in set("fbjrioqltna")}
