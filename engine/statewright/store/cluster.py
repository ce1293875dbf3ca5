"""A Redis or Valkey Cluster: a map from slots to primaries, and one pipelining connection to each.

All keys of a call are in one slot, since they share the tag of their shard.  Calls of one slot leave in order, and
after a redirection they may arrive in another one: a commit that overtakes the one it builds on is answered STALE and
made again by the store, so nothing depends on it.

While a slot migrates key by key, a script that finds a part of its keys gone would be cut off half-way.  `Scripts`
therefore names a second key in each call, one that never exists: the server then refuses the call as a whole
(TRYAGAIN), and it is made again until the slot has one owner.
"""

from __future__ import annotations

import asyncio
import random
from binascii import crc_hqx
from collections.abc import Sequence
from typing import Any

from statewright.store import keys
from statewright.store.address import Address, Command
from statewright.store.connection import Accept, Connection, no_errors
from statewright.store.replies import FAILOVER_PATIENCE, ServerError, StoreUnavailable, refusal
from statewright.store.wire import ask

__all__ = ["Cluster", "slot_of"]

_SLOTS = 16384
_TIMEOUT = 1.0  # seconds for a node's answer about the cluster
_SILENCE = 2.0  # seconds after which a silent primary is doubted
_ASKED = 2.0  # seconds for which ASK makes a node one of us
_FRESH = 0.1  # seconds for which a look at the cluster is good
_KEYLESS = frozenset(("AUTH", "CLUSTER", "CONFIG", "FUNCTION", "INFO", "PING", "TIME"))
_ELSEWHERE = frozenset(("MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN"))


def slot_of(key: str) -> int:
    """The slot of a key, by its tag if it has one (Redis Cluster specification, "Hash tags").

    Example: ``slot_of("sw:{7}:q") == slot_of("7")``
    """
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return crc_hqx((tag if opened and closed and tag else key).encode(), 0) % _SLOTS


