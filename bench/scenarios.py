"""What is measured: definitions, and one function per scenario that runs it through the public API."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from statewright import AsyncEngine

Type: TypeAlias = Literal["STANDARD", "EXPRESS"]
STEPS = 10
LOOPS = 1000
ITEMS = 1000


@dataclass(frozen=True)
class Result:
    """One scenario's figures.

    Arguments:
        transitions: states entered, left and persisted.
        seconds: of wall clock.
        latencies: ms per transition, sampled.
        per_execution: ms per execution, where executions ran one at a time.
    """

    transitions: int
    seconds: float
    latencies: list[float]
    per_execution: list[float]


def chain() -> dict[str, Any]:
    """Ten trivial tasks in a row."""
    states: dict[str, Any] = {
        f"S{index}": {"Type": "Task", "Resource": "noop", "Next": f"S{index + 1}"} for index in range(STEPS - 1)
    }
    states[f"S{STEPS - 1}"] = {"Type": "Task", "Resource": "noop", "End": True}
    return {"StartAt": "S0", "States": states}


def loop(times: int) -> dict[str, Any]:
    """A counter and a Choice, round and round."""
    return {
        "StartAt": "Count",
        "States": {
            "Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
            "Enough": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericLessThan": times, "Next": "Count"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
        },
    }


def fan_out() -> dict[str, Any]:
    """A Map with one trivial state per item."""
    processor = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}}


async def chain_alone(engine: AsyncEngine, executions: int, type_: Type = "STANDARD") -> Result:
    """Ten-step executions, one after the other."""
    await engine.deploy(chain(), name="chain", type=type_)
    per_execution = []
    started = time.perf_counter()
    for _ in range(executions):
        before = time.perf_counter()
        run = await engine.start("chain", {"order": 1})
        assert (await engine.wait(run.arn)).status == "SUCCEEDED"
        per_execution.append((time.perf_counter() - before) * 1000)
    seconds = time.perf_counter() - started
    return Result(executions * STEPS, seconds, [ms / STEPS for ms in per_execution], per_execution)


async def chain_concurrent(engine: AsyncEngine, executions: int, type_: Type = "STANDARD") -> Result:
    """Ten-step executions, all at once."""
    await engine.deploy(chain(), name="chain", type=type_)
    started = time.perf_counter()
    runs = await asyncio.gather(*(engine.start("chain", {"order": index}) for index in range(executions)))
    done = await asyncio.gather(*(engine.wait(run.arn) for run in runs))
    seconds = time.perf_counter() - started
    assert all(each.status == "SUCCEEDED" for each in done)
    return Result(executions * STEPS, seconds, await _sample(engine, [run.arn for run in runs[:20]]), [])


async def express(engine: AsyncEngine, executions: int) -> dict[str, float]:
    """The chain as EXPRESS beside the chain as STANDARD, three times in turn: medians, and their ratios."""
    types: tuple[Type, ...] = ("STANDARD", "EXPRESS")
    rates: dict[str, list[float]] = {type_: [] for type_ in types}
    latencies: dict[str, list[float]] = {type_: [] for type_ in types}
    for _ in range(3):
        for type_ in types:
            together = await chain_concurrent(engine, executions, type_)
            rates[type_].append(together.transitions / together.seconds)
            latencies[type_] += (await chain_alone(engine, max(executions // 10, 10), type_)).per_execution
    figures = {}
    for type_ in types:
        figures[f"{type_.lower()}_transitions_per_second"] = statistics.median(rates[type_])
        figures[f"{type_.lower()}_execution_p50_ms"] = statistics.median(latencies[type_])
    figures["rate_ratio"] = statistics.median(rates["EXPRESS"]) / statistics.median(rates["STANDARD"])
    figures["latency_ratio"] = statistics.median(latencies["STANDARD"]) / statistics.median(latencies["EXPRESS"])
    return {name: round(figure, 2) for name, figure in figures.items()}


async def choice_loop(engine: AsyncEngine, times: int) -> Result:
    """Two transitions a turn, in one execution."""
    await engine.deploy(loop(times), name="loop")
    started = time.perf_counter()
    run = await engine.start("loop", {"n": 0})
    assert (await engine.wait(run.arn)).status == "SUCCEEDED"
    return Result(2 * times + 1, time.perf_counter() - started, await _sample(engine, [run.arn]), [])


async def map_items(engine: AsyncEngine, items: int) -> Result:
    """One iteration per item, forty at once."""
    await engine.deploy(fan_out(), name="fan-out")
    started = time.perf_counter()
    run = await engine.start("fan-out", list(range(items)))
    assert (await engine.wait(run.arn)).status == "SUCCEEDED"
    return Result(items + 1, time.perf_counter() - started, [], [])


async def commit_cost(engine: AsyncEngine) -> dict[str, float]:
    """ms per 1,000 events of one execution, around event 100 and around event 20,000: medians over several executions,
    the first of which only warms up."""
    await engine.deploy(loop(5700), name="long-loop")
    early, late = [], []
    for _ in range(6):
        run = await engine.start("long-loop", {"n": 0})
        assert (await engine.wait(run.arn)).status == "SUCCEEDED"
        at = [event["timestamp"].timestamp() * 1000 for event in await engine.history(run.arn)]
        early += [at[start + 1000] - at[start] for start in range(100, 3100, 100)]
        late += [at[start + 1000] - at[start] for start in range(18_500, 21_500, 100)]
    warm = len(early) // 6
    return {"event_100": statistics.median(early[warm:]), "event_20000": statistics.median(late[warm:])}


async def _sample(engine: AsyncEngine, arns: list[str]) -> list[float]:
    """ms from Entered to Exited of the states of some executions, by the store's clock."""
    latencies = []
    for arn in arns:
        entered = None
        for event in await engine.history(arn):
            if event["type"].endswith("StateEntered"):
                entered = event["timestamp"]
            elif event["type"].endswith("StateExited") and entered is not None:
                latencies.append((event["timestamp"] - entered).total_seconds() * 1000)
    return latencies
