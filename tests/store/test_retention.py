"""The archive of executions that ended, their deletion, and definitions that nothing refers to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from statewright.errors import StatewrightError
from statewright.model import EndExecution, Link, LinkKind, Phase
from statewright.store import RedisStore
from statewright.store.records import Commit, Ended, MachineRecord, Signal
from statewright.store.upkeep import archive
from tests.store.conftest import Stores
from tests.store.runs import PLACE, Run
from tests.store.scene import END, LEASE, Scene, event, events, payload

LARGE = payload('"' + 5000 * "ü" + '"')
DAY = 24 * 3600 * 1000


async def ended(scene: Scene, ending: EndExecution = END, length: int = 7, **options: Any) -> Commit:
    """Take an execution to its end; the commit that ended it."""
    assert (await scene.create(**options)).outcome == "OK"
    for place in range(length):
        assert (await scene.commit(history=(event("PassStateEntered", details={"n": place}),), keep_ms=LEASE)).base
    last = scene.order(phase=Phase.DONE, commands=(ending,), history=(event("Ended", details={"output": LARGE}),))
    assert (await scene.store.commit(last)).outcome == "OK"
    return last


async def answers(store: RedisStore, name: str, last: Commit) -> list[Any]:
    """What every verb says of an execution that ended."""
    described = await store.describe(name)
    assert described is not None
    constants = described.execution
    members = [getattr(constants, field) for field in type(constants).__struct_fields__]
    pages = [await store.history(name, *at) for at in ((0, 100), (2, 3), (8, 5), (9, 1), (50, 5), (0, 0))]
    pages += [await store.history(name, *at, reverse=True) for at in ((0, 100), (2, 3), (8, 5), (50, 5), (0, 0))]
    listed = [await store.executions(machine, status, 0, 10) for machine in (None, "m") for status in (None, "FAILED")]
    await asyncio.wait_for(store.watch_end(name), 5)
    started = Scene(store, name)
    return [
        members,
        replace(described, execution=None),  # type: ignore[arg-type]
        pages,
        [([replace(each, execution=None) for each in found], more) for found, more in listed],  # type: ignore[arg-type]
        await store.commit(last),
        await store.commit(changed(last, commit_id="other")),
        [(await started.create(digest=digest)).outcome for digest in ("d", "other")],
        await store.claim_frame(name, "", "thief", LEASE),
        await store.open_frames(name, ""),
        await store.task_state(name, "", 1),
        await store.signal(name, "", Signal("answer", 1, output="1")),
        await store.heartbeat(name, "", 1, None),
        await store.results(name, "", 1),
        await store.map_runs(name),
    ]


@pytest.mark.parametrize(
    "ending",
    [
        END,
        EndExecution("SUCCEEDED", output=LARGE),
        EndExecution("FAILED", error="Boom", cause="why"),
        EndExecution("FAILED"),
        EndExecution("TIMED_OUT", error="", at=5),
    ],
    ids=["small", "large", "failed", "nameless", "timed out"],
)
async def test_what_is_archived_answers_as_before(stores: Stores, ending: EndExecution) -> None:
    store, other = await stores.open(), await stores.open()
    scene = Scene(store)
    last = await ended(scene, ending, input=LARGE)
    before = await answers(other, "E1", last)
    assert await store.archive("E1")
    assert not {"h:E1", "p:E1"} & await scene.keys()
    assert await answers(other, "E1", last) == before
    assert not await store.archive("E1")
    assert await answers(await stores.open(), "E1", last) == before
    (found,) = await store.ended(scene.shard, 0, 10, archived=True)
    assert found == Ended("E1", ending.at or stores.clock.ms)
    assert await store.ended(scene.shard, 0, 10, archived=False) == ()


async def test_what_runs_or_is_not_there_is_not_archived(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    before = await scene.keys()
    assert [await scene.store.archive(name) for name in ("E1", "E2")] == [False, False]
    assert await scene.keys() == before
    await scene.store._scripts.call("ZADD", f"sw:{{{scene.shard}}}:done", 5, "E1")  # it was begun again since
    assert not await scene.store._scripts.run("archive", scene.store._key("E1"), ["E1", 5, 1, 0, "z"])
    assert await scene.store.ended(scene.shard, 0, 10, archived=False) == ()
    assert (await scene.commit(commands=(END,))).outcome == "OK"


@pytest.mark.parametrize("differs", [1, 2, 3], ids=["end", "events", "payloads"])
async def test_what_was_changed_since_it_was_read_is_not_archived(stores: Stores, differs: int) -> None:
    scene = Scene(await stores.open())
    await ended(scene)
    read: list[Any] = ["E1", stores.clock.ms, 9, 1, "archive"]
    read[differs] += 1
    assert not await scene.store._scripts.run("archive", scene.store._key("E1"), read)
    assert {"h:E1", "p:E1", "done"} <= await scene.keys()


async def test_two_may_archive_at_once(stores: Stores) -> None:
    store, other = await stores.open(), await stores.open()
    last = await ended(Scene(store))
    before = await answers(store, "E1", last)
    await asyncio.gather(*(each.archive("E1") for each in (store, other) * 3))
    assert await answers(store, "E1", last) == before


async def test_reading_while_it_is_archived(stores: Stores) -> None:
    store, other = await stores.open(), await stores.open()
    for number in range(20):
        name = f"E{number}"
        await ended(Scene(store, name))
        asked: list[Callable[[], Awaitable[Any]]] = [
            lambda name=name: other.describe(name),  # type: ignore[misc]
            lambda name=name: other.history(name, 0, 100),  # type: ignore[misc]
            lambda name=name: other.history(name, 0, 3, reverse=True),  # type: ignore[misc]
        ]
        before = [await each() for each in asked]
        archived, *after = await asyncio.gather(store.archive(name), *(each() for each in asked * 3))
        assert archived
        for place, answer in enumerate(after):
            expected = before[place % len(asked)]
            assert answer == expected or (answer.length, answer.status) == (expected.length, expected.status)


async def test_what_is_very_large_stays_as_it_is(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(await stores.open())
    last = await ended(scene)
    before = await answers(scene.store, "E1", last)
    monkeypatch.setattr("statewright.store.upkeep.retention.LARGEST", 3000)
    assert await scene.store.archive("E1")
    assert {"h:E1", "p:E1"} <= await scene.keys()
    assert await answers(scene.store, "E1", last) == before
    assert [len(await scene.store.ended(scene.shard, 0, 9, archived=kind)) for kind in (True, False)] == [1, 0]
    assert await scene.store.delete("E1", stores.clock.ms) == (1, False)
    assert await scene.keys() == set()
    assert archive.LARGEST > 1_000_000


async def test_a_long_history_is_archived_page_by_page(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(history=events(*["PassStateEntered"] * 1700))
    await scene.commit(commands=(END,), history=events("Ended"))
    assert await scene.store.archive("E1")
    page = await scene.store.history("E1", 1698, 10)
    assert ([at for at, *_ in page.events], page.length) == ([1699, 1700, 1701], 1701)


# -- deletion ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("archived", [True, False])
async def test_a_name_can_be_used_again(stores: Stores, archived: bool) -> None:
    scene = Scene(await stores.open())
    await ended(scene)
    if archived:
        await scene.store.archive("E1")
    assert await scene.store.delete("E1", stores.clock.ms - 1) == (0, False), "it has to stay that long"
    assert await scene.store.describe("E1") is not None
    assert await scene.store.delete("E1", stores.clock.ms) == (1, False)
    assert await scene.keys() == set()
    assert await scene.store.describe("E1") is None
    assert (await scene.store.history("E1", 0, 10)).length == 0
    assert await scene.store.delete("E1", stores.clock.ms) == (0, False)
    again = Scene(scene.store)
    await ended(again, length=1)
    page = await scene.store.history("E1", 0, 10)
    assert page.length == 3


async def test_what_runs_is_not_deleted(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    assert await scene.store.delete("E1", stores.clock.ms + 99) == (0, False)
    assert (await scene.commit(commands=(END,))).outcome == "OK"


async def test_one_whose_end_has_to_be_told_stays(stores: Stores) -> None:
    scene = Scene(await stores.open())
    child = changed(scene.execution, started_at=stores.clock.ms, link=Link(LinkKind.AWAITED, "P", "", 1))
    step = scene.step(history=events("ExecutionStarted"))
    await scene.store.create(child, step, digest="", owner="w", lease_ms=LEASE)
    assert (await scene.commit(revision=1, commands=(END,))).outcome == "OK"
    assert await scene.store.archive("E1")
    assert await scene.store.delete("E1", stores.clock.ms) == (0, False)
    for notice in ("CE1", "EE1"):
        await scene.store.settle(scene.shard, notice)
    assert await scene.store.delete("E1", stores.clock.ms) == (1, False)
    assert await scene.keys() == set()


async def test_children_of_map_runs_go_with_their_parents(stores: Stores) -> None:
    run = await Run.begin(stores, concurrency=1000)
    count = 130
    await run.feed(count, done=False)
    for index in range(count - 1):
        await run.end(index, "SUCCEEDED" if index % 3 else "FAILED")
    child = run.child(0).id
    assert await run.store.archive(child)
    await run.scene.claim()
    assert (await run.scene.commit(commands=(END,), phase=Phase.DONE, keep_ms=0)).outcome == "OK"
    assert await run.store.delete("E1", stores.clock.ms) == (0, False), "a child runs"
    await run.end(count - 1)
    assert [each.execution for each in await run.store.ended(run.scene.shard, 0, 999, archived=True)] == []
    assert await run.store.delete("E1", stores.clock.ms) == (100, True)
    assert await run.store.describe("E1") is not None, "children go first"
    assert await run.store.delete("E1", stores.clock.ms) == (count + 1 - 100, False)
    assert await run.store.find_map_run("run-1") is None
    assert await run.store.map_run_counts(*PLACE) is None
    await run.store.settle(run.scene.shard, "AE1::1")
    assert await run.scene.keys() == set()


async def test_retention_is_that_of_the_store(stores: Stores) -> None:
    store, other = await stores.open(), await stores.open()
    assert await store.retention() == 90 * DAY
    await store.set_retention(5000)
    assert await other.retention() == 5000
    await other.set_retention(None)
    assert await store.retention() is None


# -- definitions ------------------------------------------------------------------------------------------------------
async def test_definitions_that_nothing_refers_to(stores: Stores) -> None:
    store = await stores.open()

    async def deploy(name: str, hash_: str) -> None:
        await store.put_machine(MachineRecord(name, f"arn:{name}", hash_, f"text {hash_}", "STANDARD", "", 0, 0))

    for name, hash_ in (("m", "d1"), ("n", "d2"), ("m", "d2"), ("n", "d3"), ("m", "d4"), ("m", "d3")):
        stores.clock.ms += 10
        await deploy(name, hash_)
    now = stores.clock.ms
    assert set(await store.replaced_definitions(now)) == {"d1", "d2", "d4"}
    assert await store.replaced_definitions(now - 1) != await store.replaced_definitions(now)
    scene = Scene(store)
    await ended(scene)
    await store.archive("E1")
    assert {used async for used in store.used_definitions()} == {"d1"}
    assert not await store.drop_definition("d4", now - 1), "not yet"
    assert await store.drop_definition("d4", now)
    assert await store.definition("d4") is None
    await deploy("o", "d2")
    assert not await store.drop_definition("d2", now), "another state machine has it now"
    assert await (await stores.open()).definition("d2") == "text d2"


async def test_all_definitions_in_use_are_found(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statewright.store.upkeep.retention._PAGE", 2)
    store = await stores.open()
    for number in range(9):
        scene = Scene(store, f"E{number}.0")
        execution = changed(scene.execution, definition=f"d{number}", started_at=stores.clock.ms)
        await store.create(execution, scene.step(history=events("A")), digest="", owner="w", lease_ms=LEASE)
        if number % 2:
            await scene.commit(revision=1, commands=(END,), phase=Phase.DONE)
        if number in (4, 7):
            stores.clock.ms += 5
    assert {used async for used in store.used_definitions()} == {f"d{number}" for number in range(9)}


async def test_an_archive_that_cannot_be_read_says_so(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await ended(scene)
    await scene.store.archive("E1")
    await scene.store._scripts.call("SET", scene.store._key("E1", "z"), b"\x01 nothing")
    with pytest.raises(StatewrightError, match="cannot be read"):
        await scene.store.describe("E1")
