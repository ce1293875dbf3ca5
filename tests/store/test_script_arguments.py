"""What a script has written is not undone, so it validates, then writes (F20): a call that fails has changed nothing.

Each verb's real call, with arguments missing, too many, or nonsense, and with keys of the wrong kind.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from statewright.store import RedisStore, open_store, stop_embedded
from statewright.store.replies import ServerError
from tests.store.scene import Scene, task
from tests.store.servers import redis_binary
from tests.store.test_refusals import VERBS

SEED = 20
TIMES = 25
NONSENSE = [b"", b"x", b"-1", b"1e400", b"99999999999", b"\0", b"0", b"nan", b"a:b:c", b"/1.0"]

HEAD = {"create": 12, "commit": 12}
"""Arguments before the step, which our own codec writes and which is not looked at once more."""

UNPROTECTED = {
    "create": {"e::RUNNING", "e:m:RUNNING", "f:E:", "h:E", "l"},
    "commit": {"l"},
    "claim_frame": {"h:E", "l"},
}
"""Keys whose kind is not looked at before others are written: that would cost each commit several calls more."""

Keys = dict[bytes, bytes]


@dataclass
class Bench:
    """A store whose keys can be put back."""

    store: RedisStore

    def call(self, *command: Any) -> asyncio.Future[Any]:
        return self.store._connection.call(*command)

    async def keys(self) -> Keys:
        names = await self.call("KEYS", "*")
        return dict(zip(names, await asyncio.gather(*[self.call("DUMP", name) for name in names]), strict=True))

    async def put_back(self, keys: Keys) -> None:
        await asyncio.gather(self.call("FLUSHALL"), *[self.call("RESTORE", name, 0, keys[name]) for name in keys])

    async def changes(self, command: list[Any]) -> str | None:
        """The error of a call that failed and yet changed something."""
        before = await self.keys()
        try:
            await self.call(*command)
        except ServerError as error:
            return str(error) if await self.keys() != before else None
        return None

    async def close(self) -> None:
        await self.call("FLUSHALL")
        await self.store.close()


@dataclass
class Example:
    """A call of a verb that works, and the keys before it."""

    command: list[Any]
    before: Keys


async def example(bench: Bench, name: str) -> Example:
    """What `VERBS[name]` calls."""
    scene = Scene(bench.store, "E")
    await scene.create()
    if name in ("heartbeat", "signal"):
        await scene.commit(epoch=1, commands=(task(),))
    found: list[Example] = []
    run = bench.store._scripts.start

    def start(verb: str, key: str, arguments: Any) -> Any:
        if verb == name:
            found.append(Example(list(bench.store._scripts._command(verb, key, arguments)), {}))
            raise _FoundError
        return run(verb, key, arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.store._scripts, "start", start)
        with pytest.raises(_FoundError):
            await VERBS[name](bench.store, scene)
    found[0].before = await bench.keys()
    return found[0]


class _FoundError(Exception):
    pass


def mutated(chance: random.Random, arguments: list[Any], upto: int) -> list[Any]:
    """Arguments with one thing wrong among the first `upto`."""
    given = list(arguments)
    place, value = chance.randrange(min(upto, len(given))), chance.choice(NONSENSE)
    match chance.randrange(4):
        case 0:
            return given[:place]
        case 1:
            given[place] = value
        case 2:
            given.insert(place, value)
        case _:
            del given[place]
    return given


@pytest.fixture(scope="module", params=["valkey", "redis"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "redis":
            patch.setenv("STATEWRIGHT_SERVER", redis_binary())
        yield path
        asyncio.run(stop_embedded(path))


@pytest.mark.parametrize("name", VERBS)
async def test_arguments(place: Path, name: str) -> None:
    bench = Bench(await open_store(None, place, durability="volatile"))
    known = await example(bench, name)
    chance = random.Random(SEED)
    for _ in range(TIMES):
        await bench.put_back(known.before)
        command = known.command[:4] + mutated(chance, known.command[4:], HEAD.get(name, 1000))
        if name in HEAD and len(command) != len(known.command):
            continue  # what is missing or too much ends up in the step
        assert await bench.changes(command) is None, command
    await bench.close()


@pytest.mark.parametrize("name", VERBS)
async def test_kinds_of_keys(place: Path, name: str) -> None:
    bench = Bench(await open_store(None, place, durability="volatile"))
    known = await example(bench, name)
    await bench.call(*known.command)
    touched = {*known.before, *await bench.keys()}
    for key in sorted(touched):
        if key.endswith(b"}:meta") or key.decode().partition("}:")[2].replace("Ex", "E") in UNPROTECTED.get(name, ()):
            continue
        for wrong in (("SET", key, "x"), ("RPUSH", key, "x"), ("HSET", key, "x", "y")):
            await bench.put_back(known.before)
            await bench.call("DEL", key)
            await bench.call(*wrong)
            assert await bench.changes(known.command) is None, wrong
    await bench.close()
