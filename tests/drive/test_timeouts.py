"""Time limits on a real store: the core's data cases, and what only a store, workers and tokens can show."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from statewright import AsyncEngine, StatewrightError, TaskContext, TaskError
from tests.drive.conftest import Site, idle_worker, one_task

TOKEN = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:dig"
CASES = [
    case
    for case in yaml.safe_load_all((Path(__file__).parents[1] / "core" / "cases" / "timeouts.yaml").read_text())
    if case
]
FOREVER = 10_000_000


class Play:
    """A case's script on a real store (see `tests.core.memory.Memory`): handlers, and who answers from outside."""

    def __init__(self, site: Site, engine: AsyncEngine, script: Mapping[str, list[Mapping[str, Any]]]) -> None:
        self.site, self.engine, self.script = site, engine, script
        self.calls: Counter[str] = Counter()
        self.refusals: list[str] = []
        for name in script:
            if name == "sendMessage":
                engine.task(TOKEN)(self.submit)
            elif name != "dig":
                engine.task(name)(self.handler(name))

    def said(self, name: str) -> Mapping[str, Any]:
        script = self.script[name]
        self.calls[name] += 1
        return script[min(self.calls[name], len(script)) - 1]

    def handler(self, name: str) -> Callable[..., Any]:
        async def work(given: Any, context: TaskContext) -> Any:
            said = self.said(name)
            for pause, what in self.moments(said):
                await context.sleep(pause)
                if what == "beat":
                    context.heartbeat()
            if "fail" in said:
                raise TaskError(*said["fail"])
            return given if "echo" in said else said["return"]

        return work

    async def submit(self, given: Any, context: TaskContext) -> dict[str, str]:
        said = self.said("sendMessage")
        assert context.task_token is not None
        self.site.clock.spawn(self.answer(context.task_token, said))
        return {}

    async def answer(self, token: str, said: Mapping[str, Any]) -> None:
        """What someone outside does with a token."""
        try:
            for pause, what in self.moments(said):
                await self.site.clock.sleep(pause)
                if what == "beat":
                    await self.engine.send_task_heartbeat(token)
            await self.engine.send_task_success(token, said["return"])
        except StatewrightError as error:
            self.refusals.append(error.code)

    async def dig(self) -> None:
        """A worker of the activity."""
        said = self.said("dig")
        if said.get("taken", 0) is not None:
            await self.site.clock.sleep(said.get("taken", 0))
            task = await self.engine.get_activity_task("dig", timeout=0)
            assert task is not None
            await self.answer(task.token, said)

    @staticmethod
    def moments(said: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
        """Pauses, and what comes after each."""
        now = 0.0
        for second in said.get("beats", ()):
            yield second - now, "beat"
            now = second
        yield (FOREVER if "hang" in said else said.get("after", 0) - now), "end"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
async def test_case(site: Site, case: dict[str, Any]) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        play = Play(site, engine, case.get("tasks", {}))
        await engine.deploy(case["definition"], name="machine")
        started, begun = await engine.start("machine", case["input"]), site.clock()
        await worker.run_until_idle(until=begun)
        if "dig" in play.script:
            site.clock.spawn(play.dig())
        if "stop" in case:
            await worker.run_until_idle(until=begun + case["stop"] * 1000)
            site.clock.advance_to(begun + case["stop"] * 1000)
            await engine.stop(started.arn)
        for second in range(30):
            await worker.run_until_idle(until=begun + second * 1000)
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.error) == (case["status"], case.get("error")), ended.cause
        if "output" in case:
            assert yaml.safe_load(ended.output or "") == case["output"]
        if "seconds" in case:
            assert (ended.stopped_at or 0) - begun == case["seconds"] * 1000
        history = await engine.history(started.arn)
        shown = [f"{event['id']}<{event['previousEventId']} {event['type']}" for event in history]
        assert shown == case.get("history", shown)
        assert len(shown) == case.get("length", len(shown))
        await worker.run_until_idle()
        assert await engine.history(started.arn) == history, "nothing comes after the end"
        late = [
            said for said in case.get("tasks", {}).get("sendMessage", ()) if said.get("return") in ("late", "first")
        ]
        assert play.refusals[: len(late)] == ["TaskTimedOut"] * len(late)


