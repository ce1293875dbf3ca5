"""A state machine that starts another one, for the tests of nested executions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from statewright import AsyncEngine, Description

START = "arn:aws:states:::states:startExecution"
SDK = "arn:aws:states:::aws-sdk:sfn:startExecution"
PREFIX = "arn:aws:states:us-east-1:000000000000"
CHILD = f"{PREFIX}:stateMachine:child"
PASS: dict[str, Any] = {"P": {"Type": "Pass", "End": True}}
WAIT: dict[str, Any] = {"W": {"Type": "Wait", "Seconds": 1_000_000, "End": True}}
FAIL: dict[str, Any] = {"F": {"Type": "Fail", "Error": "Bad", "Cause": "luck"}}
CLOCKS = pytest.mark.parametrize("real", [False, True], ids=["virtual", "real"])


def definition(states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states, **fields}


def nested(resource: str = f"{START}.sync:2", arguments: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A state that starts `child`."""
    end = {} if "Next" in fields else {"End": True}
    parameters = {"StateMachineArn": CHILD, "Input.$": "$", **(arguments or {})}
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, **end, **fields}


async def deploy(
    engine: AsyncEngine, parent: dict[str, Any], child: dict[str, Any], kind: Any = "STANDARD", **fields: Any
) -> None:
    await engine.deploy(definition(child), name="child", type=kind)
    await engine.deploy(definition({"N": parent} if "Type" in parent else parent, **fields), name="parent")


async def run(
    engine: AsyncEngine, parent: dict[str, Any], child: dict[str, Any], given: Any = None, **fields: Any
) -> Description:
    await deploy(engine, parent, child, **fields)
    async with engine.worker(grace=1):
        return await engine.wait((await engine.start("parent", given, name="p")).arn, 20)


async def children(engine: AsyncEngine, machine: str = "child") -> list[Description]:
    return await engine.list(machine)


def cause(ended: Description) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.cause or "")
    return found


async def told(engine: AsyncEngine, execution: str = "parent:p") -> list[str]:
    return [event["type"] for event in await engine.history(execution)]
