"""What should not happen to a worker, and does: slow stores, unreadable records, handlers without manners."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

import statewright.drive.runner
from statewright import Engine, StatewrightError
from statewright.drive import ServerClock
from statewright.drive.threads import Threads
from statewright.model import TimerKind
from statewright.step import step
from statewright.store.records import Claimed, Commit, Committed, Signal
from tests.drive.conftest import Site, idle_worker, one_task
from tests.drive.test_worker import chain, deploy

EACH = {"Type": "Map", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}, "End": True}


async def test_a_map_that_comes_first_has_its_items(site: Site) -> None:
    """Started beside a running worker, an execution enters its first state as it is created."""
    async with site.engine() as engine, engine.worker() as worker:
        await deploy(engine, {"M": EACH})
        await asyncio.sleep(0)
        assert worker.takes("machine")
        assert (await engine.run("machine", [1, "b", None])).output == '[1,"b",null]'


async def test_runs_at_the_same_time_do_not_take_each_others_worker_away(site: Site) -> None:
    go_on = asyncio.Event()

    async def work(given: Any) -> Any:
        await go_on.wait()
        return given

    async with site.engine({"work": work}, real=True) as engine:
        await deploy(engine, chain(2), "slow")
        await deploy(engine, {"P": {"Type": "Pass", "End": True}}, "fast")
        slow = [asyncio.create_task(engine.run("slow", i, timeout=10)) for i in range(2)]
        assert (await engine.run("fast", 1, timeout=10)).output == "1"
        go_on.set()
        assert [ended.output for ended in await asyncio.gather(*slow)] == ["0", "1"]
        assert (await engine.run("fast", 2, timeout=10)).output == "2"


async def test_an_unreadable_frame_is_a_dead_letter_and_no_other_is(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.engine({"work": lambda given: given}) as engine:
        await deploy(engine, chain(2))
        bad, stopped = await engine.start("machine", name="bad"), await engine.start("machine", name="stopped")
        store: Any = engine.store
        for execution in (bad, stopped):
            await store._connection.call(
                "HSET", store._key(await engine._id(execution.arn), "f", ""), "body", b"\xc1junk"
            )
        good = [await engine.start("machine", i, name=f"good-{i}") for i in range(40)]
        assert (await engine.stop(stopped.arn)).status == "ABORTED"
        with caplog.at_level(logging.CRITICAL, "statewright"):
            async with idle_worker(engine) as worker:
                await worker.run_until_idle()
        assert {(await engine.describe(s.arn)).status for s in good} == {"SUCCEEDED"}
        (letter,) = await engine.dead_letters()
        assert letter.execution_arn == bad.arn
        assert letter.reason.startswith("it cannot be read")


async def test_a_slow_store_still_extends_leases(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = 0

    async def work(given: Any, context: Any) -> None:
        nonlocal ran
        ran += 1
        await context.sleep(1)

    async with site.engine({"work": work}, real=True, lease_seconds=0.6) as engine:
        await deploy(engine, one_task("work"))
        extend = engine.store.extend

        async def slowly(*arguments: Any) -> Any:
            held = await extend(*arguments)
            await asyncio.sleep(0.2)
            return held

        monkeypatch.setattr(engine.store, "extend", slowly)
        assert (await engine.run("machine", timeout=10)).status == "SUCCEEDED"
    assert ran == 1


async def test_a_lease_counts_from_when_it_was_asked_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply to a claim came late: what is left of the lease is too short to begin a handler."""
    loop = asyncio.get_running_loop()
    asked: list[float] = []
    begun: list[float] = []
    running = asyncio.Event()

    async def work(given: Any) -> None:
        begun.append(loop.time())
        running.set()
        if len(begun) == 1:
            await asyncio.Event().wait()

    async with site.engine({"work": work}, real=True, lease_seconds=0.6) as engine:
        await deploy(engine, one_task("work"))
        async with engine.worker(grace=0) as first:
            started = await engine.start("machine")
            await running.wait()
            first.kill()
        claim = engine.store.claim

        async def late(*arguments: Any, **options: Any) -> Any:
            at = loop.time()
            answer = await claim(*arguments, **options)
            if answer.frames and not asked:
                asked.append(at)
                await asyncio.sleep(0.45)
            return answer

        monkeypatch.setattr(engine.store, "claim", late)
        async with engine.worker():
            await engine.wait(started.arn, 10)
    assert begun[1] - asked[0] >= 0.6


