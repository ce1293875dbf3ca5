"""Task tokens, activities, StopExecution."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from statewright import StatewrightError, TaskContext
from tests.drive.conftest import Site, idle_worker, one_task

RESOURCE = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:review"


def callback(**fields: Any) -> dict[str, Any]:
    states = one_task(RESOURCE, Parameters={"token.$": "$$.Task.Token", "n": 1}, **fields)
    return {"StartAt": "Work", "States": states}


class Mailbox:
    """Where the handler leaves its tokens."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def submit(self, given: Any, context: TaskContext) -> dict[str, int]:
        assert given["token"] == context.task_token
        self.tokens.append(given["token"])
        return {"MessageId": 1}


async def refused(call: Any) -> str:
    with pytest.raises(StatewrightError) as refusal:
        await call
    return refusal.value.code


async def test_an_answer_from_outside(site: Site) -> None:
    mail = Mailbox()
    async with site.engine({RESOURCE: mail.submit}) as engine, idle_worker(engine) as worker:
        await engine.deploy(callback(), name="machine")
        started = await engine.start("machine")
        await worker.run_until_idle(until=site.clock())
        (token,) = mail.tokens
        assert (await engine.describe(started.arn)).status == "RUNNING"
        await engine.send_task_success(token, {"ok": [1, 2.0]})
        await engine.send_task_success(token, {"ok": [1, 2.0]})  # the same again is no harm
        assert await refused(engine.send_task_success(token, {"ok": False})) == "TaskTimedOut"
        await worker.run_until_idle()
        assert (await engine.describe(started.arn)).output == '{"ok":[1,2.0]}'
        history = [event["type"] for event in await engine.history(started.arn)]
        assert history[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
        assert await refused(engine.send_task_failure(token)) == "TaskTimedOut"
        assert await refused(engine.send_task_heartbeat(token)) == "TaskTimedOut"


async def test_an_answer_that_comes_before_the_submission_is_over(site: Site) -> None:
    async with site.engine() as engine:

        @engine.task(RESOURCE)
        async def submit(given: Any) -> str:
            await engine.send_task_success(given["token"], "early")
            await asyncio.sleep(0)
            return "submitted"

        await engine.deploy(callback(), name="machine")
        ended = await engine.run("machine", timeout=10)
        assert ended.output == '"early"'
        types = [event["type"] for event in await engine.history(ended.execution.arn)]
        assert types[3:6] == ["TaskStarted", "TaskSubmitted", "TaskSucceeded"]


async def test_an_answer_counts_even_if_the_submission_fails_afterwards(site: Site) -> None:
    async with site.engine() as engine:

        @engine.task(RESOURCE)
        async def submit(given: Any) -> str:
            await engine.send_task_success(given["token"], "early")
            raise ConnectionError("lost the reply")

        await engine.deploy(callback(), name="machine")
        assert (await engine.run("machine", timeout=10)).output == '"early"'


async def test_a_failing_submission_fails_the_task(site: Site) -> None:
    async def submit(given: Any) -> None:
        raise ConnectionError("no queue")

    ended, history = await site.run(callback()["States"], {RESOURCE: submit})
    assert (ended.status, ended.error) == ("FAILED", "ConnectionError")
    assert [event["type"] for event in history][3:5] == ["TaskStarted", "TaskSubmitFailed"]


async def test_a_failure_by_token_is_retried_with_a_new_token(site: Site) -> None:
    mail = Mailbox()
    async with site.engine({RESOURCE: mail.submit}) as engine, idle_worker(engine) as worker:
        await engine.deploy(callback(Retry=[{"ErrorEquals": ["Again"]}]), name="machine")
        started = await engine.start("machine")
        await worker.run_until_idle(until=site.clock())
        await engine.send_task_failure(mail.tokens[0], "Again", "please")
        await worker.run_until_idle()
        first, second = mail.tokens
        assert first != second
        assert await refused(engine.send_task_success(first, 1)) == "TaskTimedOut"
        await engine.send_task_failure(second)
        await worker.run_until_idle()
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.error, ended.cause) == ("FAILED", None, None)


