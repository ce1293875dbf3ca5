"""Commit and claim next: what a step makes ready is handed to its owner with the answer, as far as there is room."""

from __future__ import annotations

import pytest

from statewright.model import Phase
from statewright.store.records import Committed, Signal
from tests.store.conftest import Stores
from tests.store.scene import LEASE, Scene, events, finish, fork

ROOM = {"room": 8, "lease_ms": LEASE}


def ids(answer: Committed) -> list[str]:
    return [claimed.frame.id for claimed in answer.claimed]


async def forked(stores: Stores, room: int, **options: object) -> tuple[Scene, Committed]:
    scene = Scene(await stores.open())
    await scene.create()
    answer = await scene.commit(commands=(fork(**options),), room=room, lease_ms=LEASE)  # type: ignore[arg-type]
    for claimed in answer.claimed:
        scene.revisions[claimed.frame.id] = claimed.revision
    return scene, answer


async def test_a_fork_hands_over_children_as_a_claim_would(stores: Stores) -> None:
    scene, answer = await forked(stores, 8, items=('{"a":[]}', "7"), keys=("x", "y"))
    assert (ids(answer), answer.more) == (["/1.0", "/1.1"], False)
    second = answer.claimed[1]
    assert (second.revision, second.deliveries, second.inbox, second.previous) == (0, 1, (), 1)
    assert second.frame.item is not None
    assert (second.frame.item.index, second.frame.item.key, second.frame.input.text) == (1, "y", "7")
    assert second.frame.fork is not None
    assert await scene.claim("v") == [], "they are leased"
    assert (await scene.commit("/1.1", keep_ms=LEASE)).outcome == "OK"
    assert (await scene.commit("/1.0", owner="v")).outcome == "STALE"


async def test_without_room_all_wait(stores: Stores) -> None:
    scene, answer = await forked(stores, 0, length=2)
    assert (ids(answer), answer.more) == ([], True)
    assert [claimed.frame.id for claimed in await scene.claim("v")] == ["/1.0", "/1.1"]


async def test_the_rest_waits_for_any_worker(stores: Stores) -> None:
    scene, answer = await forked(stores, 1, length=3)
    assert (ids(answer), answer.more) == (["/1.0"], True)
    assert [claimed.frame.id for claimed in await scene.claim("v")] == ["/1.1", "/1.2"]


async def test_a_child_that_ends_hands_over_the_next_and_the_last_one_its_parent(stores: Stores) -> None:
    scene, answer = await forked(stores, 8, items=("1", "2"), window=1)
    assert ids(answer) == ["/1.0"]
    answer = await scene.commit("/1.0", commands=(finish(),), history=events("A"), **ROOM)
    assert (ids(answer), answer.more) == (["/1.1"], False)
    (child,) = answer.claimed
    scene.revisions["/1.1"] = child.revision
    answer = await scene.commit("/1.1", commands=(finish(),), history=events("B"), **ROOM)
    (parent,) = answer.claimed
    assert (parent.frame.id, parent.frame.phase, parent.inbox) == ("", Phase.JOIN, (Signal("joined", 1),))
    assert await scene.claim("v") == []
    scene.revisions[""] = parent.revision
    assert (await scene.commit(consumed=1, closed=(1,), keep_ms=LEASE)).outcome == "OK"


async def test_a_fork_without_children_wakes_itself(stores: Stores) -> None:
    scene, answer = await forked(stores, 8, length=0)
    assert (ids(answer), answer.inbox) == ([], 1)
    assert [claimed.frame.id for claimed in await scene.claim()] == [""]


async def test_what_was_handed_over_lapses_like_any_lease(stores: Stores) -> None:
    scene, _ = await forked(stores, 8, length=1)
    stores.clock.ms += LEASE
    (claimed,) = await scene.claim("v")
    assert (claimed.frame.id, claimed.deliveries) == ("/1.0", 2)


@pytest.mark.parametrize(("room", "lease"), [(1, "x"), (1, "nan")])
async def test_nothing_is_written_where_an_argument_is_wrong(stores: Stores, room: int, lease: object) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    with pytest.raises(Exception, match="not a number"):
        await scene.commit(commands=(fork(1, 1),), room=room, lease_ms=lease)
    assert (await scene.commit(commands=(fork(1, 1),))).outcome == "OK"
