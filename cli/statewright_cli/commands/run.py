"""The `run` command: deploy a definition, run one execution of it here and watch it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statewright_cli import output
from statewright_cli.arguments import json_value, machine_name, type_option
from statewright_cli.ending import INTERRUPTED, TIMED_OUT, tell
from statewright_cli.session import (
    DATA_DIR,
    PROFILE,
    Settings,
    asynchronous,
    connect,
    load_handlers,
    settings_options,
    tell_handlers,
)
from statewright_cli.show import Row, execution_row, map_run_row

if TYPE_CHECKING:
    import asyncio

    from statewright import AsyncEngine

__all__ = ["COMMANDS"]

REFRESH = 0.1
"""Seconds between two looks at the history while an execution is watched."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: a definition's file under a machine name and type, one execution by name and input;
    `nested`: files of the definitions whose executions it starts."""

    file: Path
    machine: str
    name: str | None
    input: Any
    input_given: bool
    functions: tuple[str, ...]
    timeout: float | None
    type: Any
    nested: tuple[Path, ...]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--input", "input_text", metavar="JSON|@FILE|-", help="Execution input; default: {}.")
@click.option("--name", help="Name of the execution; if it was interrupted, it is resumed.")
@click.option("--functions", multiple=True, metavar="FILE|MODULE", help="Python file or module with the task handlers.")
@click.option("--machine", help="Name of the state machine; default: from the name of the file or its directory.")
@click.option(
    "--with", "nested", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
    help="Definition whose executions this one starts: deploy it and work on it as well.",
)  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Watch no longer (exit code 124).")
@type_option()
@settings_options(works=True)
@click.pass_obj
@asynchronous
async def run(
    settings: Settings,
    file: Path,
    input_text: str | None,
    name: str | None,
    functions: tuple[str, ...],
    machine: str | None,
    timeout: float | None,
    machine_type: Any,
    nested: tuple[Path, ...],
) -> int:
    """Run one execution of the definition in FILE here, and watch it to its end.

    Progress goes to stderr, the output to stdout.  Every transition is stored before the next one: after Ctrl-C, a
    crash or a power cut the same command with the same --name goes on where it was.

    With --type EXPRESS it is faster and stored only where it waits and at its end: after a crash it repeats what came
    after that.  It has five minutes at most, and its name may be used again at once.

    Exit code: 0 only if the execution SUCCEEDED, 1 if it ended in another way, 2 if it could not be run, 124 after
    --timeout, 130 after Ctrl-C.

    \b
    Examples:
      statewright run hello.asl.json --input '{"who": "you"}'
      statewright run workflow.asl.yaml --functions handlers.py --input @order.json --name order-1001
      statewright run quote.asl.yaml --type EXPRESS --functions handlers.py --input '{"item": 7}'
      statewright run import.asl.yaml --functions handlers.py --objects ./objects
      statewright run parent.asl.yaml --with child.asl.yaml --functions handlers.py
    """
    value = {} if input_text is None else json_value(input_text, "--input")
    machine = machine or machine_name(file)
    order = Order(file, machine, name, value, input_text is not None, functions, timeout, machine_type, nested)
    tell_handlers(settings)
    async with connect(settings, tasks=load_handlers(functions), objects=settings.objects) as engine:
        row, resumed, code = await _run(engine, order, settings)
    return tell(row, as_json=settings.json, resumed=resumed) if row else code


async def _run(engine: AsyncEngine, order: Order, settings: Settings) -> tuple[Row | None, bool, int]:
    """Start or resume the execution and watch it; what became of it, whether it was resumed, and the exit code."""
    from statewright_cli.signals import stop_signals

    known = await _known(engine, order)
    if known and known["status"] != "RUNNING":
        output.note(f"{known['name']} has ended before: nothing is run again")
        return known, False, 0
    with stop_signals() as stopping:
        if known is None:
            for nested in order.nested:
                await engine.deploy(nested, name=machine_name(nested))
            await engine.deploy(order.file, name=order.machine, type=order.type)
        async with engine.worker(machines=[order.machine, *map(machine_name, order.nested)]):
            if known:
                execution, name = known["executionArn"], known["name"]
                output.note(f"resumed {name}: {execution}")
            else:
                started = await engine.start(order.machine, order.input, name=order.name)
                execution, name = started.arn, started.name
                output.note(f"started {name}: {execution}")
            ended = await _watch(engine, execution, stopping, order.timeout)
            if stopping.is_set():
                output.note("stopping: finishing what is being done; Ctrl-C again leaves at once")
    if ended is None:
        output.note(f"{'interrupted' if stopping.is_set() else 'still running'}; to go on:")
        output.note(f"  {_resume_command(order, execution, settings)}")
    return ended, known is not None, INTERRUPTED if stopping.is_set() else TIMED_OUT


async def _known(engine: AsyncEngine, order: Order) -> Row | None:
    """The execution of this name, if there is one; StatewrightError if it was started with another input.

    An EXPRESS execution is known as NAME:ID: one of a NAME alone is always a new one.
    """
    from statewright import StatewrightError

    if order.name is None or (order.type == "EXPRESS" and ":" not in order.name):
        return None
    try:
        known = execution_row(await engine.describe(f"{order.machine}:{order.name}"))
    except StatewrightError as error:
        if error.code != "ExecutionDoesNotExist":
            raise
        return None
    if order.input_given and known["input"] != order.input:
        message = f"Execution Already Exists: '{known['executionArn']}' was started with another input"
        raise StatewrightError("ExecutionAlreadyExists", message)
    return known


async def _watch(engine: AsyncEngine, execution: str, stopping: asyncio.Event, timeout: float | None) -> Row | None:
    """Show the execution until it ends (its description), or `stopping` is set or `timeout` seconds are over (None)."""
    import asyncio

    from statewright_cli.screen import Screen

    screen = Screen()
    ending = asyncio.ensure_future(engine.wait(execution))
    stopped = asyncio.ensure_future(stopping.wait())
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout if timeout is not None else float("inf")
    try:
        while True:
            pause = max(0.0, min(REFRESH, deadline - loop.time()))
            await asyncio.wait({ending, stopped}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            ended = ending.done()  # asked before the history is read, so that nothing is missing when it has ended
            screen.take(await engine.history(execution, after=screen.timeline.seen))
            for arn in list(screen.timeline.map_runs):
                screen.progress(arn, map_run_row(await engine.map_run(arn)))
            screen.draw()
            if ended or stopped.done() or loop.time() >= deadline:
                return execution_row(await ending) if ended else None
    finally:
        ending.cancel()
        stopped.cancel()
        await asyncio.gather(ending, stopped, return_exceptions=True)


def _resume_command(order: Order, execution: str, settings: Settings) -> str:
    name = ":".join(execution.split(":")[7:])
    words = ["statewright", "run", str(order.file), "--name", name]
    for functions in order.functions:
        words += ["--functions", functions]
    for nested in order.nested:
        words += ["--with", str(nested)]
    if order.machine != machine_name(order.file):
        words += ["--machine", order.machine]
    if order.type == "EXPRESS":
        words += ["--type", "EXPRESS"]
    if settings.store:
        words += ["--store", settings.store]
    elif settings.data_dir != DATA_DIR:
        words += ["--data-dir", settings.data_dir]
    if settings.objects:
        words += ["--objects", settings.objects]
    if settings.profile != PROFILE:
        words += ["--profile", settings.profile]
    return shlex.join(words)


COMMANDS = [run]
