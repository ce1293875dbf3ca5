"""Children: forks, windows, tolerance, the one joined signal, and the fence of a closed join."""

from __future__ import annotations

import asyncio

import pytest

from statewright.model import Fork, Phase, StartTimer, TimerKind
from statewright.store.records import Claimed, Signal
from tests.store.conftest import Stores
from tests.store.scene import END, LEASE, Scene, event, events, failure, finish, fork, payload

JOINED = (Signal("joined", 1),)
RUNNING = {"x:E1", "h:E1", "f:E1:", "e::RUNNING", "e:m:RUNNING"}


async def forked(stores: Stores, fork_: Fork) -> Scene:
    """An execution whose root has just forked."""
    scene = Scene(await stores.open())
    await scene.create()
    answer = await scene.commit(commands=(fork_,), history=events("Started"))
    assert answer.outcome == "OK"
    return scene


def ids(claims: list[Claimed]) -> list[str]:
    return [claimed.frame.id for claimed in claims]


async def test_parallel_branches_are_made_from_the_fork(stores: Stores) -> None:
    scene = await forked(stores, fork(1, 2, variables={"v": 10**30}))
    left, right = await scene.claim()
    assert ids([left, right]) == ["/1.0", "/1.1"]
    assert (right.frame.machine, right.frame.position, right.frame.state) == ("/P/1", "/1.1", "")
    assert (right.frame.phase, right.frame.item, right.frame.input.text) == (Phase.ENTER, None, '"for all"')
    assert right.frame.variables == {"v": 10**30}
    assert (right.revision, right.previous, right.deliveries) == (0, 2, 1)
    assert right.frame.fork is not None
    assert right.frame.fork.length == 2


async def test_map_iterations_get_their_items(stores: Stores) -> None:
    scene = await forked(stores, fork(items=('{"a":[]}', "7"), keys=("x", "y")))
    first, second = await scene.claim()
    assert (first.frame.machine, first.frame.input.text) == ("/M", '{"a":[]}')
    assert second.frame.item is not None
    assert (second.frame.item.index, second.frame.item.value.text, second.frame.item.key) == (1, "7", "y")
    assert await scene.commit(first.frame.id, keep_ms=0, requeue=True)
    (again,) = await scene.claim()
    assert again.frame.item is not None  # kept beside the body, not in it
    assert again.frame.item.value.text == '{"a":[]}'


async def test_a_waiting_parent_has_its_fork(stores: Stores) -> None:
    scene = await forked(stores, fork(1, 1))
    await scene.claim()
    await scene.commit("/1.0", commands=(finish(),))
    (parent,) = await scene.claim()
    assert parent.frame.phase is Phase.JOIN
    assert parent.frame.fork is not None
    assert parent.frame.fork.machines == ("/P/0",)


async def test_the_last_child_rings_once(stores: Stores) -> None:
    scene = await forked(stores, fork(1, 3))
    await scene.claim()
    for index in (2, 0, 1):
        assert (await scene.claim()) == []
        order = scene.order(f"/1.{index}", commands=(finish(f'"{index}"'),), history=events(f"e{index}"))
        assert (await scene.store.commit(order)).outcome == "OK"
        assert (await scene.store.commit(order)).outcome == "STALE"  # the frame is gone: drop it, all the same
    (parent,) = await scene.claim()
    assert (parent.frame.id, parent.inbox, parent.previous) == ("", JOINED, 5)
    results, record = await scene.store.results("E1", "", 1)
    assert results == ('"0"', '"1"', '"2"')
    assert (record["open"], record["length"], record["error"], record["exceeded"]) == (False, 3, None, False)
    await scene.commit(consumed=1, closed=(1,), keep_ms=LEASE)
    assert await scene.keys() == RUNNING | {"l"}


async def test_events_of_children_follow_as_recorded(stores: Stores) -> None:
    """Recorded (map_state, sequential): an iteration follows the last state of the one before, the Map's end follows
    the last MapIterationSucceeded."""
    scene = await forked(stores, fork(items=("1", "2"), window=1))
    for index in (0, 1):
        assert ids(await scene.claim()) == [f"/1.{index}"]
        ending = event("MapIterationSucceeded", side=True)
        history = (*events("MapIterationStarted", "PassStateEntered", "PassStateExited"), ending)
        await scene.commit(f"/1.{index}", commands=(finish(),), history=history)
    await scene.claim()
    await scene.commit(
        consumed=1, closed=(1,), history=(event("MapStateSucceeded", side=True), event("MapStateExited"))
    )
    links = [(id_, previous) for id_, previous, _ in await scene.links()]
    assert links == [
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 3),
        (5, 4),
        (6, 5),
        (7, 5),
        (8, 7),
        (9, 8),
        (10, 9),
        (11, 10),
        (12, 10),
    ]


