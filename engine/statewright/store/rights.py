"""The least an ACL user needs.

A script is not undone when the server refuses one of its commands, so all of them are asked for before the first call.
"""

from __future__ import annotations

import re

from statewright.errors import StatewrightError
from statewright.store.address import Kind
from statewright.store.scripts import LIBRARY, Scripts

__all__ = ["COMMANDS", "acl_rules", "check_rights"]

COMMANDS = tuple(sorted(set(re.findall(r"\bcall\('([A-Z]+)'", LIBRARY))))
"""What the scripts call."""

_DIRECT = (
    "exists", "fcall", "function|load", "get", "hget", "hgetall", "hmget", "info", "llen", "lrange", "lrem", "ping",
    "rpush", "scan", "smembers", "srandmember", "subscribe", "time", "zcard", "zrange",
)  # fmt: skip
_BY_KIND = {"standalone": (), "sentinel": ("role",), "cluster": ("asking", "cluster|slots")}


def acl_rules(kind: Kind = "standalone") -> tuple[str, ...]:
    """The rules of a user with exactly the rights that the engine needs, for ``ACL SETUSER``.

    More are for what not everybody uses: ``+config|get`` (`statewright doctor`, and refusing servers that do not keep
    what they acknowledge), ``+select`` (a database other than 0), ``+wait`` and ``+waitaof`` (``replicas=N``; Redis 7.0
    has no WAITAOF), ``+function|delete`` (removing the scripts of versions that are not used any more).

    Arguments:
        kind: standalone, sentinel (for the primary and its replicas) or cluster.

    Example: ``"ACL SETUSER engine on >password " + " ".join(acl_rules())``
    """
    commands = sorted({*(name.lower() for name in COMMANDS), *_DIRECT, *_BY_KIND[kind]})
    return ("~sw:*", "&sw:*", *(f"+{name}" for name in commands))


async def check_rights(scripts: Scripts, key: str) -> None:
    """Make sure that the user may run all that the scripts call, on the server that has `key`.

    Raises StatewrightError ``StoreRefused`` with the names of the commands that are missing.
    """
    missing = await scripts.run("rights", key, COMMANDS)
    if missing:
        names = ", ".join(name.decode().lower() for name in missing)
        message = f"the user may not run {names} on the keys sw:*; see the ACL in the documentation"
        raise StatewrightError("StoreRefused", message)
