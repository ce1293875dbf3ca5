"""Commands about the store: doctor, and stopping the private server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statewright_cli import output
from statewright_cli.session import Settings, asynchronous, connect, settings_options
from statewright_cli.show import moment

if TYPE_CHECKING:
    from statewright import DeadLetter, Incident

__all__ = ["COMMANDS"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the doctor looked at: what it is, what it should be, and how to set it if it is not."""

    name: str
    value: str
    verdict: str  # ok | unsafe | unknown | noticed
    advice: str | None = None


@click.command()
@settings_options()
@click.pass_obj
@asynchronous
async def doctor(settings: Settings) -> int:
    """Check the store: is it reachable, does it keep what it acknowledged, can it lose data by eviction?

    Exit code: 0 safe, 1 not safe, 2 not reachable.

    \b
    Examples:
      statewright doctor
      statewright --store redis://db:6379/0 doctor --json
    """
    from statewright import StatewrightError

    health: dict[str, Any] = {}
    try:
        async with connect(settings) as engine:
            health = await engine.health()
            incidents = await engine.incidents()
            letters = await engine.dead_letters()
        findings = [*examine(health), *_past(incidents, letters)]
    except StatewrightError as error:
        if error.code != "StoreRefused":
            raise
        findings = [Finding("store", "refused", "unsafe", error.message)]
    unsafe = any(finding.verdict == "unsafe" for finding in findings)
    if settings.json:
        output.document({"safe": not unsafe, "store": health, "findings": [asdict(finding) for finding in findings]})
        return int(unsafe)
    for finding in findings:
        output.say(f"{finding.verdict:<8} {finding.name:<18} {finding.value}")
        if finding.advice:
            output.say(f"{'':<8} {finding.advice}")
    return int(unsafe)


def examine(health: Mapping[str, Any]) -> Iterator[Finding]:
    """What a store's settings mean for its data.

    `appendfsync always` is the only setting under which an acknowledged transition survives a power cut; any eviction
    policy but `noeviction` deletes executions when memory is short.  Of a cluster or a primary under Sentinels each
    server is looked at, also replicas: they may be primaries next.

    Example: ``[finding.verdict for finding in examine(health)]``
    """
    topology, nodes = health["topology"], health["nodes"]
    if topology != "standalone":
        counts = [sum(node["role"] == role for node in nodes) for role in ("primary", "replica")]
        yield Finding("topology", f"{topology}, {counts[0]} primaries, {counts[1]} replicas", "ok")
    for node in nodes:
        place = "" if topology == "standalone" else f"{node['role']} {node['address']} "
        if "error" in node:
            yield Finding(f"{place}server", "not reachable", "unknown", node["error"])
            continue
        yield Finding(f"{place}server", f"{node.get('server')} {node.get('version')}", "ok")
        for name, good in _SETTINGS.items():
            yield _setting(node, name, good, place)


def _past(incidents: Sequence[Incident], letters: Sequence[DeadLetter]) -> Iterator[Finding]:
    """What has happened to the store: none of it makes it unsafe now."""
    for incident in incidents:
        since = f", all was well {moment(incident.since)}" if incident.since else ""
        value = f"{moment(incident.at)}, shard {incident.shard}{since}: {incident.evidence}"
        yield Finding(incident.kind, value, "noticed", _ADVICE.get(incident.kind))
    if letters:
        yield Finding("dead letters", str(len(letters)), "noticed", "see `statewright dead-letters`")


_ADVICE = {
    "rollback": "what it had acknowledged after that may be lost; executions went on from what is left, their tasks "
    "under the same idempotency keys",
    "clock": "timers go by the servers' clocks: see to it that these are synchronized",
}
_SETTINGS = {"appendonly": "yes", "appendfsync": "always", "maxmemory_policy": "noeviction"}


def _setting(node: Mapping[str, Any], name: str, good: str, place: str) -> Finding:
    value, option = node.get(name), name.replace("_", "-")
    if value is None:
        return Finding(
            f"{place}{name}", "not readable", "unknown", f"CONFIG GET is not allowed here; it must be {good}"
        )
    if value == good:
        return Finding(f"{place}{name}", value, "ok")
    advice = f"CONFIG SET {option} {good}, and the same in the server's file"
    return Finding(f"{place}{name}", value, "unsafe", advice)


@click.group(no_args_is_help=True)
def server() -> None:
    """The private server of the data directory, which is used without --store."""


@server.command("stop")
@settings_options()
@click.pass_obj
@asynchronous
async def server_stop(settings: Settings) -> None:
    """Stop the private server; its data stays, and the next command starts it again.

    \b
    Examples:
      statewright server stop
      statewright server stop --data-dir /var/lib/statewright
    """
    from statewright.store.embedded import stop_embedded

    await stop_embedded(Path(settings.data_dir))
    if settings.json:
        output.document({"running": False})
    else:
        output.say(f"no server runs for {settings.data_dir}")


COMMANDS = [doctor, server]