async def test_a_failed_map_follows_what_failed(stores: Stores) -> None:
    """Recorded (map_state_break_condition): MapStateFailed follows what MapIterationFailed follows."""
    scene = await forked(stores, fork(items=("1",)))
    await scene.claim()
    history = (*events("MapIterationStarted", "FailStateEntered"), event("MapIterationFailed", side=True))
    await scene.commit("/1.0", commands=(failure(),), history=history)
    (parent,) = await scene.claim()
    assert parent.previous == 4


async def test_branches_started_together_follow_the_same_event(stores: Stores) -> None:
    scene = await forked(stores, fork(1, 3))
    assert [claimed.previous for claimed in await scene.claim()] == [2, 2, 2]


@pytest.mark.parametrize("window", [1, 2, 5])
async def test_a_window_of_children_runs_at_once(stores: Stores, window: int) -> None:
    scene = await forked(stores, fork(items=tuple(map(str, range(5))), window=window))
    running, done = ids(await scene.claim()), []
    assert len(running) == window
    while running:
        child = running.pop(0)
        assert (await scene.commit(child, commands=(finish(f'"{child}"'),))).outcome == "OK"
        done.append(child)
        running += [name for name in ids(await scene.claim()) if name]
        assert len(running) == min(window, 5 - len(done))
    assert done == [f"/1.{index}" for index in range(5)]
    results, _ = await scene.store.results("E1", "", 1)
    assert results == tuple(f'"/1.{index}"' for index in range(5))


async def test_the_first_failure_closes_the_join_and_fences_the_rest(stores: Stores) -> None:
    scene = await forked(stores, fork(1, 3))
    await scene.claim()
    await scene.commit("/1.2", commands=(fork(2, 2),), epoch=2)
    await scene.claim()
    await scene.store.signal("E1", "/1.0", Signal("nudge"))
    await scene.commit("/1.1", commands=(failure("Boom", None),), history=events("e"))
    assert await scene.store.claim_frame("E1", "/1.2/2.1", "w", LEASE) is None
    assert (await scene.commit("/1.0", history=events("late"))).outcome == "STALE"
    assert (await scene.commit("/1.0", commands=(finish(),))).outcome == "STALE"
    assert (await scene.commit("/1.2/2.0", history=events("late"))).outcome == "STALE"
    (parent,) = await scene.claim()
    assert (parent.frame.id, parent.inbox) == ("", JOINED)
    _, record = await scene.store.results("E1", "", 1)
    assert (record["error"], record["cause"], record["index"], record["exceeded"]) == ("Boom", None, 1, False)
    still_open = [frame.id for frame, _ in await scene.store.open_frames("E1", "")]
    assert still_open == ["/1.0", "/1.2", "/1.2/2.0", "/1.2/2.1"]
    await scene.commit(consumed=1, closed=(1,), keep_ms=LEASE)
    assert await scene.keys() == RUNNING | {"l"}


async def test_open_frames_show_where_each_child_is(stores: Stores) -> None:
    scene = await forked(stores, fork(items=("1", "2", "3")))
    await scene.claim()
    await scene.commit("/1.1", state="Ship", phase=Phase.WAIT, epoch=1, history=(*events("a", "b"), event(side=True)),
                       commands=(StartTimer(TimerKind.WAIT, delay=5),), entered=2)  # fmt: skip
    await scene.commit("/1.0", commands=(finish(),))
    (waiting, last), (fresh, origin) = await scene.store.open_frames("E1", "")
    assert (waiting.id, waiting.state, waiting.phase, waiting.entered_id, last) == ("/1.1", "Ship", Phase.WAIT, 4, 4)
    assert (fresh.id, fresh.state, origin) == ("/1.2", "", 2)
    assert fresh.item is not None
    assert fresh.item.value.text == "3"


