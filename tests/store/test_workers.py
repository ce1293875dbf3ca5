"""announce, measure and the patience of claims: who is there, what is to be done, and who leaves it to whom."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from statewright.errors import StatewrightError
from statewright.model import Phase, StartTimer, TaskKind, TimerKind
from statewright.store import open_store
from statewright.store.records import MachineRecord, Presence, Signal
from statewright.store.upkeep.measures import Queue
from tests.store.conftest import Stores
from tests.store.scene import LEASE, Scene, fork, task


def present(owner: str, *machines: str, held: int = 0) -> Presence:
    return Presence(owner, machines, held, 4)


async def test_workers_know_of_each_other_as_long_as_they_say_that_they_are_there(stores: Stores) -> None:
    store = await stores.open()
    assert await store.announce(present("a"), 900) == ((present("a"),), stores.clock.ms)
    stores.clock.ms += 500
    assert (await store.announce(present("b", "m", held=2), 900))[0] == (present("a"), present("b", "m", held=2))
    stores.clock.ms += 399
    assert len((await store.measure()).workers) == 2
    stores.clock.ms += 1
    assert (await store.measure()).workers == (present("b", "m", held=2),)
    assert (await store.announce(present("b", held=3), 900))[0] == (present("b", held=3),)


async def test_a_worker_that_goes_is_gone_at_once_and_rings(stores: Stores) -> None:
    store = await stores.open()
    await store.announce(present("a"), 900)
    await store.announce(present("b"), 900)
    await store.watch_bell()
    ringing = asyncio.ensure_future(store.watch_bell())
    assert await store.announce(present("a"), 0) == ((present("b"),), stores.clock.ms)
    assert await ringing is None


async def test_the_bell_names_the_shards(stores: Stores) -> None:
    store = await stores.open()
    assert await store.watch_bell() is None, "before the subscription stood, anything may have been missed"
    scenes = [Scene(store, f"N{number}") for number in range(3)]
    for scene in scenes:
        await scene.create(owner="")
    heard: set[int] = set()
    while heard != {scene.shard for scene in scenes}:
        heard |= await store.watch_bell() or set()


async def test_patience_leaves_to_others_what_has_not_waited_for_long(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    await scene.create(owner="")
    start = stores.clock.ms
    stores.clock.ms += 999
    claim = await store.claim(scene.shard, "v", LEASE, 9, patience=1000)
    assert (claim.frames, claim.next_due) == ((), start)
    stores.clock.ms += 1
    assert len((await store.claim(scene.shard, "v", LEASE, 9, patience=1000)).frames) == 1


async def test_patience_with_leases_and_timers(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    await scene.create()
    stores.clock.ms += LEASE + 999
    assert (await store.claim(scene.shard, "v", LEASE, 9, patience=1000)).frames == ()
    stores.clock.ms += 1
    assert len((await store.claim(scene.shard, "v", LEASE, 9, patience=1000)).frames) == 1
    scene.revisions[""] = 1
    wait = (StartTimer(TimerKind.WAIT, delay=10),)
    assert (await scene.commit(owner="v", phase=Phase.WAIT, epoch=1, commands=wait)).outcome == "OK"
    due = stores.clock.ms + 10
    stores.clock.ms = due + 999
    claim = await store.claim(scene.shard, "w", LEASE, 9, patience=1000)
    assert (claim.frames, claim.next_due) == ((), due)
    stores.clock.ms += 1
    (claimed,) = (await store.claim(scene.shard, "w", LEASE, 9, patience=1000)).frames
    assert claimed.inbox == (Signal("timer", epoch=1, timer=TimerKind.WAIT),)


async def test_very_many_timers_do_not_stand_in_front_of_what_becomes_ready(stores: Stores) -> None:
    """F15: 2,000 due at one instant in one shard; an execution that starts meanwhile is claimed by the next call but
    one, and the timers all the same, each once."""
    store = await stores.open()
    scene = Scene(store)
    await scene.create()
    await scene.commit(commands=(fork(1, 500),), epoch=1)
    children = await scene.claim(limit=500)
    for claimed in children:
        child = claimed.frame.id
        for number in range(4):  # of each several, as if they were so many more
            await scene.commit(child, phase=Phase.WAIT, epoch=1, commands=(_timer(number),), keep_ms=LEASE * 100)
    stores.clock.ms += 10
    assert len(await scene.claim(limit=50)) == 50
    stores.clock.ms += 1
    other = Scene(store, next(n for n in map(str, range(999)) if store.shard_of(n) == scene.shard))
    await other.create(owner="")
    stores.clock.ms += 1
    assert other.name in [claimed.execution for claimed in await scene.claim(limit=50)]
    fired = 50 + 49
    while frames := await scene.claim(limit=50):
        stores.clock.ms += 1
        fired += len(frames)
    assert fired >= 500
    assert (await store.measure()).timers == 0


def _timer(number: int) -> StartTimer:
    return StartTimer((TimerKind.WAIT, TimerKind.TIMEOUT, TimerKind.HEARTBEAT, TimerKind.RETRY)[number], delay=5)


async def test_measures(stores: Stores) -> None:
    store = await stores.open()
    await store.put_machine(MachineRecord("m", "arn:m", "hash", "{}", "STANDARD", "", 0, 0))
    scenes = [Scene(store, f"N{number}", machine="m") for number in range(4)]
    for scene in scenes:
        await scene.create(owner="")
        stores.clock.ms += 100
    held, waiting, asking, _ = scenes
    for scene in (held, waiting, asking):
        assert len(await scene.claim(limit=1)) == 1
        scene.revisions[""] = 1
    wait = (StartTimer(TimerKind.WAIT, delay=10),)
    await waiting.commit(phase=Phase.WAIT, epoch=1, commands=wait, keep_ms=0)
    await asking.commit(phase=Phase.TASK, epoch=1, commands=(task(TaskKind.ACTIVITY, "arn:act"),), keep_ms=0)
    stores.clock.ms += 50
    measures = await store.measure()
    assert measures.machines == {"m": Queue(waiting=1, oldest_ms=150, running=4)}
    assert measures.activities == {"arn:act": Queue(waiting=1, oldest_ms=50)}
    assert (measures.leases, measures.timers, measures.timer_lag_ms, measures.notices) == (1, 1, 40, 0)
    await store.take_activity("arn:act", "bob")
    assert (await store.measure()).activities == {}


async def test_the_number_of_shards_is_fixed_when_a_store_is_first_opened(stores: Stores) -> None:
    assert (await stores.open(shards=None)).shards == 256
    assert (await stores.open(shards=5)).shards == 256


async def test_numbers_of_shards_that_make_no_sense(tmp_path: Path) -> None:
    for number in (0, 5000):
        with pytest.raises(StatewrightError, match="1 to 4096"):
            await open_store(None, tmp_path, shards=number)
