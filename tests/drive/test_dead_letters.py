"""What the engine cannot get on with is put aside, and nothing of it is lost."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import statewright.drive.runner
from statewright import AsyncEngine
from statewright.model import Continue, TaskAnswer
from statewright.step import step
from tests.drive.conftest import Site, idle_worker, one_task
from tests.drive.test_worker import chain, deploy


class Bug:
    """A fault of the engine that concerns one state, until it is mended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
        self.state: str | None = state
        monkeypatch.setattr(statewright.drive.runner, "step", self.step)

    def step(self, program: Any, execution: Any, frame: Any, event: Any, *rest: Any) -> Any:
        if frame.state == self.state and isinstance(event, Continue | TaskAnswer):
            raise ZeroDivisionError("a bug of the engine")
        return step(program, execution, frame, event, *rest)


async def work_on(engine: AsyncEngine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "statewright"):
        async with idle_worker(engine) as worker:
            await worker.run_until_idle()


async def test_a_revived_execution_goes_on_where_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bug = Bug(monkeypatch, "S1")
    async with site.engine({"work": lambda given: given}) as engine:
        await deploy(engine, chain(3))
        started = await engine.start("machine", 7)
        await work_on(engine, caplog)
        assert [letter.execution_arn for letter in await engine.dead_letters()] == [started.arn]
        assert not await engine.sweep()  # it is not lost
        bug.state = None
        await work_on(engine, caplog)
        assert (await engine.describe(started.arn)).status == "RUNNING"
        assert await engine.revive(started.arn) == 1
        assert await engine.dead_letters() == ()
        await work_on(engine, caplog)
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.output, ended.dead_letters) == ("SUCCEEDED", "7", 0)
        assert await engine.revive() == 0


async def test_time_outs_and_stop_still_work(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Bug(monkeypatch, "Work")
    async with site.engine({"work": lambda given: given}) as engine:
        await engine.deploy({"StartAt": "Work", "TimeoutSeconds": 3600, "States": one_task("work")}, name="timed")
        await deploy(engine, one_task("work"), "stopped")
        timed, stopped = await engine.start("timed"), await engine.start("stopped")
        until = site.clock() + 600_000
        with caplog.at_level(logging.CRITICAL, "statewright"):
            async with idle_worker(engine) as worker:
                await worker.run_until_idle(until=until)
                assert len(await engine.dead_letters()) == 2
                assert (await engine.stop(stopped.arn)).status == "ABORTED"
                await worker.run_until_idle()
        assert (await engine.describe(timed.arn)).status == "TIMED_OUT"
        assert await engine.dead_letters() == ()


async def test_a_branch_is_put_aside_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bug = Bug(monkeypatch, "Bad")
    branches = [{"StartAt": name, "States": {name: one_task("work")["Work"]}} for name in ("Good", "Bad")]
    async with site.engine({"work": lambda given: given}) as engine:
        await deploy(engine, {"Both": {"Type": "Parallel", "Branches": branches, "End": True}})
        started = await engine.start("machine", 1)
        await work_on(engine, caplog)
        (letter,) = await engine.dead_letters()
        assert letter.frame_id == "/1.1"
        events = [event["type"] for event in await engine.history(started.arn)]
        assert events.count("LambdaFunctionSucceeded") == 1
        bug.state = None
        assert await engine.revive() == 1
        await work_on(engine, caplog)
        assert (await engine.describe(started.arn)).output == "[1,1]"
