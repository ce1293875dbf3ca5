"""The scripts on the server: flushed under load, and those of other versions (F13)."""

from __future__ import annotations

import asyncio

from statewright import AsyncEngine
from statewright.store import keys
from statewright.store.scripts import NAME
from tests.store.conftest import Stores
from tests.store.scene import administer

KINDS = ("valkey", "redis", "cluster")

DAY = 24 * 3600 * 1000
ORDER = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Map",
            "ItemProcessor": {"StartAt": "Do", "States": {"Do": {"Type": "Task", "Resource": "do", "End": True}}},
            "Next": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": 0, "Next": "Last"},
        "Last": {"Type": "Task", "Resource": "do", "End": True},
    },
}


async def test_functions_flushed_all_the_time(stores: Stores) -> None:
    """Orders run while the scripts are deleted at every turn: nothing is lost, doubled, or out of order."""
    done: dict[str, int] = {}

    async def do(value: object, context: object) -> object:
        key = context.idempotency_key  # type: ignore[attr-defined]
        done[key] = done.get(key, 0) + 1
        await asyncio.sleep(0)
        return value

    admin = await stores.open()
    flushes, over = 0, False

    async def flush() -> None:
        nonlocal flushes
        while not over:
            await administer(admin, "FUNCTION", "FLUSH")
            flushes += 1
            await asyncio.sleep(0.02)

    async with AsyncEngine(stores.url, tasks={"do": do}) as engine:
        await engine.deploy(ORDER, name="order")
        storm = asyncio.ensure_future(flush())
        async with engine.worker():
            started = [(await engine.start("order", [number, number + 1])).arn for number in range(100)]
            for number, arn in enumerate(started):
                ended = await engine.wait(arn, timeout=25)
                assert (ended.status, ended.output) == ("SUCCEEDED", f"[{number},{number + 1}]")
                ids = [event["id"] for event in await engine.history(arn)]
                assert ids == list(range(1, len(ids) + 1))
        over = True
        await storm
    assert flushes > 5
    assert len(done) == 300
    assert set(done.values()) == {1}


async def test_libraries_that_nobody_uses_are_deleted(stores: Stores) -> None:
    store = await stores.open()
    now = await store.now()
    loaded = ("statewright_old", "statewright_recent", "other")
    for name in loaded:
        code = f"#!lua name={name}\nredis.register_function('{name}', function() return 1 end)"
        await administer(store, "FUNCTION", "LOAD", "REPLACE", code)
    seconds = await administer(store, "TIME")
    now = max(int(each[0]) * 1000 for each in seconds)
    put = store._scripts.server.call
    await put("HSET", keys.META, "library:statewright_old", now - 31 * DAY)
    await put("HSET", keys.META, "library:statewright_gone", now - 31 * DAY)
    await put("HSET", keys.META, "library:statewright_recent", now - 29 * DAY)
    await put("HSET", keys.META, f"library:{NAME}", now - 2 * DAY)
    await stores.open()
    for primary in await administer(store, "FUNCTION", "LIST"):
        names = {name.decode() for library in primary for name in library if isinstance(name, bytes)}
        assert "statewright_old" not in names
        assert {"statewright_recent", "other"} <= names
    fields = await put("HGETALL", keys.META)
    noted = {field.decode() for field in fields[::2] if field.startswith(b"library:")}
    assert noted == {"library:statewright_recent", f"library:{NAME}"}
    assert int(await put("HGET", keys.META, f"library:{NAME}")) >= now
    for name in loaded[1:]:
        await administer(store, "FUNCTION", "DELETE", name)
