"""F16: a worker that hears nothing of the store stops what it does before anybody else may do the same."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from statewright import AsyncEngine
from statewright.store.embedded import start_embedded, stop_embedded
from tests.chaos.proxy import BOTH, REPLIES, REQUESTS, Proxy

LEASE = 1.5
MACHINE = {"StartAt": "Act", "States": {"Act": {"Type": "Task", "Resource": "act", "End": True}}}


@pytest.mark.parametrize("ways", [REQUESTS, REPLIES, BOTH], ids=["requests", "replies", "both"])
async def test_a_worker_in_a_black_hole_stops_before_another_begins(ways: frozenset[str], tmp_path: Path) -> None:
    begun, begins, ends = asyncio.Event(), [], []

    async def for_ever(value: Any) -> Any:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ends.append(time.monotonic())

    async def at_once(value: Any) -> Any:
        begins.append(time.monotonic())
        return value

    url = await start_embedded(tmp_path / "store")
    try:
        async with (
            Proxy(tmp_path / "proxy", url.removeprefix("unix://")) as proxy,
            AsyncEngine(proxy.url, tasks={"act": for_ever}, lease_seconds=LEASE) as far,
            AsyncEngine(url, tasks={"act": at_once}, lease_seconds=LEASE) as near,
        ):
            await near.deploy(MACHINE, name="machine")
            async with far.worker(grace=0):
                started = await near.start("machine")
                await begun.wait()
                cut = time.monotonic()
                proxy.swallow(ways)
                async with near.worker(grace=0):
                    assert (await near.wait(started.arn, timeout=15)).status == "SUCCEEDED"
                assert cut < ends[0] < begins[0]
                assert len(begins) == 1
                proxy.heal()
                assert (await far.describe(started.arn)).status == "SUCCEEDED"
    finally:
        await stop_embedded(tmp_path / "store")
