"""What can go wrong between us and a server, and what a caller sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from statewright.errors import StatewrightError
from statewright.model import TaskKind
from statewright.store import StoreUnavailable, keys, open_store
from statewright.store.address import Address, Location, Tls, locate
from statewright.store.connection import Connection, Resolve
from statewright.store.records import Signal
from statewright.store.replies import ServerError
from statewright.store.scripts import LIBRARY, Scripts
from tests.store.conftest import Stores
from tests.store.scene import LEASE, Scene, events, task

KINDS = ("valkey", "redis")

Answerer = Callable[[int], bytes | None]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Proxy:
    """Stands between a store and its server, and cuts the line when told: after the request got through."""

    def __init__(self, target: str) -> None:
        self.target = target.removeprefix("unix://")
        self.lose_replies = 0
        self.cuts = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self.target)

        async def replies() -> None:
            while data := await from_server.read(65536):
                if self.lose_replies:
                    self.lose_replies -= 1
                    self.cuts += 1
                    break
                writer.write(data)
            await closed(writer)
            await closed(to_server)

        answering = asyncio.ensure_future(replies())
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                to_server.write(data)
        await closed(to_server)
        await answering


@asynccontextmanager
async def listening(folder: Path, talk: Talk) -> AsyncIterator[str]:
    """A server on a socket of its own; its URL.  All its connections are over when the context is."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(cast(asyncio.Task[Any], asyncio.current_task()))
        with suppress(ConnectionError):
            await talk(reader, writer)
        await closed(writer)

    server = await asyncio.start_unix_server(serve, folder / "s.sock")
    yield f"unix://{folder}/s.sock"
    server.close()
    await asyncio.gather(*tasks)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("window", [1, 20])
async def test_lost_replies_are_made_up_for(stores: Stores, tmp_path: Path, window: int) -> None:
    """The commits were applied but no reply arrived: they are sent again, recognised, and answered."""
    proxy = Proxy(stores.url)
    async with listening(tmp_path, proxy) as url:
        store = await open_store(url)
        scene = Scene(store)
        await scene.create()
        proxy.lose_replies = 1
        orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(window)]
        answers = await asyncio.gather(*[scene.store.commit(order) for order in orders])
        outcomes = [answer.outcome for answer in answers]
        assert outcomes[0] == "DUP"
        assert set(outcomes) <= {"DUP", "OK"}  # OK: what the server had not read yet when the line was cut
        assert proxy.cuts == 1
        assert [kind for _, _, kind in await scene.links()][1:] == [f"e{i}" for i in range(window)]
        proxy.lose_replies = 1
        again = Scene(scene.store, "E2")
        assert (await again.create()).outcome == "OK"  # applied the first time, and recognised as ours
        assert proxy.cuts == 2
        await store.close()


async def test_signals_and_offers_are_not_doubled(stores: Stores, tmp_path: Path) -> None:
    proxy = Proxy(stores.url)
    async with listening(tmp_path, proxy) as url:
        store = await open_store(url)
        scenes = [Scene(store, name) for name in ("E1", "E2")]
        for scene in scenes:
            await scene.create()
            await scene.commit(epoch=1, commands=(task(TaskKind.ACTIVITY, "arn:act"),))
        proxy.lose_replies = 1
        assert (await store.signal("E1", "", Signal("submitted", 1))).outcome == "OK"
        assert len((await scenes[0].claim())[0].inbox) == 1
        entry = f"{scenes[1].name}::1"
        queue = f"{keys.prefix(scenes[1].shard)}a:arn:act"
        proxy.lose_replies = 1
        assert await store._scripts.run("take", queue, [entry, "", "bob", "nonce"]) is not None
        assert proxy.cuts == 2
        assert len((await scenes[1].claim())[0].inbox) == 1
        await store.close()


async def test_calls_survive_a_killed_connection(stores: Stores) -> None:
    store, killer = await stores.open(), await stores.open()
    scene = Scene(store)
    await scene.create()
    await store.watch_bell()
    for index in range(5):
        await killer._connection.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        orders = [scene.order(revision=1 + i, history=events("e")) for i in range(index * 10, index * 10 + 10)]
        answers = await asyncio.gather(*[store.commit(order) for order in orders])
        assert {answer.outcome for answer in answers} == {"OK"}


async def test_a_killed_subscription_comes_back_as_a_ring(stores: Stores) -> None:
    store, killer = await stores.open(), await stores.open()
    await store.watch_bell()
    ringing = asyncio.ensure_future(store.watch_bell())
    await killer.now()
    await killer._connection.call("CLIENT", "KILL", "TYPE", "pubsub")
    await ringing