async def test_mail_that_comes_while_a_step_is_fitted_to_the_history_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pinned(*arguments: Any) -> Any:
        return replace(step(*arguments), pinned=True)

    monkeypatch.setattr(statewright.drive.runner, "step", pinned)
    async with site.engine() as engine:
        await deploy(engine, {"P": {"Type": "Pass", "Next": "Q"}, "Q": {"Type": "Pass", "End": True}})
        started = await engine.start("machine")
        async with idle_worker(engine) as worker:
            commit = engine.store.commit
            told = False

            async def with_mail(sent: Commit) -> Committed:
                nonlocal told
                if told:
                    return await commit(sent)
                told = True
                (runner,) = worker._all()
                mail = (Signal("timer", 0, TimerKind.EXECUTION),)
                await engine.store.signal(sent.execution, runner.frame.id, *mail)
                runner.deliver(Claimed(sent.execution, runner.frame, sent.revision, 0, mail, sent.base))
                return Committed("BASE", sent.base)

            monkeypatch.setattr(engine.store, "commit", with_mail)
            await worker.run_until_idle()
        ended = await engine.describe(started.arn)
        assert (ended.status, ended.cause) == ("TIMED_OUT", None)


class OddError(BaseException):
    """Not an Exception."""


async def test_whatever_a_handler_raises_is_its_failure(site: Site) -> None:
    async def odd(given: Any) -> None:
        raise OddError("strange")

    ended, _ = await site.run(one_task("odd"), {"odd": odd})
    assert (ended.status, ended.error) == ("FAILED", "OddError")


async def test_a_child_that_a_handler_forks_ends_with_the_handler(site: Site) -> None:
    def fork() -> int:
        with warnings.catch_warnings(action="ignore"):
            return os.fork()

    async def leaves(given: Any) -> Any:
        if (child := fork()) == 0:
            sys.exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def raises(given: Any) -> Any:
        if (child := fork()) == 0:
            raise ValueError
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    for handler, status in ((leaves, "7"), (raises, "1")):
        ended, _ = await site.run(one_task("work"), {"work": handler})
        assert ended.output == status


async def test_a_worker_stops_although_a_handler_will_not(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    begun, enough = asyncio.Event(), asyncio.Event()

    async def work(given: Any) -> None:
        begun.set()
        while not enough.is_set():
            with suppress(asyncio.CancelledError):
                await enough.wait()

    async with site.engine({"work": work}, real=True) as engine:
        await deploy(engine, one_task("work"))
        async with asyncio.timeout(10):
            async with engine.worker(grace=0.1):
                await engine.start("machine")
                await begun.wait()
        enough.set()
        await asyncio.sleep(0)


def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    code = "import threading; from statewright.drive.threads import Threads; Threads(1).submit(threading.Event().wait)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": "engine"}, check=True, timeout=20)


def test_threads_are_bounded_and_end() -> None:
    import threading

    threads, release = Threads(2), threading.Event()
    calls = [threads.submit(lambda: (release.wait(10), threading.current_thread())[1]) for _ in range(6)]
    release.set()
    used = {call.result(10) for call in calls}
    assert len(used) <= 2
    assert isinstance(threads.submit(int, "x").exception(10), ValueError)
    threads.shutdown()
    for thread in used:
        thread.join(10)
        assert not thread.is_alive()


async def test_a_clock_that_was_set_back_does_not_make_everything_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, here = ServerClock(), int(time.time() * 1000)
    clock.observe(here + 3_600_000)
    ahead = clock.now()
    clock.observe(here)
    assert clock.now() >= ahead
    delays: list[float] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def noted(delay: float, ring: Any) -> asyncio.TimerHandle:
        delays.append(delay)
        return call_later(delay, ring)

    monkeypatch.setattr(loop, "call_later", noted)
    clock.alarm(here + 5000, lambda: None)()
    assert 4 < delays[0] <= 5


async def test_an_engine_learns_the_time_before_it_tells_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 9e9)
    async with site.engine(real=True) as engine:
        assert abs(engine._clock.now() - await engine.store.now()) < 60_000


def test_an_engine_belongs_to_one_loop(site: Site) -> None:
    with Engine(site.url) as engine, pytest.raises(StatewrightError) as refused:
        asyncio.run(engine.engine.machines())
    assert refused.value.code == "WrongLoop"


async def test_a_task_that_is_handed_out_at_the_last_moment_is_not_lost(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = "arn:aws:states:us-east-1:000000000000:activity:sum"
    async with site.engine() as engine:
        await deploy(engine, one_task(arn))
        await engine.start("machine", 5)
        async with idle_worker(engine) as worker:
            await worker.run_until_idle()
        take = engine.store.take_activity

        async def slowly(*arguments: Any) -> Any:
            offer = await take(*arguments)
            await asyncio.sleep(0.05)
            return offer

        monkeypatch.setattr(engine.store, "take_activity", slowly)
        offer = await engine.get_activity_task("sum", timeout=0.01)
        assert offer is not None
        assert offer.input == 5
        assert await engine.get_activity_task("sum", timeout=0.01) is None
