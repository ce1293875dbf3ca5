"""Nested executions: by whom they may be started again, and the notices that tie two executions together."""

from __future__ import annotations

import pytest

from statewright.arn import execution_id_of
from statewright.model import Frame, Link, LinkKind, Phase, Step, TaskKind
from statewright.store.records import Signal
from tests.store.conftest import Stores
from tests.store.runs import Run
from tests.store.scene import END, LEASE, Scene, events, payload, task

ARN = "arn:aws:states:us-east-1:000000000000:execution:n:x"


async def nested(stores: Stores) -> tuple[Scene, Run, str]:
    """An execution whose root waits for another one, and a hand on that."""

    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(epoch=1, commands=(task(TaskKind.JOB, execution=ARN),), keep_ms=LEASE)
    return scene, Run(scene), execution_id_of(ARN)


async def start_nested(run: Run, id_: str, kind: str = "awaited", epoch: int = 1, digest: str = "d") -> str:

    child = run.child(0, id=id_, map_run="", machine_name="n", link=Link(LinkKind(kind), "E1", "", epoch))
    step = Step(Frame("", "", "", "A", payload()), events("ExecutionStarted"))
    return str((await run.store.create(child, step, digest=digest, owner="w", lease_ms=LEASE)).outcome)


async def test_notices_of_a_nested_execution(stores: Stores) -> None:
    scene, run, id_ = await nested(stores)
    shard = run.store.shard_of(id_)
    assert await start_nested(run, id_) == "OK"
    assert await start_nested(run, id_) == "DUP"
    assert await run.store.notices(shard, 9) == (f"C{id_}",)
    assert await run.store.task_state("E1", "", 1) == "open"
    await run.store.settle(shard, f"C{id_}")
    child = Scene(run.store, id_, "n", counter=scene.counter)
    await child.commit(revision=1, phase=Phase.DONE, commands=(END,), history=events("Done"))
    assert await run.store.notices(shard, 9) == (f"E{id_}",)


@pytest.mark.parametrize("ending", ["time-out", "end"])
async def test_what_is_not_waited_for_any_more_is_checked(stores: Stores, ending: str) -> None:
    scene, run, id_ = await nested(stores)
    if ending == "time-out":
        await scene.commit(epoch=2, phase=Phase.ENTER, keep_ms=LEASE)
    else:
        await scene.commit(phase=Phase.DONE, commands=(END,), history=events("Done"))
    assert await run.notices() == [f"C{id_}"]
    assert await run.store.task_state("E1", "", 1) == "over"


async def test_an_answered_task_leaves_its_execution_alone(stores: Stores) -> None:

    scene, run, _ = await nested(stores)
    assert (await run.store.signal("E1", "", Signal("answer", 1, output="1"))).outcome == "OK"
    await scene.commit(epoch=2, phase=Phase.ENTER, consumed=1, keep_ms=LEASE)
    assert await run.notices() == []


async def test_nobody_waits_for_an_execution_that_another_one_started(stores: Stores) -> None:
    """Its end would answer only whom its link names."""
    _, run, id_ = await nested(stores)
    assert await start_nested(run, id_) == "OK"
    assert await start_nested(run, id_, epoch=2) == "EXISTS"
    assert await start_nested(run, id_, kind="started", epoch=2) == "DUP"
    assert await start_nested(run, id_, kind="started", epoch=2, digest="other") == "EXISTS"