async def test_a_cancelled_call_does_not_shift_answers(stores: Stores) -> None:
    store = await stores.open()
    calls = [asyncio.ensure_future(store._scripts.call("ECHO", str(index))) for index in range(10)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[1::2] == [b"1", b"3", b"5", b"7", b"9"]


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await open_store(f"unix://{tmp_path}/none.sock", deadline=0.05)


def fake(answer: Answerer) -> Talk:
    """A server whose answer to the n-th command is up to `answer`; None: silence."""
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        while header := await reader.readline():
            for _ in range(int(header[1:])):
                await reader.readexactly(int((await reader.readline())[1:]) + 2)
            if (reply := answer(count)) is not None:
                writer.write(reply)
            count += 1

    return talk


def at(url: str) -> Resolve:
    async def resolve() -> Address:
        return Address.parse(url)

    return resolve


async def test_a_silent_server_is_unavailable(tmp_path: Path) -> None:
    async with listening(tmp_path, fake(lambda number: None)) as url:
        connection = Connection(at(url), deadline=0.05)
        with pytest.raises(StoreUnavailable, match="within"):
            await connection.call("PING")
        await connection.close()


@pytest.mark.parametrize("word", ["LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN"])
async def test_a_server_that_asks_for_patience_gets_it(tmp_path: Path, word: str) -> None:
    async with listening(
        tmp_path, fake(lambda number: f"-{word} wait\r\n".encode() if number < 2 else b":7\r\n")
    ) as url:
        connection = Connection(at(url))
        assert await Scripts(connection).call("DBSIZE") == 7
        await connection.close()
        connection = Connection(at(url), greeting=[("HGET", "a", "b")])
        assert await connection.call("DBSIZE") == 7
        await connection.close()


async def test_patience_is_also_had_while_the_library_is_loaded(tmp_path: Path) -> None:
    answers = [b"-ERR Function not found\r\n", b"-BUSY wait\r\n", b":7\r\n"]
    async with listening(tmp_path, fake(answers.__getitem__)) as url:
        connection = Connection(at(url))
        assert await Scripts(connection).run("claim", "sw:{0}:q", []) == 7
        await connection.close()


async def test_commits_stay_in_order_while_the_library_is_missing(stores: Stores) -> None:
    """The first half of a window finds no library, the second does: sent again, the whole window is applied."""
    scene = Scene(await stores.open())
    await scene.create()
    call = scene.store._connection.call
    orders = [scene.order(revision=1 + i, history=events(f"e{i}"), keep_ms=LEASE) for i in range(20)]
    await call("FUNCTION", "FLUSH")
    commits = [asyncio.ensure_future(scene.store.commit(order)) for order in orders[:10]]
    await asyncio.sleep(0)
    loading = call("FUNCTION", "LOAD", LIBRARY)
    commits += [asyncio.ensure_future(scene.store.commit(order)) for order in orders[10:]]
    assert [answer.outcome for answer in await asyncio.gather(*commits)] == ["OK"] * 20
    await loading
    assert [kind for _, _, kind in await scene.links()][1:] == [f"e{i}" for i in range(20)]


async def test_garbage_is_a_broken_connection(tmp_path: Path) -> None:
    async with listening(tmp_path, fake(lambda number: b"?what\r\n" if number == 0 else b":7\r\n")) as url:
        connection = Connection(at(url))
        assert await connection.call("DBSIZE") == 7
        await connection.close()


async def test_a_refusal_names_the_setting(stores: Stores) -> None:
    scene = Scene(await stores.open())
    await scene.create()
    command = scene.store._connection.call
    for setting, undo, advice in (
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "replica"),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), ("CONFIG", "SET", "min-replicas-to-write", "0"), "replicas"),
    ):
        await command(*setting)
        try:
            with pytest.raises(StatewrightError, match=advice) as refused:
                await scene.commit()
        finally:
            await command(*undo)
        assert refused.value.code == "StoreRefused"
    assert (await scene.commit()).outcome == "OK"


async def test_a_missing_password_is_asked_for(stores: Stores) -> None:
    store = await stores.open()
    await store._connection.call("CONFIG", "SET", "requirepass", "secret")
    try:
        with pytest.raises(StatewrightError, match="password"):
            await stores.open()
        path = stores.url.removeprefix("unix://")
        again = await open_store(f"unix://:secret@{path}")
        await again.close()
    finally:
        await store._connection.call("CONFIG", "SET", "requirepass", "")


