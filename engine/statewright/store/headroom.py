"""New executions are refused before the server has no memory left, so that those that run can finish (F9)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

from statewright.errors import StatewrightError
from statewright.store.scripts import Server

__all__ = ["Headroom"]

_FULL: Final = 0.8
"""Part of ``maxmemory`` beyond which nothing new is begun."""

_FRESH: Final = 5.0
"""Seconds for which a look at the memory counts."""

_OLD: Final = 60.0
"""Seconds after which it says nothing, not even until the next look is answered."""


@dataclass(slots=True)
class _Look:
    at: float
    used: int = 0
    most: int = 0


class Headroom:
    """What is known of the memory of the server, or of the servers of a cluster, by a key on each.

    A look costs nobody time: it travels ahead of the call that asked for it and counts for the next one.

    Example: ``Headroom(server).check("sw:{7}:x:1")``
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._looks: dict[str, _Look] = {}

    def check(self, key: str) -> None:
        """Raises StatewrightError ``ThrottlingException`` if the server that has `key` was found nearly full."""
        place = key[: key.index("}")] if self._server.guarded else ""  # in a cluster each shard may be elsewhere
        look = self._looks.get(place)
        age = time.monotonic() - look.at if look is not None else _OLD
        if look is None or age > _FRESH:
            known = (look.used, look.most) if look is not None and age < _OLD else (0, 0)
            look = self._looks[place] = _Look(time.monotonic(), *known)
            self._server.call("INFO", "memory", at=key).add_done_callback(lambda answer: _learn(look, answer))
        if look.most and look.used > look.most * _FULL:
            raise StatewrightError(
                "ThrottlingException",
                f"the store's server uses {look.used / look.most:.0%} of its maxmemory ({look.used:,} of {look.most:,} "
                "bytes): executions that run may finish, new ones are refused until there is room; raise maxmemory",
            )


def _learn(look: _Look, answer: asyncio.Future[Any]) -> None:
    """Take over what the server says; what it does not say changes nothing."""
    if not answer.cancelled() and answer.exception() is None:
        lines = (line.partition(":") for line in answer.result().decode().splitlines())
        found = {name: value for name, _, value in lines}
        look.used, look.most = int(found.get("used_memory", 0)), int(found.get("maxmemory", 0))
