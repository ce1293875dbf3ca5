"""Answers, heartbeats and activities: what comes from outside while nobody holds a frame."""

from __future__ import annotations

import asyncio

import pytest

from statewright.model import Phase, StartTimer, TaskKind, TimerKind
from statewright.store.records import Signal, TaskOffer
from tests.store.conftest import Stores
from tests.store.scene import END, LEASE, Scene, failure, fork, task

ANSWER = Signal("answer", 1, output='{"big":123456789012345678901234567890}')
FAILED = Signal("answer", 1, error="Boom", cause="why", failed=True)


async def parked(stores: Stores, *timers: StartTimer, kind: TaskKind = TaskKind.TOKEN) -> Scene:
    """An execution whose root frame waits for a task of epoch 1."""
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(epoch=1, commands=(task(kind), *timers))
    return scene


async def test_an_answer_is_taken_once(stores: Stores) -> None:
    scene = await parked(stores)
    send = scene.store.signal
    assert (await send("E1", "", ANSWER)).outcome == "OK"
    assert (await send("E1", "", ANSWER)).outcome == "DUP"
    assert (await send("E1", "", FAILED)).outcome == "STALE"
    (claimed,) = await scene.claim()
    assert claimed.inbox == (ANSWER,)
    assert claimed.frame.task is not None
    assert claimed.frame.task.arguments.text == '{"n":1}'
    await scene.commit(consumed=1, keep_ms=LEASE)
    assert (await send("E1", "", ANSWER)).outcome == "DUP"
    assert (await send("E1", "", FAILED)).outcome == "STALE"


@pytest.mark.parametrize("kind", ["answer", "submitted", "taken"])
async def test_a_signal_about_another_order_is_stale(stores: Stores, kind: str) -> None:
    scene = await parked(stores)
    send = scene.store.signal
    assert (await send("E1", "", Signal(kind, 0))).outcome == "STALE"
    assert (await send("E1", "", Signal(kind, 2))).outcome == "STALE"
    assert (await send("E1", "/1.0", Signal(kind, 1))).outcome == "STALE"
    assert (await send("E2", "", Signal(kind, 1))).outcome == "MISSING"
    assert await scene.claim() == []
    await scene.commit(epoch=1, phase=Phase.ENTER)
    assert (await send("E1", "", Signal(kind, 1))).outcome == "STALE"
    await scene.commit(commands=(END,))
    assert (await send("E1", "", Signal(kind, 1))).outcome == "STALE"


async def test_an_answer_to_a_fenced_child_is_stale(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(commands=(fork(1, 2),))
    await scene.claim()
    await scene.commit("/1.0", epoch=1, commands=(task(),))
    await scene.commit("/1.1", commands=(failure(),))
    assert (await scene.store.signal("E1", "/1.0", ANSWER)).outcome == "STALE"
    assert (await scene.store.heartbeat("E1", "/1.0", 1, None)).outcome == "STALE"


async def test_heartbeats_put_the_timer_off(stores: Stores) -> None:
    scene = await parked(
        stores, StartTimer(TimerKind.HEARTBEAT, delay=10_000), StartTimer(TimerKind.TIMEOUT, delay=35_000)
    )
    for seconds in (None, 10, None):
        stores.clock.ms += 9_999
        assert await scene.claim() == []
        assert (await scene.store.heartbeat("E1", "", 1, seconds)).outcome == "OK"
    stores.clock.ms += 5_003
    (claimed,) = await scene.claim()
    assert claimed.inbox == (Signal("timer", 1, TimerKind.TIMEOUT),)
    stores.clock.ms += 5_000
    (claimed,) = await scene.claim()
    assert [signal.timer for signal in claimed.inbox] == [TimerKind.TIMEOUT, TimerKind.HEARTBEAT]
    assert (await scene.store.heartbeat("E1", "", 1, None)).outcome == "STALE"  # too late


async def test_a_heartbeat_needs_an_open_task(stores: Stores) -> None:
    scene = await parked(stores)
    beat = scene.store.heartbeat
    assert (await beat("E1", "", 1, None)).outcome == "OK"  # the state asks for none: nothing to do
    assert (await beat("E1", "", 2, None)).outcome == "STALE"
    assert (await beat("E2", "", 1, None)).outcome == "MISSING"
    await scene.store.signal("E1", "", ANSWER)
    assert (await beat("E1", "", 1, None)).outcome == "STALE"
    assert await scene.store._connection.call("EXISTS", f"sw:{{{scene.shard}}}:t") == 0


async def test_activity_tasks_go_to_one_worker_each_oldest_first(stores: Stores) -> None:
    store = await stores.open()
    for name in ("E3", "E1", "E2"):
        scene = Scene(store, name)
        await scene.create()
        await scene.commit(epoch=4, commands=(task(TaskKind.ACTIVITY, "arn:act"),))
        stores.clock.ms += 1
    assert await store.take_activity("arn:other", "bob") is None
    offers = [await store.take_activity("arn:act", "bob") for _ in range(4)]
    assert [offer and offer.execution for offer in offers] == ["E3", "E1", "E2", None]
    first = offers[0]
    assert first == TaskOffer("E3", "", 4, task(TaskKind.ACTIVITY, "arn:act").order)
    (claimed,) = await Scene(store, "E3").claim()
    assert claimed.inbox == (Signal("taken", 4, worker="bob"),)


async def test_racing_activity_workers_share_the_tasks(stores: Stores) -> None:
    one, two = await stores.open(), await stores.open()
    for index in range(10):
        scene = Scene(one, f"N{index}")
        await scene.create()
        await scene.commit(epoch=1, commands=(task(TaskKind.ACTIVITY, "arn:act"),))
    takes = [(one, two)[index % 2].take_activity("arn:act", f"w{index}") for index in range(14)]
    taken = [offer.execution for offer in await asyncio.gather(*takes) if offer is not None]
    assert sorted(taken) == sorted(f"N{index}" for index in range(10))


@pytest.mark.parametrize("how", ["timeout", "end"])
async def test_an_activity_task_that_is_over_is_not_offered(stores: Stores, how: str) -> None:
    scene = await parked(stores, kind=TaskKind.ACTIVITY)
    await scene.commit(epoch=1, commands=(END,) if how == "end" else ())
    assert await scene.store.take_activity("arn:x", "bob") is None
    assert not any(key.startswith("a:") for key in await scene.keys())


async def test_watching_for_the_end_misses_nothing(stores: Stores) -> None:
    store, other = await stores.open(), await stores.open()
    scene = Scene(other)
    await scene.create()
    watching = asyncio.ensure_future(store.watch_end("E1"))
    again = asyncio.ensure_future(store.watch_end("E1"))
    await store.watch_bell()  # the first ring says that the subscription stands
    assert not watching.done()
    await scene.commit(commands=(END,))
    await watching
    await again
    await store.watch_end("E1")  # it has ended before


async def test_the_bell_rings_when_a_frame_becomes_ready(stores: Stores) -> None:
    store, other = await stores.open(), await stores.open()
    await store.watch_bell()
    ringing = asyncio.ensure_future(store.watch_bell())
    await other.now()
    assert not ringing.done()
    await Scene(other).create(owner="")
    await ringing
