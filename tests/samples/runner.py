"""Runs samples: one handler stands in for every task, tokens and activities are answered, time is virtual."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from statewright import AsyncEngine, DefinitionError, InvalidDefinitionError, Limits, TaskContext, VirtualClock
from statewright.values import Json
from tests.samples.datasets import states, write
from tests.samples.sample import Sample

_EVENTS = 3000
"""Enough for every sample; one that turns in circles is stopped by it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sample ended: its status, the states it visited of those it has, its events, and why if not well."""

    status: str
    visited: int
    states: int
    events: int
    why: str = ""


async def run(sample: Sample, store: str, objects: Path) -> Outcome:
    """Run a sample to its end on a store; what its Maps read and write is in the directory `objects`.

    Example: ``(await run(sample, url, tmp_path)).status == "SUCCEEDED"``
    """
    count = len(states(sample.definition))
    clock = VirtualClock()
    write(sample.definition, sample.input, sample.datasets, objects)
    async with _engine(sample, store, clock, objects) as engine:
        try:
            await engine.deploy(sample.definition, name=_machine(sample), type=sample.type)
        except InvalidDefinitionError as error:
            return Outcome("REFUSED", 0, count, 0, str(error))
        except DefinitionError as error:
            return Outcome("WAITING", 0, count, 0, str(error))
        arn = (await engine.start(_machine(sample), sample.input)).arn
        worker = engine.new_worker()
        await worker.run_until_idle(until=clock())
        while await _do_activities(engine, sample):
            await worker.run_until_idle(until=clock())
        await worker.run_until_idle()
        await worker.stop(0)
        found = await engine.describe(arn)
        history = await engine.history(arn)
        visited = {
            event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event
        }
        why = f"{found.error}: {found.cause}" if found.error else ""
        return Outcome(found.status, len(visited), count, len(history), why)


@asynccontextmanager
async def _engine(sample: Sample, store: str, clock: VirtualClock, objects: Path) -> AsyncIterator[AsyncEngine]:
    async def stand_in(_input: Json, context: TaskContext) -> Json:
        result = sample.results.get(context.state, {})
        if context.task_token is not None:
            clock.spawn(answer(context.task_token, result))
        return result

    async def answer(token: str, result: Json) -> None:
        await clock.sleep(1)
        await engine.send_task_success(token, result)

    limits = Limits(history_events=_EVENTS)
    more: dict[str, Any] = {"objects": objects} if "objects" in signature(AsyncEngine).parameters else {}
    async with AsyncEngine(store, tasks={"*": stand_in}, clock=clock, limits=limits, **more) as engine:
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
