"""create and commit: what they write, and every answer they can give."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from statewright.model import Phase, StartTimer, TimerKind
from statewright.store.records import Created
from tests.store.conftest import Stores
from tests.store.scene import END, LEASE, Scene, administer, event, events, fork, payload


async def test_creation_is_idempotent_by_name_and_input(stores: Stores) -> None:
    store = await stores.open()
    scene, now = Scene(store), stores.clock.ms
    history = events("ExecutionStarted", "PassStateEntered")
    assert await scene.create(owner="", history=history) == Created("OK", now, now, 2)
    stores.clock.ms += 5
    assert await scene.create(owner="", history=history) == Created("DUP", now, now + 5)
    assert await scene.create(owner="", digest="other") == Created("EXISTS", now, now + 5)
    await scene.claim()
    assert (await scene.commit(commands=(END,))).outcome == "OK"
    assert (await scene.create()).outcome == "EXISTS"


@pytest.mark.parametrize(("late", "outcome"), [(60_000, "OK"), (60_001, "CLOCK"), (-1000, "OK"), (-1001, "CLOCK")])
async def test_a_creation_may_arrive_late_but_not_from_the_future(stores: Stores, late: int, outcome: str) -> None:
    scene = Scene(await stores.open())
    execution = msgspec.structs.replace(scene.execution, started_at=stores.clock.ms - late)
    step = scene.step(history=events("ExecutionStarted"))
    created = await scene.store.create(execution, step, digest="d", owner="w", lease_ms=LEASE)
    assert (created.outcome, created.now) == (outcome, stores.clock.ms)


async def test_items_cannot_be_part_of_the_creation(stores: Stores) -> None:
    scene = Scene(await stores.open())
    with pytest.raises(ValueError, match="items"):
        await scene.create(commands=(fork(items=("1", "2")),))


async def test_a_frame_is_born_ready_or_leased(stores: Stores) -> None:
    store = await stores.open()
    ready, leased = Scene(store, "READY"), Scene(store, "LEASED")
    await ready.create(owner="")
    await leased.create(owner="w")
    assert [claimed.execution for claimed in await ready.claim()] == ["READY"]
    assert await leased.claim() == []
    assert (await leased.commit()).outcome == "OK"


async def test_a_commit_writes_the_frame_and_its_history(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(history=(event("ExecutionStarted", previous=0), event("PassStateEntered", previous=0)))
    variables = {"big": 12345678901234567890123, "text": "ü"}
    done = await scene.commit(
        history=(event("PassStateExited"), event("PassStateEntered", details={"input": payload("[]"), "n": 1})),
        entered=2,
        state="B",
        input=payload("[9007199254740993,[],{}]"),
        variables=variables,
        keep_ms=0,
        requeue=True,
    )
    assert (done.outcome, done.base, done.now) == ("OK", 2, stores.clock.ms)
    (claimed,) = await scene.claim("v")
    assert (claimed.revision, claimed.previous, claimed.base, claimed.deliveries) == (2, 4, 4, 1)
    assert (claimed.frame.state, claimed.frame.entered_id) == ("B", 4)
    assert claimed.frame.input.text == "[9007199254740993,[],{}]"
    assert claimed.frame.variables == variables
    page = await scene.store.history("E1", 0, 10)
    at = stores.clock.ms
    assert page.events == (
        (1, 0, at, "ExecutionStarted", None),
        (2, 0, at, "PassStateEntered", None),
        (3, 2, at, "PassStateExited", None),
        (4, 3, at, "PassStateEntered", {"input": "[]", "n": 1}),
    )


async def test_side_events_are_not_followed(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(history=(event("A"), event("B", side=True), event("C", side=True, previous=1), event("D")))
    await scene.commit(history=(event("E", side=True), event("F", previous=2)))
    await scene.commit(history=(event("G"),))
    links = [(id_, previous) for id_, previous, _ in await scene.links()]
    assert links == [(1, 0), (2, 1), (3, 2), (4, 1), (5, 2), (6, 5), (7, 2), (8, 7)]


TEXTS = [
    "[]",
    "{}",
    "9007199254740993",
    "1" + "0" * 400,
    "1e308",
    '"\\u0000\\ud83d\\ude00"',
    "[[],{}]",
    '"a,b:c\\n"',
    "-0.0",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_payloads_are_opaque(stores: Stores, text: str) -> None:
    """No script parses what users wrote: texts come back letter by letter, wherever they were put."""
    scene = Scene(await stores.open())
    await scene.create(input=payload(text), history=(event(details={"input": payload(text)}),))
    (claimed,) = [await scene.store.claim_frame("E1", "", "w", LEASE)]
    assert claimed is not None
    assert claimed.frame.input.text == text
    await scene.commit(commands=(fork(items=(text, text), keys=("k", text), input=payload(text)),))
    children = await scene.claim()
    assert [child.frame.input.text for child in children] == [text, text]
    assert children[1].frame.item is not None
    assert children[1].frame.item.key == text
    fork_ = await scene.store.fork("E1", "", 1)
    assert fork_ is not None
    assert fork_.input is not None
    assert fork_.input.text == text


async def test_a_repeated_commit_is_answered_and_not_applied(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    order = scene.order(history=events("A"), keep_ms=LEASE)
    assert (await scene.store.commit(order)).outcome == "OK"
    again = await scene.store.commit(order)
    assert (again.outcome, again.base) == ("DUP", 1)
    assert len(await scene.links()) == 2


async def test_a_window_of_commits_may_be_repeated(stores: Stores) -> None:
    """All replies to a pipelined sequence were lost: each repetition is recognised, not only the last one."""
    scene = Scene(await stores.open())
    await scene.create()
    orders = [scene.order(revision=revision, history=events("A"), keep_ms=LEASE) for revision in (1, 2, 3)]
    for expected in (["OK"] * 3, ["DUP"] * 3):
        answers = await asyncio.gather(*[scene.store.commit(order) for order in orders])
        assert [answer.outcome for answer in answers] == expected
    last = scene.order(revision=4, commands=(END,))
    assert (await scene.store.commit(last)).outcome == "OK"
    assert [(await scene.store.commit(order)).outcome for order in (*orders, last)] == ["DUP"] * 4
    assert len(await scene.links()) == 4


async def test_a_repetition_from_before_another_owners_commit_is_stale(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    lost = scene.order(history=events("A"))
    await scene.store.claim_frame("E1", "", "v", LEASE)
    assert (await scene.commit(owner="v", history=events("B"))).outcome == "OK"
    assert (await scene.commit(owner="v", history=events("C"))).outcome == "OK"
    await scene.store.claim_frame("E1", "", "w", LEASE)
    assert (await scene.store.commit(lost)).outcome == "STALE"
    assert [kind for _, _, kind in await scene.links()] == ["ExecutionStarted", "B", "C"]


@pytest.mark.parametrize(
    "difference",
    [{"revision": 0}, {"revision": 2}, {"owner": "v"}, {"frame_id": "/1.0"}, {"owner": ""}],
    ids=str,
)
async def test_a_commit_is_fenced(stores: Stores, difference: dict[str, Any]) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    assert (await scene.commit(history=events("A"), **difference)).outcome == "STALE"
    assert len(await scene.links()) == 1
    assert (await scene.commit()).outcome == "OK"


async def test_a_commit_to_an_unknown_execution_is_stale(stores: Stores) -> None:
    scene = Scene(await stores.open())
    assert (await scene.commit(revision=1)).outcome == "STALE"
    assert await scene.keys() == set()


async def test_the_claimer_fences_the_former_owner(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    assert await scene.store.claim_frame("E1", "", "v", LEASE) is not None
    assert (await scene.commit(owner="w")).outcome == "STALE"
    assert (await scene.commit(owner="v")).outcome == "OK"


async def test_a_pinned_commit_needs_its_base(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    refused = await scene.commit(pinned=True, base=7, history=events("A"))
    assert (refused.outcome, refused.base) == ("BASE", 1)
    assert len(await scene.links()) == 1
    assert (await scene.commit(pinned=True, base=1, history=events("A"))).outcome == "OK"


async def test_pipelined_commits_keep_their_order(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(200)]
    answers = await asyncio.gather(*[scene.store.commit(order) for order in orders])
    assert {answer.outcome for answer in answers} == {"OK"}
    assert [kind for _, _, kind in await scene.links()] == ["ExecutionStarted", *[f"e{i}" for i in range(200)]]


async def test_forgotten_scripts_are_loaded_again_in_order(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(60)]
    sent = [asyncio.ensure_future(scene.store.commit(order)) for order in orders[:20]]
    await asyncio.sleep(0)
    flush = asyncio.ensure_future(administer(scene.store, "FUNCTION", "FLUSH"))
    sent += [asyncio.ensure_future(scene.store.commit(order)) for order in orders[20:40]]
    await asyncio.sleep(0)
    await flush
    sent += [asyncio.ensure_future(scene.store.commit(order)) for order in orders[40:]]
    assert {(await answer).outcome for answer in sent} == {"OK"}
    assert [kind for _, _, kind in await scene.links()][1:] == [f"e{i}" for i in range(60)]


async def test_the_end_leaves_header_history_and_indexes(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(commands=(StartTimer(TimerKind.EXECUTION, delay=60_000),))
    await scene.commit(commands=(fork(1, 3),), epoch=1)
    for child in await scene.claim():
        wait = (StartTimer(TimerKind.WAIT, delay=5),)
        await scene.commit(child.frame.id, phase=Phase.WAIT, epoch=1, commands=wait)
    await scene.commit("/1.1", commands=(fork(2, items=("1", "2"), window=1),), history=events("A"))
    stores.clock.ms += 7
    done = await scene.commit(commands=(END,), drop=("/1.0",), closed=(), history=events("ExecutionSucceeded"))
    assert done.outcome == "OK"
    assert await scene.keys() == {"x:E1", "h:E1", "done", "e::SUCCEEDED", "e:m:SUCCEEDED"}
    description = await scene.store.describe("E1")
    assert description is not None
    assert (description.status, description.output, description.error) == ("SUCCEEDED", '"done"', None)
    assert description.stopped_at == description.execution.started_at + 7
    assert (description.length, description.execution.input.text) == (3, '{"in":1}')
    assert (await scene.commit(revision=9)).outcome == "STALE"


async def test_a_commit_behind_a_refused_one_is_refused_though_its_revision_fits(stores: Stores) -> None:
    """The frame was claimed again while a commit of the same owner was on its way."""
    scene = Scene(await stores.open())
    await scene.create()
    assert (await scene.commit(keep_ms=LEASE, commit_id="sent before")).outcome == "OK"
    behind = msgspec.structs.replace(scene.order(keep_ms=LEASE), follows="refused")
    assert (await scene.store.commit(behind)).outcome == "STALE"
    assert (await scene.store.commit(msgspec.structs.replace(behind, follows="sent before"))).outcome == "OK"
