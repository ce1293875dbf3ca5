"""Listings, pages and the catalogue of state machines."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from statewright.model import HistoryEvent
from statewright.store import codec, keys
from statewright.store.records import MachineRecord
from statewright.store.verbs import Store
from tests.store.conftest import Stores
from tests.store.scene import END, Scene, events

RECORD = MachineRecord("m", "arn:m", "h1", '{"StartAt":"é"}', "STANDARD", "role", 0, 0)


async def test_history_pages(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create(history=events(*"abcdefg"))
    read = scene.store.history

    async def page(start: int, count: int, reverse: bool = False) -> str:
        found = await read("E1", start, count, reverse=reverse)
        assert found.length == 7
        assert [chr(96 + id_) for id_, *_ in found.events] == [kind for _, _, _, kind, _ in found.events]
        return "".join(kind for _, _, _, kind, _ in found.events)

    assert [await page(0, 3), await page(3, 3), await page(6, 3), await page(9, 3)] == ["abc", "def", "g", ""]
    assert [await page(start, 3, True) for start in (0, 3, 6, 9)] == ["gfe", "dcb", "a", ""]
    assert await page(0, 0) == await page(0, 0, True) == ""
    assert (await read("none", 0, 5)).events == ()


async def test_executions_are_listed_most_recent_first(stores: Stores) -> None:
    store = await stores.open()
    for index in range(9):
        scene = Scene(store, f"E{index}", machine="odd" if index % 2 else "even")
        await scene.create()
        stores.clock.ms += 1
        if index < 3:
            await scene.commit(commands=(END,))

    async def listed(*query: object) -> tuple[str, bool]:
        found, more = await store.executions(*query)  # type: ignore[arg-type]
        return "".join(description.execution.id[1:] for description in found), more

    assert await listed(None, None, 0, 100) == ("876543210", False)
    assert await listed(None, None, 0, 4) == ("8765", True)
    assert await listed(None, None, 4, 5) == ("43210", False)
    assert await listed("odd", None, 0, 9) == ("7531", False)
    assert await listed("odd", "SUCCEEDED", 0, 9) == ("1", False)
    assert await listed(None, "SUCCEEDED", 0, 2) == ("21", True)
    assert await listed("none", None, 0, 9) == ("", False)


async def test_an_unknown_execution_is_none(stores: Stores) -> None:
    store = await stores.open()
    assert await store.describe("none") is None
    assert await store.machine("none") is None
    assert await store.definition("none") is None
    assert await store.fork("none", "", 1) is None
    assert await store.results("none", "", 1) == ((), {"length": 0, "open": False, "index": 0, "error": None,
                                                       "cause": None, "exceeded": False, "failed": False})  # fmt: skip
    assert await store.open_frames("none", "") == ()


async def test_machines_get_a_revision_per_definition(stores: Stores) -> None:
    store, now = await stores.open(), stores.clock.ms
    assert await store.put_machine(RECORD) == replace(RECORD, created_at=now, revision=1)
    stores.clock.ms += 1
    assert (await store.put_machine(RECORD)).revision == 1
    changed = replace(RECORD, hash="h2", definition="2", role_arn="other")
    stored = replace(changed, created_at=now, revision=2)
    assert await store.put_machine(changed) == stored
    assert await store.machine("m") == stored
    await store.put_machine(replace(RECORD, name="a{}:b"))
    assert [record.name for record in await store.machines()] == ["a{}:b", "m"]
    assert (await store.definition("h1"), await store.definition("h2")) == ('{"StartAt":"é"}', "2")


async def test_a_store_has_one_identity(stores: Stores) -> None:
    one, two = await stores.open(), await stores.open()
    contract: Store = one  # for the type checker
    assert contract.shards == 16
    assert (one.store_id, await one.secret(), one.shards) == (two.store_id, await two.secret(), 16)
    assert len(await one.secret()) == 32


def test_shards_are_stable_and_even() -> None:
    """Executions are found again after any upgrade, so the hash may never change."""
    assert [keys.shard_of(name, 16) for name in ("01ABC", "E1", "")] == [5, 5, 0]
    counts = [0] * 16
    for index in range(16_000):
        counts[keys.shard_of(f"01JD{index:022}", 16)] += 1
    assert min(counts) > 800


def test_records_may_grow() -> None:
    """A frame written by an older version lacks the last members; one by a newer version has more."""
    old = codec.seal(msgspec.msgpack.encode(["", "/1", "A", "{}", "enter", 0, 1]))
    frame = codec.decode_frame("", old, str)
    assert (frame.state, frame.variables, frame.task) == ("A", {}, None)
    whole = msgspec.msgpack.decode(codec.unseal(codec.encode_frame(frame, codec.Outgoing())))
    assert codec.decode_frame("", codec.seal(msgspec.msgpack.encode([*whole, "new"])), str) == frame


@pytest.mark.parametrize("details", [{"n": 2**70}, {"f": object()}])
def test_history_that_cannot_be_kept_is_refused_before_it_is_sent(details: dict[str, object]) -> None:
    step = Scene.step(Scene(None), history=())  # type: ignore[arg-type]
    with pytest.raises((ValueError, TypeError, OverflowError)):
        codec.encode_step(replace(step, history=(HistoryEvent("X", details),)), codec.Outgoing())
