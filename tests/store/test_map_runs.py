"""Map runs: children begun exactly once, counts that change with them, and what is left when they are over."""

from __future__ import annotations

from typing import Any

import pytest

from statewright.model import EndExecution, Phase
from tests.store.conftest import Stores
from tests.store.runs import PLACE, Run
from tests.store.scene import END, LEASE, events


# -- children ---------------------------------------------------------------------------------------------------------
async def test_a_child_is_begun_once(stores: Stores) -> None:
    run = await Run.begin(stores)
    assert [await run.start(0, 3), await run.start(0, 3)] == ["OK", "DUP"]
    counts = await run.counts()
    assert (counts.running, counts.working, counts.next, counts.read) == (1, 3, 0, 0)
    assert await run.advance((0, 1), 3) == (1, 4)
    assert await run.start(0, 3) == "DUP"
    counts = await run.counts()
    assert (counts.running, counts.working, counts.next, counts.read) == (1, 3, 1, 3)


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
async def test_a_child_that_ended_is_not_begun_again(stores: Stores, kind: str, told: bool) -> None:
    run = await Run.begin(stores, type=kind)
    await run.start(0)
    if told:
        await run.advance((0, 1))
    assert await run.end(0) == "OK"
    assert await run.start(0) == "DUP"
    counts = await run.counts()
    assert (counts.running, counts.executions["SUCCEEDED"]) == (0, 1)


async def test_no_child_is_begun_once_the_run_is_over(stores: Stores) -> None:
    run = await Run.begin(stores, type="EXPRESS")
    await run.feed(1)
    await run.end(0)
    assert await run.start(1) == "CLOSED"
    await run.close()
    assert [await run.start(0), await run.start(1)] == ["CLOSED", "CLOSED"]
    assert (await run.counts()).running == 0


async def test_children_live_beside_their_parent_and_are_listed_by_their_run(stores: Stores) -> None:
    run = await Run.begin(stores)
    await run.feed(3)
    await run.end(1)
    found, _ = await run.store.executions("run-1", None, 0, 10)
    assert {(one.execution.name, one.status) for one in found} == {
        ("C0", "RUNNING"), ("C1", "SUCCEEDED"), ("C2", "RUNNING"),
    }  # fmt: skip
    everything, _ = await run.store.executions(None, None, 0, 10)
    assert [one.execution.name for one in everything] == ["E1"]
    assert await run.store.find_child("C1") == run.child(1).id
    assert await run.store.find_child("C9") is None
    assert await run.store.find_map_run("run-1") == PLACE
    assert await run.store.find_map_run("run-2") is None
    assert await run.store.map_runs("E1") == ("run-1",)
    page = await run.store.history(run.child(1).id, 0, 10)
    assert [event[0] for event in page.events] == [1, 2]


# -- advance ----------------------------------------------------------------------------------------------------------
async def test_advance_twice_is_advance_once(stores: Stores) -> None:
    run = await Run.begin(stores)
    for index in range(2):
        await run.start(index)
    assert [await run.advance((0, 2), 7, cursor="c") for _ in range(3)] == [(2, 4)] * 3
    counts = await run.counts()
    assert (counts.next, counts.read, counts.cursor, counts.done) == (2, 7, "c", False)


@pytest.mark.parametrize("begun", [(0, 3), (2, 2), (5, 6)])
async def test_advance_from_somewhere_else_is_stale(stores: Stores, begun: tuple[int, int]) -> None:
    run = await Run.begin(stores)
    await run.feed(1, done=False)
    before = await run.counts()
    assert await run.advance(begun, done=True) is None
    assert await run.counts() == before


async def test_advance_is_fenced_by_the_lease_of_the_frame(stores: Stores) -> None:
    run = await Run.begin(stores)
    await run.start(0)
    assert await run.store.claim_frame("E1", "", "thief", LEASE) is not None
    assert await run.advance((0, 1)) is None
    assert (await run.counts()).next == 0
    assert await run.advance((0, 1), owner="thief") == (1, 4)


async def test_advance_after_the_end_is_stale(stores: Stores) -> None:
    run = await Run.begin(stores)
    await run.feed(1)
    await run.end(0)
    assert await run.advance((1, 2)) is None


# -- when it is over --------------------------------------------------------------------------------------------------
async def test_joined_once_when_all_are_read_and_have_ended(stores: Stores) -> None:
    run = await Run.begin(stores)
    await run.feed(2, done=False)
    await run.end(0)
    await run.end(1)
    assert await run.inbox() == ["F1"]
    assert await run.advance((2, 2), done=True) is not None
    assert await run.inbox() == ["F1", "J1"]
    assert await run.advance((2, 2), done=True) is None
    assert await run.inbox() == ["F1", "J1"]


async def test_nothing_to_do_is_joined_at_once(stores: Stores) -> None:
    run = await Run.begin(stores)
    assert await run.advance((0, 0), done=True) == (0, 4)
    assert await run.inbox() == ["J1"]
    assert not (await run.counts()).exceeded


