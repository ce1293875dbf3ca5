"""claim, leases and timers: who gets a frame, and when."""

from __future__ import annotations

import pytest

from statewright.model import Phase, StartTimer, TimerKind
from statewright.store.records import Lease, Signal
from tests.store.conftest import Stores
from tests.store.scene import END, LEASE, Scene, event, fork, task


async def test_a_frame_goes_to_one_claimer(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(owner="")
    assert len(await scene.claim("v")) == 1
    assert await scene.claim("u") == []


async def test_claims_respect_the_limit_and_the_order_of_readiness(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    same_shard = [name for name in (f"N{i}" for i in range(400)) if store.shard_of(name) == scene.shard][:5]
    for name in reversed(same_shard):
        await Scene(store, name).create(owner="")
        stores.clock.ms += 1
    first = await scene.claim(limit=2)
    rest = await scene.claim(limit=10)
    assert [claimed.execution for claimed in [*first, *rest]] == list(reversed(same_shard))


async def test_a_lapsed_lease_goes_to_another_worker(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(owner="w")
    stores.clock.ms += LEASE - 1
    assert await scene.claim("v") == []
    stores.clock.ms += 1
    (claimed,) = await scene.claim("v")
    assert claimed.deliveries == 1
    assert (await scene.commit(owner="w")).outcome == "STALE"
    stores.clock.ms += LEASE
    (claimed,) = await scene.claim("u")
    assert claimed.deliveries == 2
    assert (await scene.commit(owner="u", keep_ms=0, requeue=True)).outcome == "OK"
    assert [claimed.deliveries for claimed in await scene.claim("u")] == [1]


async def test_a_lapsed_lease_that_nobody_took_is_still_good(stores: Stores) -> None:
    """A lease decides who gets a frame next; only a commit or another claim fences."""
    scene = Scene(await stores.open())
    await scene.create(owner="w")
    stores.clock.ms += 2 * LEASE
    assert (await scene.commit(keep_ms=LEASE)).outcome == "OK"
    assert await scene.claim("v") == []


async def test_leases_are_extended_while_held(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    await scene.create(owner="w")
    leases = [Lease("E1", "", 1), Lease("E1", "", 2), Lease("E1", "/1.0", 0), Lease("gone", "", 1)]
    stores.clock.ms += LEASE - 1
    assert await store.extend(scene.shard, "w", leases, LEASE) == [True, False, False, False]
    assert await store.extend(scene.shard, "v", leases[:1], LEASE) == [False]
    stores.clock.ms += LEASE - 1
    assert await scene.claim("v") == []
    stores.clock.ms += 1
    assert len(await scene.claim("v")) == 1
    assert await store.extend(scene.shard, "w", leases[:1], LEASE) == [False]


async def test_a_lapsed_lease_is_taken_back_only_before_somebody_else_claims(stores: Stores) -> None:
    store = await stores.open()
    scene, other = Scene(store), Scene(store, "E1")
    await scene.create(owner="w")
    stores.clock.ms += LEASE
    assert (await store.claim(scene.shard, "v", LEASE, 0)).frames == ()  # moves the lapsed lease to ready
    assert await store.extend(scene.shard, "w", [Lease("E1", "", 1)], LEASE) == [True]
    assert await other.claim("v") == []


async def test_a_parked_frame_cannot_be_extended(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(phase=Phase.WAIT, epoch=1, commands=(StartTimer(TimerKind.WAIT, delay=10),))
    assert await scene.store.extend(scene.shard, "w", [Lease("E1", "", 2)], LEASE) == [False]


async def test_released_frames_are_ready_at_once_and_not_counted_as_tried(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    await scene.create(owner="")
    await scene.claim("w")
    await store.release(scene.shard, "v", [Lease("E1", "", 1)])
    assert await scene.claim("v") == []
    await store.release(scene.shard, "w", [Lease("E1", "", 1)])
    assert [claimed.deliveries for claimed in await scene.claim("v")] == [1]


@pytest.mark.parametrize("delay", [1, 999, 60_000])
async def test_timers_are_never_early(stores: Stores, delay: int) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(phase=Phase.WAIT, epoch=3, commands=(StartTimer(TimerKind.WAIT, delay=delay),))
    stores.clock.ms += delay - 1
    claim = await scene.store.claim(scene.shard, "w", LEASE, 10)
    assert (claim.frames, claim.next_due) == ((), claim.now + 1)
    stores.clock.ms += 1
    (claimed,) = await scene.claim()
    assert claimed.inbox == (Signal("timer", 3, TimerKind.WAIT),)


async def test_a_timer_may_have_an_absolute_time(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    due = stores.clock.ms + 5
    await scene.commit(phase=Phase.WAIT, epoch=1, commands=(StartTimer(TimerKind.WAIT, due=due),))
    assert await scene.claim() == []
    stores.clock.ms = due
    assert len(await scene.claim()) == 1


async def test_a_commit_replaces_the_frames_timers_but_not_the_executions(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(commands=(StartTimer(TimerKind.EXECUTION, delay=90),))
    timers = (StartTimer(TimerKind.TIMEOUT, delay=50), StartTimer(TimerKind.HEARTBEAT, delay=20))
    await scene.commit(epoch=1, commands=(task(), *timers))
    await scene.commit(epoch=1, phase=Phase.WAIT, commands=(StartTimer(TimerKind.WAIT, delay=70),))
    stores.clock.ms += 100
    (claimed,) = await scene.claim()
    assert [signal.timer for signal in claimed.inbox] == [TimerKind.WAIT, TimerKind.EXECUTION]


async def test_a_commit_may_keep_the_frames_timers(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(epoch=1, commands=(task(), StartTimer(TimerKind.TIMEOUT, delay=50)))
    await scene.commit(epoch=1, commands=(task(submitted=True),), keep_timers=True)
    stores.clock.ms += 50
    (claimed,) = await scene.claim()
    assert claimed.inbox == (Signal("timer", 1, TimerKind.TIMEOUT),)
    await scene.commit(consumed=1, requeue=True)
    assert await scene.keys() == {"x:E1", "h:E1", "f:E1:", "q", "q:m", "e::RUNNING", "e:m:RUNNING"}


async def test_a_herd_of_timers_fires_in_bounded_portions(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(commands=(fork(1, 250),), epoch=1)
    for child in await scene.claim(limit=1000):
        timer = (StartTimer(TimerKind.WAIT, delay=10),)
        await scene.commit(child.frame.id, phase=Phase.WAIT, epoch=1, commands=timer)
    stores.clock.ms += 10
    portions = [len(await scene.claim(limit=1000)) for _ in range(4)]
    assert portions == [100, 100, 50, 0]


async def test_an_inbox_entry_is_used_up_by_the_commit_that_consumed_it(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    for _ in range(3):
        await scene.store.signal("E1", "", Signal("nudge"))
    (claimed,) = await scene.claim()
    assert len(claimed.inbox) == 3
    assert (await scene.commit(consumed=2, keep_ms=LEASE)).inbox == 1
    assert await scene.claim("v") == []
    assert (await scene.commit()).inbox == 1  # released with mail: ready again
    assert len((await scene.claim("v"))[0].inbox) == 1
    assert (await scene.commit(owner="v", consumed=1)).inbox == 0
    assert await scene.claim("v") == []


async def test_an_owner_that_goes_on_keeps_its_mail(stores: Stores) -> None:
    """A signal made the frame ready; whether its owner then commits or not, the frame is delivered once more."""
    scene = Scene(await stores.open())
    await scene.create(owner="w")
    await scene.store.signal("E1", "", Signal("nudge"))
    assert (await scene.commit(keep_ms=LEASE)).inbox == 1
    (claimed,) = await scene.claim("w")
    assert claimed.inbox == (Signal("nudge"),)
    assert (await scene.commit(keep_ms=LEASE, consumed=1)).inbox == 0
    assert await scene.claim("w") == []


async def test_a_signal_to_a_leased_frame_lets_another_worker_take_over(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(owner="w")
    await scene.store.signal("E1", "", Signal("nudge"))
    assert len(await scene.claim("v")) == 1
    assert (await scene.commit(owner="w")).outcome == "STALE"


async def test_next_due_is_the_first_of_all_queues(stores: Stores) -> None:
    scene = Scene(await stores.open())
    assert (await scene.store.claim(scene.shard, "w", LEASE, 1)).next_due is None
    await scene.create(owner="", commands=(StartTimer(TimerKind.EXECUTION, delay=LEASE * 2),))
    start = stores.clock.ms
    assert (await scene.store.claim(scene.shard, "w", LEASE, 0)).next_due == start
    assert (await scene.store.claim(scene.shard, "w", LEASE, 1)).next_due == start + LEASE
    scene.revisions[""] = 1
    await scene.commit(phase=Phase.WAIT, epoch=1, commands=(StartTimer(TimerKind.WAIT, delay=3),))
    assert (await scene.store.claim(scene.shard, "w", LEASE, 1)).next_due == start + 3


async def test_claim_frame_answers_none_where_there_is_nothing_to_run(stores: Stores) -> None:
    scene = Scene(await stores.open())
    assert await scene.store.claim_frame("E1", "", "w", LEASE) is None
    await scene.create()
    assert await scene.store.claim_frame("E1", "/1.0", "w", LEASE) is None
    await scene.commit(commands=(END,), history=(event("ExecutionSucceeded"),))
    assert await scene.store.claim_frame("E1", "", "w", LEASE) is None


async def test_server_time_is_used_without_a_clock(stores: Stores) -> None:
    scene = Scene(await stores.open(own_clock=False))
    before = await scene.store.now()
    created = await scene.create()
    assert before <= created.started_at <= await scene.store.now()
    assert created.started_at > 1_700_000_000_000


async def test_a_claim_may_serve_some_state_machines_only(stores: Stores) -> None:
    store = await stores.open()
    first = Scene(store, machine="ours")
    same_shard = [name for name in (f"N{i}" for i in range(600)) if store.shard_of(name) == first.shard][:8]
    for name in same_shard[:6]:
        await Scene(store, name, machine="theirs").create(owner="")
        stores.clock.ms += 1
    for name in same_shard[6:]:
        await Scene(store, name, machine="ours").create(owner="")
    answer = await store.claim(first.shard, "w", LEASE, 1, ("ours",))
    assert [claimed.execution for claimed in answer.frames] == same_shard[6:7]
    assert answer.next_due is not None
    assert answer.next_due <= stores.clock.ms  # there is more
    answer = await store.claim(first.shard, "w", LEASE, 9, ("ours", "others"))
    assert [claimed.execution for claimed in answer.frames] == same_shard[7:]
    answer = await store.claim(first.shard, "w", LEASE, 9, ("ours",))
    assert answer.frames == ()
    assert answer.next_due == stores.clock.ms + LEASE  # nothing of ours until a lease lapses: no busy polling
    everything = await store.claim(first.shard, "v", LEASE, 9)
    assert [claimed.execution for claimed in everything.frames] == same_shard[:6]


async def test_a_backlog_of_others_does_not_hide_what_is_ours(stores: Stores) -> None:
    """However many frames wait for workers of another state machine, ours is found at the first look."""
    store = await stores.open()
    ours = Scene(store, "OURS", machine="ours")
    theirs = Scene(store, next(n for n in map(str, range(999)) if store.shard_of(n) == ours.shard), machine="theirs")
    await theirs.create()
    await theirs.commit(commands=(fork(1, 500),), epoch=1)
    (first, *_) = await theirs.claim(limit=1)
    await theirs.commit(first.frame.id, commands=(fork(1, 500),), epoch=1)
    stores.clock.ms += 1
    await ours.create(owner="")
    (claimed,) = (await store.claim(ours.shard, "w", LEASE, 1, ("ours",))).frames
    assert claimed.execution == "OURS"
    assert len(await theirs.claim(limit=2000)) == 999


async def test_of_several_state_machines_the_longest_waiting_frame_goes_first(stores: Stores) -> None:
    store = await stores.open()
    shard = store.shard_of("E1")
    names = [name for name in (f"N{i}" for i in range(600)) if store.shard_of(name) == shard][:6]
    for place, name in enumerate(names):
        await Scene(store, name, machine="ab"[place % 2]).create(owner="")
        stores.clock.ms += 1
    answers = [await store.claim(shard, "w", LEASE, limit) for limit in (3, 9)]
    assert [claimed.execution for answer in answers for claimed in answer.frames] == names


async def test_what_cannot_be_read_is_marked_and_harms_nobody_else(stores: Stores) -> None:
    """F17 of the failure model: one bad record must not fail the claim of a whole shard."""
    store = await stores.open()
    scene = Scene(store)
    names = [name for name in (f"N{i}" for i in range(400)) if store.shard_of(name) == scene.shard][:3]
    for name in names:
        await Scene(store, name).create(owner="")
        stores.clock.ms += 1
    await store._connection.call("HSET", store._key(names[0], "f", ""), "body", b"\xc1junk")
    await store._connection.call("RPUSH", store._key(names[1], "b", ""), "Sjunk")
    claimed = {claimed.execution: claimed for claimed in await scene.claim()}
    assert list(claimed) == names
    assert [claimed[name].flaw is None for name in names] == [False, False, True]
    assert claimed[names[0]].frame.id == ""
    root = await store.claim_frame(names[0], "", "v", LEASE)
    assert root is not None
    assert root.flaw is not None


async def test_timers_of_others_ring_for_them(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store, machine="theirs")
    await scene.create()
    await scene.commit(phase=Phase.WAIT, epoch=1, commands=(StartTimer(TimerKind.WAIT, delay=10),))
    await store.watch_bell()
    stores.clock.ms += 10
    assert (await store.claim(scene.shard, "w", LEASE, 9, ("ours",))).frames == ()
    await store.watch_bell()
    assert len((await store.claim(scene.shard, "v", LEASE, 9, ("theirs",))).frames) == 1