@pytest.mark.parametrize("tolerance", [1, 2])
async def test_failures_are_tolerated_up_to_a_number(stores: Stores, tolerance: int) -> None:
    scene = await forked(stores, fork(items=("1", "2", "3"), tolerance=tolerance))
    await scene.claim()
    await scene.commit("/1.0", commands=(failure("A", "a"),))
    assert await scene.claim() == []
    await scene.commit("/1.1", commands=(failure("B", "b"),))
    if tolerance == 2:
        assert await scene.claim() == []
        await scene.commit("/1.2", commands=(finish("[]"),))
    (parent,) = await scene.claim()
    assert parent.inbox == JOINED
    results, record = await scene.store.results("E1", "", 1)
    assert results[0] == '{"Error":"A","Cause":"a"}'
    assert (record["exceeded"], record["error"]) == ((True, "B") if tolerance == 1 else (False, None))
    assert results[2] == (None if tolerance == 1 else "[]")


async def test_an_empty_fork_joins_at_once(stores: Stores) -> None:
    scene = await forked(stores, fork(items=()))
    (parent,) = await scene.claim()
    assert parent.inbox == JOINED
    assert (await scene.store.results("E1", "", 1))[0] == ()


async def test_a_big_map_is_written_in_portions(stores: Stores) -> None:
    items = tuple(f'{{"n":{index}}}' for index in range(1203))
    scene = await forked(stores, fork(items=items, window=700))
    first = await scene.claim(limit=5000)
    assert len(first) == 500  # of a window of 700: a commit makes at most 500 children
    await scene.commit("/1.0", commands=(finish(),))
    more = await scene.claim(limit=5000)
    assert len(more) == 201  # the window fills up with the next commit
    assert {claimed.frame.input.text for claimed in [*first, *more]} == set(items[:701])


async def test_items_of_a_refused_fork_leave_nothing_behind(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    late = fork(items=("1", "2"))
    assert (await scene.commit(owner="v", commands=(late,))).outcome == "STALE"
    assert await scene.keys() == RUNNING | {"l"}
    pinned = await scene.commit(pinned=True, base=9, commands=(late,))  # items go ahead of it
    assert pinned.outcome == "BASE"
    await scene.commit(commands=(END,))
    assert await scene.keys() == {"x:E1", "h:E1", "done", "e::SUCCEEDED", "e:m:SUCCEEDED"}


async def test_dropped_frames_take_everything_with_them(stores: Stores) -> None:
    scene = await forked(stores, fork(1, 2))
    await scene.claim()
    await scene.commit("/1.0", commands=(fork(1, items=("1", "2")),), epoch=1)
    await scene.commit("/1.1", phase=Phase.WAIT, epoch=1, commands=(StartTimer(TimerKind.WAIT, delay=9),))
    await scene.store.signal("E1", "/1.1", Signal("nudge"))
    await scene.store.claim_frame("E1", "", "w", LEASE)
    await scene.commit(drop=("/1.1", "/1.0", "/1.0/1.1", "/1.0/1.0"), keep_ms=LEASE)
    assert await scene.keys() == RUNNING | {"l", "j:E1::1"}
    await scene.commit(closed=(1,), keep_ms=LEASE)
    assert await scene.keys() == RUNNING | {"l"}


async def test_children_finishing_together_join_exactly_once(stores: Stores) -> None:
    scene = await forked(stores, fork(1, 40))
    other = await stores.open()
    await scene.claim(limit=1000)
    orders = [scene.order(f"/1.{index}", commands=(finish(),), history=events("x")) for index in range(40)]
    calls = [(scene.store, other)[index % 2].commit(order) for index, order in enumerate(orders)]
    assert {answer.outcome for answer in await asyncio.gather(*calls)} == {"OK"}
    (parent,) = await scene.claim()
    assert parent.inbox == JOINED
    assert [id_ for id_, _, _ in await scene.links()] == list(range(1, 43))


async def test_a_failed_result_keeps_its_text(stores: Stores) -> None:
    scene = await forked(stores, fork(items=("1", "2"), tolerance=5))
    await scene.claim()
    await scene.commit("/1.0", commands=(failure('E"', "ü\n"),), input=payload("[]"))
    assert (await scene.store.results("E1", "", 1))[0] == ('{"Error":"E\\"","Cause":"ü\\n"}', None)