async def test_whoever_feeds_is_woken_when_half_of_the_room_is_free(stores: Stores) -> None:
    run = await Run.begin(stores, concurrency=4)
    await run.feed(4, done=False)
    await run.end(0)
    assert await run.inbox() == []
    await run.end(1)
    assert await run.inbox() == ["F1"]
    await run.end(2)
    await run.end(3)
    assert await run.inbox() == ["F1"], "once is enough"
    assert await run.advance((4, 4), idle=True) == (0, 4)
    assert await run.inbox() == ["F1", "F1"], "room by the time it goes to rest"


async def test_a_window_of_one_is_free_when_nothing_runs(stores: Stores) -> None:
    run = await Run.begin(stores, concurrency=1)
    await run.feed(1, done=False)
    assert await run.inbox() == []
    await run.end(0)
    assert await run.inbox() == ["F1"]


@pytest.mark.parametrize(
    ("limits", "failures", "exceeded"),
    [
        ({}, 1, True),
        ({"tolerated_count": 0}, 1, True),
        ({"tolerated_count": 1}, 1, False),
        ({"tolerated_count": 1}, 2, True),
        ({"tolerated_count": 9}, 4, False),
    ],
)
@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
async def test_tolerance_by_count(
    stores: Stores, limits: dict[str, Any], failures: int, exceeded: bool, status: str
) -> None:
    run = await Run.begin(stores, **limits)
    await run.feed(5, done=False, idle=False)
    for index in range(failures):
        assert not (await run.counts()).exceeded
        await run.end(index, status)
    assert (await run.counts()).exceeded is exceeded
    assert await run.inbox() == (["J1"] if exceeded else [])


@pytest.mark.parametrize(
    ("percentage", "count", "failures", "exceeded"),
    [
        (0, None, 1, True),
        (20, None, 1, False),
        (20, None, 2, True),
        (39.9, None, 2, True),
        (100, None, 5, False),
        (100, 1, 2, True),
        (20, 4, 2, True),
    ],
)
async def test_tolerance_by_percentage_is_judged_when_all_is_read(
    stores: Stores, percentage: float, count: int | None, failures: int, exceeded: bool
) -> None:
    run = await Run.begin(stores, concurrency=9, tolerated_percentage=percentage, tolerated_count=count)
    await run.feed(5, done=False, idle=False)
    for index in range(failures):
        await run.end(index, "FAILED")
    assert (await run.counts()).exceeded is (count is not None and failures > count)
    await run.advance((5, 5), done=True)
    assert (await run.counts()).exceeded is exceeded


async def test_failures_count_items(stores: Stores) -> None:
    run = await Run.begin(stores, tolerated_count=9)
    await run.start(0, 9)
    await run.start(1, 1)
    await run.advance((0, 2), 10)
    await run.end(0, "FAILED")
    counts = await run.counts()
    assert (counts.items["FAILED"], counts.executions["FAILED"], counts.working) == (9, 1, 1)
    assert not counts.exceeded
    await run.end(1, "FAILED")
    assert (await run.counts()).exceeded


async def test_other_limits(stores: Stores) -> None:
    run = await Run.begin(stores, concurrency=4, tolerated_count=5)
    await run.feed(4, done=False)
    assert await run.store.update_map_run(*PLACE, {"concurrency": 8})
    assert await run.inbox() == ["F1"], "there is room now"
    assert await run.advance((4, 4)) == (4, 8)
    await run.end(0, "FAILED")
    assert await run.store.update_map_run(*PLACE, {"tolerated_percentage": 2.5, "tolerated_count": 1})
    counts = await run.counts()
    assert (counts.concurrency, counts.tolerated_count, counts.tolerated_percentage) == (8, 1, 2.5)
    assert not counts.exceeded
    assert await run.store.update_map_run(*PLACE, {"tolerated_count": 0})
    assert (await run.counts()).exceeded
    assert not await run.store.update_map_run(*PLACE, {"tolerated_count": 7})
    assert not await run.store.update_map_run("E9", "", 1, {"concurrency": 1})
    assert (await run.counts()).tolerated_count == 0


# -- results ----------------------------------------------------------------------------------------------------------
async def test_results_in_order(stores: Stores) -> None:
    run = await Run.begin(stores, result_bytes=1000, concurrency=400, tolerated_count=1)
    await run.feed(3)
    await run.end(2)
    await run.end(1, "FAILED", error="Bad", cause="luck")
    await run.end(0)
    ends = [end async for end in run.store.child_results(*PLACE)]
    assert [(end.status, end.output, end.error, end.cause, end.kept) for end in ends] == [
        ("SUCCEEDED", "0", None, None, True),
        ("FAILED", None, "Bad", "luck", True),
        ("SUCCEEDED", "2", None, None, True),
    ]
    assert {end.execution for end in ends} == {None}


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
async def test_results_that_are_too_large_are_not_kept(stores: Stores, status: str) -> None:
    run = await Run.begin(stores, result_bytes=4000, tolerated_count=9)
    await run.feed(4)
    for index in range(4):
        await run.end(index, status, output=f'"{"x" * 1500}"', cause="x" * 1500)
    ends = [end async for end in run.store.child_results(*PLACE)]
    assert [end.kept for end in ends] == [True, True, False, False]
    assert [end.status for end in ends] == [status] * 4
    assert await run.inbox() == ["J1"]


