"""The server-side scripts, and how they are called.

A script is the concatenation of the parts it uses under one ``#!lua`` line (which makes a cluster refuse keys of
another slot).  The servers know it by its SHA-1; where one has forgotten it, it is loaded and called again.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeAlias

from statewright.store.connection import Connection, ServerError, StoreUnavailable, refusal

__all__ = ["SCRIPTS", "Scripts"]

Argument: TypeAlias = str | bytes | int

_PARTS: dict[str, tuple[str, ...]] = {
    "open": ("common", "open"),
    "create": ("common", "apply", "create"),
    "commit": ("common", "apply", "commit"),
    "items": ("common", "items"),
    "claim": ("common", "deliver", "claim"),
    "claim_frame": ("common", "deliver", "claim_frame"),
    "extend": ("common", "extend"),
    "release": ("common", "release"),
    "signal": ("common", "signal"),
    "heartbeat": ("common", "heartbeat"),
    "take": ("common", "take"),
    "open_frames": ("common", "open_frames"),
    "put_machine": ("common", "put_machine"),
}


def _source(parts: Sequence[str]) -> str:
    folder = files("statewright.store") / "lua"
    return "#!lua\n" + "".join((folder / f"{part}.lua").read_text("utf-8") for part in parts)


SCRIPTS: dict[str, str] = {name: _source(parts) for name, parts in _PARTS.items()}
"""Text of each script by name."""

_DIGESTS = {name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in SCRIPTS.items()}


class Scripts:
    """Calls scripts over a connection, with one policy for what a server may answer (reliability notes, F12).

    Arguments:
        connection: where to call them.
        deadline: how long, in seconds, a server may ask for patience (LOADING, BUSY, ...).

    Example: ``await Scripts(connection).run("claim", "sw:{7}:q", ["", "worker", 30000, 10])``
    """

    def __init__(self, connection: Connection, deadline: float = 30.0) -> None:
        self._connection = connection
        self._deadline = deadline
        self.repeats = 0
        """How many calls had to be made again."""

    async def run(self, name: str, key: str, arguments: Sequence[Argument]) -> Any:
        """The answer of script `name`; raises StoreUnavailable, or StatewrightError with the setting to change."""
        return await self.finish(self.start(name, key, arguments), name, key, arguments)

    def start(self, name: str, key: str, arguments: Sequence[Argument]) -> asyncio.Future[Any]:
        """Put the call into the pipeline now; `finish` has the answer."""
        return self._connection.call("EVALSHA", _DIGESTS[name], 1, key, *arguments)

    async def finish(self, future: asyncio.Future[Any], name: str, key: str, arguments: Sequence[Argument]) -> Any:
        """The answer to a started call, made again as long as the server asks for it."""
        until = 0.0
        while True:
            try:
                return await future
            except ServerError as error:
                now = asyncio.get_running_loop().time()
                until = until or now + self._deadline
                if error.code == "NOSCRIPT" and now < until:
                    self._connection.call("SCRIPT", "LOAD", SCRIPTS[name]).add_done_callback(_retrieve)
                elif not error.passing:
                    raise refusal(error) from None
                elif now >= until:
                    raise StoreUnavailable(str(error)) from None
                else:
                    await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311
                self.repeats += 1
                future = self.start(name, key, arguments)

    async def call(self, *command: Argument) -> Any:
        """A plain read command, under the same policy."""
        until = 0.0
        while True:
            try:
                return await self._connection.call(*command)
            except ServerError as error:
                now = asyncio.get_running_loop().time()
                until = until or now + self._deadline
                if not error.passing:
                    raise refusal(error) from None
                if now >= until:
                    raise StoreUnavailable(str(error)) from None
                await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311


def _retrieve(future: asyncio.Future[Any]) -> None:
    """The answer to a load does not matter (the call after it tells), but asyncio wants it looked at."""
    if not future.cancelled():
        future.exception()
