"""The public API: deploying, starting, asking; and the same without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from statewright import AsyncEngine, Engine, InvalidDefinitionError, StatewrightError, TaskError
from statewright.arn import Arns, check_name, execution_id
from tests.drive.conftest import Site, one_task

PASS: dict[str, Any] = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
WAIT: dict[str, Any] = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1000, "End": True}}}


async def refused(call: Any) -> str:
    with pytest.raises(StatewrightError) as refusal:
        await call
    return refusal.value.code


async def test_deploy_takes_values_text_and_files(site: Site, tmp_path: Path) -> None:
    text = "StartAt: P\nStates:\n  P:\n    Type: Pass\n    Result: {from: yaml}\n    End: true\n"
    (tmp_path / "m.asl.yaml").write_text(text)
    async with site.engine() as engine:
        for definition in (PASS, json.dumps(PASS), text, tmp_path / "m.asl.yaml"):
            record = await engine.deploy(definition, name="m", role_arn="arn:aws:iam::1:role/r")
        assert (record.definition, record.role_arn, record.type) == (text, "arn:aws:iam::1:role/r", "STANDARD")
        assert record.arn == "arn:aws:states:us-east-1:000000000000:stateMachine:m"
        assert record.revision == 3, "the text of the values and their JSON text differ, the file is the text again"
        assert (await engine.run(record.arn)).output == '{"from":"yaml"}'
        assert await engine.machines() == [await engine.machine("m")]


async def test_running_executions_keep_their_definition(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(WAIT, name="m")
        started = await engine.start("m")
        await engine.deploy(PASS, name="m")
        assert (await engine.run("m")).length == 4
        async with engine.worker():
            await engine.wait(started.arn)
        types = [event["type"] for event in await engine.history(started.arn)]
        assert types[1:3] == ["WaitStateEntered", "WaitStateExited"]


BROKEN = {
    "not YAML": "a: [",
    "no state": {"StartAt": "X", "States": {}},
    "no target": {"StartAt": "X", "States": {"X": {"Type": "Pass", "Next": "Y"}}},
    "a path": {"StartAt": "X", "States": {"X": {"Type": "Pass", "InputPath": "$.[", "End": True}}},
    "not JSON": {"StartAt": "X", "States": {"X": {"Type": "Pass", "Result": float("nan"), "End": True}}},
}


@pytest.mark.parametrize("definition", BROKEN.values(), ids=BROKEN)
async def test_definitions_that_are_refused(site: Site, definition: Any) -> None:
    async with site.engine() as engine:
        assert await refused(engine.deploy(definition, name="m")) == "InvalidDefinition"
        assert await engine.machines() == []


async def test_a_refused_definition_shows_all_problems(site: Site) -> None:
    states = {"X": {"Type": "Pass", "Next": "Y"}, "Z": {"Type": "Pass", "Nxt": "Y"}}
    async with site.engine() as engine:
        with pytest.raises(InvalidDefinitionError) as refusal:
            await engine.deploy({"StartAt": "X", "States": states}, name="m")
    assert len([p for p in refusal.value.problems if p.severity == "error"]) >= 2


async def test_starting_twice_under_one_name(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(WAIT, name="m")
        first = await engine.start("m", {"a": 1, "b": [2]}, name="one")
        site.clock.advance_to(site.clock() + 500)
        again = await engine.start("m", {"b": [2], "a": 1}, name="one")
        assert (again.arn, again.started_at, again.duplicate) == (first.arn, first.started_at, True)
        assert not first.duplicate
        assert await refused(engine.start("m", {"a": 2}, name="one")) == "ExecutionAlreadyExists"
        await engine.stop(first.arn)
        assert await refused(engine.start("m", {"a": 1, "b": [2]}, name="one")) == "ExecutionAlreadyExists"
        assert not (await engine.start("m", {"a": 1, "b": [2]})).duplicate


async def test_a_hundred_starts_at_once_make_one_execution(site: Site) -> None:
    async with site.engine() as one, site.engine() as two:
        await one.deploy(PASS, name="m")
        started = await asyncio.gather(*(engine.start("m", name="x") for engine in (one, two) * 50))
        assert sum(not s.duplicate for s in started) == 1
        assert len(await one.list()) == 1


async def test_an_express_execution_is_always_a_new_one(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(PASS, name="m", type="EXPRESS")
        one, two = [await engine.run("m", name="same") for _ in range(2)]
        assert one.execution.arn != two.execution.arn
        assert one.execution.arn.startswith("arn:aws:states:us-east-1:000000000000:express:m:same:")
        assert (await engine.describe(one.execution.arn)).status == "SUCCEEDED"


async def test_calls_about_what_is_not_there(site: Site) -> None:
    async with site.engine() as engine:
        assert await refused(engine.start("nobody")) == "StateMachineDoesNotExist"
        assert await refused(engine.describe("m:nobody")) == "ExecutionDoesNotExist"
        assert await refused(engine.history("m:nobody")) == "ExecutionDoesNotExist"
        assert await refused(engine.stop("m:nobody")) == "ExecutionDoesNotExist"
        assert await refused(engine.wait("m:nobody", 5)) == "ExecutionDoesNotExist"
        assert await refused(engine.describe("nonsense")) == "InvalidArn"
        assert await refused(engine.start("arn:aws:states:us-east-1:0:activity:x")) == "InvalidArn"
        assert await refused(engine.get_activity_task("a b", timeout=0)) == "InvalidName"


async def test_inputs_that_are_refused(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(PASS, name="m")
        for bad in (float("nan"), {1: 2}, object(), "\ud800"):
            assert await refused(engine.start("m", bad)) == "InvalidExecutionInput"
        assert await refused(engine.start("m", "x" * 262_143)) == "ValidationException"
        assert (await engine.run("m", "x" * 262_142)).status == "SUCCEEDED"
        big = {"n": 12345678901234567890123, "e": []}
        assert (await engine.run("m", big)).output == '{"n":12345678901234567890123,"e":[]}'


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "a/b", "a:b", "tab\t", "\x7f", "{x}", "a*", "\ud800", "a\n"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(StatewrightError, match="InvalidName"):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "x" * 80, "order-17_b.c", "Zürich", "日本", "a+b=(c)!@'"])
def test_names(name: str) -> None:
    arn = Arns("eu-west-1", "123456789012").execution("m", check_name(name))
    assert Arns.execution_names(arn) == ("m", name)
    assert len(execution_id("m", name)) == 26


def test_execution_ids_do_not_meet() -> None:
    assert execution_id("a", "bc") != execution_id("ab", "c")


async def test_list_and_history(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(PASS, name="m")
        await engine.deploy(WAIT, name="w")
        for i in range(5):
            site.clock.advance_to(site.clock() + 1)
            await engine.run("m", i, name=f"e{i}")
        waiting = await engine.start("w", name="waiting")
        assert [d.execution.name for d in await engine.list("m", "SUCCEEDED", limit=3)] == ["e4", "e3", "e2"]
        assert [d.execution.name for d in await engine.list("m", limit=3, start=3)] == ["e1", "e0"]
        assert [d.execution.arn for d in await engine.list(status="RUNNING")] == [waiting.arn]
        history = await engine.history("m:e3")
        assert await engine.history("m:e3", reverse=True) == history[::-1]
        assert await engine.history("m:e3", limit=2) == history[:2]
        assert history[0] == {
            "id": 1,
            "previousEventId": 0,
            "type": "ExecutionStarted",
            "timestamp": history[0]["timestamp"],
            "executionStartedEventDetails": {"input": "3", "inputDetails": {"truncated": False}, "roleArn": ""},
        }
        assert history[0]["timestamp"] < datetime.fromtimestamp(site.clock() / 1000, UTC)


async def test_wait_gives_up(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(WAIT, name="m")
        started = await engine.start("m")
        with pytest.raises(TimeoutError):
            await engine.wait(started.arn, timeout=0)


async def test_an_engine_that_is_not_open() -> None:
    assert await refused(AsyncEngine().machines()) == "NotOpen"
    with pytest.raises(StatewrightError, match="NotOpen"):
        Engine().machines()


async def test_run_worker_ends_on_sigterm(site: Site) -> None:
    async with site.engine(real=True) as engine:
        ran = asyncio.Event()

        @engine.task("work")
        async def work(given: Any) -> None:
            ran.set()

        await engine.deploy({"StartAt": "Work", "States": one_task("work")}, name="m")
        started = await engine.start("m")
        working = asyncio.create_task(engine.run_worker())
        await ran.wait()
        await engine.wait(started.arn, 5)
        os.kill(os.getpid(), signal.SIGTERM)
        await working


def test_the_synchronous_engine(site: Site) -> None:
    def flaky(given: int, context: Any) -> int:
        if context.attempt == 0:
            raise TaskError("Flaky")
        return given + 1

    states = one_task("flaky", Retry=[{"ErrorEquals": ["Flaky"]}])
    with Engine(site.url, tasks={"flaky": flaky}, clock=site.clock) as engine:
        engine.deploy({"StartAt": "Work", "States": states}, name="m")
        assert engine.run("m", 1, timeout=10).output == "2"
        with engine.worker():
            started = engine.start("m", 5, name="five")
            assert engine.wait(started.arn, 10).output == "6"
        assert [e["type"] for e in engine.history("m:five")][-1] == "ExecutionSucceeded"
        assert engine.describe("m:five").status == "SUCCEEDED"
        with pytest.raises(StatewrightError, match="ExecutionDoesNotExist"):
            engine.describe("m:six")


def test_a_forked_child_does_not_hang(site: Site) -> None:
    with Engine(site.url) as engine:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                engine.machines()
                os.write(writing, b"answered")
            except StatewrightError as error:
                os.write(writing, error.code.encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        assert os.read(reading, 100) == b"Forked"
        os.close(reading)
        assert engine.machines() == []


async def test_a_worker_leaves_other_state_machines_alone(site: Site) -> None:
    async with site.engine({"here": lambda order: "done"}) as engine:
        await engine.deploy({"StartAt": "Work", "States": one_task("here")}, name="ours")
        await engine.deploy({"StartAt": "Work", "States": one_task("elsewhere")}, name="theirs")
        theirs = await engine.start("theirs")
        assert (await engine.run("ours")).status == "SUCCEEDED"
        async with engine.worker(machines=["ours"]):
            assert (await engine.wait((await engine.start("ours")).arn)).output == '"done"'
        assert (await engine.describe(theirs.arn)).length == 1
        assert (await engine.run("theirs")).error == "Statewright.TaskNotFound"


async def test_history_from_a_place_on(site: Site) -> None:
    async with site.engine() as engine:
        await engine.deploy(PASS, name="m")
        run = await engine.start("m")
        async with engine.worker():
            await engine.wait(run.arn)
        assert [event["id"] for event in await engine.history(run.arn, after=2)] == [3, 4]
        assert [event["id"] for event in await engine.history(run.arn, after=1, limit=1, reverse=True)] == [3]


async def test_metrics_tell_what_was_lost_and_put_right(site: Site) -> None:
    async with site.engine() as engine:
        assert (await engine.metrics()).value("incidents", kind="rollback") == 0
        await engine.deploy(PASS, name="m")
        id_ = (await engine.describe((await engine.start("m", name="e")).arn)).execution.id
        claimed = await engine.store.claim_frame(id_, "", "w", 1000)
        assert claimed is not None
        assert await engine.store.bury(claimed, "w", "why")
        await engine.store.report("rollback", 3, 0, "as it seems")
        await engine.store.repaired(id_, "queues")
        found = await engine.metrics()
        assert await engine.repairs() == {"queues": 1}
    assert found.value("dead_letters") == found.value("incidents", kind="rollback") == 1
    assert found.value("repairs_total", what="queues") == 1
    text = found.prometheus()
    assert '# TYPE statewright_repairs_total counter\nstatewright_repairs_total{what="queues"} 1\n' in text
    assert 'statewright_incidents{kind="clock"} 0\n' in text


def test_verify_without_an_event_loop(site: Site) -> None:
    with Engine(site.url, clock=site.clock) as engine:
        engine.deploy(PASS, name="m")
        ended = engine.run("m", name="e")
        assert [each.execution for each in engine.verify(["m:e"])] == [ended.execution.arn]
        checked = engine.verify()
        assert not next(checked).findings
        checked.close()
        with pytest.raises(StatewrightError, match="ExecutionDoesNotExist"):
            list(engine.verify(["m:other"]))
    with pytest.raises(StatewrightError, match="not open"):
        next(engine.verify())


def test_the_engine_without_an_event_loop_has_every_call() -> None:
    calls = {name: call for name, call in inspect.getmembers(AsyncEngine) if not name.startswith("_")}
    own = {"new_worker", "store"}  # parts of an event loop's world
    assert set(calls) - own <= set(dir(Engine))
    for name, call in calls.items():
        if inspect.iscoroutinefunction(call) and name not in ("open", "close", "run_worker"):
            assert inspect.signature(getattr(Engine, name)) == inspect.signature(call)
            assert getattr(Engine, name).__doc__ == call.__doc__