async def refused(*calls: Any) -> list[str]:
    """The codes with which calls are refused; "" for one that is not."""
    codes = []
    for call in calls:
        try:
            await call
            codes.append("")
        except StatewrightError as error:
            codes.append(error.code)
    return codes


def limited(states: dict[str, Any], seconds: int) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "TimeoutSeconds": seconds, "States": states}


async def test_the_time_runs_from_the_start_even_if_no_worker_comes(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(limited(one_task("work"), 60), name="machine")
        started, begun = await engine.start("machine"), site.clock()
        site.clock.advance_to(begun + 3_600_000)
        async with idle_worker(engine) as worker:
            await worker.run_until_idle()
        ended = await engine.describe(started.arn)
        last = (await engine.history(started.arn))[-1]
        assert (ended.status, ended.stopped_at) == ("TIMED_OUT", begun + 60_000)
        assert (last["type"], last["executionTimedOutEventDetails"]) == (
            "ExecutionTimedOut",
            {"error": "States.Timeout"},
        )
        assert "cause" not in last["executionTimedOutEventDetails"]
        site.clock.advance_to(begun + 7_200_000)
        assert (await engine.stop(started.arn)).stopped_at == begun + 60_000


LIMITS = [{"TimeoutSeconds": 10}, {"HeartbeatSeconds": 10}, None]


@pytest.mark.parametrize("noticed", [False, True], ids=["unnoticed", "noticed"])
@pytest.mark.parametrize("limit", LIMITS, ids=["task", "heartbeat", "execution"])
async def test_what_comes_too_late_is_refused_before_any_worker_has_seen_to_it(
    site: Site, limit: dict[str, int] | None, noticed: bool
) -> None:
    tokens: list[str] = []

    def submit(given: Any, context: TaskContext) -> None:
        tokens.append(context.task_token or "")

    async with site.engine({TOKEN: submit}) as engine:
        states = one_task(TOKEN, **(limit or {}))
        definition = {"StartAt": "Work", "States": states} if limit else limited(states, 10)
        await engine.deploy(definition, name="machine")
        started, begun = await engine.start("machine"), site.clock()
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=begun)
        token = tokens[0]
        site.clock.advance_to(begun + 9999)
        if limit is None or "TimeoutSeconds" in limit:
            await engine.send_task_heartbeat(token)
        site.clock.advance_to(begun + 10_000)
        if noticed:  # a worker took the frame, and died before it could do anything
            for shard in range(engine.store.shards):
                await engine.store.claim(shard, "a worker", 1000, 10)
        late = [engine.send_task_success(token, 1), engine.send_task_failure(token), engine.send_task_heartbeat(token)]
        assert await refused(*late) == ["TaskTimedOut"] * 3
        async with idle_worker(engine) as worker:
            await worker.run_until_idle()
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.error) == ("FAILED" if limit else "TIMED_OUT", "States.Timeout")


async def test_the_same_answer_again_is_no_late_one(site: Site) -> None:
    play_tokens: list[str] = []
    async with site.engine({TOKEN: lambda given, context: play_tokens.append(context.task_token)}) as engine:
        await engine.deploy({"StartAt": "Work", "States": one_task(TOKEN, TimeoutSeconds=10)}, name="machine")
        started, begun = await engine.start("machine"), site.clock()
        async with idle_worker(engine) as worker:
            await worker.run_until_idle(until=begun)
        await engine.send_task_success(play_tokens[0], 1)
        site.clock.advance_to(begun + 20_000)
        assert await refused(engine.send_task_success(play_tokens[0], 1)) == [""]
        assert await refused(engine.send_task_success(play_tokens[0], 2)) == ["TaskTimedOut"]
        async with idle_worker(engine) as worker:
            await worker.run_until_idle()
        assert (await engine.describe(started.arn)).output == "1", "it came in time"


