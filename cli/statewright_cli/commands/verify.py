"""`verify`: is everything as it was written, and does every state follow from its history?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from statewright_cli import output
from statewright_cli.screen import Line
from statewright_cli.session import Settings, asynchronous, connect, settings_options

if TYPE_CHECKING:
    from statewright import Finding, Verified

__all__ = ["COMMANDS"]

STATUSES = ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]


@dataclass(slots=True)
class Tally:
    """What has been looked at so far."""

    executions: int = 0
    events: int = 0
    findings: int = 0
    advice: dict[str, str] = field(default_factory=dict)  # by code

    def take(self, verified: Verified) -> None:
        """Count it."""
        self.executions += verified.execution != ""
        self.events += verified.events
        self.findings += len(verified.findings)
        self.advice |= {finding.code: finding.hint for finding in verified.findings}

    def __str__(self) -> str:
        looked = f"{self.executions:,} executions with {self.events:,} events"
        return f"{looked}: {self.findings:,} problems" if self.findings else f"{looked}: no problems"


@click.command(short_help="Is everything as it was written?  Changes nothing.")
@click.argument("executions", nargs=-1, metavar="[EXECUTION]...")
@click.option("--machine", metavar="NAME|ARN", help="Only executions of this state machine.")
@click.option("--status", type=click.Choice(STATUSES), help="Only executions of this status.")
@settings_options()
@click.pass_obj
@asynchronous
async def verify(settings: Settings, executions: tuple[str, ...], machine: str | None, status: str | None) -> int:
    """Check that what is stored is what was written, and that it makes sense.

    Histories are read as a whole: no event missing or changed (they are chained), each one where it can be, each task
    with one end, no timer early; the end and the states that are stored are those of the history.  Without EXECUTION
    (ARNs or MACHINE:NAME), --machine and --status everything in the store is looked at.  Workers may go on meanwhile;
    nothing is changed.

    Exit code: 0 all is well, 1 there are problems, 2 it could not be done.

    \b
    Examples:
      statewright verify
      statewright verify --machine orders --status RUNNING
      statewright --store redis://db:6379/0 verify orders:17 --json
    """
    tally, line = Tally(), Line()
    async with connect(settings) as engine:
        async for verified in engine.verify(executions, machine=machine, status=status):
            tally.take(verified)
            for finding in verified.findings:
                _tell(settings, finding)
            line.show(str(tally))
    line.show(str(tally), last=True)
    if settings.json:
        counts = {"executions": tally.executions, "events": tally.events, "problems": tally.findings}
        output.document(counts, line=True)
    for code, hint in tally.advice.items():
        output.note(f"hint: {code}: {hint}")
    return int(tally.findings > 0)


def _tell(settings: Settings, finding: Finding) -> None:
    """A problem as it is found: a line, or with --json a document on a line."""
    if settings.json:
        row = {name: getattr(finding, name) for name in ("code", "execution", "event", "message", "hint")}
        output.document(row, line=True)
    else:
        where = f"{finding.execution} event {finding.event}" if finding.event else finding.execution or "the store"
        output.say(f"{finding.code:<16} {where}: {finding.message}")


COMMANDS = [verify]
