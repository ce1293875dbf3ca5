"""Nested executions: how they are started and awaited, and how they fail."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.drive.conftest import Site, idle_worker
from tests.drive.nesting import (
    CHILD,
    CLOCKS,
    FAIL,
    PASS,
    PREFIX,
    SDK,
    START,
    WAIT,
    cause,
    children,
    definition,
    deploy,
    nested,
    run,
    told,
)


# -- how it is started ------------------------------------------------------------------------------------------------
@CLOCKS
@pytest.mark.parametrize("resource", [START, SDK])
async def test_started_and_left_alone(site: Site, real: bool, resource: str) -> None:
    async with site.engine(real=real) as engine:
        ended = await run(engine, nested(resource, {"Name": "c"}), PASS, {"a": 1})
        answer = json.loads(ended.output or "")
        assert answer["ExecutionArn"] == f"{PREFIX}:execution:child:c"
        wrapped = {"SdkHttpMetadata", "SdkResponseMetadata"} if resource == START else set()
        assert {"ExecutionArn", "StartDate"} <= set(answer) <= {"ExecutionArn", "StartDate", *wrapped}
        assert (await engine.wait("child:c", 5)).output == '{"a":1}'
        assert (await told(engine))[2:5] == ["TaskScheduled", "TaskStarted", "TaskSucceeded"]


@CLOCKS
@pytest.mark.parametrize(("suffix", "expected"), [(".sync", '{"a":[1]}'), (".sync:2", {"a": [1]})])
async def test_its_end_is_the_answer(site: Site, real: bool, suffix: str, expected: Any) -> None:
    async with site.engine(real=real) as engine:
        ended = await run(engine, nested(START + suffix), PASS, {"a": [1]})
        answer = json.loads(ended.output or "")
        [child] = await children(engine)
        assert (answer["Output"], answer["Input"], answer["Status"]) == (expected, expected, "SUCCEEDED")
        assert (answer["ExecutionArn"], answer["Name"]) == (child.execution.arn, child.execution.name)
        assert answer["StateMachineArn"] == CHILD
        assert (answer["StartDate"], answer["StopDate"]) == (child.execution.started_at, child.stopped_at)
        assert (await told(engine))[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


async def test_with_a_token(site: Site) -> None:
    arguments = {"Input": {"token.$": "$$.Task.Token"}}
    arguments["Input.$"] = None  # type: ignore[assignment]
    state = nested(f"{START}.waitForTaskToken", arguments)
    del state["Parameters"]["Input.$"]
    async with site.engine(real=True) as engine:
        await deploy(engine, state, WAIT)
        async with engine.worker(grace=1):
            started = await engine.start("parent", name="p")
            while not (found := await children(engine)):
                await asyncio.sleep(0.005)
            await engine.send_task_success(found[0].execution.input.value["token"], {"ok": True})
            assert (await engine.wait(started.arn, 5)).output == '{"ok":true}'
        assert (await children(engine))[0].status == "RUNNING", "nobody waits for its end, and it goes on"


async def test_a_token_that_is_answered_while_it_runs(site: Site) -> None:
    """Recorded (callback.sync_with_task_token): the answer ends the waiting."""
    state = nested(f"{START}.sync:2")
    del state["Parameters"]["Input.$"]
    state["Parameters"]["Input"] = {"token.$": "$$.Task.Token"}
    async with site.engine() as engine, idle_worker(engine) as worker:
        await deploy(engine, state, WAIT)
        started = await engine.start("parent", name="p")
        await worker.run_until_idle(until=site.clock())
        [child] = await children(engine)
        assert child.status == "RUNNING"
        await engine.send_task_success(child.execution.input.value["token"], "enough")
        await worker.run_until_idle(until=site.clock())
        assert (await engine.describe(started.arn)).output == '"enough"'
        await engine.stop(child.execution.arn)
        await worker.run_until_idle(until=site.clock())
        assert (await told(engine))[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


@pytest.mark.parametrize("suffix", ["", ".sync:2"])
async def test_an_express_one(site: Site, suffix: str) -> None:
    async with site.engine() as engine:
        ended = await run(engine, nested(START + suffix, {"Name": "c"}), PASS, {"a": 1}, kind="EXPRESS")
        assert ended.status == "SUCCEEDED", ended.cause
        [child] = await children(engine)
        assert json.loads(ended.output or "")["ExecutionArn"] == child.execution.arn
        assert child.execution.arn.startswith(f"{PREFIX}:express:child:c:")


async def test_three_deep(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(definition(PASS), name="leaf")
        middle = nested(f"{START}.sync:2", {"StateMachineArn": f"{PREFIX}:stateMachine:leaf"}, OutputPath="$.Output")
        ended = await run(engine, nested(OutputPath="$.Output"), {"M": middle}, [1, 2])
        assert ended.output == "[1,2]"
        assert len(await engine.list()) == 3


async def test_many_at_once_in_branches(site: Site) -> None:
    each = {"Type": "Map", "ItemProcessor": definition({"N": nested(OutputPath="$.Output")}), "End": True}
    async with site.engine(real=True) as engine:
        ended = await run(engine, {"E": each}, PASS, list(range(60)))
        assert json.loads(ended.output or "") == list(range(60))
        assert len(await children(engine)) == 60


async def test_parent_and_child_on_different_workers(site: Site) -> None:
    async with site.engine(real=True) as one, site.engine(real=True) as two:
        await deploy(one, nested(OutputPath="$.Output"), PASS)
        async with one.worker(machines=["parent"]), two.worker(machines=["child"]):
            started = await one.start("parent", 7, name="p")
            assert (await one.wait(started.arn, 5)).output == "7"


# -- failures ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("states", "fields", "status", "error"),
    [(FAIL, {}, "FAILED", "Bad"), (WAIT, {"TimeoutSeconds": 5}, "TIMED_OUT", "States.Timeout")],
)
@pytest.mark.parametrize("suffix", [".sync", ".sync:2"])
async def test_its_failure_is_the_tasks(
    site: Site, states: dict[str, Any], fields: dict[str, Any], status: str, error: str, suffix: str
) -> None:
    async with site.engine() as engine:
        await engine.deploy(definition(states, **fields), name="child")
        await engine.deploy(definition({"N": nested(START + suffix)}), name="parent")
        async with engine.worker():
            ended = await engine.wait((await engine.start("parent", {"a": 1})).arn, 10)
        assert (ended.status, ended.error) == ("FAILED", "States.TaskFailed")
        about = cause(ended)
        assert (about["Status"], about["Error"]) == (status, error)
        assert about["Input"] == ('{"a":1}' if suffix == ".sync" else {"a": 1})
        assert "Output" not in about


async def test_stopping_it_fails_the_task(site: Site) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        await deploy(engine, nested(), WAIT)
        started = await engine.start("parent", name="p")
        await worker.run_until_idle(until=site.clock())
        [child] = await children(engine)
        await engine.stop(child.execution.arn, "Enough", "of this")
        await worker.run_until_idle(until=site.clock())
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.error, cause(ended)["Status"]) == ("FAILED", "States.TaskFailed", "ABORTED")
        assert (cause(ended)["Error"], cause(ended)["Cause"]) == ("Enough", "of this")


async def test_caught(site: Site) -> None:
    catch = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "C"}]
    states = {"N": nested(Catch=catch), "C": {"Type": "Pass", "OutputPath": "$.error.Error", "End": True}}
    async with site.engine() as engine:
        assert (await run(engine, states, FAIL, {})).output == '"States.TaskFailed"'


@pytest.mark.parametrize("name", [None, "c"])
async def test_retried(site: Site, name: str | None) -> None:
    """Without a Name each attempt is another execution; with one the second meets the first."""
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1}]
    async with site.engine() as engine:
        ended = await run(engine, nested(arguments={"Name": name} if name else {}, Retry=retry), FAIL)
        assert ended.status == "FAILED"
        if name is None:
            assert ended.error == "States.TaskFailed"
            assert len(await children(engine)) == 3
        else:
            assert ended.error == "StepFunctions.ExecutionAlreadyExistsException"
            [child] = await children(engine)
            assert child.status == "FAILED"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"StateMachineArn": f"{PREFIX}:stateMachine:nobody"}, "StateMachineDoesNotExist"),
    ({"StateMachineArn": "nobody"}, "StateMachineDoesNotExist"),
    ({"StateMachineArn": 5}, "InvalidArn"),
    ({"Name": "a b"}, "InvalidName"),
    ({"Name": 5}, "InvalidName"),
    ({"Name": ""}, "InvalidName"),
    ({"Name": "x" * 81}, "InvalidName"),
    ({"Input": "{oops"}, "InvalidExecutionInput"),
    ({"Input": "[" * 5000}, "InvalidExecutionInput"),
    ({"Input": '"\\ud800"'}, "InvalidExecutionInput"),
]


@pytest.mark.parametrize(("arguments", "code"), REFUSED)
@pytest.mark.parametrize("resource", [START, f"{START}.sync", SDK])
async def test_refused(site: Site, arguments: dict[str, Any], code: str, resource: str) -> None:
    state = nested(resource, arguments)
    if "Input" in arguments:
        del state["Parameters"]["Input.$"]
    async with site.engine() as engine:
        ended = await run(engine, state, PASS)
        prefix = "Sfn" if resource == SDK else "StepFunctions"
        assert (ended.status, ended.error) == ("FAILED", f"{prefix}.{code}Exception"), ended.cause
        assert await children(engine) == []


async def test_refused_without_any_arguments(site: Site) -> None:
    state: dict[str, Any] = {"Type": "Task", "Resource": START, "InputPath": "$.x", "End": True}
    async with site.engine() as engine:
        ended = await run(engine, state, PASS, {"x": 5})
        assert (ended.status, ended.error) == ("FAILED", "StepFunctions.InvalidArnException")


async def test_what_somebody_else_started_is_left_alone(site: Site) -> None:
    """The name is taken: the task fails, and its end does not stop what it has not started."""
    async with site.engine() as engine, idle_worker(engine) as worker:
        await deploy(engine, nested(arguments={"Name": "c"}), WAIT)
        other = await engine.start("child", {"other": 1}, name="c")
        same = await engine.start("child", {}, name="d")
        started = await engine.start("parent", {}, name="p")
        await worker.run_until_idle(until=site.clock())
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.error) == ("FAILED", "StepFunctions.ExecutionAlreadyExistsException")
        assert (await engine.describe(other.arn)).status == "RUNNING"
        await engine.deploy(definition({"N": nested(arguments={"Name": "d"})}), name="second")
        second = await engine.start("second", {})
        await worker.run_until_idle(until=site.clock())
        assert (await engine.describe(second.arn)).status == "FAILED", "not: waits for ever"
        assert (await engine.describe(same.arn)).status == "RUNNING"


async def test_an_output_that_is_too_large(site: Site) -> None:
    async with site.engine() as engine:
        ended = await run(engine, nested(f"{START}.sync"), PASS, {"a": "x" * 200_000})
        assert (ended.status, ended.error) == ("FAILED", "States.DataLimitExceeded")
