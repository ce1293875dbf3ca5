"""What a server may answer besides a value, and what the caller of the store sees of it.

`Scripts` (scripts.py) has the one policy of what is done about such answers.
"""

from __future__ import annotations

from statewright.errors import StatewrightError

__all__ = ["FAILOVER_PATIENCE", "PATIENCE", "TROUBLE", "ServerError", "StoreUnavailable", "refusal"]

PATIENCE = frozenset(("LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN"))
"""Codes by which a server asks for patience."""

FAILOVER_PATIENCE = PATIENCE | {"NOREPLICAS"}
"""Those of a server that others stand by: it may have lost its replicas for a moment only."""


TROUBLE = frozenset(("StoreUnavailable", "StoreRefused", "StoreBroken", "ThrottlingException"))
"""Codes of a StatewrightError that is the store's state, and no fault of the call."""


class StoreUnavailable(StatewrightError):  # noqa: N818  the API's word
    """The store could not be reached before the deadline; whether the call was applied is not known.

    Example: ``raise StoreUnavailable("no answer from unix:///run/store.sock within 30 s")``
    """

    def __init__(self, message: str) -> None:
        super().__init__("StoreUnavailable", message)


class ServerError(Exception):
    """An error reply; `code` is its first word, e.g. ``LOADING``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.split(" ", 1)[0]

    @property
    def passing(self) -> bool:
        """The server asks for patience: the same call will do later."""
        return self.code in PATIENCE


_ADVICE = {
    "READONLY": "this server is a replica; give the address of the primary, or sentinel://host:port/name",
    "NOAUTH": "the server wants a password: redis://user:password@host:port",
    "WRONGPASS": "user name or password is wrong: redis://user:password@host:port",
    "NOPERM": "the user may not do this; see the ACL in the documentation",
    "OOM": "the server is out of memory: executions that run may finish, new ones are refused; raise maxmemory",
    "MISCONF": "the server cannot persist: free disk space, or see its log (stop-writes-on-bgsave-error)",
    "NOREPLICAS": "too few replicas are connected for min-replicas-to-write",
    "MOVED": "this server is part of a cluster: give its nodes as cluster://host:port,host:port",
    "CROSSSLOT": "this server is part of a cluster: give its nodes as cluster://host:port,host:port",
}


def refusal(error: ServerError) -> StatewrightError:
    """The error to show for a reply that repeating the call will not change, with the setting to look at.

    Its code is StoreRefused, or AWS's word for it where the server has no room for new work.

    Example: ``refusal(ServerError("OOM command not allowed")).code == "ThrottlingException"``
    """
    advice = _ADVICE.get(error.code)
    if advice is None and "cluster support disabled" in str(error):
        advice = "this server is no cluster: redis://host:port"
    code = "ThrottlingException" if error.code == "OOM" else "StoreRefused"
    return StatewrightError(code, f"{error} ({advice})" if advice else str(error))
