"""Runs samples: one handler stands in for every task, tokens and activities are answered, time is virtual."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from statewright import (
    AsyncEngine,
    InvalidDefinitionError,
    Limits,
    TaskContext,
    TaskError,
    VirtualClock,
)
from statewright.values import Json, encode
from tests.samples.datasets import write
from tests.samples.sample import Sample, nested, states

_EVENTS = 3000
"""Enough for every sample; one that turns in circles is stopped by it."""

_STAND_IN = "stand in"
_CHILD = {"StartAt": _STAND_IN, "States": {_STAND_IN: {"Type": "Task", "Resource": "anything", "End": True}}}
"""What is started where a sample starts an execution: its one task gives what the sample expects of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended: its status, the states it visited, how many events it has, why if not well, whether
    that was as a Fail state of its definition says, and the events that tell of failures."""

    status: str
    visited: frozenset[str] = frozenset()
    events: int = 0
    why: str = ""
    declared: bool = False
    mishaps: tuple[str, ...] = ()


async def run(sample: Sample, store: str, objects: Path) -> Outcome:
    """Run a sample to its end on a store; what its Maps read and write is in the directory `objects`.

    Example: ``(await run(sample, url, tmp_path)).status == "SUCCEEDED"``
    """
    clock = VirtualClock()
    write(sample, objects)
    async with _engine(sample, store, clock, objects) as engine:
        for machine in nested(sample):
            await engine.deploy(_CHILD, name=machine)
        try:
            await engine.deploy(sample.definition, name=_machine(sample), type=sample.type)
        except InvalidDefinitionError as error:
            return Outcome("REFUSED", why=str(error))
        arn = (await engine.start(_machine(sample), sample.input)).arn
        worker = engine.new_worker([_machine(sample), *nested(sample)])
        await worker.run_until_idle(until=clock())
        while await _do_activities(engine, sample):
            await worker.run_until_idle(until=clock())
        await worker.run_until_idle()
        await worker.stop(0)
        found = await engine.describe(arn)
        history = await engine.history(arn)
        entered = [
            event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
        ]
        return Outcome(
            found.status,
            frozenset(entered),
            len(history),
            f"{found.error}: {found.cause}" if found.status != "SUCCEEDED" else "",
            any(event["type"] == "FailStateEntered" for event in history),
            tuple(event["type"] for event in history if event["type"].endswith(("Failed", "TimedOut"))),
        )


@asynccontextmanager
async def _engine(sample: Sample, store: str, clock: VirtualClock, objects: Path) -> AsyncIterator[AsyncEngine]:
    failed: dict[str, str] = {}
    machines = nested(sample)

    async def stand_in(input_: Json, context: TaskContext) -> Json:
        machine = context.execution_arn.split(":")[6]
        name = machines[machine][0] if context.state == _STAND_IN else context.state
        if name in sample.faults:
            broken = failed.setdefault(name, context.idempotency_key)
            if context.idempotency_key == broken:  # whenever it is tried, but not when the state is entered again
                raise TaskError(sample.faults[name], encode({"errorMessage": "it broke"}))
        result = sample.results.get(name, {})
        token = context.task_token
        if context.state == _STAND_IN:
            token = input_.get("TaskToken") if isinstance(input_, dict) else None
            result = result.get("Output", {}) if isinstance(result, dict) else result
        if token is not None:
            clock.spawn(answer(token, result))
        return result

    async def answer(token: str, result: Json) -> None:
        await clock.sleep(1)
        await engine.send_task_success(token, result)

    options: dict[str, Any] = {"limits": Limits(history_events=_EVENTS), "objects": objects, "shards": 16}
    async with AsyncEngine(store, tasks={"*": stand_in}, clock=clock, **options) as engine:
        yield engine


async def _do_activities(engine: AsyncEngine, sample: Sample) -> bool:
    """Do what waits at activities; whether there was anything."""
    done = False
    for name, resource in _resources(sample.definition).items():
        if ":activity:" in resource:
            while task := await engine.get_activity_task(resource, timeout=0.01):
                await engine.send_task_success(task.token, sample.results.get(name, {}))
                done = True
    return done


def _machine(sample: Sample) -> str:
    return sample.name[-80:]


def _resources(definition: Any) -> dict[str, str]:
    return {name: state["Resource"] for name, state in states(definition) if state.get("Type") == "Task"}
