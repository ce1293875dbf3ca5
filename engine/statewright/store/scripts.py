"""The server-side scripts, one function for each verb, and how they are called.

All verbs are one library (``FUNCTION LOAD``), so that what they share is set up once and not at every call; its
``#!lua`` line makes a cluster refuse keys of another slot.  The library's name carries a digest of its text: workers of
several versions can use one server.  Where a server does not have it, it is loaded and the call made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeAlias

from statewright.store.connection import Connection, ServerError, StoreUnavailable, refusal

__all__ = ["LIBRARY", "VERBS", "Scripts"]

Argument: TypeAlias = str | bytes | int

_SHARED = ("common", "runs", "apply", "deliver")

VERBS = (
    "open", "create", "commit", "items", "claim", "claim_frame", "extend", "release", "signal", "heartbeat", "take",
    "open_frames", "put_machine", "advance", "update_run",
)  # fmt: skip
"""The verbs; each is a file in ``lua/``, the body of its function."""


def _part(name: str) -> str:
    return (files("statewright.store") / "lua" / f"{name}.lua").read_text("utf-8")


def _library() -> tuple[str, dict[str, str]]:
    """The library's text, and the function of each verb."""
    shared = "".join(map(_part, _SHARED))
    bodies = {name: _part(name) for name in VERBS}
    digest = hashlib.sha256("".join((shared, *bodies.values())).encode()).hexdigest()[:12]
    names = {name: f"sw_{digest}_{name}" for name in VERBS}
    functions = "".join(
        f"redis.register_function('{names[name]}', function(keys, argv)\nenter(keys, argv)\n{body}end)\n"
        for name, body in bodies.items()
    )
    return f"#!lua name=statewright_{digest}\n{shared}{functions}", names


LIBRARY, _FUNCTIONS = _library()
"""Text of the library; server-side function by verb."""


class Scripts:
    """Calls verbs over a connection, with one policy for what a server may answer (reliability notes, F12).

    Arguments:
        connection: where to call them.
        deadline: how long, in seconds, a server may ask for patience (LOADING, BUSY, ...).

    Example: ``await Scripts(connection).run("claim", "sw:{7}:q", ["", "worker", 30000, 10])``
    """

    def __init__(self, connection: Connection, deadline: float = 30.0) -> None:
        self._connection = connection
        self._deadline = deadline

    async def run(self, name: str, key: str, arguments: Sequence[Argument]) -> Any:
        """The answer of verb `name`; raises StoreUnavailable, or StatewrightError with the setting to change."""
        return await self.finish(self.start(name, key, arguments), name, key, arguments)

    def start(self, name: str, key: str, arguments: Sequence[Argument]) -> asyncio.Future[Any]:
        """Put the call into the pipeline now; `finish` has the answer."""
        return self._connection.call("FCALL", _FUNCTIONS[name], 1, key, *arguments)

    async def finish(self, future: asyncio.Future[Any], name: str, key: str, arguments: Sequence[Argument]) -> Any:
        """The answer to a started call, made again as long as the server asks for it."""
        until = 0.0
        while True:
            try:
                return await future
            except ServerError as error:
                now = asyncio.get_running_loop().time()
                until = until or now + self._deadline
                if "Function not found" in str(error) and now < until:
                    await self._load()
                elif not error.passing:
                    raise refusal(error) from None
                elif now >= until:
                    raise StoreUnavailable(str(error)) from None
                else:
                    await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311
                future = self.start(name, key, arguments)

    async def _load(self) -> None:
        """Load the library, unless another caller was faster or the server asks for patience."""
        try:
            await self._connection.call("FUNCTION", "LOAD", LIBRARY)
        except ServerError as error:
            if "already exists" not in str(error) and not error.passing:
                raise refusal(error) from None

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
