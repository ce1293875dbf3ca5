"""`open_store`: from a URL, or a data directory, to a store that is known to be the right one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from statewright.errors import StatewrightError
from statewright.store import embedded, keys
from statewright.store.address import Address, Kind, locate
from statewright.store.cluster import Cluster
from statewright.store.connection import Connection, Resolve
from statewright.store.nodes import information
from statewright.store.redis import RedisStore
from statewright.store.replies import ServerError
from statewright.store.rights import check_rights
from statewright.store.scripts import Argument, Scripts, Server
from statewright.store.sentinel import Failover, Sentinels
from statewright.store.sweeping import ANOTHER_STORE

__all__ = ["open_store"]


async def open_store(
    url: str | None,
    data_dir: Path | None = None,
    *,
    clock: Callable[[], int] | None = None,
    deadline: float = 30.0,
) -> RedisStore:
    """Open the store at `url` or, without one, the embedded store of `data_dir` (its server is started or joined).

    Arguments:
        url: ``redis://``, ``rediss://``, ``unix://``, ``cluster://`` or ``sentinel://`` (see `locate`).
        data_dir: of the embedded store.
        clock: time in ms to use instead of the server's, for tests and simulation.
        deadline: seconds a call may wait for its answer, reconnecting as needed.

    Raises StatewrightError: ``InvalidStore``, ``StoreRefused``, ``StoreUnavailable``, ``NoServer``, ``StoreBroken``.

    Example: ``store = await open_store(None, Path(".statewright"))``
    """
    identity = _Identity()
    kind, server, bell, closing = _connect(url, data_dir, identity, deadline)
    try:
        await server.ensure()
        for node in server.primaries():
            _check_server(await information(Scripts(node, deadline)))
        scripts = Scripts(server, deadline)
        await check_rights(scripts, keys.META)
        proposed: list[Argument] = [keys.SCHEMA, keys.SHARDS, secrets.token_hex(16), secrets.token_bytes(32)]
        schema, shards, store_id, secret = await scripts.run("open", keys.META, proposed)
        if int(schema) != keys.SCHEMA:
            message = f"the store has schema {int(schema)}, this version of statewright needs {keys.SCHEMA}"
            raise StatewrightError("StoreRefused", message)
        if server.guarded:  # each node has users of its own
            await asyncio.gather(*[check_rights(scripts, f"{keys.prefix(s)}q") for s in range(int(shards))])
    except BaseException:
        await server.close()
        raise
    identity.expected = store_id
    return RedisStore(
        server,
        bell,
        kind=kind,
        shards=int(shards),
        store_id=store_id.decode(),
        secret=secret,
        clock=clock,
        deadline=deadline,
        closing=closing,
    )


def _connect(
    url: str | None, data_dir: Path | None, identity: _Identity, deadline: float
) -> tuple[Kind, Server, Resolve, Callable[[], Awaitable[None]] | None]:
    """Who takes the calls, where the bell is heard, and what to do when the store is closed."""
    greeting = [("HGET", keys.META, "id")]
    options: dict[str, Any] = {"greeting": greeting, "accept": identity.accept, "deadline": deadline}
    if url is None:
        if data_dir is None:
            raise StatewrightError("InvalidStore", "a store needs a URL or a data directory")
        start = partial(_embedded, data_dir)
        return "standalone", Connection(start, **options), start, partial(embedded.stop_if_idle, data_dir)
    location = locate(url)
    options["replicas"] = location.replicas
    match location.kind:
        case "cluster":
            cluster = Cluster(location.servers, **options)
            return location.kind, cluster, cluster.any, None
        case "sentinel":
            sentinels = Sentinels(location)
            return location.kind, Failover(sentinels, **options), sentinels.primary, None
        case "standalone":
            single = partial(_constant, location.servers[0])
            return location.kind, Connection(single, **options), single, None


async def _embedded(data_dir: Path) -> Address:
    return Address.parse(await embedded.start_embedded(data_dir))


async def _constant(address: Address) -> Address:
    return address


class _Identity:
    """Refuses to go on with another store than the one that was opened (a wrong or emptied database)."""

    def __init__(self) -> None:
        self.expected: bytes | None = None

    def accept(self, answers: list[Any]) -> None:
        if isinstance(answers[-1], ServerError):
            raise answers[-1]
        if self.expected is not None and answers[-1] != self.expected:
            raise StatewrightError("StoreRefused", ANOTHER_STORE)


def _check_server(info: dict[str, Any]) -> None:
    version = tuple(int(part) for part in str(info["version"]).split(".")[:2])
    if version < (7, 0):
        raise StatewrightError(
            "StoreRefused", f"Redis {info['version']} is too old: 7.0 or later, or Valkey, is needed"
        )
    policy = info["maxmemory_policy"]
    if policy is not None and str(policy).startswith("allkeys"):
        message = f"maxmemory-policy is {policy}, so the server would delete executions; set it to noeviction"
        raise StatewrightError("StoreRefused", message)
