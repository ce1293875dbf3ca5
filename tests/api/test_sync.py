"""StartSyncExecution: the ended execution as the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from statewright import AsyncEngine, Engine, InvalidDefinitionError, StatewrightError
from tests.api.test_engine import PASS, WAIT, refused
from tests.drive.conftest import Site, one_task

CONTEXT = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"it.$": "$$"}, "End": True}}}


async def test_the_answer_is_the_ended_execution(site: Site) -> None:
    async with site.engine({"work": lambda given: given + 1}) as engine, engine.worker():
        await engine.deploy({"StartAt": "Work", "States": one_task("work")}, name="m", type="EXPRESS")
        one, two = [await engine.start_sync("m", number, name="same") for number in (1, 2)]
        assert (one.status, one.output, two.output) == ("SUCCEEDED", "2", "3")
        assert one.execution.arn != two.execution.arn
        assert one.execution.arn.startswith("arn:aws:states:us-east-1:000000000000:express:m:same:")
        assert (one.execution.sync, one.execution.started_at, one.stopped_at) == (True, site.clock(), site.clock())
        described = await engine.describe(one.execution.arn)
        assert (described.status, described.execution.sync) == ("SUCCEEDED", True)


async def test_failures_and_time_outs_are_answers_too(site: Site) -> None:
    async with site.engine() as engine, engine.worker():
        fail = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Bad", "Cause": "luck"}}}
        await engine.deploy(fail, name="f", type="EXPRESS")
        failed = await engine.start_sync("f")
        assert (failed.status, failed.error, failed.cause, failed.billed_ms) == ("FAILED", "Bad", "luck", 100)
        await engine.deploy(WAIT, name="w", type="EXPRESS")
        late = await engine.start_sync("w")
        assert (late.status, late.error, late.billed_ms) == ("TIMED_OUT", "States.Timeout", 300_000)


async def test_any_worker_will_do(site: Site) -> None:
    async with site.engine(real=True) as caller, site.engine(real=True) as other:
        await caller.deploy(PASS, name="m", type="EXPRESS")
        with pytest.raises(TimeoutError):
            await caller.start_sync("m", timeout=0.01)
        asking = asyncio.create_task(caller.start_sync("m", {"a": 1}, timeout=10))
        async with other.worker():
            assert (await asking).output == '{"a":1}'
        assert {found.status for found in await caller.list("m")} == {"SUCCEEDED"}, "whoever gave up ended nothing"


async def test_the_context_object_of_a_synchronous_execution_has_no_redrive_count(site: Site) -> None:
    async with site.engine() as engine, engine.worker():
        await engine.deploy(CONTEXT, name="m", type="EXPRESS")
        synchronous = json.loads((await engine.start_sync("m")).output or "")["it"]["Execution"]
        asynchronous = json.loads((await engine.run("m")).output or "")["it"]["Execution"]
    assert set(asynchronous) - set(synchronous) == {"RedriveCount"}
    assert synchronous["Id"].split(":")[5:8] == ["express", "m", synchronous["Name"]]


async def test_what_is_refused(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(PASS, name="standard")
        await engine.deploy(PASS, name="express", type="EXPRESS")
        assert await refused(engine.start_sync("standard")) == "StateMachineTypeNotSupported"
        assert await refused(engine.start_sync("nobody")) == "StateMachineDoesNotExist"
        assert await refused(engine.start_sync("express", name="a b")) == "InvalidName"
        assert await refused(engine.start_sync("express", "x" * 262_143)) == "ValidationException"
        assert await engine.list() == []


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("arn:aws:states:::states:startExecution.sync", "'.sync' service integration "),
        ("arn:aws:states:::states:startExecution.sync:2", "'.sync' service integration "),
        ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", "'.waitForTaskToken' service integration "),
        ("ask.waitForTaskToken", "'.waitForTaskToken' service integration "),
        ("arn:aws:states:us-east-1:000000000000:activity:a", "Activity ARN"),
    ],
)
async def test_tasks_that_wait_for_others_are_refused(site: Site, resource: str, words: str) -> None:
    """Recorded: illegal_callbacks, illegal_activity_task; also in a branch."""
    branch: Any = {"StartAt": "Work", "States": one_task(resource)}
    nested = {"StartAt": "B", "States": {"B": {"Type": "Parallel", "Branches": [branch], "End": True}}}
    async with site.engine() as engine:
        for definition, place in ((branch, ""), (nested, "/States/B/Branches[0]")):
            with pytest.raises(InvalidDefinitionError) as refusal:
                await engine.deploy(definition, name="m", type="EXPRESS")
            [problem] = [p for p in refusal.value.problems if p.severity == "error"]
            assert problem.message == f"Express state machine does not support {words}"
            assert problem.location == f"{place}/States/Work/Resource"
        assert (await engine.deploy(branch, name="m")).type == "STANDARD"


def test_without_an_event_loop(site: Site) -> None:
    with Engine(site.url) as engine, engine.worker():
        engine.deploy(PASS, name="m", type="EXPRESS")
        assert engine.start_sync("m", [1], timeout=10).output == "[1]"
        with pytest.raises(StatewrightError, match="StateMachineDoesNotExist"):
            engine.start_sync("nobody")


def test_names_of_express_executions_may_be_short() -> None:
    assert AsyncEngine().arns.execution_names("m:one:id") == ("m", "one:id")