async def test_a_token_out_of_time(site: Site) -> None:
    mail = Mailbox()
    async with site.engine({RESOURCE: mail.submit}) as engine, idle_worker(engine) as worker:
        await engine.deploy(callback(TimeoutSeconds=100, HeartbeatSeconds=30), name="machine")
        started, begun = await engine.start("machine"), site.clock()
        await worker.run_until_idle(until=begun)
        for second in (25, 50):
            site.clock.advance_to(begun + second * 1000)
            await worker.run_until_idle(until=site.clock())
            await engine.send_task_heartbeat(mail.tokens[0])
        await worker.run_until_idle()
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.stopped_at) == ("FAILED", begun + 80_000)
        assert await refused(engine.send_task_success(mail.tokens[0], 1)) == "TaskTimedOut"


@pytest.mark.parametrize("token", ["", "x", "AAAA", "\ud800", "A" * 1000, "Ü", "====", "a b"])
async def test_tokens_that_were_never_given_out(site: Site, token: str) -> None:
    async with site.engine() as engine:
        assert await refused(engine.send_task_success(token, 1)) == "InvalidToken"
        assert await refused(engine.send_task_failure(token)) == "InvalidToken"
        assert await refused(engine.send_task_heartbeat(token)) == "InvalidToken"


async def test_outputs_that_are_not_json(site: Site) -> None:
    async with site.engine() as engine:
        assert await refused(engine.send_task_success("x", float("inf"))) == "InvalidOutput"
        assert await refused(engine.send_task_success("x", "a" * 300_000)) == "ValidationException"


async def test_an_activity(site: Site) -> None:
    async with site.engine(real=True) as engine, engine.worker():
        await engine.deploy({"StartAt": "Work", "States": one_task(ACTIVITY)}, name="machine")
        assert await engine.get_activity_task("review", timeout=0) is None
        polling = [asyncio.create_task(engine.get_activity_task("review", f"w{i}", timeout=5)) for i in range(2)]
        started = [await engine.start("machine", i) for i in range(2)]
        tasks = await asyncio.gather(*polling)
        assert sorted(task.input for task in tasks if task) == [0, 1]
        for task in tasks:
            assert task is not None
            await engine.send_task_heartbeat(task.token)
            await engine.send_task_success(task.token, task.input + 10)
        assert {(await engine.wait(s.arn, 5)).output for s in started} == {"10", "11"}
        history = await engine.history(started[0].arn)
        assert [e["type"] for e in history][2:5] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
        assert history[3]["activityStartedEventDetails"]["workerName"] in ("w0", "w1")


async def test_stop_cancels_the_handler_and_is_final(site: Site) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work(given: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with site.engine({"work": work}, real=True) as engine, engine.worker():
        await engine.deploy({"StartAt": "Work", "States": one_task("work")}, name="machine")
        started = await engine.start("machine")
        await begun.wait()
        stopped = await engine.stop(started.arn, "Operator", "enough")
        assert (stopped.status, stopped.error, stopped.cause) == ("ABORTED", "Operator", "enough")
        await cancelled.wait()
        again = await engine.stop(started.arn, "Other")
        assert (again.error, again.stopped_at, again.length) == ("Operator", stopped.stopped_at, stopped.length)
        assert (await engine.history(started.arn))[-1]["type"] == "ExecutionAborted"


async def test_stop_reaches_children_that_wait(site: Site) -> None:
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1000, "End": True}}}
    async with site.engine() as engine, idle_worker(engine) as worker:
        states = {"M": {"Type": "Map", "ItemProcessor": wait, "End": True}}
        await engine.deploy({"StartAt": "M", "States": states}, name="machine")
        started, begun = await engine.start("machine", [1, 2, 3]), site.clock()
        await worker.run_until_idle(until=begun)
        assert (await engine.stop(started.arn)).status == "ABORTED"
        await worker.run_until_idle()
        assert site.clock() == begun, "no timer is left"


async def test_many_stop_it_at_once(site: Site) -> None:
    """They take the root frame from one another; one of them ends it all the same."""
    async with site.engine() as engine:
        await engine.deploy({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9, "End": True}}}, name="m")
        started = await engine.start("m")
        ended = await asyncio.gather(*(engine.stop(started.arn, f"E{number}") for number in range(5)))
        assert {one.status for one in ended} == {"ABORTED"}
        assert len({one.error for one in ended}) == 1
        assert (await engine.history(started.arn))[-1]["type"] == "ExecutionAborted"
