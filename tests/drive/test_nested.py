"""Nested executions: started, awaited, stopped with whoever waits for them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from statewright import AsyncEngine, Description, TaskContext
from statewright.drive import Worker
from tests.drive.conftest import Site, idle_worker, one_task

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


# -- its end with whoever waits for it --------------------------------------------------------------------------------
async def stopped(engine: AsyncEngine, worker: Worker, site: Site) -> None:
    await worker.run_until_idle(until=site.clock())
    [child] = await children(engine)
    assert child.status == "ABORTED"
    assert child.stopped_at == site.clock()


@pytest.mark.parametrize("ending", ["task", "execution", "stop", "sibling"])
async def test_it_is_stopped_with_the_task(site: Site, ending: str) -> None:
    fields: dict[str, Any] = {}
    states: dict[str, Any] = {"N": nested()}
    if ending == "task":
        states = {"N": nested(TimeoutSeconds=10)}
    elif ending == "execution":
        fields = {"TimeoutSeconds": 10}
    elif ending == "sibling":
        sleeper = definition({"S": {"Type": "Wait", "Seconds": 10, "Next": "F"}, **FAIL})
        states = {"B": {"Type": "Parallel", "Branches": [definition(states), sleeper], "End": True}}
    async with site.engine() as engine, idle_worker(engine) as worker:
        await deploy(engine, states, WAIT, **fields)
        started = await engine.start("parent", name="p")
        begun = site.clock()
        await worker.run_until_idle(until=site.clock())
        assert [child.status for child in await children(engine)] == ["RUNNING"]
        if ending == "stop":
            await engine.stop(started.arn)
        else:
            await worker.run_until_idle(until=site.clock() + 10_000)
            assert site.clock() - begun == 10_000
        await stopped(engine, worker, site)
        assert (await engine.describe(started.arn)).status in ("FAILED", "TIMED_OUT", "ABORTED")


async def test_each_attempt_ends_with_its_time_out(site: Site) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 2, "IntervalSeconds": 1}]
    async with site.engine() as engine:
        ended = await run(engine, nested(TimeoutSeconds=10, Retry=retry), WAIT)
        assert (ended.status, ended.error) == ("FAILED", "States.Timeout")
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=site.clock())
        assert [child.status for child in await children(engine)] == ["ABORTED"] * 3


async def test_stopped_before_it_has_started(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call that creates it arrives when its parent has ended, and nobody is waiting any more."""
    async with site.engine(real=True) as engine:
        await deploy(engine, nested(), WAIT)
        store: Any = engine.store
        plain = store.create
        creating, go_on = asyncio.Event(), asyncio.Event()

        async def create(execution: Any, *arguments: Any, **options: Any) -> Any:
            if execution.machine_name == "child":
                creating.set()
                await go_on.wait()
            return await plain(execution, *arguments, **options)

        monkeypatch.setattr(store, "create", create)
        async with engine.worker(grace=1):
            started = await engine.start("parent", name="p")
            await asyncio.wait_for(creating.wait(), 5)
            monkeypatch.setattr(engine._crew, "forget", lambda execution: None)  # it hears of it too late
            assert (await engine.stop(started.arn)).status == "ABORTED"
            go_on.set()
            async with asyncio.timeout(5):
                while [child.status for child in await children(engine)] != ["ABORTED"]:
                    await asyncio.sleep(0.005)


@pytest.mark.parametrize("child", [PASS, WAIT, FAIL], ids=["ends", "runs", "fails"])
async def test_killed_between_its_start_and_the_commit(
    site: Site, monkeypatch: pytest.MonkeyPatch, child: dict[str, Any]
) -> None:
    """One execution, and a history as if nothing had happened."""
    histories = []
    for name, killed in (("quiet", False), ("killed", True)):
        async with site.engine() as engine:
            await engine.deploy(definition(child), name="child")
            await engine.deploy(definition({"N": nested(arguments={"Name": name})}), name="parent")
            started = await engine.start("parent", {}, name=name)
            if killed:
                store: Any = engine.store
                plain = store.commit
                dying = asyncio.Event()

                async def commit(order: Any, plain: Any = plain, dying: asyncio.Event = dying) -> Any:
                    if any(event.type == "TaskSubmitted" for event in order.step.history):
                        dying.set()
                        await asyncio.Event().wait()
                    return await plain(order)

                with monkeypatch.context() as patch:
                    patch.setattr(store, "commit", commit)
                    async with idle_worker(engine) as first:
                        doing = asyncio.create_task(first.run_until_idle(until=site.clock()))
                        await asyncio.wait_for(dying.wait(), 5)
                        first.kill()
                        await doing
                site.clock.advance_to(site.clock() + 10_000)
            async with idle_worker(engine) as second:
                await second.run_until_idle(until=site.clock())
                if child is WAIT:
                    assert (await engine.describe(f"child:{name}")).status == "RUNNING"
                    await engine.stop(f"child:{name}")
                    await second.run_until_idle(until=site.clock())
            ended = await engine.describe(started.arn)
            assert ended.status == ("SUCCEEDED" if child is PASS else "FAILED")
            histories.append([shape(event, name) for event in await engine.history(started.arn)])
            named = [each.execution.name for each in await children(engine)]
            assert sorted(named) == ["killed", "quiet"][-1 - killed :], "no more than one each"
    assert histories[0] == histories[1]


def shape(event: dict[str, Any], name: str) -> tuple[int, int, str]:
    return event["id"], event["previousEventId"], event["type"]


async def test_the_answer_waits_for_a_worker(site: Site) -> None:
    """It ends while nobody works for its parent: the notice stays until somebody does."""
    async with site.engine(real=True) as engine:
        await deploy(engine, nested(OutputPath="$.Output"), {"T": one_task("hold")["Work"]})
        go_on = asyncio.Event()

        async def hold(given: Any, context: TaskContext) -> Any:
            await go_on.wait()
            return given

        engine.registry.register("hold", hold)
        async with engine.worker(grace=0.2):
            started = await engine.start("parent", 7, name="p")
            while not await children(engine) or (await told(engine))[-1] != "TaskSubmitted":
                await asyncio.sleep(0.005)
        go_on.set()
        async with engine.worker(machines=["child"]):
            [child] = await children(engine)
            await engine.wait(child.execution.arn, 5)
        assert (await engine.describe(started.arn)).status == "RUNNING"
        async with engine.worker():
            assert (await engine.wait(started.arn, 5)).output == "7"
