"""Large payloads: stored once per execution by content hash, read back wherever they were put, never dangling."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import chain
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from statewright.errors import StatewrightError
from statewright.model import EndExecution, Finish, Frame, Item, Phase, Step, TaskKind
from statewright.store import RedisStore, codec
from statewright.store.codec import OFFLOADED, Outgoing
from statewright.store.recent import Recent
from statewright.store.records import Commit, Signal
from statewright.values import Payload
from tests.store.conftest import Stores
from tests.store.scene import LEASE, Scene, administer, event, fork, payload, task


def large(letter: str = "x", size: int = OFFLOADED) -> str:
    """A JSON text of `size` bytes."""
    return f'"{letter * (size - 2)}"'


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def raw(store: RedisStore, *command: str | int) -> Any:
    return await store._scripts.call(*command)


async def kept(scene: Scene) -> dict[str, str]:
    """The execution's payloads as the server has them."""
    found = await raw(scene.store, "HGETALL", scene.store._key(scene.name, "p"))
    return {key.decode(): text.decode() for key, text in zip(found[::2], found[1::2], strict=True)}


async def everything(store: RedisStore) -> bytes:
    """All that the server holds but payloads, as one text."""
    parts: list[bytes] = []
    for key in chain(*await administer(store, "KEYS", "*")):
        if b"}:p:" not in key:
            parts += [dump for dump in await administer(store, "DUMP", key) if isinstance(dump, bytes)]
    return b"".join(parts)


