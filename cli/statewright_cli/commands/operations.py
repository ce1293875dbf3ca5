"""Commands about the store: doctor, stopping the private server, repairing its files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    verdict: str  # ok | unsafe | unknown | hint | noticed
    advice: str | None = None


@click.command(short_help="Is the store safe, and what has happened to it?")
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
            letters, repairs = await engine.dead_letters(), await engine.repairs()
        findings = [*examine(health), *_past(incidents, letters, repairs)]
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
    """What a store's settings mean for its data, under the durability it was opened with.  Of a cluster or a primary
    under Sentinels each server is looked at, also replicas: they may be primaries next.

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
        for setting in node["settings"]:
            yield Finding(place + setting["name"], setting["value"], setting["verdict"], setting["advice"])


def _past(
    incidents: Sequence[Incident], letters: Sequence[DeadLetter], repairs: Mapping[str, int]
) -> Iterator[Finding]:
    """What has happened to the store: none of it makes it unsafe now."""
    for incident in incidents:
        since = f", all was well {moment(incident.since)}" if incident.since else ""
        value = f"{moment(incident.at)}, shard {incident.shard}{since}: {incident.evidence}"
        yield Finding(incident.kind, value, "noticed", _ADVICE.get(incident.kind))
    if letters:
        yield Finding("dead letters", str(len(letters)), "noticed", "see `statewright dead-letters`")
    if repairs:
        counts = ", ".join(f"{what} ({count})" for what, count in sorted(repairs.items()))
        yield Finding("repairs", counts, "noticed", "the sweep has put right what a healthy store never loses")


_ADVICE = {
    "rollback": "what it had acknowledged after that may be lost; executions went on from what is left, their tasks "
    "under the same idempotency keys",
    "clock": "timers go by the servers' clocks: see to it that these are synchronized",
}


@click.group(no_args_is_help=True, short_help="Stop the private server.")
def server() -> None:
    """The private server of the data directory, which is used without --store.

    \b
    Examples:
      statewright server stop
    """


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


@click.command(short_help="Cut damage off the files of the private server.")
@click.option("--yes", is_flag=True, help="Cut the damage off without asking.")
@click.option("--dry-run", is_flag=True, help="Only say what is wrong and what would be lost.")
@settings_options()
@click.pass_obj
def repair(settings: Settings, yes: bool, dry_run: bool) -> int:
    """Look for damage in the append-only files of the private server, and cut it off if told to.

    Everything up to the last whole commit is kept; what is cut off is kept in files of its own.  What a power failure
    leaves of the last write is repaired when the server starts; this is for what is worse.

    Exit code: 0 whole or repaired, 1 damaged, 2 not possible (the server runs).

    \b
    Examples:
      statewright repair --dry-run
      statewright repair --data-dir /var/lib/statewright --yes
    """
    from statewright.store.embedded import examined, repaired

    data_dir = Path(settings.data_dir)
    damage = examined(data_dir, _progress())
    kept: list[str] = []
    if damage is not None:
        output.note(str(damage))
        if not dry_run and (yes or (not settings.json and click.confirm("Cut it off?", err=True))):
            kept = [str(path) for path in repaired(data_dir, damage)]
    if settings.json:
        output.document({"whole": damage is None, "damage": damage and asdict(damage), "kept": kept})
    elif damage is None:
        output.say(f"the append-only files of {data_dir} are whole")
    elif kept:
        output.say(f"cut off, and kept in {', '.join(kept)}")
    return int(damage is not None and not kept)


def _progress() -> Callable[[int, int], None]:
    """Says once a second how far the reading is."""
    told = time.monotonic()

    def tell(done: int, size: int) -> None:
        nonlocal told
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            output.note(f"read {done / size:.0%} of {size / 1e6:,.0f} MB")

    return tell


COMMANDS = [doctor, repair, server]