async def test_results_for_files_are_kept_with_their_executions(stores: Stores) -> None:
    run = await Run.begin(stores, type="EXPRESS", result_bytes=None)
    await run.feed(2)
    large = f'"{"y" * 5000}"'
    await run.end(0, output=large)
    await run.end(1)
    first, second = [end async for end in run.store.child_results(*PLACE)]
    assert first.output == large, "kept apart in the child, which is gone"
    assert first.execution is not None
    assert (first.execution.name, first.execution.input.text, second.output) == ("C0", '{"index":0}', "1")


# -- what is left -----------------------------------------------------------------------------------------------------
async def test_express_children_leave_nothing_but_their_results(stores: Stores) -> None:
    run = await Run.begin(stores, type="EXPRESS", result_bytes=10_000)
    before = await run.scene.keys()
    await run.feed(3)
    assert len(await run.scene.keys()) > len(before)
    for index, status in enumerate(("SUCCEEDED", "FAILED", "ABORTED")):
        await run.end(index, status, output=f'"{"z" * 3000}"')
    after = await run.scene.keys()
    queue = {"q", "q:m", "b:E1:"}  # the joined signal
    assert after - before == {"r:E1::1"} | (queue - before)
    await run.scene.claim()
    await run.close("FAILED", consumed=1, keep_ms=LEASE)
    assert await run.scene.keys() == before


async def test_standard_children_stay_with_their_histories(stores: Stores) -> None:
    run = await Run.begin(stores)
    await run.feed(1)
    await run.end(0)
    await run.scene.claim()
    await run.close(consumed=1, keep_ms=LEASE)
    child = run.child(0).id
    left = {f"x:{child}", f"h:{child}", "e:run-1:SUCCEEDED"}
    parent = {"x:E1", "h:E1", "f:E1:", "e::RUNNING", "e:m:RUNNING", "l", "u:E1::1", "k:E1", "runs", "done"}
    assert await run.scene.keys() == left | parent


@pytest.mark.parametrize("running", [0, 2])
async def test_the_end_of_the_execution_aborts_its_run(stores: Stores, running: int) -> None:
    run = await Run.begin(stores)
    await run.feed(2, done=False, idle=False)
    for index in range(2 - running):
        await run.end(index)
    await run.scene.commit(phase=Phase.DONE, commands=(EndExecution("ABORTED"),), history=events("ExecutionAborted"))
    counts = await run.counts()
    assert (counts.status, counts.running, counts.stopped_at) == ("ABORTED", running, await run.store.now())
    assert await run.notices() == (["AE1::1"] if running else [])
    open_ = await run.store.open_children(*PLACE, 10)
    assert set(open_) == {run.child(index).id for index in range(2 - running, 2)}
    for index in range(2 - running, 2):
        assert await run.end(index, "ABORTED") == "OK"
    counts = await run.counts()
    assert (counts.running, counts.working, counts.executions["ABORTED"]) == (0, 0, running)
    assert await run.store.open_children(*PLACE, 10) == ()
    assert not [key for key in await run.scene.keys() if key.startswith(("r:", "o:", "b:", "q", "l", "f:", "t"))]


async def test_a_failed_run_stops_its_children(stores: Stores) -> None:
    run = await Run.begin(stores)
    await run.feed(3, done=False, idle=False)
    await run.end(0, "FAILED")
    assert await run.notices() == [], "not before the Map's frame has said how it ends"
    await run.scene.claim()
    await run.close("FAILED", consumed=1, keep_ms=LEASE)
    assert await run.notices() == ["AE1::1"]
    assert (await run.counts()).status == "FAILED"
    await run.store.settle(run.scene.shard, "AE1::1")
    assert await run.notices() == []
    assert [end async for end in run.store.child_results(*PLACE)] == []


async def test_a_run_in_a_branch_ends_with_the_branch(stores: Stores) -> None:
    """The frame is dropped by what its parent commits."""
    run = await Run.begin(stores)
    await run.feed(1, done=False, idle=False)
    await run.scene.commit(phase=Phase.DONE, commands=(END,), history=events("Done"))
    assert (await run.counts()).status == "ABORTED"
    assert await run.notices() == ["AE1::1"]
    assert await run.end(0) == "OK", "it went on until it was told"
    assert (await run.counts()).executions["SUCCEEDED"] == 1


async def test_a_run_that_was_closed_is_not_closed_again(stores: Stores) -> None:
    run = await Run.begin(stores)
    await run.feed(1)
    await run.end(0)
    await run.scene.claim()
    await run.close(consumed=1, keep_ms=LEASE)
    await run.scene.commit(phase=Phase.DONE, commands=(END,), history=events("Done"))
    assert (await run.counts()).status == "SUCCEEDED"
