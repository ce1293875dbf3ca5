"""What every part of the API stands on: the settings of an engine and its open store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from statewright.arn import Arns, execution_id
from statewright.drive import Clock, Programs, ServerClock, VirtualClock
from statewright.drive.doorbell import Doorbell
from statewright.errors import StatewrightError, too_long
from statewright.items import Objects, open_objects
from statewright.model import PROFILES, Limits
from statewright.store import open_store
from statewright.store.verbs import Store
from statewright.tasks import Handler, Registry, Tokens
from statewright.values import Json, Payload, check, encode

__all__ = ["Connected", "Opened", "milliseconds"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What an engine has while it is open, in the event loop it was opened in."""

    store: Store
    programs: Programs
    tokens: Tokens
    doorbell: Doorbell
    loop: asyncio.AbstractEventLoop
    process: int


class Connected:
    """Settings and store of an engine; arguments of `AsyncEngine`."""

    def __init__(
        self,
        store: str | None = None,
        *,
        data_dir: str | Path | None = None,
        shards: int | None = None,
        tasks: Mapping[str, Handler] | None = None,
        durability: Literal["durable", "fast", "replicated", "volatile"] | None = None,
        profile: Literal["aws", "statewright"] = "aws",
        limits: Limits | None = None,
        concurrency: int = 256,
        threads: int = 32,
        lease_seconds: float = 9.0,
        region: str = "us-east-1",
        account: str = "000000000000",
        clock: VirtualClock | None = None,
        objects: Objects | str | Path | None = None,
        retention: timedelta | Literal["for ever"] | None = None,
        archive_after: timedelta | None = timedelta(minutes=1),
    ) -> None:
        self._url = store
        self._data_dir = Path(data_dir if data_dir is not None else ".statewright")
        self._shards = shards
        self._durability = durability or os.environ.get("STATEWRIGHT_DURABILITY") or None
        self._virtual = clock
        self._clock: Clock = clock or ServerClock()
        if profile not in PROFILES:
            raise StatewrightError("InvalidProfile", f"there is no profile {profile!r}, only {', '.join(PROFILES)}")
        self._limits = limits or PROFILES[profile]
        self._working: dict[str, Any] = {"concurrency": concurrency, "threads": threads, "lease_seconds": lease_seconds}
        self._working["archive_seconds"] = None if archive_after is None else archive_after.total_seconds()
        self._retention: int | Literal["for ever"] | None = (
            milliseconds(retention) if isinstance(retention, timedelta) else retention
        )
        self.arns = Arns(region, account)
        self.registry = Registry(tasks, region=region, account=account)
        self._objects = open_objects(objects) if isinstance(objects, str | Path) else objects
        self._opened: Opened | None = None

    async def open(self) -> None:
        """Connect to the store; with an embedded one, start its server or join it.  Done by ``async with``.

        Raises StatewrightError if there is no server, or none that can be used.
        """
        if self._opened is None:
            store = await open_store(
                self._url,
                self._data_dir,
                shards=self._shards,
                durability=self._durability,
                clock=self._virtual,
            )
            self._clock.observe(await store.now())
            if self._retention is not None:
                await store.set_retention(None if self._retention == "for ever" else self._retention)
            loop = asyncio.get_running_loop()
            tokens = Tokens(await store.secret())
            self._opened = Opened(store, Programs(store), tokens, Doorbell(store), loop, os.getpid())

    async def close(self) -> None:
        """Close all connections.  Executions stay where they are in the store.

        In a process that has forked since it was opened nothing is touched: all of it is the parent's.
        """
        opened, self._opened = self._opened, None
        if opened is not None and opened.process == os.getpid():
            await opened.store.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @property
    def _open(self) -> Opened:
        if self._opened is None:
            raise StatewrightError("NotOpen", "the engine is not open: use it as `async with AsyncEngine(…) as engine`")
        if asyncio.get_running_loop() is not self._opened.loop:
            raise StatewrightError("WrongLoop", "the engine was opened in another event loop: open one in each")
        return self._opened

    @property
    def store(self) -> Store:
        """The open store, for what this API does not offer."""
        return self._open.store

    async def health(self) -> dict[str, Any]:
        """What the store's server is and how it is set (see `Store.health`)."""
        return await self._open.store.health()

    async def _id(self, execution: str) -> str:
        """Internal id of an execution, by ARN or ``machine:name``; a child execution's is where its parent's is."""
        machine, name = self.arns.execution_names(execution)
        id_ = execution_id(machine, name)
        return (await self._open.store.find_child(id_) or id_) if "/" in machine else id_

    def _payload(self, value: Json, code: str) -> Payload:
        """A caller's JSON value; StatewrightError `code` if it is none, ValidationException if it is too large."""
        try:
            check(value)
            text = encode(value)
        except ValueError as error:
            raise StatewrightError(code, f"not JSON: {error}") from None
        if len(text.encode()) > self._limits.payload_bytes:
            raise too_long("output" if code == "InvalidOutput" else "input", self._limits.payload_bytes)
        return Payload.parse(text)


def milliseconds(span: timedelta) -> int:
    """A span of time in ms; StatewrightError InvalidRetention if it is negative.

    Example: ``milliseconds(timedelta(days=90))``
    """
    if span < timedelta(0):
        raise StatewrightError("InvalidRetention", f"executions cannot be kept for {span}")
    return round(span / timedelta(milliseconds=1))
