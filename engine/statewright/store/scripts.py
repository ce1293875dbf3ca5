"""The server-side scripts, one function for each verb, and how they are called.

All verbs are one library (``FUNCTION LOAD``), so that what they share is set up once and not at every call; its
``#!lua`` line makes a cluster refuse keys of another slot.  The library's name carries a digest of its text: workers of
several versions can use one server.  Where a server does not have it, it is loaded and the call made again; one that
has not been used for a month is deleted (``lua/open.lua``).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Protocol, TypeAlias

from statewright.store import keys
from statewright.store.address import Address, Command
from statewright.store.connection import Connection
from statewright.store.replies import ServerError, StoreUnavailable, refusal

__all__ = ["LIBRARY", "NAME", "VERBS", "Argument", "Scripts", "Server"]

Argument: TypeAlias = str | bytes | int

_AT_ONCE = 3  # redirections, and loadings of the library, in a row without a pause

_SHARED = ("common", "runs", "ending", "apply", "deliver", "repair")

VERBS = (
    "open", "create", "commit", "items", "claim", "claim_frame", "extend", "release", "signal", "heartbeat", "take",
    "open_frames", "put_machine", "advance", "update_run", "announce", "measure", "rights", "task_state",
    "sweep", "sweep_turn", "requeue", "nested", "handed_on", "report", "bury", "revive",
    "archive", "delete", "drop_definition", "inspect",
)  # fmt: skip
"""The verbs; each is a file in ``lua/``, the body of its function."""

_BODIES = {**{name: name for name in VERBS}, "create_child": "create"}
"""Which body a function has: executions that others wait for are created like any other."""

_NEW_WORK = ("create", "put_machine")
"""Refused when memory is short (F9).  All others are not (``allow-oom``), so that what has begun can be finished."""


def _part(name: str) -> str:
    return (files("statewright.store") / "lua" / f"{name}.lua").read_text("utf-8")


def _library() -> tuple[str, dict[str, str]]:
    """The library's text, and the function of each verb."""
    shared = "".join(map(_part, _SHARED))
    bodies = {name: _part(name) for name in VERBS}
    digest = hashlib.sha256("".join((shared, *bodies.values())).encode()).hexdigest()[:12]
    names = {name: f"sw_{digest}_{name}" for name in _BODIES}
    functions = "".join(
        f"redis.register_function({{function_name = '{names[name]}', "
        f"flags = {{{'' if name in _NEW_WORK else chr(39) + 'allow-oom' + chr(39)}}}, callback = function(keys, argv)\n"
        f"enter(keys, argv)\n{bodies[body]}end}})\n"
        for name, body in _BODIES.items()
    )
    return f"#!lua name=statewright_{digest}\n{shared}{functions}", names


LIBRARY, _FUNCTIONS = _library()
"""Text of the library; server-side function by verb."""

NAME = LIBRARY[: LIBRARY.index("\n")].partition("name=")[2]
"""Name of the library."""


class Server(Protocol):
    """What calls go to: a server, the primary of the moment, or a cluster."""

    patience: frozenset[str]
    """Error codes after which the same call will do later."""

    guarded: bool
    """Whether keys may move while a script runs, so that each call names a second key (see `keys.guard`)."""

    def call(self, *command: Argument, at: str = "") -> asyncio.Future[Any]:
        """See `Connection.call`."""

    def follow(self, error: ServerError, command: Command) -> asyncio.Future[Any] | None:
        """See `Connection.follow`."""

    def primaries(self) -> list[Connection]:
        """See `Connection.primaries`."""

    async def replicas(self) -> list[Address]:
        """See `Connection.replicas`."""

    async def ensure(self) -> None:
        """See `Connection.ensure`."""

    async def close(self) -> None:
        """Close all connections."""


class Scripts:
    """Calls verbs, with one policy for what servers may answer (reliability notes, F12).

    An error reply means: follow it to another server; load the library; wait; or tell the caller, with the setting to
    look at.  The call stays the same in all cases, since every verb is safe to repeat.

    Arguments:
        server: where to call them.
        deadline: how long, in seconds, servers may ask for patience (LOADING, BUSY, ...).

    Example: ``await Scripts(connection).run("claim", "sw:{7}:q", ["", "worker", 30000, 10])``
    """

    def __init__(self, server: Server, deadline: float = 30.0) -> None:
        self.server = server
        self._deadline = deadline

    async def run(self, name: str, key: str, arguments: Sequence[Argument]) -> Any:
        """The answer of verb `name`; raises StoreUnavailable, or StatewrightError with the setting to change."""
        return await self.finish(self.start(name, key, arguments), name, key, arguments)

    def start(self, name: str, key: str, arguments: Sequence[Argument]) -> asyncio.Future[Any]:
        """Put the call into the pipeline now; `finish` has the answer."""
        return self.server.call(*self._command(name, key, arguments))

    async def finish(self, future: asyncio.Future[Any], name: str, key: str, arguments: Sequence[Argument]) -> Any:
        """The answer to a started call, made again as long as the server asks for it."""
        try:
            return await future
        except ServerError as error:
            return await self._insist(error, self._command(name, key, arguments))

    async def call(self, *command: Argument) -> Any:
        """A plain read command, under the same policy."""
        return await self._answer(self.server.call(*command), command)

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to several plain read commands, sent together."""
        sent = [self.server.call(*command) for command in commands]
        try:
            return [await self._answer(future, command) for future, command in zip(sent, commands, strict=True)]
        finally:
            for future in sent:  # after an error nobody asks for the others
                if not future.cancel() and not future.cancelled():
                    future.exception()

    async def _answer(self, future: asyncio.Future[Any], command: Command) -> Any:
        try:
            return await future
        except ServerError as error:
            return await self._insist(error, command)

    def _command(self, name: str, key: str, arguments: Sequence[Argument]) -> Command:
        if self.server.guarded:
            return ("FCALL", _FUNCTIONS[name], 2, key, keys.guard(key), *arguments)
        return ("FCALL", _FUNCTIONS[name], 1, key, *arguments)

    async def _insist(self, error: ServerError, command: Command) -> Any:
        """The answer to a call that was refused with `error`, made again in the way that the refusal suggests."""
        now = asyncio.get_running_loop().time
        until, at_once = now() + self._deadline, 0
        while True:
            if now() >= until:
                raise StoreUnavailable(str(refusal(error))) from None
            future = self.server.follow(error, command)
            if future is not None:
                at_once += 1
            elif "Function not found" in str(error):
                at_once += 1
                await self._load(str(command[3]))
            elif error.code in self.server.patience:
                at_once = 0
            else:
                raise refusal(error) from None
            if future is None:
                if not 0 < at_once <= _AT_ONCE:
                    await _pause()
                future = self.server.call(*command)
            try:
                return await future
            except ServerError as next_error:
                error = next_error
            if at_once > _AT_ONCE:  # the servers do not agree yet
                await _pause()

    async def _load(self, key: str) -> None:
        """Load the library where `key` is, unless another caller was faster or the server asks for patience."""
        try:
            await self.server.call("FUNCTION", "LOAD", LIBRARY, at=key)
        except ServerError as error:
            # Whatever it is about the server rather than the library, the call itself will be told as well.
            elsewhere = error.code in self.server.patience or error.code in ("READONLY", "MOVED", "RETIRED")
            if "already exists" not in str(error) and not elsewhere:
                raise refusal(error) from None


async def _pause() -> None:
    await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311
