"""Workers of activities: the helper state machines of the recordings, run by the engine itself."""

from __future__ import annotations

import json
from typing import Any

from statewright import AsyncEngine, TaskContext
from statewright.values import encode

__all__ = ["ActivityWorkers"]

_LONG_POLL = 60
"""Seconds for which GetActivityTask waits for a task (API reference)."""


class ActivityWorkers:
    """State machines that poll activities, and answer, through the SDK integration of Step Functions.

    Arguments:
        engine: has the activities, and runs the pollers.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._hired = 0

    def handlers(self) -> dict[str, Any]:
        """By resource."""
        calls = {
            "getActivityTask": self.poll,
            "sendTaskSuccess": self.succeed,
            "sendTaskFailure": self.fail,
            "sendTaskHeartbeat": self.beat,
        }
        return {f"arn:aws:states:::aws-sdk:sfn:{name}": call for name, call in calls.items()}

    async def prepare(self, op: str, params: dict[str, Any]) -> None:
        """Start the poller that the setup describes, before the case itself starts."""
        if op == "sfn_activity_consumer":
            self._hired += 1
            name = f"activity-worker-{self._hired}"
            await self._engine.deploy(json.dumps(params["template"]), name=name)
            await self._engine.start(name, {"ActivityArn": params["ActivityArn"]})

    async def poll(self, arguments: dict[str, Any], context: TaskContext) -> dict[str, Any]:
        """GetActivityTask: a task, or nothing after a minute without one."""
        for _ in range(_LONG_POLL):
            task = await self._engine.get_activity_task(
                arguments["ActivityArn"], arguments.get("WorkerName"), timeout=0
            )
            if task is not None:
                return {"TaskToken": task.token, "Input": encode(task.input)}
            await context.sleep(1)
        return {}

    async def succeed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """SendTaskSuccess."""
        await self._engine.send_task_success(arguments["TaskToken"], json.loads(arguments["Output"]))
        return {}

    async def fail(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """SendTaskFailure."""
        await self._engine.send_task_failure(arguments["TaskToken"], arguments.get("Error"), arguments.get("Cause"))
        return {}

    async def beat(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """SendTaskHeartbeat."""
        await self._engine.send_task_heartbeat(arguments["TaskToken"])
        return {}
