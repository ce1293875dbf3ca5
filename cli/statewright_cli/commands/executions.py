"""Commands about state machines and their executions: deploy, start, describe, list, history, stop."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statewright_cli import output
from statewright_cli.arguments import json_value, machine_name, map_run_arn, type_option
from statewright_cli.ending import TIMED_OUT, tell
from statewright_cli.session import Settings, asynchronous, connect, settings_options
from statewright_cli.show import execution_row, history_line, machine_row, moment

if TYPE_CHECKING:
    from statewright import AsyncEngine

__all__ = ["COMMANDS"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the state machine; default: from the name of the file or its directory.")
@type_option()
@settings_options()
@click.pass_obj
@asynchronous
async def deploy(settings: Settings, file: Path, name: str | None, machine_type: Any) -> None:
    """Keep a definition under a name, for `start`.

    Executions that run already go on with the definition they were started with.

    \b
    Examples:
      statewright deploy workflow.asl.yaml
      statewright deploy flows/billing.json --name billing --type EXPRESS
    """
    async with connect(settings) as engine:
        record = await engine.deploy(file, name=name or machine_name(file), type=machine_type)
    if settings.json:
        output.document(machine_row(record))
    else:
        output.say(f"deployed {record.name}, revision {record.revision}: {record.arn}")


@click.command()
@click.argument("machine")
@click.option("--input", "input_text", default="{}", show_default=True, metavar="JSON|@FILE|-", help="Execution input.")
@click.option("--name", help="Name of the execution: starting twice under one name starts once (unless EXPRESS).")
@click.option("--sync", is_flag=True, help="Wait for the end and print the output (EXPRESS only).")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait no longer (exit code 124).")
@settings_options()
@click.pass_obj
@asynchronous
async def start(
    settings: Settings, machine: str, input_text: str, name: str | None, sync: bool, timeout: float | None
) -> int:
    """Start an execution of a deployed state machine, to be run by a `worker`.

    With --sync the exit code is 0 only if the execution SUCCEEDED, 1 if it ended in another way.

    \b
    Examples:
      statewright start order-fulfilment --input @order.json --name order-1001
      statewright start quote --input '{"item": 7}' --sync --timeout 10
      echo '{"n": 1}' | statewright start count --input -
    """
    value = json_value(input_text, "--input")
    if timeout is not None and not sync:
        raise click.UsageError("--timeout is for --sync")
    async with connect(settings) as engine:
        if sync:
            return await _start_sync(engine, machine, value, name, timeout, settings)
        started = await engine.start(machine, value, name=name)
    if settings.json:
        row = {"executionArn": started.arn, "name": started.name, "startDate": moment(started.started_at)}
        output.document({**row, "duplicate": started.duplicate})
    else:
        output.say(f"{'already running' if started.duplicate else 'started'} {started.name}: {started.arn}")
    return 0


async def _start_sync(
    engine: AsyncEngine, machine: str, value: Any, name: str | None, timeout: float | None, settings: Settings
) -> int:
    try:
        ended = await engine.start_sync(machine, value, name=name, timeout=timeout)
    except TimeoutError:
        output.note(f"still running; to find it: {shlex.join(['statewright', 'list', '--machine', machine])}")
        return TIMED_OUT
    billing = {"billedDurationInMilliseconds": ended.billed_ms}
    return tell(execution_row(ended), as_json=settings.json, billingDetails=billing)


@click.command()
@click.argument("execution")
@settings_options()
@click.pass_obj
@asynchronous
async def describe(settings: Settings, execution: str) -> None:
    """Show an execution: status, input, output, error.

    EXECUTION is an ARN or MACHINE:NAME.

    \b
    Examples:
      statewright describe order-fulfilment:order-1001
      statewright describe order-fulfilment:order-1001 --json | jq .output
    """
    async with connect(settings) as engine:
        row = execution_row(await engine.describe(execution))
    if settings.json:
        output.document(row)
    else:
        output.described(row)


@click.command("list")
@click.option("--machine", help="Only executions of this state machine.")
@click.option("--map-run", help="Only the child executions of a map run, by its ARN or its execution.")
@click.option("--status", type=click.Choice(["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@settings_options()
@click.pass_obj
@asynchronous
async def list_executions(
    settings: Settings, machine: str | None, map_run: str | None, status: str | None, limit: int
) -> None:
    """List executions, most recent first; with --json one document per line.

    The child executions of map runs are listed with --map-run only; EXPRESS ones are gone when they have ended.

    \b
    Examples:
      statewright list --status FAILED
      statewright list --machine order-fulfilment --limit 10 --json
      statewright list --map-run csv-import:monday --status FAILED
    """
    if machine and map_run:
        raise click.UsageError("only one of --machine and --map-run can be given")
    async with connect(settings) as engine:
        map_run = map_run and await map_run_arn(engine, map_run)
        found = await engine.list(machine, status, map_run=map_run, limit=limit)
    rows = [execution_row(description) for description in found]
    if settings.json:
        for row in rows:
            output.document({k: v for k, v in row.items() if k not in ("input", "output")}, line=True)
        return
    shown = [
        [row["stateMachineArn"].split(":")[-1], row["name"], row["status"], f"{row['startDate']:%F %T}"] for row in rows
    ]
    output.table(shown, ["MACHINE", "NAME", "STATUS", "STARTED"])


@click.command()
@click.argument("execution")
@click.option("--reverse", is_flag=True, help="Latest first.")
@click.option("--limit", type=click.IntRange(1), help="Show no more than so many events.")
@settings_options()
@click.pass_obj
@asynchronous
async def history(settings: Settings, execution: str, reverse: bool, limit: int | None) -> None:
    """Show an execution's history; with --json one event per line, in the form of GetExecutionHistory.

    EXECUTION is an ARN or MACHINE:NAME.

    \b
    Examples:
      statewright history order-fulfilment:order-1001
      statewright history order-fulfilment:order-1001 --reverse --limit 5 --json
    """
    async with connect(settings) as engine:
        events = await engine.history(execution, reverse=reverse, limit=limit)
    for event in events:
        if settings.json:
            output.document(event, line=True)
        else:
            output.say(history_line(event))


@click.command()
@click.argument("execution")
@click.option("--error", help="Error name to record.")
@click.option("--cause", help="Why, in words.")
@settings_options()
@click.pass_obj
@asynchronous
async def stop(settings: Settings, execution: str, error: str | None, cause: str | None) -> None:
    """Stop a running execution: it ends as ABORTED, its open tasks are cancelled.

    EXECUTION is an ARN or MACHINE:NAME.  One that has continued as another is followed: what goes on is stopped.

    \b
    Examples:
      statewright stop order-fulfilment:order-1001 --error Cancelled --cause 'the customer called'
    """
    async with connect(settings) as engine:
        row = execution_row(await engine.stop(execution, error, cause))
    if settings.json:
        output.document(row)
    else:
        output.say(f"{row['status']} {row['name']}")


COMMANDS = [deploy, start, describe, list_executions, history, stop]
