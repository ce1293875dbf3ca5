"""The world around the execution of one case: services, other state machines, whoever calls from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from statewright import AsyncEngine, VirtualClock
from tests.conformance.activities import ActivityWorkers
from tests.conformance.callbacks import QueueHelpers, Script
from tests.conformance.dynamodb import Tables
from tests.conformance.functions import functions
from tests.conformance.mocks import Mocks
from tests.conformance.s3 import Buckets
from tests.conformance.secretsmanager import Secrets
from tests.conformance.sns import Topics
from tests.conformance.sqs import Queues

__all__ = ["World"]


class World:
    """What a case says was there besides the execution.

    Arguments:
        case: the case; its record of the execution is not looked at.
        engine: runs it.
        clock: of the engine.
        objects: the folder with the S3 buckets.
        source: the module with the Lambda functions.
    """

    def __init__(
        self, case: dict[str, Any], engine: AsyncEngine, clock: VirtualClock, objects: Path, source: Path
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._setup: list[dict[str, Any]] = case.get("setup") or []
        self._machines: list[dict[str, Any]] = case.get("state_machines") or []
        self._role: str = case["role_arn"]
        self._tasks: list[asyncio.Task[None]] = []
        arns = engine.arns
        self._queues = Queues(self.spawn, arns.region, arns.account)
        self._script = Script(case.get("script") or [], engine, clock)
        self._callers = QueueHelpers(engine, clock, self._queues)
        self._workers = ActivityWorkers(engine)
        self._services: dict[str, Any] = {
            "sqs": self._queues,
            "sns": Topics(arns.region, arns.account),
            "s3": Buckets(objects),
            "dynamodb": Tables(),
            "secretsmanager": Secrets(arns.region, arns.account),
        }
        if case.get("mock_config"):
            machine = arns.machine_name(case["state_machine_arn"])
            mocks = Mocks(case["mock_config"], machine, case["mock_test_case"], engine, clock, self.spawn)
            self._register(mocks.handlers())
        else:
            self._register(functions(source))
            for service in (*self._services.values(), self._workers):
                self._register(service.handlers())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start something that belongs to this world."""
        self._tasks.append(self._clock.spawn(work))

    async def prepare(self) -> None:
        """Do what the setup did, in its order, before the execution starts."""
        for other in self._machines:
            await self._engine.deploy(
                json.dumps(other["definition"]),
                name=self._engine.arns.machine_name(other["arn"]),
                type=other["type"],
                role_arn=self._role,
            )
        for number, step in enumerate(self._setup):
            service, op, params = step["service"], step["op"], step["params"]
            if service == "callback":
                self._callers.prepare(op, params)
                await self._workers.prepare(op, params)
            elif service in self._services:
                self._services[service].prepare(op, params)
                self._script.prepare(number, op, params, self._queues)
        self.spawn(self._script.play())

    def end(self) -> None:
        """Raise what went wrong in this world, if anything did."""
        for task in self._tasks:
            if task.done():
                task.result()
            else:
                task.cancel()

    def _register(self, handlers: dict[str, Any]) -> None:
        for resource, handler in handlers.items():
            self._engine.registry.register(resource, handler)
