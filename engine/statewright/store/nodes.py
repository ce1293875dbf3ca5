"""What the servers of a store are and how they are set, for `open_store` and the doctor."""

from __future__ import annotations

import asyncio
from typing import Any

from statewright.errors import StatewrightError
from statewright.store.address import Address
from statewright.store.connection import Connection
from statewright.store.replies import ServerError, StoreUnavailable, refusal
from statewright.store.scripts import Scripts, Server

__all__ = ["information", "survey"]

_SETTINGS = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "save", "min-replicas-to-write")
_PATIENCE = 3.0  # seconds for one server to answer a survey


async def information(scripts: Scripts) -> dict[str, Any]:
    """What server this is and how it keeps data; None for what the user may not ask.

    Example: ``(await information(scripts))["maxmemory_policy"] == "noeviction"``
    """
    lines = (await scripts.call("INFO", "server")).decode().splitlines()
    server = dict(line.split(":", 1) for line in lines if ":" in line)
    found: dict[str, Any] = {
        "server": "valkey" if "valkey_version" in server else "redis",
        "version": server.get("valkey_version") or server.get("redis_version"),
    }
    asked = [scripts.call("CONFIG", "GET", name) for name in _SETTINGS]
    for name, answer in zip(_SETTINGS, await asyncio.gather(*asked, return_exceptions=True), strict=True):
        if isinstance(answer, BaseException) and not isinstance(answer, StatewrightError):
            raise answer
        found[name.replace("-", "_")] = answer[1].decode() if isinstance(answer, list) and answer else None
    return found


async def survey(server: Server) -> list[dict[str, Any]]:
    """What each server of the store is: `information` with ``address`` and ``role``, or with ``error`` if it does not
    answer.

    Example: ``[node["role"] for node in await survey(server)] == ["primary", "replica"]``
    """
    try:
        roles = {await node.address(): "primary" for node in server.primaries()}
        roles |= {address: "replica" for address in await server.replicas() if address not in roles}
    except OSError as error:
        raise StoreUnavailable(str(error)) from None
    except ServerError as error:
        raise refusal(error) from None
    return list(await asyncio.gather(*[_visit(address, role) for address, role in roles.items()]))


async def _visit(address: Address, role: str) -> dict[str, Any]:
    async def here() -> Address:
        return address

    connection = Connection(here, deadline=_PATIENCE)
    try:
        found = await information(Scripts(connection, _PATIENCE))
    except StatewrightError as error:
        found = {"error": error.message}
    finally:
        await connection.close()
    return {"address": str(address), "role": role, **found}
