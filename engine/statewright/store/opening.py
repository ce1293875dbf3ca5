"""`open_store`: from a URL, or a data directory, to a store that is known to be the right one."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from statewright.errors import StatewrightError
from statewright.store import embedded, keys
from statewright.store.address import Address, Kind, Location, locate
from statewright.store.cluster import Cluster
from statewright.store.connection import Connection, Resolve
from statewright.store.durability import Durability, choose, unsafe
from statewright.store.nodes import information
from statewright.store.redis import RedisStore
from statewright.store.replies import ServerError
from statewright.store.rights import check_rights
from statewright.store.scripts import NAME, Argument, Scripts, Server
from statewright.store.sentinel import Failover, Sentinels
from statewright.store.upkeep.sweeping import ANOTHER_STORE

__all__ = ["open_store"]

_MOST_SHARDS = 4096
_log = logging.getLogger("statewright")


async def open_store(
    url: str | None,
    data_dir: Path | None = None,
    *,
    shards: int | None = None,
    durability: str | None = None,
    clock: Callable[[], int] | None = None,
    deadline: float = 30.0,
) -> RedisStore:
    """Open the store at `url` or, without one, the embedded store of `data_dir` (its server is started or joined).

    Arguments:
        url: ``redis://``, ``rediss://``, ``unix://``, ``cluster://`` or ``sentinel://`` (see `locate`).
        data_dir: of the embedded store.
        shards: how many a new store has, for good; one that is there keeps what it has.  None: 256, embedded 16.
        durability: durable, fast, replicated or volatile (see `Durability`); None: replicated if the URL says
            ``replicas=N``, else durable.  A primary that is not set for it is refused.
        clock: time in ms to use instead of the server's, for tests and simulation.
        deadline: seconds a call may wait for its answer, reconnecting as needed.

    Raises StatewrightError: ``InvalidStore``, ``InvalidDurability``, ``StoreRefused``, ``StoreUnavailable``,
    ``NoServer``, ``StoreBroken``.

    Example: ``store = await open_store(None, Path(".statewright"))``
    """
    if shards is not None and not 1 <= shards <= _MOST_SHARDS:
        raise StatewrightError("InvalidStore", f"a store has 1 to {_MOST_SHARDS} shards, not {shards}")
    identity = _Identity()
    location = None if url is None else locate(url)
    chosen, replicas = choose(durability, location.replicas if location else 0, embedded=location is None)
    options = {"accept": identity.accept, "deadline": deadline, "replicas": replicas}
    kind, server, bell, closing = _connect(location, data_dir, chosen, options)
    try:
        await server.ensure()
        for node in server.primaries():
            _check_server(await information(Scripts(node, deadline)), node.where, chosen)
        scripts = Scripts(server, deadline)
        await check_rights(scripts, keys.META)
        wanted = shards or (keys.SHARDS_EMBEDDED if url is None else keys.SHARDS)
        proposed: list[Argument] = [keys.SCHEMA, wanted, secrets.token_hex(16), secrets.token_bytes(32), NAME]
        schema, there, store_id, secret, *unused = await scripts.run("open", keys.META, proposed)
        if None in (there, store_id, secret) or not (there.isdigit() and store_id.isalnum()):
            raise StatewrightError("StoreBroken", f"the record of the store itself, {keys.META}, is damaged")
        if schema != str(keys.SCHEMA).encode():
            raise StatewrightError("StoreRefused", _other_schema(schema))
        if server.guarded:  # each node has users of its own
            await asyncio.gather(*[check_rights(scripts, f"{keys.prefix(s)}q") for s in range(int(there))])
        for library in unused:
            for node in server.primaries():
                with suppress(StatewrightError):  # it was never there, or the user may not
                    await Scripts(node, deadline).call("FUNCTION", "DELETE", library)
    except BaseException:
        await server.close()
        raise
    identity.expected = store_id
    return RedisStore(
        server,
        bell,
        kind=kind,
        durability=chosen,
        shards=int(there),
        store_id=store_id.decode(),
        secret=secret,
        clock=clock,
        deadline=deadline,
        closing=closing,
    )


def _other_schema(schema: bytes | None) -> str:
    """Why a store of another layout is refused, and what to do about it.  It is left as it is: what runs in it can only
    be read, and finished, by the version that wrote it."""
    found = (schema or b"none").decode(errors="replace")
    message = f"the store has schema {found}, this version of statewright needs {keys.SCHEMA}: "
    if found.isdigit() and int(found) > keys.SCHEMA:
        return message + "use the newer version of statewright that wrote it"
    return message + (
        "let the older version of statewright that wrote it finish what runs there, export with it what you want to "
        "keep (statewright list --json, history --json), and begin a new store (another --data-dir, server or database)"
    )


def _connect(
    location: Location | None, data_dir: Path | None, durability: Durability, options: dict[str, Any]
) -> tuple[Kind, Server, Resolve, Callable[[], Awaitable[None]] | None]:
    """Who takes the calls, where the bell is heard, and what to do when the store is closed."""
    options["greeting"] = [("HGET", keys.META, "id")]
    if location is None:
        if data_dir is None:
            raise StatewrightError("InvalidStore", "a store needs a URL or a data directory")
        start = partial(_embedded, data_dir, durability)
        return "standalone", Connection(start, **options), start, partial(embedded.stop_if_idle, data_dir)
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


async def _embedded(data_dir: Path, durability: Durability) -> Address:
    return Address.parse(await embedded.start_embedded(data_dir, durability))


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


def _check_server(info: dict[str, Any], where: Address | None, durability: Durability) -> None:
    """Refuse a primary that is too old, or that is not set for the durability; say what could not be read."""
    version = tuple(int(part) for part in str(info["version"]).split(".")[:2])
    if version < (7, 0):
        raise StatewrightError(
            "StoreRefused", f"Redis {info['version']} is too old: 7.0 or later, or Valkey, is needed"
        )
    found = unsafe(info, durability)
    refused = [setting for setting in found if setting.verdict == "unsafe"]
    if refused:
        reasons = "; ".join(f"{s.name.replace('_', '-')} is {s.value} ({s.advice})" for s in refused)
        message = f"{where} is not set for {durability} durability: {reasons}"
        if durability == "durable" and [(s.name, s.value) for s in refused] == [("appendfsync", "everysec")]:
            message += "; or choose fast durability (--durability fast)"
        raise StatewrightError("StoreRefused", message)
    if found:
        names = ", ".join(setting.name.replace("_", "-") for setting in found)
        _log.warning("whether %s keeps what it acknowledges cannot be checked: CONFIG GET %s is refused", where, names)
