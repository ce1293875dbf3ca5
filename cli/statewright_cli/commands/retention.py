"""The `gc` command: delete executions whose time is over, and what nothing refers to."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from statewright_cli import output
from statewright_cli.session import Settings, asynchronous, connect, settings_options

__all__ = ["COMMANDS"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: str) -> timedelta:
    """A span of time as options have it: a number and a unit.

    Raises click.BadParameter for anything else.

    Example: ``span("30d") == timedelta(days=30)``
    """
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None and text != "0":
        raise click.BadParameter(f"{text!r} is not a number with a unit: 90d, 12h, 30m, 45s", param_hint="--retention")
    return timedelta(0) if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command(short_help="Delete executions whose time is over.")
@click.option("--retention", metavar="SPAN", help="Delete what ended longer ago, e.g. 30d, 12h; default: the store's.")
@click.option(
    "--keep", metavar="SPAN|forever", help="From now on keep executions so long after their end, then collect."
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@settings_options()
@click.pass_obj
@asynchronous
async def gc(settings: Settings, retention: str | None, keep: str | None, dry_run: bool) -> int:
    """Delete executions whose time is over, with their map runs, and definitions that nothing refers to any more.

    Workers delete executions by themselves when the store has kept them for its retention (90 days unless --keep says
    otherwise, for all workers); this does it at once.  Names of deleted executions may be used again.

    What ended within the last minute stays, and so does a definition that was replaced within the last hour.  Ctrl-C
    stops it: what is deleted is deleted, the rest is as it was.

    \b
    Examples:
      statewright gc --dry-run
      statewright gc --retention 30d
      statewright gc --keep 7d --json
    """
    from statewright import Collected
    from statewright_cli.screen import Line

    longest = None if retention is None else span(retention)
    kept = None if keep is None else "for ever" if keep == "forever" else span(keep)
    if dry_run and keep is not None:
        raise click.UsageError("--dry-run changes nothing, and --keep is a change")
    line, done = Line(), Collected()
    async with connect(settings, retention=kept) as engine:
        async for done in engine.collect(longest, dry_run=dry_run):
            line.show(f"{done.shards} shards, {done.executions:,} executions", last=False)
    if settings.json:
        output.document({"executions": done.executions, "definitions": done.definitions, "dryRun": dry_run})
    else:
        what = "would be deleted" if dry_run else "deleted"
        output.say(f"{done.executions:,} executions and {done.definitions:,} definitions {what}")
    return 0


COMMANDS = [gc]