async def received(store: RedisStore) -> int:
    """Bytes the servers have received."""
    stats = await administer(store, "INFO", "stats")
    return sum(int(text.decode().partition("total_net_input_bytes:")[2].split("\r")[0]) for text in stats)


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        (large(size=OFFLOADED - 1), False),
        (large(), True),
        (large("é", OFFLOADED // 2 + 1), True),  # two bytes each
        (large("é", OFFLOADED // 2 - 1), False),
        (large("x", 10 * OFFLOADED), True),
        ('"@' + sha("x") + '"', False),  # looks like a reference, in a text
    ],
    ids=["a byte less", "as large", "bytes count", "characters do not", "larger", "no reference"],
)
async def test_from_a_size_on_payloads_are_kept_apart(stores: Stores, text: str, apart: bool) -> None:
    scene = Scene(await stores.open())
    details = {"input": payload(text), "roleArn": "@" + "0" * 64}
    await scene.create(input=payload(text), history=(event(details=details),))
    assert await kept(scene) == ({sha(text): text} if apart else {})
    other = await stores.open()
    page = await other.history("E1", 0, 10)
    assert page.events[0][4] == {"input": text, "roleArn": "@" + "0" * 64}
    claimed = await other.claim_frame("E1", "", "v", LEASE)
    assert claimed is not None
    assert claimed.frame.input.text == text


async def test_a_payload_is_stored_once_wherever_it_occurs(stores: Stores) -> None:
    store, text = await stores.open(), large(size=50_000)
    given, scene = payload(text), Scene(store)
    details = {"input": given, "assignedVariables": {"a": given, "b": payload("1")}}
    execution = replace(scene.execution, input=given, started_at=await store.now())
    step = scene.step(input=given, history=(event(details=details),))
    await store.create(execution, step, digest="d", owner="w", lease_ms=LEASE)
    scene.revisions[""] = 1
    order = task()
    order = replace(order, order=replace(order.order, arguments=given))
    await scene.commit(input=given, commands=(order,), history=(event(details={"parameters": given}),), epoch=1)
    await store.signal("E1", "", Signal("answer", epoch=1, output=text))
    assert await kept(scene) == {sha(text): text}
    assert text[1:100].encode() not in await everything(store)

    other = await stores.open()
    claimed = await other.claim_frame("E1", "", "v", LEASE)
    assert claimed is not None
    assert claimed.frame.task is not None
    assert (claimed.frame.input, claimed.frame.task.arguments, claimed.inbox[0].output) == (given, given, text)
    described = await other.describe("E1")
    assert described is not None
    assert described.execution.input == given
    first, second = (await other.history("E1", 0, 10)).events
    assert first[4] == {"input": text, "assignedVariables": {"a": text, "b": "1"}}
    assert second[4] == {"parameters": text}

    ended = Step(Frame("", "", "", "A", payload(), Phase.DONE), commands=(EndExecution("SUCCEEDED", output=given),))
    assert (await other.commit(Commit("E1", "", claimed.revision, "c", "v", ended, consumed=1))).outcome == "OK"
    described = await store.describe("E1")
    assert described is not None
    assert described.output == text
    ((listed,), _) = await store.executions(None, None, 0, 10)
    assert (listed.execution.input, listed.output) == (given, text)
    assert await kept(scene) == {sha(text): text}, "kept as long as the execution"
    assert await scene.keys() == {"x:E1", "h:E1", "p:E1", "done", "e::SUCCEEDED", "e:m:SUCCEEDED"}


async def test_forks_items_and_results(stores: Stores) -> None:
    """Large items, a large input for ItemSelector, and large results; another store object reads them."""
    store, other = await stores.open(), await stores.open()
    scene, text = Scene(store), large("i")
    await scene.create()
    items = (text, "1", text, large("j"))
    await scene.commit(commands=(fork(items=items, keys=("a", "b", "c", "d"), input=payload(large("f"))),))
    assert await kept(scene) == {sha(each): each for each in (text, large("j"), large("f"))}
    claims = await Scene(other).claim("v")
    assert [claimed.flaw for claimed in claims] == [None] * 4
    assert [(c.frame.item.value.text, c.frame.item.key) for c in claims if c.frame.item] == list(
        zip(items, "abcd", strict=True)
    )
    made = await other.fork("E1", "", 1)
    assert made is not None
    assert made.input == payload(large("f"))
    for index, claimed in enumerate(claims):
        finish = Finish(output=payload(large("r"))) if index else Finish(error="E", cause="c" * OFFLOADED, failed=True)
        step = Step(replace(claimed.frame, phase=Phase.DONE), commands=(finish,))
        await other.commit(Commit("E1", claimed.frame.id, claimed.revision, f"r{index}", "v", step))
        if index == 1:
            open_frames = await store.open_frames("E1", "")
            assert [frame.item.value.text for frame, _ in open_frames if frame.item] == [text, large("j")]
        if index == 0:
            break
    results, record = await store.results("E1", "", 1)
    assert record["failed"]
    assert record["cause"] == "c" * OFFLOADED
    assert results[0] == '{"Error":"E","Cause":"' + "c" * OFFLOADED + '"}'


async def test_results_of_children(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    await scene.create()
    await scene.commit(commands=(fork(length=3, input=payload(large("f"))),))
    for claimed in await scene.claim():
        assert claimed.frame.input.text == large("f")
        await scene.commit(claimed.frame.id, commands=(Finish(output=payload(large("r"))),))
    assert (await (await stores.open()).results("E1", "", 1))[0] == (large("r"),) * 3
    assert await kept(scene) == {sha(large("f")): large("f"), sha(large("r")): large("r")}


async def test_the_item_around_a_branch(stores: Stores) -> None:
    store = await stores.open()
    scene = Scene(store)
    await scene.create()
    item = Item(3, payload(large("o")), "k")
    await scene.commit(commands=(fork(outer_item=item),))
    (first, _) = await Scene(await stores.open()).claim("v")
    assert first.frame.outer_item == item
    step = Step(replace(first.frame, state="A", phase=Phase.WAIT))
    await store.commit(Commit("E1", first.frame.id, first.revision, "c", "v", step))
    again = await (await stores.open()).claim_frame("E1", first.frame.id, "u", LEASE)
    assert again is not None
    assert again.frame.outer_item == item


async def test_an_activity_gets_its_input(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    order = task(TaskKind.ACTIVITY, "arn:a")
    await scene.commit(commands=(replace(order, order=replace(order.order, arguments=payload(large()))),), epoch=1)
    offer = await (await stores.open()).take_activity("arn:a", "worker")
    assert offer is not None
    assert offer.order.arguments.text == large()


async def test_what_is_stored_is_not_sent_again(stores: Stores) -> None:
    text = large(size=1_000_000)
    store, given = await stores.open(), payload(text)
    scene = Scene(store)
    await scene.create(input=given)
    before = await received(store)
    for _ in range(10):
        await scene.commit(input=payload(text), history=(event(details={"input": given}),))
    assert await received(store) - before < 20_000
    other = await stores.open()
    claimed = await other.claim_frame("E1", "", "v", LEASE)
    assert claimed is not None
    before = await received(store)
    await other.commit(Commit("E1", "", claimed.revision, "c", "v", Step(claimed.frame)))
    assert await received(store) - before < 20_000, "who has read it knows that it is stored"


@pytest.mark.parametrize("behind", [1, 5])
async def test_what_the_store_has_lost_is_sent_again(stores: Stores, behind: int) -> None:
    """Nothing is written that refers to a payload which is not there; also with commits in the pipeline behind it."""
    scene = Scene(await stores.open())
    await scene.create(input=payload(large()))
    await raw(scene.store, "UNLINK", scene.store._key("E1", "p"))
    orders = [
        scene.order(revision=1 + n, input=payload(large()), history=(event(details={"input": payload(large())}),))
        for n in range(behind)
    ]
    answers = await asyncio.gather(*map(scene.store.commit, orders))
    assert [(answer.outcome, answer.base) for answer in answers] == [("OK", 1 + n) for n in range(behind)]
    assert await kept(scene) == {sha(large()): large()}
    assert len((await scene.store.history("E1", 0, 10)).events) == 1 + behind


async def test_a_refused_call_brings_nothing_and_does_not_count_as_having_brought_it(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    refused = await scene.commit(revision=7, input=payload(large()))
    assert (refused.outcome, await kept(scene)) == ("STALE", {})
    before = await received(scene.store)
    assert (await scene.commit(input=payload(large()))).outcome == "OK"
    assert await received(scene.store) - before > OFFLOADED
    assert await kept(scene) == {sha(large()): large()}
    duplicate = await scene.create(digest="other", input=payload(large("d")))
    late = await scene.store.signal("E1", "", Signal("answer", epoch=9, output=large("s")))
    assert (duplicate.outcome, late.outcome, len(await kept(scene))) == ("EXISTS", "STALE", 1)


async def test_a_commit_that_brings_a_payload_is_repeated_like_any_other(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    order = scene.order(input=payload(large()))
    answers = [await store.commit(order) for store in (scene.store, scene.store, await stores.open())]
    assert [answer.outcome for answer in answers] == ["OK", "DUP", "DUP"]


async def test_the_same_large_answer_again_changes_nothing(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    await scene.commit(commands=(task(),), epoch=1)
    outputs = (large("a"), large("a"), large("b"))
    outcomes = [(await scene.store.signal("E1", "", Signal("answer", 1, output=output))).outcome for output in outputs]
    assert outcomes == ["OK", "DUP", "STALE"]
    assert await kept(scene) == {sha(large("a")): large("a")}


async def test_executions_do_not_share(stores: Stores) -> None:
    store = await stores.open()
    one, two = Scene(store, "E1"), Scene(store, "E2")
    for scene in (one, two):
        await scene.create(input=payload(large()))
    await raw(store, "UNLINK", store._key("E1", "p"))
    (claimed,) = [c for c in [await (await stores.open()).claim_frame("E2", "", "v", LEASE)] if c]
    assert claimed.frame.input.text == large()
    assert await kept(one) == {}


async def test_a_lost_payload_is_the_flaw_of_one_frame(stores: Stores) -> None:
    """Others are claimed all the same; whoever reads it is told what is missing."""
    store = await stores.open()
    one, two = Scene(store, "E1"), Scene(store, "01ABC")
    assert one.shard == two.shard
    for scene in (one, two):
        await scene.create("", input=payload(large()), history=(event(details={"input": payload(large())}),))
    await raw(store, "UNLINK", store._key("E1", "p"))
    claims = {claimed.execution: claimed for claimed in await one.claim("v")}
    assert sha(large()) in str(claims["E1"].flaw)
    assert (claims["01ABC"].flaw, claims["01ABC"].frame.input.text) == (None, large())
    with pytest.raises(StatewrightError, match=f"StoreBroken: payload {sha(large())} of execution E1"):
        await store.history("E1", 0, 10)


async def test_records_without_references_are_read(stores: Stores) -> None:
    """As they were written before payloads were kept apart, however large."""
    body = codec.seal(msgspec.msgpack.encode(["", "/1", "A", large(), "enter", 0, 1]))
    frame = codec.decode_frame("", body, str)
    assert frame.input.text == large()
    record = b"1,2,," + msgspec.msgpack.encode(["X", {"input": large()}])
    assert codec.decode_events(5, [record], str) == [(5, 1, 2, "X", {"input": large()})]


def test_items_are_sent_in_calls_of_bounded_size() -> None:
    calls = list(codec.item_calls(fork(items=tuple(str(n) for n in range(1200)))))
    assert [len(call) for call in calls] == [501, 501, 501, 501, 401]
    calls = list(codec.item_calls(fork(items=(large(size=700_000), large("y", 700_000), large("z", 10)))))
    assert [(call[0], len(call)) for call in calls] == [(2, 9), (0, 3)]


def test_a_call_names_each_payload_once() -> None:
    out = Outgoing()
    assert {out.text(large()), out.text(large()), out.text(str(large()))} == {"@" + sha(large())}
    assert out.arguments() == [1, sha(large()), large().encode()]
    assert out.arguments({sha(large())}) == [1, sha(large()), ""]


async def test_the_largest_payload(stores: Stores) -> None:
    """64 MiB go in and come out."""
    store = await stores.open()
    scene, text = Scene(store), large(size=64 * 1024 * 1024)
    assert (await scene.create(input=Payload.parse(text))).outcome == "OK"
    claimed = await (await stores.open()).claim_frame("E1", "", "v", LEASE)
    assert claimed is not None
    assert claimed.frame.input.text == text


def test_recent_values_are_bounded_in_number_and_weight() -> None:
    recent: Recent[str, int] = Recent(3, weight=10)
    for number, name in enumerate("abcd"):
        recent.put(name, number, 1)
    assert [recent.get(name) for name in "abcd"] == [None, 1, 2, 3]
    recent.get("b")
    recent.put("e", 4, 9)
    assert [recent.get(name) for name in "bcde"] == [1, None, None, 4]
    recent.put("f", 5, 99)
    assert [recent.get(name) for name in "bef"] == [None, None, 5], "one is kept, however heavy"
    recent.forget("f")
    recent.put("g", 6, 10)
    assert (recent.get("f"), recent.get("g")) == (None, 6)
