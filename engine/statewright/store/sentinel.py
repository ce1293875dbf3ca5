"""A primary that Sentinels watch over: who it is now, and a connection that goes where it goes.

After a failover the calls without an answer are sent again to the new primary.  A server is written to only after it
said itself that it is a primary (``ROLE``).  It is left when the Sentinels announce another one (``+switch-master``),
when it answers READONLY, or when it is silent and the Sentinels name another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from statewright.store.address import Address, Command, Location
from statewright.store.connection import Accept, Connection, no_errors
from statewright.store.replies import FAILOVER_PATIENCE, ServerError, refusal
from statewright.store.wire import ask

__all__ = ["Failover", "Sentinels"]

_TIMEOUT = 1.0  # seconds for the answer of a Sentinel
_SILENCE = 2.0  # seconds after which a silent primary is doubted


class Sentinels:
    """Those who know who the primary is.

    Arguments:
        location: addresses of the Sentinels, the name of what they watch, how its servers are logged in to.

    Example: ``await Sentinels(locate("sentinel://s1,s2,s3/orders")).primary()``
    """

    def __init__(self, location: Location) -> None:
        self.servers = location.servers
        self._name = location.name
        self._template = location.primary

    async def primary(self) -> Address:
        """The primary, by the word of the Sentinel with the newest configuration.

        Raises ConnectionError if none answers, StatewrightError if they watch no such name or want a password.
        """
        views = await self._ask("MASTER")
        newest = max(views, key=lambda view: int(view["config-epoch"]))
        return self._template.at(newest["ip"], int(newest["port"]))

    async def replicas(self) -> list[Address]:
        """The replicas the Sentinels know of and do not think down."""
        found = {
            self._template.at(view["ip"], int(view["port"]))
            for view in await self._ask("REPLICAS")
            if "down" not in view.get("flags", "")
        }
        return sorted(found, key=str)

    def announces(self, message: Any) -> bool:
        """Whether a message of the channel ``+switch-master`` is about our primary."""
        return bool(message[2].split(b" ", 1)[0] == self._name.encode())

    async def _ask(self, about: str) -> list[dict[str, str]]:
        """What all Sentinels that answer say, one flat list of descriptions."""
        question: Command = ("SENTINEL", about, self._name)
        asked = [ask(server, question, timeout=_TIMEOUT) for server in self.servers]
        views: list[dict[str, str]] = []
        refused: Exception | None = None
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, OSError | TimeoutError):
                continue
            if isinstance(answer, BaseException):
                refused = answer if isinstance(answer, Exception) else None
                if refused is None:
                    raise answer
            elif isinstance(answer[0], ServerError):
                refused = answer[0]
            else:
                rows = [answer[0]] if about == "MASTER" else answer[0]
                views += [dict(zip(map(_text, row[::2]), map(_text, row[1::2]), strict=True)) for row in rows]
        if not views and about == "MASTER":
            if refused is None:
                raise ConnectionError(f"no Sentinel answers at {', '.join(server.place for server in self.servers)}")
            if isinstance(refused, ServerError) and not refused.passing:
                raise refusal(refused)
            raise refused
        return views


def _text(word: bytes) -> str:
    return word.decode()


class Failover(Connection):
    """A `Connection` to whoever is the primary.

    Arguments:
        sentinels: who say so.
        greeting, accept, deadline, replicas: as for `Connection`.

    Example: ``Failover(Sentinels(location))``
    """

    patience = FAILOVER_PATIENCE

    def __init__(
        self,
        sentinels: Sentinels,
        *,
        greeting: Sequence[Command] = (),
        accept: Accept = no_errors,
        deadline: float = 30.0,
        replicas: int = 0,
    ) -> None:
        def primary_only(answers: list[Any]) -> None:
            no_errors(answers[:1])
            if answers[0][0] != b"master":
                raise ConnectionRefusedError("this server is a replica, there is no primary yet")
            accept(answers[1:])

        super().__init__(
            sentinels.primary,
            greeting=[("ROLE",), *greeting],
            accept=primary_only,
            deadline=deadline,
            replicas=replicas,
            silence=_SILENCE,
        )
        self._sentinels = sentinels
        # All are listened to: the others learn of a failover seconds after the one that led it.
        self._news = [
            Connection(
                partial(_constant, server),
                greeting=[("SUBSCRIBE", "+switch-master")],
                deadline=deadline,
                on_push=lambda message: self.reconsider() if sentinels.announces(message) else None,
                on_change=self.reconsider,  # what was announced before is not heard
            )
            for server in sentinels.servers
        ]

    def follow(self, error: ServerError, command: Command) -> asyncio.Future[Any] | None:
        """A server that became a replica is left; the call waits for its successor."""
        if error.code != "READONLY":
            return None
        self.leave()
        return self.call(*command)

    async def replicas(self) -> list[Address]:
        """See `Connection.replicas`."""
        return await self._sentinels.replicas()

    async def ensure(self) -> None:
        """See `Connection.ensure`; from the first time on the Sentinels' announcements are listened to."""
        await super().ensure()
        for news in self._news:
            # One that is not there is tried again and again; silence and READONLY tell as well.
            news.call("PING").add_done_callback(lambda future: future.cancelled() or future.exception())

    async def close(self) -> None:
        """See `Connection.close`."""
        await asyncio.gather(*[news.close() for news in self._news])
        await super().close()


async def _constant(address: Address) -> Address:
    return address
