"""The two profiles of limits, end to end: what AWS refuses, in AWS's words, and what `statewright` takes."""

from __future__ import annotations

from typing import Any

import pytest

from statewright import AsyncEngine, Engine, StatewrightError
from statewright.model import PROFILES, Limits
from tests.drive.conftest import Site, one_task

ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:by-hand"
HALF = "x" * 140_000
"""Two of these are more than AWS's 262,144 bytes."""
TOO_LARGE = "The state/task '{}' returned a result with a size exceeding the maximum number of bytes service limit."


def one_pass(name: str = "P", **fields: Any) -> dict[str, Any]:
    """A machine of a single Pass state."""
    return {name: {"Type": "Pass", "End": True, **fields}}


REFUSED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "a task's result": (one_task("twice"), HALF, "twice"),
    "a task's arguments": (one_task("echo", Parameters={"a.$": "$", "b.$": "$"}), HALF, "Work"),
    "an activity's input": (one_task(ACTIVITY, Parameters={"a.$": "$", "b.$": "$"}), HALF, "Work"),
    "a Pass state's output, JSONPath": (one_pass(Parameters={"a.$": "$", "b.$": "$"}), HALF, "P"),
    "a Pass state's output, JSONata": (
        one_pass(QueryLanguage="JSONata", Output="{% [$states.input, $states.input] %}"),
        HALF,
        "P",
    ),
    "a Pass state's result": (one_pass(Result=HALF, ResultPath="$.r"), {"i": HALF}, "P"),
    "a Map state's result": (
        {"M": {"Type": "Map", "ItemProcessor": {"StartAt": "P", "States": one_pass(Result=HALF)}, "End": True}},
        [1, 2],
        "M",
    ),
    "a Parallel state's result": (
        {"B": {"Type": "Parallel", "Branches": [{"StartAt": n, "States": one_pass(n)} for n in "PQ"], "End": True}},
        HALF,
        "B",
    ),
}


async def twice(value: Any) -> Any:
    return [value, value]


async def echo(value: Any) -> Any:
    return value


TASKS = {"twice": twice, "echo": echo}


@pytest.mark.parametrize(("states", "given", "named"), REFUSED.values(), ids=REFUSED)
async def test_beyond_the_limits_of_aws(site: Site, states: dict[str, Any], given: Any, named: str) -> None:
    ended, history = await site.run(states, TASKS, given)
    failure = {"error": "States.DataLimitExceeded", "cause": TOO_LARGE.format(named)}
    assert (ended.status, ended.error, ended.cause) == ("FAILED", *failure.values())
    assert history[-1]["executionFailedEventDetails"] == failure


@pytest.mark.parametrize("name", [name for name in REFUSED if "activity" not in name])
async def test_the_same_within_the_limits_of_statewright(site: Site, name: str) -> None:
    states, given, _ = REFUSED[name]
    ended, history = await site.run(states, TASKS, given, profile="statewright")
    assert ended.status == "SUCCEEDED"
    assert ended.output is not None
    assert len(ended.output) > 262_144
    assert history[-1]["executionSucceededEventDetails"]["output"] == ended.output


async def test_requests(site: Site) -> None:
    """StartExecution and SendTaskSuccess: what is too long never reaches the store."""
    words = "ValidationException: 1 validation error detected: Value at '{}' failed to satisfy constraint: "
    words += "Member must have length less than or equal to 262144"
    async with site.engine(real=True) as engine, engine.worker():
        await engine.deploy({"StartAt": "Work", "States": one_task(ACTIVITY)}, name="m")
        with pytest.raises(StatewrightError) as refusal:
            await engine.start("m", "x" * 262_143, name="e")
        assert str(refusal.value) == words.format("input")
        started = await engine.start("m", "x" * 262_142, name="e")
        offer = await engine.get_activity_task("by-hand", timeout=10)
        assert offer is not None
        with pytest.raises(StatewrightError) as refusal:
            await engine.send_task_success(offer.token, [HALF, HALF])
        assert str(refusal.value) == words.format("output")
        await engine.send_task_success(offer.token, "é" * 131_071)
        assert (await engine.wait(started.arn, 10)).status == "SUCCEEDED"


