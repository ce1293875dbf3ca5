"""Where a store is: from its URL to the addresses of servers and what they are to each other."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from statewright.errors import StatewrightError

__all__ = ["Address", "Command", "Location", "Tls", "locate"]

Command: TypeAlias = tuple[str | bytes | int, ...]

_SHAPES = (
    "a store is redis://host:port/db, rediss://... (TLS), unix:///path/to/socket, cluster://host:port,host:port "
    "or sentinel://host:port,host:port/name; redis+cluster, rediss+cluster, redis+sentinel, rediss+sentinel are the "
    "last two in full"
)
_SCHEMES: dict[str, tuple[Kind, bool]] = {
    "redis": ("standalone", False),
    "rediss": ("standalone", True),
    "cluster": ("cluster", False),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
    "sentinel": ("sentinel", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
}
_PORTS = {"standalone": 6379, "cluster": 6379, "sentinel": 26379}

Kind: TypeAlias = Literal["standalone", "cluster", "sentinel"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of an encrypted connection; the server's certificate and its name are always verified.

    Arguments:
        ca: certificates to trust, PEM; empty: those of the system (or of SSL_CERT_FILE).
        cert, key: the client's own certificate, where the server wants one.

    Example: ``Tls(ca="/etc/ssl/store-ca.pem").context()``
    """

    ca: str = ""
    cert: str = ""
    key: str = ""

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Tls:
        """From a URL's parameters ``ca``, ``cert``, ``key``, else from STATEWRIGHT_TLS_CA, _CERT and _KEY."""
        return cls(*(options.get(name) or os.environ.get(f"STATEWRIGHT_TLS_{name.upper()}", "") for name in _TLS))

    def context(self) -> ssl.SSLContext:
        """For `asyncio`; StatewrightError ``InvalidStore`` if a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ValueError) as error:
            files = ", ".join(filter(None, (self.ca, self.cert, self.key)))
            raise StatewrightError("InvalidStore", f"the TLS files {files} cannot be used: {error}") from None
        return context


_TLS = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class Address:
    """Where one server listens, and who we are there.

    Example: ``Address(host="db.example", user="engine", password="secret")``
    """

    host: str = ""
    port: int = 6379
    path: str = ""
    tls: Tls | None = None
    user: str = ""
    password: str = ""
    database: int = 0

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address of a single server; StatewrightError ``InvalidStore`` if `url` is none.

        Example: ``Address.parse("redis://user:secret@db.example:6379/2")``, ``Address.parse("unix:///run/v.sock?db=1")``
        """
        location = locate(url)
        if location.kind != "standalone":
            raise StatewrightError("InvalidStore", f"{location.kind}:// is not the address of a single server")
        return location.servers[0]

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        return f"{'rediss' if self.tls else 'redis'}://{self.place}/{self.database}"

    @property
    def place(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"

    def at(self, host: str, port: int) -> Address:
        """Another server of the same deployment: same user, database and encryption."""
        return replace(self, host=host, port=port)

    def greeting(self) -> list[Command]:
        """What to say first on a connection."""
        commands: list[Command] = []
        if self.password:
            commands.append(("AUTH", self.user, self.password) if self.user else ("AUTH", self.password))
        if self.database:
            commands.append(("SELECT", self.database))
        return commands


@dataclass(frozen=True, slots=True)
class Location:
    """A store's URL, understood.

    Arguments:
        kind: what the servers are to each other.
        servers: to ask first: the server; nodes of the cluster; the Sentinels.
        name: of what the Sentinels watch over.
        primary: what the primary is reached with, but for host and port (Sentinel).
        replicas: how many replicas must have what is acknowledged.
    """

    kind: Kind
    servers: tuple[Address, ...]
    name: str = ""
    primary: Address = Address()
    replicas: int = 0


def locate(url: str) -> Location:
    """What `url` says; StatewrightError ``InvalidStore`` if it is not the URL of a store.

    User, password and database are the store's; those of the Sentinels themselves, if they have any, are the
    parameters ``sentinel_user`` and ``sentinel_password``.  With ``replicas=1`` nothing is acknowledged before one
    replica has it.

    Example: ``locate("sentinel://s1,s2,s3/orders/0").name == "orders"``
    """
    try:
        return _locate(url)
    except ValueError:  # also UnicodeError: a name that could not be looked up
        raise StatewrightError("InvalidStore", _SHAPES) from None


def _locate(url: str) -> Location:
    scheme, separator, rest = url.partition("://")
    place, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    login, _, place = place.rpartition("@")
    user, _, password = login.partition(":")
    if not separator or "#" in url:
        raise ValueError(url)
    server = Address(user=unquote(user), password=unquote(password))
    if scheme == "unix":
        known, database = {"db", "replicas"}, int(options.get("db", 0))
        if not place.startswith("/"):
            raise ValueError(url)
        location = Location("standalone", (replace(server, path=unquote(place), database=database),))
    else:
        kind, encrypted = _SCHEMES[scheme] if scheme in _SCHEMES else _none(scheme)
        names, _, path = place.partition("/")
        words = [unquote(word) for word in path.strip("/").split("/")] if path.strip("/") else []
        known = {"replicas", *_TLS} if encrypted else {"replicas"}
        name = words.pop(0) if kind == "sentinel" and words else ""
        database = int(words.pop(0)) if words and kind != "cluster" else 0
        if words or database < 0 or (kind == "sentinel" and not name):
            raise ValueError(url)
        server = replace(server, tls=Tls.of(options) if encrypted else None, database=database)
        first = server
        if kind == "sentinel":
            known |= {"sentinel_user", "sentinel_password"}
            own = [options.get(f"sentinel_{part}", "") for part in ("user", "password")]
            first = Address(tls=server.tls, user=own[0], password=own[1])
        addresses = tuple(first.at(*_host(part, _PORTS[kind])) for part in names.split(","))
        if kind == "standalone" and len(addresses) > 1:
            raise ValueError(url)
        location = Location(kind, addresses, name, server)
    if unknown := options.keys() - known:
        raise StatewrightError("InvalidStore", f"the store's URL has no parameter {', '.join(sorted(unknown))}")
    if (replicas := int(options.get("replicas", 0))) < 0:
        raise ValueError(url)
    return replace(location, replicas=replicas)


def _none(scheme: str) -> tuple[Kind, bool]:
    raise ValueError(scheme)


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    host = parts.hostname or "localhost"
    host.encode("idna")
    return host, parts.port or port
