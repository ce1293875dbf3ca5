"""Commands for the upkeep of a store: sweep, dead-letters, revive."""

from __future__ import annotations

from dataclasses import asdict

import click

from statewright_cli import output
from statewright_cli.session import Settings, asynchronous, connect, settings_options
from statewright_cli.show import moment

__all__ = ["COMMANDS"]


@click.command(short_help="Find what was lost, and put it right.")
@settings_options()
@click.pass_obj
@asynchronous
async def sweep(settings: Settings) -> None:
    """Go through everything in the store and put right what cannot be, e.g. work that is in no queue.

    Workers do so all the time, slowly, and at once when they notice that the store was rolled back.  Interrupted, it
    has put right what it came to; start it again.

    \b
    Examples:
      statewright sweep
      statewright sweep --json --store redis://db:6379/0
    """
    from statewright_cli.screen import Line

    line = Line()
    async with connect(settings) as engine:
        repairs = await engine.sweep(lambda keys, done: line.show(f"{keys:,} keys, {done:,} repairs"))
    if settings.json:
        output.document({"repairs": repairs})
    elif repairs:
        output.say("repaired: " + ", ".join(f"{what} ({count})" for what, count in sorted(repairs.items())))
    else:
        output.say("nothing to repair")


@click.command("dead-letters", short_help="List work that was put aside after several attempts.")
@settings_options()
@click.pass_obj
@asynchronous
async def dead_letters(settings: Settings) -> None:
    """List parts of running executions that are put aside, as several attempts to go on with them have failed.

    Time-outs and `statewright stop` work on them as always; `statewright revive` has them tried again.

    \b
    Examples:
      statewright dead-letters
      statewright dead-letters --json
    """
    async with connect(settings) as engine:
        letters = await engine.dead_letters()
    if settings.json:
        output.document([asdict(letter) | {"since": moment(letter.since)} for letter in letters])
        return
    for letter in letters:
        place = f" (branch {letter.frame_id})" if letter.frame_id else ""
        output.say(f"{moment(letter.since)}  {letter.execution_arn}{place}")
        output.say(f"    after {letter.deliveries} attempts: {letter.reason}")
    if not letters:
        output.say("no dead letters")


@click.command(short_help="Have dead letters tried again.")
@click.argument("execution", required=False)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@settings_options()
@click.pass_obj
@asynchronous
async def revive(settings: Settings, execution: str | None, everything: bool) -> int:
    """Have dead letters tried again: those of an EXECUTION, or all.

    Exit code: 0 some were, 1 there were none.

    \b
    Examples:
      statewright revive orders:4711
      statewright revive --all
    """
    if (execution is None) != everything:
        raise click.UsageError("give either EXECUTION or --all")
    async with connect(settings) as engine:
        count = await engine.revive(execution)
    if settings.json:
        output.document({"revived": count})
    else:
        output.say(f"revived: {count}" if count else "no dead letters")
    return int(not count)


COMMANDS = [sweep, dead_letters, revive]
