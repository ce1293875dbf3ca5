"""The `metrics` command: how much there is to do, and who is there to do it."""

from __future__ import annotations

import click

from statewright_cli import output
from statewright_cli.session import Settings, asynchronous, connect, settings_options

__all__ = ["COMMANDS"]


@click.command(short_help="How much there is to do, and which workers are there.")
@click.option("--prometheus", is_flag=True, help="In Prometheus' text format.")
@settings_options()
@click.pass_obj
@asynchronous
async def metrics(settings: Settings, prometheus: bool) -> None:
    """Show what waits, runs and is late, and which workers are there: for autoscaling and alarms.

    \b
    Examples:
      statewright metrics
      statewright metrics --json
      statewright --store redis://db:6379/0 metrics --prometheus > /var/lib/node_exporter/statewright.prom
    """
    if prometheus and settings.json:
        raise click.UsageError("--prometheus and --json exclude each other")
    async with connect(settings) as engine:
        found = await engine.metrics()
    if settings.json:
        output.document(found.document())
    elif prometheus:
        output.block(found.prometheus().rstrip("\n"))
    else:
        rows = [[each.name, ", ".join(each.labels.values()), f"{each.value:.15g}"] for each in found.values]
        output.table(rows, ["METRIC", "OF", "VALUE"])


COMMANDS = [metrics]