async def test_requests_in_statewright(site: Site) -> None:
    async with site.engine(real=True, profile="statewright") as engine, engine.worker():
        states = one_task(ACTIVITY, Parameters={"a.$": "$", "b.$": "$"})
        await engine.deploy({"StartAt": "Work", "States": states}, name="m")
        started = await engine.start("m", [HALF, HALF], name="e")
        offer = await engine.get_activity_task("by-hand", timeout=10)
        assert offer is not None
        assert offer.input == {"a": [HALF, HALF], "b": [HALF, HALF]}
        await engine.send_task_success(offer.token, offer.input)
        ended = await engine.wait(started.arn, 10)
        assert (ended.status, len(ended.output or "") > 4 * len(HALF)) == ("SUCCEEDED", True)
        with pytest.raises(StatewrightError, match="less than or equal to 67108864"):
            await engine.start("m", "x" * (64 * 1024 * 1024))


def test_a_megabyte_through_every_kind_of_state(store_url: str) -> None:
    """In the synchronous engine, with a handler, iterations, branches, both query languages and variables."""
    big = "x" * 1_000_000

    def passing(name: str, **fields: Any) -> dict[str, Any]:
        return {"StartAt": name, "States": one_pass(name, **fields)}

    definition: dict[str, Any] = {
        "StartAt": "Set",
        "States": {
            "Set": {"Type": "Pass", "Assign": {"v.$": "$.big"}, "Next": "Ask"},
            "Ask": {"Type": "Task", "Resource": "echo", "ResultPath": "$.answer", "Next": "Choose"},
            "Choose": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.answer.big", "StringEqualsPath": "$v", "Next": "Each"}],
                "Default": "Wrong",
            },
            "Each": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemSelector": {"b.$": "$.big", "n.$": "$$.Map.Item.Value"},
                "ItemProcessor": passing("Item"),
                "Next": "Both",
            },
            "Both": {
                "Type": "Parallel",
                "Branches": [passing("P"), passing("Q", QueryLanguage="JSONata")],
                "Next": "Sum",
            },
            "Sum": {
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Output": "{% $map($states.input, function($each) { $count($each) + $length($each[0].b) }) %}",
                "End": True,
            },
            "Wrong": {"Type": "Fail"},
        },
    }
    with Engine(store_url, tasks=TASKS, profile="statewright") as engine:
        engine.deploy(definition, name="megabyte")
        ended = engine.run("megabyte", {"big": big, "items": [1, 2, 3]}, timeout=20)
        assert (ended.status, ended.error, ended.cause) == ("SUCCEEDED", None, None)
        assert ended.output == "[1000003,1000003]"


@pytest.mark.parametrize("iterations", [0, 4, 40])
async def test_event_25000_is_the_failure(site: Site, iterations: int) -> None:
    """Measured on AWS; also where several frames write at the same time."""
    never = [{"Variable": "$", "IsNull": True, "Next": "C"}]
    choice = {"Type": "Choice", "Choices": never, "Default": "A"}
    states: dict[str, Any] = {"A": {"Type": "Pass", "Next": "B"}, "B": choice, "C": {"Type": "Succeed"}}
    loop: dict[str, Any] = {"StartAt": "A", "States": states}
    if iterations:
        loop = {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": loop, "End": True}}}
    async with site.engine(real=True) as engine:
        await engine.deploy(loop, name="m")
        ended = await engine.run("m", [*range(iterations)], timeout=25)
        assert (ended.status, ended.error, ended.length) == ("FAILED", "States.Runtime", 25_000)
        assert ended.cause == "The execution reached the maximum number of history events (25000)."
        (last,) = await engine.history(ended.execution.arn, reverse=True, limit=1)
        assert (last["id"], last["type"]) == (25_000, "ExecutionFailed")


def test_profiles_are_explicit() -> None:
    assert PROFILES["aws"] == Limits()
    assert all(
        limit >= getattr(PROFILES["aws"], name)
        for name, limit in zip(Limits.__struct_fields__, _values(PROFILES["statewright"]), strict=True)
    )
    with pytest.raises(StatewrightError, match="InvalidProfile"):
        AsyncEngine(profile="none")  # type: ignore[arg-type]


def _values(limits: Limits) -> list[int]:
    return [getattr(limits, name) for name in Limits.__struct_fields__]
