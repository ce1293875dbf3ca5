"""The one policy for error replies (F12): every code at every verb is waited out, followed, or told; never a loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import hiredis
import pytest

from statewright.errors import StatewrightError
from statewright.model import TaskKind
from statewright.store import RedisStore, StoreUnavailable, open_store
from statewright.store.records import Lease, MachineRecord, Signal
from statewright.store.wire import pack
from tests.store.conftest import Stores
from tests.store.scene import LEASE, Scene, events, fork, task
from tests.store.test_connection import closed

KINDS = ("valkey",)

Call = Callable[[RedisStore, Scene], Awaitable[Any]]


class Refusing:
    """Stands before a server and refuses calls of one function; to clusters' questions it says that it is all of one.

    Arguments:
        target: socket of the server.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.port = 0
        self.function, self.message, self.times = "", "", 0
        self.asked = 0
        self.talks: set[asyncio.Task[Any] | None] = set()

    def refuse(self, function: str, message: str, times: int) -> None:
        """From now on, so many calls of a function."""
        self.function, self.message, self.times, self.asked = function, message, times, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talks.add(asyncio.current_task())
        from_server, to_server = await asyncio.open_unix_connection(self.target)
        requests, replies = hiredis.Reader(), hiredis.Reader()
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                requests.feed(data)
                while (request := requests.gets()) is not False:
                    if (own := self._own(request)) is not None:
                        writer.write(own)
                        continue
                    to_server.write(pack(tuple(request)))
                    raw = b""
                    while not raw or replies.gets() is False:
                        raw += (part := await from_server.read(1 << 20))
                        assert part
                        replies.feed(part)
                    writer.write(raw)
        await closed(to_server)
        await closed(writer)

    def _own(self, request: list[bytes]) -> bytes | None:
        match request[0]:
            case b"CLUSTER":
                host = b"127.0.0.1"
                return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%b\r\n:%d\r\n" % (len(host), host, self.port)
            case b"ASKING":
                return b"+OK\r\n"
            case b"FCALL" if request[1].decode().partition("_")[2].partition("_")[2] == self.function:
                self.asked += 1
                if self.asked <= self.times:
                    return f"-{self.message}\r\n".encode()
        return None


@asynccontextmanager
async def refusing(stores: Stores) -> AsyncIterator[Refusing]:
    proxy = Refusing(stores.url.removeprefix("unix://"))
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    yield proxy
    server.close()
    await asyncio.gather(*[talk for talk in proxy.talks if talk is not None])


# -- the calls --------------------------------------------------------------------------------------------------------
async def claim(store: RedisStore, scene: Scene) -> None:
    await store.claim(scene.shard, "w", LEASE, 10)


async def release(store: RedisStore, scene: Scene) -> None:
    await store.release(scene.shard, "w", [Lease(scene.name, "", 1)])


async def take(store: RedisStore, scene: Scene) -> None:
    await scene.commit(epoch=1, commands=(task(TaskKind.ACTIVITY, f"arn:{scene.name}"),))
    assert await store.take_activity(f"arn:{scene.name}", "bob") is not None


async def advance(store: RedisStore, scene: Scene) -> None:
    await store.advance(scene.name, "", 1, "w", begun=(0, 1), cursor="", read=1, done=False, idle=False)


def many(scene: Scene) -> Any:
    return fork(items=("1", "2", "3"))


VERBS: dict[str, Call] = {
    "create": lambda store, scene: Scene(store, f"{scene.name}x").create(),
    "commit": lambda store, scene: scene.commit(history=events("e"), keep_ms=LEASE),
    "items": lambda store, scene: scene.commit(commands=(many(scene),)),
    "claim": claim,
    "claim_frame": lambda store, scene: store.claim_frame(scene.name, "", "w", LEASE),
    "extend": lambda store, scene: store.extend(scene.shard, "w", [Lease(scene.name, "", 1)], LEASE),
    "release": release,
    "signal": lambda store, scene: store.signal(scene.name, "", Signal("nudge", 0)),
    "heartbeat": lambda store, scene: store.heartbeat(scene.name, "", 1, None),
    "take": take,
    "open_frames": lambda store, scene: store.open_frames(scene.name, ""),
    "put_machine": lambda store, scene: store.put_machine(MachineRecord("m", "arn", "h", "{}", "STANDARD", "", 0, 0)),
    "advance": advance,
    "update_run": lambda store, scene: store.update_map_run(scene.name, "", 1, {"concurrency": 3}),
}

