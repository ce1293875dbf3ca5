"""`open_store`: from a URL, or a data directory, to a store that is known to be the right one."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from statewright.errors import StatewrightError
from statewright.store import embedded, keys
from statewright.store.connection import Connection
from statewright.store.reading import information
from statewright.store.redis import RedisStore
from statewright.store.scripts import Argument, Scripts

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
        url: ``redis://``, ``rediss://`` or ``unix://``.
        data_dir: of the embedded store.
        clock: time in ms to use instead of the server's, for tests and simulation.
        deadline: seconds a call may wait for its answer, reconnecting as needed.

    Raises StatewrightError: ``InvalidStore``, ``StoreRefused``, ``StoreUnavailable``, ``NoServer``, ``StoreBroken``.

    Example: ``store = await open_store(None, Path(".statewright"))``
    """
    resolve, closing = _location(url, data_dir)
    identity = _Identity()
    connection = Connection(
        resolve,
        greeting=[("HGET", keys.META, "id")],
        accept=identity.accept,
        deadline=deadline,
    )
    try:
        scripts = Scripts(connection, deadline)
        _check_server(await information(scripts))
        proposed: list[Argument] = [keys.SCHEMA, keys.SHARDS, secrets.token_hex(16), secrets.token_bytes(32)]
        schema, shards, store_id, secret = await scripts.run("open", keys.META, proposed)
        if int(schema) != keys.SCHEMA:
            message = f"the store has schema {int(schema)}, this version of statewright needs {keys.SCHEMA}"
            raise StatewrightError("StoreRefused", message)
    except BaseException:
        await connection.close()
        raise
    identity.expected = store_id
    return RedisStore(
        connection,
        resolve,
        shards=int(shards),
        store_id=store_id.decode(),
        secret=secret,
        clock=clock,
        deadline=deadline,
        closing=closing,
    )


def _location(
    url: str | None, data_dir: Path | None
) -> tuple[Callable[[], Awaitable[str]], Callable[[], Awaitable[None]] | None]:
    """How to find the server, and what to do when the store is closed."""
    if url is not None:
        return partial(_constant, url), None
    if data_dir is None:
        raise StatewrightError("InvalidStore", "a store needs a URL or a data directory")
    return partial(embedded.start_embedded, data_dir), partial(embedded.stop_if_idle, data_dir)


async def _constant(url: str) -> str:
    return url


class _Identity:
    """Refuses to go on with another store than the one that was opened (a wrong or emptied database)."""

    def __init__(self) -> None:
        self.expected: bytes | None = None

    def accept(self, answers: list[Any]) -> None:
        if self.expected is not None and answers[-1] != self.expected:
            raise StatewrightError("StoreRefused", "the server now holds another store, or was emptied: stopping here")


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
