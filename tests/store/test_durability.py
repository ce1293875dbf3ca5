"""Durability in one word: what it asks of servers, what is refused, and when a replica has something."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from statewright.errors import StatewrightError
from statewright.store import RedisStore, open_store, stop_embedded
from statewright.store.durability import choose, judge
from statewright.store.rights import acl_rules
from tests.store.scene import Scene, events
from tests.store.servers import ClusterNodes, Node, SentinelNodes


# -- the word ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("word", "replicas", "chosen"),
    [
        (None, 0, ("durable", 0)),
        (None, 2, ("replicated", 2)),
        ("durable", 0, ("durable", 0)),
        ("fast", 0, ("fast", 0)),
        ("volatile", 0, ("volatile", 0)),
        ("replicated", 0, ("replicated", 1)),
        ("replicated", 3, ("replicated", 3)),
    ],
)
def test_word_and_url_together(word: str | None, replicas: int, chosen: tuple[str, int]) -> None:
    assert choose(word, replicas, embedded=False) == chosen


@pytest.mark.parametrize(
    ("word", "replicas", "embedded"),
    [("none", 0, False), ("", 0, False), ("fast", 1, False), ("durable", 1, False), ("replicated", 0, True)],
)
def test_contradictions(word: str, replicas: int, embedded: bool) -> None:
    with pytest.raises(StatewrightError) as refused:
        choose(word, replicas, embedded=embedded)
    assert refused.value.code == "InvalidDurability"


# -- servers of one's own ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module", params=["valkey", "redis"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(request.param, tmp_path_factory.mktemp("node")).start()
    yield node
    node.stop()


def url_of(node: Node) -> str:
    return f"redis://127.0.0.1:{node.port}"


@pytest.fixture
def setting(node: Node) -> Iterator[Node]:
    """The server, whose settings are put right afterwards."""
    yield node
    for name, value in (("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")):
        node.command("CONFIG", "SET", name, value)
    node.command("CONFIG", "SET", "save", "")


async def opens(url: str, durability: str | None = None) -> str:
    """OK, or why the store cannot be opened."""
    try:
        store = await open_store(url, durability=durability)
    except StatewrightError as error:
        return error.message if error.code == "StoreRefused" else str(error)
    await store.close()
    return "OK"


async def test_what_each_word_asks_for(setting: Node) -> None:
    url = url_of(setting)
    for word in ("durable", "fast", "volatile"):
        assert await opens(url, word) == "OK"
    setting.command("CONFIG", "SET", "appendfsync", "everysec")
    refused = await opens(url)
    assert "appendfsync is everysec (CONFIG SET appendfsync always" in refused
    assert "--durability fast" in refused
    assert f"127.0.0.1:{setting.port}" in refused
    assert [await opens(url, word) for word in ("fast", "volatile")] == ["OK", "OK"]
    setting.command("CONFIG", "SET", "appendfsync", "no")
    assert "CONFIG SET appendfsync everysec" in await opens(url, "fast")
    assert await opens(url, "volatile") == "OK"
    setting.command("CONFIG", "SET", "appendonly", "no")
    setting.command("CONFIG", "SET", "save", "3600 1")
    for word in ("durable", "fast"):
        refused = await opens(url, word)
        assert "CONFIG SET appendonly yes" in refused
        assert "snapshots (save 3600 1)" in refused
    assert await opens(url, "volatile") == "OK"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"])
async def test_a_server_that_evicts_is_refused_always(setting: Node, policy: str) -> None:
    setting.command("CONFIG", "SET", "maxmemory-policy", policy)
    for word in ("durable", "fast", "volatile"):
        assert "CONFIG SET maxmemory-policy noeviction" in await opens(url_of(setting), word)


async def test_what_cannot_be_read_is_said(setting: Node, caplog: pytest.LogCaptureFixture) -> None:
    setting.command("CONFIG", "SET", "appendonly", "no")
    setting.command("ACL", "SETUSER", "engine", "reset", "on", ">secret", *acl_rules())
    with caplog.at_level(logging.WARNING):
        assert await opens(f"redis://engine:secret@127.0.0.1:{setting.port}") == "OK"
    assert "cannot be checked" in caplog.text
    assert "appendonly, appendfsync, maxmemory-policy" in caplog.text
    setting.command("ACL", "SETUSER", "engine", "+config|get")
    assert "appendonly" in await opens(f"redis://engine:secret@127.0.0.1:{setting.port}")


async def test_every_primary_of_a_cluster_is_looked_at(tmp_path: Path) -> None:
    cluster = ClusterNodes("valkey", tmp_path / "cluster")
    try:
        assert await opens(cluster.url) == "OK"
        cluster.nodes[2].command("CONFIG", "SET", "appendfsync", "everysec")
        assert f"127.0.0.1:{cluster.nodes[2].port}" in await opens(cluster.url)
    finally:
        cluster.stop()


def test_a_hint_for_a_primary_with_replicas() -> None:
    node = {"appendonly": "yes", "appendfsync": "always", "maxmemory_policy": "noeviction", "role": "primary"}
    hints = [s for s in judge(node | {"min_replicas_to_write": "0"}, "replicated") if s.verdict == "hint"]
    assert "min-replicas-to-write 1" in str(hints[0].advice)
    assert all(s.verdict == "ok" for s in judge(node | {"min_replicas_to_write": "1"}, "replicated"))
    assert all(s.verdict == "ok" for s in judge(node | {"min_replicas_to_write": "0"}, "durable"))


# -- the embedded server ----------------------------------------------------------------------------------------------
async def fsync(store: RedisStore) -> str:
    return str((await store.health())["appendfsync"])


async def test_the_embedded_server_is_set_as_the_strictest_of_its_users_wants(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    fast = await open_store(None, data_dir, durability="fast")
    assert await fsync(fast) == "everysec"
    volatile = await open_store(None, data_dir, durability="volatile")
    assert await fsync(fast) == "everysec"
    durable = await open_store(None, data_dir)
    assert await fsync(fast) == "always"
    await volatile.close()
    other = await open_store(None, data_dir, durability="fast")
    assert await fsync(other) == "always"
    await Scene(fast).create()
    for store in (fast, durable, other):
        await store.close()
    alone = await open_store(None, data_dir, durability="volatile")
    assert await fsync(alone) == "no"
    assert await alone.describe("E1") is not None
    assert (await alone.health())["durability"] == "volatile"
    await alone.close()
    await stop_embedded(data_dir)


async def test_a_server_left_running_is_set_anew(tmp_path: Path) -> None:
    """Its process was killed, so nobody stopped the server: whoever comes next has it as he wants it."""
    data_dir = tmp_path / "data"
    left = await open_store(None, data_dir)
    left._closing = None
    await left.close()
    store = await open_store(None, data_dir, durability="fast")
    assert await fsync(store) == "everysec"
    await store.close()
    await stop_embedded(data_dir)


# -- replicas ---------------------------------------------------------------------------------------------------------
class Replica:
    """Follows a primary as far as it is told: it has everything in memory, and on disk only if `on_disk`."""

    def __init__(self) -> None:
        self.on_disk = True
        self._on_disk = 0
        self._task: asyncio.Task[None] | None = None

    async def follow(self, primary: Node) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", primary.port)
        for command in ("REPLCONF listening-port 1", "REPLCONF capa psync2"):
            self._writer.write(f"{command}\r\n".encode())
            assert await self._reader.readline() == b"+OK\r\n"
        self._writer.write(b"PSYNC ? -1\r\n")
        offset = int((await self._line()).split()[2])
        await self._reader.readexactly(int((await self._line())[1:]))
        self._task = asyncio.ensure_future(self._receive(offset))

    async def _line(self) -> bytes:
        while (line := await self._reader.readline()) == b"\n":  # the primary is still busy
            pass
        return line

    async def _receive(self, offset: int) -> None:
        self._on_disk = offset
        while data := await self._reader.read(65536):
            offset += len(data)
            if self.on_disk:
                self._on_disk = offset
            words = ("REPLCONF", "ACK", str(offset), "FACK", str(self._on_disk))
            self._writer.write(b"*5\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in words))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._writer.close()


async def test_a_replica_has_what_is_on_its_disk(node: Node) -> None:
    """Where the server can tell the difference, memory is not enough; on Redis 7.0 it has to be."""
    replica = Replica()
    await replica.follow(node)
    store = await open_store(url_of(node) + "?replicas=1", deadline=10)
    try:
        scene = Scene(store, "R1")
        assert (await scene.create()).outcome == "OK"
        replica.on_disk = False
        if node.kind == "redis":
            assert (await scene.commit(history=events("e"))).outcome == "OK"
            return
        with pytest.raises(StatewrightError, match="NOREPLICAS"):
            await scene.commit(history=events("e"), revision=1)
        replica.on_disk = True
        # It was applied, only not acknowledged.
        assert (await scene.commit(history=events("e"), revision=1, commit_id="c0")).outcome in ("DUP", "OK")
    finally:
        await store.close()
        await replica.close()


async def test_replicas_that_fsync_do_not_take_a_second(tmp_path: Path) -> None:
    """WAITAOF by itself does, with servers of today: see `Connection._barrier`."""
    sentinels = SentinelNodes("valkey", tmp_path / "sentinels", timeout_ms=15_000)
    try:
        store = await open_store(sentinels.url.replace("replicas=1", "replicas=2"), durability="replicated")
        scene = Scene(store)
        await scene.create()
        clock = asyncio.get_running_loop().time
        spans = []
        for index in range(9):
            begun = clock()
            assert (await scene.commit(history=events(f"e{index}"))).outcome == "OK"
            spans.append(clock() - begun)
        assert sorted(spans)[4] < 0.5
        await store.close()
        with pytest.raises(StatewrightError, match="asks for replicated"):
            await open_store(sentinels.url, durability="fast")
    finally:
        sentinels.stop()