PATIENCE = ("LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN")
MESSAGES = {
    "MOVED": "MOVED 0 127.0.0.1:{port}",
    "ASK": "ASK 0 127.0.0.1:{port}",
    "GONE": "ERR Function not found",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "ERR": "ERR something nobody has heard of",
}
TOLD = ("READONLY", "MISCONF", "NOAUTH", "NOPERM", "WRONGTYPE", "NOSCRIPT", "UNKILLABLE", "OOM", "ERR", "NEWCODE")


async def through(
    store: RedisStore, proxy: Refusing, code: str, times: int, names: Sequence[str] = tuple(VERBS)
) -> Any:
    """Call each verb while it is refused; by name, what came of it."""
    found: dict[str, tuple[str, int]] = {}
    for name in names:
        scene = Scene(store, f"{name}-{code}")
        await scene.create()
        message = MESSAGES.get(code, f"{code} says the server").format(port=proxy.port)
        proxy.refuse(name, message, times)
        try:
            await VERBS[name](store, scene)
            found[name] = "OK", proxy.asked
        except StatewrightError as error:
            found[name] = error.code, proxy.asked
        proxy.refuse("", "", 0)
    return found


@pytest.mark.parametrize("code", [*PATIENCE, "GONE"])
async def test_what_passes_is_waited_out(stores: Stores, code: str) -> None:
    async with refusing(stores) as proxy:
        store = await open_store(f"redis://127.0.0.1:{proxy.port}")
        found = await through(store, proxy, code, 2)
        for name, (outcome, asked) in found.items():
            # Items that arrive behind the commit that needs them are sent again.
            assert outcome == "OK", name
            assert asked in ((3, 4) if name == "items" else (3,)), name
        await store.close()


@pytest.mark.parametrize("code", [*TOLD, "NOREPLICAS", "MOVED", "ASK", "CROSSSLOT"])
async def test_what_does_not_pass_is_told_at_once(stores: Stores, code: str) -> None:
    async with refusing(stores) as proxy:
        store = await open_store(f"redis://127.0.0.1:{proxy.port}")
        found = await through(store, proxy, code, 1000)
        expected = "ThrottlingException" if code == "OOM" else "StoreRefused"
        assert found == dict.fromkeys(VERBS, (expected, 1))
        assert (await through(store, proxy, code, 0))["commit"] == ("OK", 1)  # and the connection is as good as before
        await store.close()


@pytest.mark.parametrize("code", [*PATIENCE, "GONE", "NOREPLICAS", "MOVED", "ASK"])
async def test_in_a_cluster_more_passes(stores: Stores, code: str) -> None:
    async with refusing(stores) as proxy:
        store = await open_store(f"cluster://127.0.0.1:{proxy.port}")
        found = await through(store, proxy, code, 2)
        assert {outcome for outcome, _ in found.values()} == {"OK"}
        assert all(3 <= asked <= 5 for _, asked in found.values())
        await store.close()


@pytest.mark.parametrize("code", TOLD)
async def test_in_a_cluster_the_rest_is_told(stores: Stores, code: str) -> None:
    async with refusing(stores) as proxy:
        store = await open_store(f"cluster://127.0.0.1:{proxy.port}")
        found = await through(store, proxy, code, 1000, ["create", "commit", "claim", "signal"])
        assert {asked for _, asked in found.values()} == {1}
        assert "OK" not in {outcome for outcome, _ in found.values()}
        await store.close()


@pytest.mark.parametrize("code", ["BUSY", "GONE", "MOVED", "ASK", "NOREPLICAS"])
async def test_what_never_passes_ends(stores: Stores, code: str) -> None:
    """Servers that send a call around in a circle, or are busy for ever: there is a deadline, and pauses before it."""
    async with refusing(stores) as proxy:
        store = await open_store(f"cluster://127.0.0.1:{proxy.port}", deadline=0.5)
        scene = Scene(store)
        await scene.create()
        proxy.refuse("commit", MESSAGES.get(code, f"{code} wait").format(port=proxy.port), 10**9)
        with pytest.raises(StoreUnavailable):
            await scene.commit(history=events("e"))
        assert proxy.asked < 100
        proxy.refuse("", "", 0)
        assert (await scene.commit(history=events("e"), revision=1)).outcome == "OK"
        await store.close()