async def test_other_errors_surface(stores: Stores) -> None:
    store = await stores.open()
    with pytest.raises(ServerError, match="ERR"):
        await store._connection.call("NO-SUCH-COMMAND")
    with pytest.raises(StatewrightError) as refused:
        await store._scripts.call("NO-SUCH-COMMAND")
    assert refused.value.code == "StoreRefused"


async def test_an_emptied_server_is_not_filled_again(stores: Stores) -> None:
    store, other = await stores.open(), await stores.open()
    await other._connection.call("FLUSHALL")
    replaced = await stores.open()
    await replaced._connection.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(StatewrightError, match="another store"):
        await store.describe("E1")


@pytest.mark.parametrize(
    ("setting", "undo", "reason"),
    [
        ("CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction", "noeviction"),
        ("HSET sw:{meta}:meta schema 999", "DEL sw:{meta}:meta", "schema 999.* use the newer version"),
        ("HSET sw:{meta}:meta schema 1", "DEL sw:{meta}:meta", "schema 1.*older version.*finish.*export.*new store"),
        ("HDEL sw:{meta}:meta schema", "DEL sw:{meta}:meta", "schema none"),
    ],
    ids=["eviction", "newer schema", "older schema", "no schema"],
)
async def test_an_unfit_server_is_refused(stores: Stores, setting: str, undo: str, reason: str) -> None:
    store = await stores.open()
    await store._connection.call(*setting.split())
    if "HSET" in setting:
        await store._connection.call("HSET", "sw:{meta}:meta", "library:other", 1)
    before = await store._connection.call("HGETALL", "sw:{meta}:meta")
    try:
        with pytest.raises(StatewrightError, match=reason):
            await stores.open()
        assert await store._connection.call("HGETALL", "sw:{meta}:meta") == before
    finally:
        await store._connection.call(*undo.split())


async def test_a_closed_store_answers_nothing(stores: Stores) -> None:
    store = await stores.open()
    pending = asyncio.ensure_future(store.describe("E1"))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await pending
    with pytest.raises(StoreUnavailable):
        await store.describe("E1")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://db.example", Address(host="db.example")),
        ("redis://:p%40ss@h:1/3", Address(host="h", port=1, password="p@ss", database=3)),
        ("rediss://u:p@h:6380/0", Address(host="h", port=6380, tls=Tls(), user="u", password="p")),
        ("unix:///a%20b/v.sock?db=2", Address(path="/a b/v.sock", database=2)),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert Address.parse(url) == address


ONE, TWO = Address(host="a", port=7000), Address(host="b")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("cluster://a:7000,b", Location("cluster", (ONE, TWO))),
        ("redis+cluster://a:7000,b?replicas=1", Location("cluster", (ONE, TWO), replicas=1)),
        ("cluster://[::1]:7000", Location("cluster", (Address(host="::1", port=7000),))),
        ("sentinel://a:7000,b:6379/orders", Location("sentinel", (ONE, TWO), "orders")),
        (
            "rediss+sentinel://u:p@a:7000/orders/2?ca=/ca.pem&sentinel_password=s",
            Location(
                "sentinel",
                (Address(host="a", port=7000, tls=Tls("/ca.pem"), password="s"),),
                "orders",
                Address(tls=Tls("/ca.pem"), user="u", password="p", database=2),
            ),
        ),
    ],
)
def test_locations(url: str, location: Location) -> None:
    found = locate(url)
    assert replace(found, primary=location.primary) == location
    if location.kind == "sentinel":
        assert found.primary == location.primary


@pytest.mark.parametrize(
    "url",
    [
        *(
            "cluster://a/1",
            "sentinel://a",
            "sentinel://a/x/y",
            "redis://a,b",
            "redis://h/0?x=1",
            "redis://h?ca=/ca.pem",
        ),
        *("redis://h?replicas=-1", "redis://h?replicas=x", "redis://h/1/2", "redis://h#x"),
    ],
)
def test_bad_locations(url: str) -> None:
    with pytest.raises(StatewrightError) as refused:
        locate(url)
    assert refused.value.code == "InvalidStore"


@pytest.mark.parametrize(
    "url",
    ["", "http://h", "redis://a..b", "redis://h/x", "redis://h:99999999", "unix://", "redis://[::1", "unix:///a?db=x"],
)
def test_bad_addresses(url: str) -> None:
    with pytest.raises(StatewrightError) as refused:
        Address.parse(url)
    assert refused.value.code == "InvalidStore"


async def test_a_store_needs_a_place() -> None:
    with pytest.raises(StatewrightError, match="URL or a data directory"):
        await open_store(None)