async def test_an_activity_out_of_time_is_not_handed_out(site: Site) -> None:
    async with site.engine() as engine, idle_worker(engine) as worker:
        await engine.deploy({"StartAt": "Work", "States": one_task(ACTIVITY, TimeoutSeconds=10)}, name="machine")
        await engine.start("machine")
        begun = site.clock()
        await worker.run_until_idle(until=begun)
        site.clock.advance_to(begun + 10_000)
        assert await engine.get_activity_task("dig", timeout=0) is None


@pytest.mark.parametrize("limits", ["task", "heartbeat", "execution", "iteration"])
async def test_a_running_handler_is_cancelled(site: Site, limits: str) -> None:
    cancelled: list[int] = []

    async def work(given: Any, context: TaskContext) -> str:
        try:
            await context.sleep(FOREVER)
        except asyncio.CancelledError:
            cancelled.append(site.clock())
            raise
        return "late"

    task = one_task("work", **{"task": {"TimeoutSeconds": 5}, "heartbeat": {"HeartbeatSeconds": 5}}.get(limits, {}))
    states = task
    if limits == "iteration":
        inner = {"StartAt": "Work", "States": task}
        states = {"Each": {"Type": "Map", "ItemProcessor": inner, "End": True}}
    definition = limited(states, 5) if limits in ("execution", "iteration") else {"StartAt": "Work", "States": states}
    async with site.engine({"work": work}) as engine, idle_worker(engine) as worker:
        await engine.deploy(definition, name="machine")
        begun = site.clock()
        started = await engine.start("machine", [1, 2, 3])
        await worker.run_until_idle()
        ended = await engine.describe(started.arn)
        assert (ended.error, (ended.stopped_at or 0) - begun) == ("States.Timeout", 5000)
    assert cancelled == [begun + 5000] * (3 if limits == "iteration" else 1)


async def test_the_result_of_a_thread_that_comes_too_late_is_ignored(site: Site) -> None:
    running, go_on, returned = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(given: Any) -> str:
        loop.call_soon_threadsafe(running.set)
        go_on.wait(20)
        returned.set()
        return "late"

    async with site.engine({"work": work}) as engine, idle_worker(engine) as worker:
        catch = [{"ErrorEquals": ["States.Timeout"], "Next": "After"}]
        states = one_task("work", TimeoutSeconds=5, Catch=catch) | {
            "After": {"Type": "Wait", "Seconds": 9, "End": True}
        }
        await engine.deploy({"StartAt": "Work", "States": states}, name="machine")
        started, begun = await engine.start("machine"), site.clock()
        working = asyncio.create_task(worker.run_until_idle(until=begun + 5000))
        await running.wait()
        site.clock.advance_to(begun + 5000)
        worker.session.lookout.wake.set()
        await working
        assert not returned.is_set()
        before = await engine.history(started.arn)
        assert [event["type"] for event in before][-2:] == ["TaskStateExited", "WaitStateEntered"]
        go_on.set()
        assert await asyncio.to_thread(returned.wait, 20)
        await worker.run_until_idle()
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.output) == ("SUCCEEDED", '{"Error":"States.Timeout","Cause":""}')
        assert (await engine.history(started.arn))[: len(before)] == before


async def test_a_token_of_an_ended_execution_is_refused_at_every_level(site: Site) -> None:
    tokens: list[str] = []

    def submit(given: Any, context: TaskContext) -> None:
        tokens.append(context.task_token or "")

    inner = {"StartAt": "Work", "States": one_task(TOKEN)}
    each = {"Each": {"Type": "Map", "ItemProcessor": inner, "End": True}}
    branches = [{"StartAt": "Each", "States": each}]
    async with site.engine({TOKEN: submit}) as engine, idle_worker(engine) as worker:
        await engine.deploy(limited({"P": {"Type": "Parallel", "Branches": branches, "End": True}}, 60), name="machine")
        for end in ("stopped", "out of time"):
            tokens.clear()
            started = await engine.start("machine", [1, 2])
            await worker.run_until_idle(until=site.clock())
            if end == "stopped":
                await engine.stop(started.arn)
            await worker.run_until_idle()
            assert len(tokens) == 2
            for token in tokens:
                late = [engine.send_task_success(token, 1), engine.send_task_failure(token)]
                assert await refused(*late, engine.send_task_heartbeat(token)) == ["TaskTimedOut"] * 3
