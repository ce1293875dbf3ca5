"""Tasks: what handlers get, give and may do wrong."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

import pytest

from statewright import TaskCancelled, TaskContext, TaskError
from tests.drive.conftest import Site, one_task


async def doubled(given: dict[str, int]) -> dict[str, int]:
    return {"n": given["n"] * 2}


def increased(given: dict[str, int], context: TaskContext) -> dict[str, int]:
    given["n"] += 1  # a handler may change its input
    return given


async def test_handlers_run_on_the_loop_or_in_a_thread(site: Site) -> None:
    states = {"Double": {"Type": "Task", "Resource": "double", "ResultPath": "$.twice", "Next": "Work"}}
    ended, history = await site.run(
        states | one_task("increase", InputPath="$", OutputPath="$"),
        {"double": doubled, "increase": increased},
        {"n": 3},
    )
    assert (ended.status, ended.output) == ("SUCCEEDED", '{"n":4,"twice":{"n":6}}')
    assert json.loads(history[-3]["lambdaFunctionSucceededEventDetails"]["output"])["n"] == 4
    entered = next(e for e in history if e["id"] == 7)
    assert json.loads(entered["stateEnteredEventDetails"]["input"])["n"] == 3


def raising(error: BaseException) -> Any:
    def handler(given: Any) -> Any:
        raise error

    return handler


async def cancelled_inside(given: Any) -> Any:
    task = asyncio.get_running_loop().create_task(asyncio.Event().wait())
    task.cancel()
    await task


def exits(given: Any) -> Any:
    sys.exit(3)


FAILURES = {
    "an exception is named after its class": (raising(KeyError("x")), "KeyError", '"errorType":"KeyError"'),
    "a TaskError names itself": (raising(TaskError("Declined", "no money")), "Declined", "no money"),
    "reserved names cannot be raised": (
        raising(TaskError("States.Runtime", "x")),
        "States.TaskFailed",
        "States.Runtime: x",
    ),
    "StopIteration": (raising(StopIteration()), "StopIteration", "StopIteration"),
    "SystemExit": (exits, "SystemExit", '"errorMessage":"3"'),
    "a cancellation of the handler's own": (cancelled_inside, "CancelledError", "CancelledError"),
    "no handler": (None, "Statewright.TaskNotFound", "near it: works"),
    "NaN": (lambda given: float("nan"), "Statewright.InvalidResult", "nan is not a JSON number"),
    "an object": (lambda given: object(), "Statewright.InvalidResult", "a object is not a JSON value"),
    "numbers as keys": (lambda given: {1: 2}, "Statewright.InvalidResult", "an object key must be text"),
    "a lone surrogate": (lambda given: "\ud800", "Statewright.InvalidResult", "not a JSON value"),
    "a surrogate in the words": (raising(ValueError("\ud800")), "ValueError", '"errorMessage":"?"'),
}


@pytest.mark.parametrize(("handler", "error", "cause"), FAILURES.values(), ids=FAILURES)
async def test_failures_have_a_name_and_a_cause(site: Site, handler: Any, error: str, cause: str) -> None:
    ended, _ = await site.run(one_task("work"), {"work": handler} if handler else {"works": doubled})
    assert (ended.status, ended.error) == ("FAILED", error)
    assert cause in (ended.cause or "")


async def test_a_lambda_function_fails_with_its_runtimes_document(site: Site) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:work"
    ended, _ = await site.run(one_task(arn), {"work": raising(ValueError("no"))})
    document = json.loads(ended.cause or "")
    assert ended.error == "ValueError"
    assert document["errorMessage"] == "no"
    assert document["errorType"] == "ValueError"
    assert document["stackTrace"][-1].startswith('  File "test_handlers.py", line ')


async def test_retries_keep_the_idempotency_key_and_count_attempts(site: Site) -> None:
    seen: list[tuple[int, str, int]] = []

    async def flaky(given: Any, context: TaskContext) -> str:
        seen.append((context.attempt, context.idempotency_key, site.clock()))
        if context.attempt < 2:
            raise TaskError("Flaky")
        return "done"

    retry = [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 10, "BackoffRate": 2}]
    states = one_task("work", Retry=retry)
    states["Work"] |= {"Next": "Again"}
    del states["Work"]["End"]
    states["Again"] = {"Type": "Task", "Resource": "work2", "End": True}
    ended, _ = await site.run(states, {"work": flaky, "work2": lambda given, context: context.idempotency_key})
    assert [attempt for attempt, _, _ in seen] == [0, 1, 2]
    assert len({key for _, key, _ in seen}) == 1
    assert [at - seen[0][2] for _, _, at in seen] == [0, 10_000, 30_000]
    assert json.loads(ended.output or "") != seen[0][1], "another task has another key"


async def test_a_task_out_of_time_cancels_its_handler(site: Site) -> None:
    told: list[bool] = []

    async def slow(given: Any, context: TaskContext) -> None:
        try:
            await context.sleep(60)
        finally:
            told.append(context.cancelled)

    begun = site.clock()
    ended, history = await site.run(one_task("slow", TimeoutSeconds=5), {"slow": slow})
    assert (ended.status, ended.error, told) == ("FAILED", "States.Timeout", [True])
    assert site.clock() - begun == 5000
    assert [e["type"] for e in history].count("LambdaFunctionTimedOut") == 1


async def test_a_handler_that_will_not_be_cancelled_is_not_believed(site: Site) -> None:
    async def stubborn(given: Any, context: TaskContext) -> str:
        try:
            await context.sleep(60)
        except asyncio.CancelledError:
            return "too late"
        return "done"

    ended, _ = await site.run(one_task("work", TimeoutSeconds=5), {"work": stubborn})
    assert (ended.status, ended.error) == ("FAILED", "States.Timeout")


async def test_a_handler_in_a_thread_asks_whether_it_is_still_wanted(site: Site) -> None:
    ended: list[type[BaseException]] = []
    begun, cancelled, done = threading.Event(), threading.Event(), threading.Event()

    def work(given: Any, context: TaskContext) -> None:
        context.raise_if_cancelled()
        begun.set()
        cancelled.wait(10)
        try:
            context.raise_if_cancelled()
        except TaskCancelled as error:
            ended.append(type(error))
            raise
        finally:
            done.set()

    async with site.engine({"work": work}, real=True) as engine:
        await engine.deploy({"StartAt": "Work", "States": one_task("work")}, name="m")
        async with engine.worker():
            started = await engine.start("m")
            await asyncio.to_thread(begun.wait, 10)
            assert (await engine.stop(started.arn)).status == "ABORTED"
            cancelled.set()
            await asyncio.to_thread(done.wait, 10)
    assert ended == [TaskCancelled]


async def test_heartbeats_keep_a_task_alive(site: Site) -> None:
    async def beating(given: int, context: TaskContext) -> str:
        for _ in range(given):
            await context.sleep(8)
            context.heartbeat()
        await context.sleep(12 - given)
        return "done"

    states = one_task("work", HeartbeatSeconds=10)
    ended, _ = await site.run(states, {"work": beating}, 5)
    assert ended.output == '"done"'
    ended, _ = await site.run(states, {"work": beating}, 1)
    assert ended.status == "FAILED"
    assert (ended.error or "").endswith("Timeout")


async def test_lambda_invoke_wraps_the_result(site: Site) -> None:
    states = one_task("arn:aws:states:::lambda:invoke", Parameters={"FunctionName": "double", "Payload": '{"n": 4}'})
    ended, _ = await site.run(states, {"double": doubled})
    output = json.loads(ended.output or "")
    assert output["Payload"] == {"n": 8}
    assert (output["StatusCode"], output["ExecutedVersion"]) == (200, "$LATEST")
    assert output["SdkHttpMetadata"]["HttpHeaders"]["Content-Length"] == "7"
