"""How much of what is acknowledged is kept, in one word, and what a server must be set to for that.

One table of settings serves opening a store, which refuses a server that cannot keep the promise, and the doctor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from statewright.errors import StatewrightError

__all__ = ["FSYNC", "Durability", "Setting", "choose", "judge", "unsafe"]

Durability: TypeAlias = Literal["durable", "fast", "replicated", "volatile"]
"""What acknowledged data survives, besides the death of workers (reliability notes, T3 and F6):

durable: a power failure (fsync before each answer); the default.
fast: the death of the server process; a power failure takes about the last second with it (fsync every second).
replicated: durable, and the loss of a node: nothing is acknowledged before so many replicas have it, on disk where the
    server can tell (``WAITAOF``: Valkey, Redis 7.2), else in memory (``WAIT``: Redis 7.0).
volatile: nothing is asked of the server; for tests, and for data that may vanish.
"""

FSYNC: Final[Mapping[Durability, tuple[str, ...]]] = {
    "durable": ("always",),
    "replicated": ("always",),
    "fast": ("everysec", "always"),
    "volatile": ("no", "everysec", "always"),
}
"""Values of ``appendfsync`` that will do; the first is what the embedded server is given."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a setting of one server means for its data.

    Arguments:
        name: of the setting, with underscores.
        value: as it is, or "not readable".
        verdict: ok, unsafe, unknown (``CONFIG GET`` is not allowed) or hint (safe, and could be better).
        advice: the command that changes it, and why.
    """

    name: str
    value: str
    verdict: Literal["ok", "unsafe", "unknown", "hint"]
    advice: str | None = None


def choose(word: str | None, replicas: int, *, embedded: bool) -> tuple[Durability, int]:
    """The durability that `word` and the URL's ``replicas=`` ask for together, and the number of replicas to wait for.

    ``replicas=N`` alone means replicated; replicated alone means one replica.

    Raises StatewrightError ``InvalidDurability`` for a word there is not, or one that contradicts the URL.

    Example: ``choose(None, 2, embedded=False) == ("replicated", 2)``
    """
    words = get_args(Durability)
    if word is not None and word not in words:
        raise StatewrightError("InvalidDurability", f"there is no durability {word!r}, only {', '.join(words)}")
    chosen: Durability = next((each for each in words if each == word), "replicated" if replicas else "durable")
    if chosen == "replicated" and embedded:
        message = "the private server has no replicas: replicated durability needs servers of your own and --store"
        raise StatewrightError("InvalidDurability", message)
    if replicas and chosen != "replicated":
        message = f"replicas={replicas} in the store's URL asks for replicated durability, not {chosen}"
        raise StatewrightError("InvalidDurability", message)
    return chosen, replicas or 1 if chosen == "replicated" else 0


def judge(node: Mapping[str, Any], durability: Durability) -> Iterator[Setting]:
    """What the settings of a server (see `nodes.information`) mean under a durability.

    Any eviction policy but ``noeviction`` deletes executions when memory is short, and snapshots (``save``) alone lose
    what came after the last one.

    Example: ``[setting.name for setting in judge(node, "durable") if setting.verdict == "unsafe"]``
    """
    lasting = durability != "volatile"
    yield _setting(node, "appendonly", ("yes",) if lasting else ("yes", "no"), _only_snapshots(node))
    yield _setting(node, "appendfsync", FSYNC[durability], "without it a power failure takes acknowledged work with it")
    yield _setting(node, "maxmemory_policy", ("noeviction",), "any other deletes executions when memory is short")
    if durability == "replicated" and node.get("role") == "primary" and node.get("min_replicas_to_write") == "0":
        advice = "CONFIG SET min-replicas-to-write 1: a primary cut off from its replicas then takes no writes"
        yield Setting("min_replicas_to_write", "0", "hint", advice)


def unsafe(node: Mapping[str, Any], durability: Durability) -> list[Setting]:
    """The settings for which a server is to be refused, or that cannot be read (verdict unknown)."""
    return [setting for setting in judge(node, durability) if setting.verdict in ("unsafe", "unknown")]


def _setting(node: Mapping[str, Any], name: str, good: tuple[str, ...], why: str) -> Setting:
    value, option = node.get(name), name.replace("_", "-")
    if value is None:
        advice = f"CONFIG GET is not allowed here; it must be {' or '.join(good)}"
        return Setting(name, "not readable", "unknown", advice)
    if value in good:
        return Setting(name, str(value), "ok")
    advice = f"CONFIG SET {option} {good[0]}, and the same in the server's file: {why}"
    return Setting(name, str(value), "unsafe", advice)


def _only_snapshots(node: Mapping[str, Any]) -> str:
    if node.get("save"):
        return f"snapshots (save {node['save']}) lose what came after the last one"
    return "without it everything is lost with the server process"