class Cluster:
    """Has the calls of a `Connection`, and sends each to the primary that has its key.

    Arguments:
        seeds: nodes to ask first.
        greeting, accept, deadline, replicas: as for `Connection`, for each node; an answer that a key is elsewhere is
            not an error.

    Example: ``await Cluster(locate("cluster://n1,n2,n3").servers).call("GET", "key")``
    """

    patience = FAILOVER_PATIENCE
    guarded = True

    def __init__(
        self,
        seeds: Sequence[Address],
        *,
        greeting: Sequence[Command] = (),
        accept: Accept = no_errors,
        deadline: float = 30.0,
        replicas: int = 0,
    ) -> None:
        self._seeds = list(seeds)
        self._greeting = greeting
        self._accept = accept
        self._deadline = deadline
        self._wait_for = replicas
        self._loop = asyncio.get_running_loop()
        self._owners: dict[int, Address] = {}  # by slot, for the slots that were asked for
        self._ranges: list[tuple[int, int, Address]] = []
        self._replicas: set[Address] = set()
        self._nodes: dict[Address, Connection] = {}
        self._guests: dict[Address, float] = {}  # nodes that take over a slot, and may have none yet: until when
        self._informant = self._seeds[0]
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")
        self._closed = False

    # -- calls --------------------------------------------------------------------------------------------------------
    def call(self, *command: str | bytes | int, at: str = "") -> asyncio.Future[Any]:
        """See `Connection.call`; a command without a key goes to the node that has the key `at`, or any."""
        owner = self._owner(slot_of(at or _key_of(command)))
        if owner is not None and not self._closed:
            return self._node(owner).call(*command)
        self._look_soon()
        future: asyncio.Future[Any] = self._loop.create_future()
        unserved = ServerError("CLUSTERDOWN nobody serves this slot")
        future.set_exception(StoreUnavailable("the store has been closed") if self._closed else unserved)
        return future

    def follow(self, error: ServerError, command: Command) -> asyncio.Future[Any] | None:
        """See `Connection.follow`."""
        match error.code:
            case _ if self._closed:
                return self.call(*command)
            case "MOVED":
                slot, address = self._redirection(error)
                self._owners[slot] = address
                self._look_soon()
                return self.call(*command)
            case "RETIRED":
                return self.call(*command)
            case "ASK":
                _, address = self._redirection(error)
                self._guests[address] = self._loop.time() + _ASKED
                node = self._node(address)
                node.call("ASKING").add_done_callback(_heed)
                return node.call(*command)
            case "CLUSTERDOWN":
                self._look_soon()
        return None

    def primaries(self) -> list[Connection]:
        """See `Connection.primaries`."""
        return [self._node(address) for address in self._primaries()]

    async def replicas(self) -> list[Address]:
        """See `Connection.replicas`."""
        await self._look()
        return sorted(self._replicas, key=str)

    async def any(self) -> Address:
        """A primary that answers, for a subscription: messages reach all nodes."""
        return await self._look()

    async def ensure(self) -> None:
        """See `Connection.ensure`."""
        until, pause = self._loop.time() + self._deadline, 0.02
        while not self._ranges:
            try:
                await self._look()
            except ServerError as error:
                raise refusal(error) from None
            except OSError as error:
                if self._loop.time() + pause > until:
                    raise StoreUnavailable(f"no answer from the store within {self._deadline:g} s: {error}") from None
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(pause * 2, 1.0)

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*[node.close() for node in self._nodes.values()])

    # -- nodes --------------------------------------------------------------------------------------------------------
    def _primaries(self) -> list[Address]:
        return list(dict.fromkeys(owner for _, _, owner in self._ranges))

    def _owner(self, slot: int) -> Address | None:
        owner = self._owners.get(slot)
        if owner is None:
            owner = next((owner for first, last, owner in self._ranges if first <= slot <= last), None)
            if owner is not None:
                self._owners[slot] = owner
        return owner

    def _node(self, address: Address) -> Connection:
        if (node := self._nodes.get(address)) is None:
            node = self._nodes[address] = Connection(
                lambda: self._still(address),
                greeting=self._greeting,
                accept=self._accept_node,
                deadline=self._deadline,
                replicas=self._wait_for,
                silence=_SILENCE,
            )
        return node

    async def _still(self, address: Address) -> Address:
        """The address, if it is that of a primary; asked before each attempt to connect."""
        await self._look()
        asked = self._guests.get(address, 0) > self._loop.time()
        if not asked and address not in self._primaries() and address not in self._owners.values():
            raise ServerError(f"RETIRED {address.place} is no primary of the cluster any more")
        return address

    def _accept_node(self, answers: list[Any]) -> None:
        if not any(isinstance(answer, ServerError) and answer.code in _ELSEWHERE for answer in answers):
            self._accept(answers)

    # -- the map ------------------------------------------------------------------------------------------------------
    def _redirection(self, error: ServerError) -> tuple[int, Address]:
        """Slot and address of ``MOVED 3999 127.0.0.1:6381``; without a host it is that of the node that answered."""
        _, slot, place = str(error).split(" ")[:3]
        host, _, port = place.rpartition(":")
        known = self._owner(int(slot)) or self._seeds[0]
        return int(slot), self._seeds[0].at(host or known.host, int(port))

    def _look_soon(self) -> None:
        """Look at the cluster, unless that is being done."""
        if self._looking is None and not self._closed:
            self._looking = self._loop.create_task(self._ask_around())
            self._looking.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        _heed(task)

    async def _look(self) -> Address:
        """Make sure that the map is fresh; a node that answered.  Raises ConnectionError, ServerError."""
        if self._loop.time() - self._looked_at > _FRESH:
            self._look_soon()
            if self._looking is None:
                raise ConnectionError("the store has been closed")
            await asyncio.shield(self._looking)
        return self._informant

    async def _ask_around(self) -> None:
        """Learn the map from the first node that answers."""
        known = [*self._primaries(), *self._replicas]
        random.shuffle(known)
        refused: ServerError | None = None
        for address in dict.fromkeys([*known, *self._seeds]):
            try:
                (slots,) = await ask(address, ("CLUSTER", "SLOTS"), timeout=_TIMEOUT)
            except (OSError, TimeoutError):
                continue
            except ServerError as error:
                slots = error
            if isinstance(slots, ServerError):
                refused = slots
            elif slots:
                self._learn(slots, address)
                self._informant = address
                self._looked_at = self._loop.time()
                return
        if refused is not None and not refused.passing:
            raise refused
        raise ConnectionError("no node of the cluster answers" if refused is None else str(refused))

    def _learn(self, slots: list[Any], informant: Address) -> None:
        """Take over CLUSTER SLOTS: rows of first, last, primary, replica...; of a node (host, port, ...)."""

        def address(node: list[Any]) -> Address:
            host = node[0].decode() if node[0] else ""
            return informant.at(informant.host if host in ("", "?") else host, node[1])

        self._ranges = [(first, last, address(primary)) for first, last, primary, *_ in slots]
        self._replicas = {address(node) for _, _, _, *replicas in slots for node in replicas}
        self._owners = {}


def _key_of(command: Sequence[str | bytes | int]) -> str:
    """The key that says where a command belongs; that of the store's meta hash for a command without one."""
    if command[0] == "FCALL":
        return str(command[3])
    return keys.META if command[0] in _KEYLESS else str(command[1])


def _heed(future: asyncio.Future[Any]) -> None:
    """Take note of how it ended, so that nobody is told that nobody did."""
    if not future.cancelled():
        future.exception()
