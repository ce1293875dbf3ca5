"""Commands about map runs, what distributed Maps are doing: map-runs, map-run, update-map-run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from statewright_cli import output
from statewright_cli.arguments import map_run_arn
from statewright_cli.ending import INTERRUPTED
from statewright_cli.session import Settings, asynchronous, connect, settings_options
from statewright_cli.show import Row, map_run_row, progress_line

if TYPE_CHECKING:
    from statewright import AsyncEngine

__all__ = ["COMMANDS"]

REFRESH = 0.2
"""Seconds between two looks at a map run that is watched."""


@click.command("map-runs")
@click.argument("execution")
@settings_options()
@click.pass_obj
@asynchronous
async def map_runs(settings: Settings, execution: str) -> None:
    """List the map runs of an execution, first to last; with --json one document per line.

    EXECUTION is an ARN or MACHINE:NAME.  While items are read the number of ITEMS grows.

    \b
    Examples:
      statewright map-runs csv-import:monday
      statewright map-runs csv-import:monday --json | jq .itemCounts
    """
    async with connect(settings) as engine:
        await engine.describe(execution)
        rows = [map_run_row(run) for run in await engine.map_runs(execution)]
    if settings.json:
        for row in rows:
            output.document(row, line=True)
        return
    shown = [[row["status"], progress_line(row), f"{row['startDate']:%F %T}", row["mapRunArn"]] for row in rows]
    output.table(shown, ["STATUS", "ITEMS", "STARTED", "MAP RUN"])


@click.command("map-run")
@click.argument("map_run")
@click.option("--watch", is_flag=True, help="Follow it to its end; Ctrl-C stops watching, not the map run.")
@settings_options()
@click.pass_obj
@asynchronous
async def describe_map_run(settings: Settings, map_run: str, watch: bool) -> int:
    """Show a map run: status, limits, how many items and child executions there are by status.

    MAP_RUN is its ARN or, for the last one of an execution, the execution: an ARN or MACHINE:NAME.

    With --watch the exit code is 0 only if the map run SUCCEEDED, 1 if it ended in another way, 130 after Ctrl-C.

    \b
    Examples:
      statewright map-run csv-import:monday --watch
      statewright map-run arn:aws:states:us-east-1:000000000000:mapRun:csv-import/rows:47b16648… --json
    """
    async with connect(settings) as engine:
        arn = await map_run_arn(engine, map_run)
        row = await (_watch(engine, arn) if watch else _row(engine, arn))
    if settings.json:
        output.document(row)
    else:
        _describe(row)
    if not watch or row["status"] == "SUCCEEDED":
        return 0
    return INTERRUPTED if row["status"] == "RUNNING" else 1


async def _row(engine: AsyncEngine, arn: str) -> Row:
    return map_run_row(await engine.map_run(arn))


async def _watch(engine: AsyncEngine, arn: str) -> Row:
    """The map run when it has ended, or when there was a Ctrl-C; meanwhile its counts go to stderr."""
    import asyncio

    from statewright_cli.screen import Line
    from statewright_cli.signals import stop_signals

    line = Line()
    with stop_signals() as stopping:
        while True:
            row = await _row(engine, arn)
            over = row["status"] != "RUNNING" or stopping.is_set()
            line.show(progress_line(row), last=over)
            if over:
                break
            try:
                await asyncio.wait_for(stopping.wait(), REFRESH)
            except TimeoutError:
                continue
    if row["status"] == "RUNNING":
        output.note("no longer watched; the map run goes on")
    return row


def _describe(row: Row) -> None:
    output.described({name: value for name, value in row.items() if name != "reading" and not name.endswith("Counts")})
    heads = list(row["itemCounts"])
    rows = [[name, *(f"{row[f'{name[:-1]}Counts'][head]:,}" for head in heads)] for name in ("items", "executions")]
    output.table(rows, ["", *heads])


@click.command("update-map-run")
@click.argument("map_run")
@click.option("--max-concurrency", type=int, metavar="N", help="Child executions at once, 1 to 10,000.")
@click.option("--tolerated-failure-count", type=int, metavar="N", help="So many items may fail.")
@click.option("--tolerated-failure-percentage", type=float, metavar="P", help="So many percent of them may fail.")
@settings_options()
@click.pass_obj
@asynchronous
async def update_map_run(
    settings: Settings,
    map_run: str,
    max_concurrency: int | None,
    tolerated_failure_count: int | None,
    tolerated_failure_percentage: float | None,
) -> None:
    """Give a running map run other limits, at once.

    MAP_RUN is its ARN or, for the last one of an execution, the execution: an ARN or MACHINE:NAME.
    Limits that are not given stay as they are.

    \b
    Examples:
      statewright update-map-run csv-import:monday --max-concurrency 20
      statewright update-map-run csv-import:monday --tolerated-failure-percentage 2.5
    """
    limits = (max_concurrency, tolerated_failure_count, tolerated_failure_percentage)
    if all(limit is None for limit in limits):
        raise click.UsageError("give at least one limit that is to be changed")
    async with connect(settings) as engine:
        arn = await map_run_arn(engine, map_run)
        await engine.update_map_run(
            arn,
            max_concurrency=max_concurrency,
            tolerated_failure_count=tolerated_failure_count,
            tolerated_failure_percentage=tolerated_failure_percentage,
        )
        row = await _row(engine, arn)
    if settings.json:
        output.document(row)
    else:
        _describe(row)


COMMANDS = [map_runs, describe_map_run, update_map_run]
