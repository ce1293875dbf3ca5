"""The `worker` command: run handlers until told to stop, in this process or in several."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext

import click

from statewright_cli import output
from statewright_cli.collector import collect_less_often
from statewright_cli.session import Settings, asynchronous, connect, load_handlers, settings_options, tell_handlers

__all__ = ["COMMANDS"]


@click.command()
@click.option("--functions", multiple=True, metavar="FILE|MODULE", help="Python file or module with the task handlers.")
@click.option("--concurrency", type=click.IntRange(1, 100_000), default=256, show_default=True, help="Tasks at once.")
@click.option("--machine", "machines", multiple=True, help="Work on this state machine only; may be given repeatedly.")
@click.option(
    "--processes",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="So many worker processes.",
)
@click.option("--supervised", type=int, hidden=True, help="Number of this worker under the one that started it.")
@settings_options(works=True)
@click.pass_obj
@asynchronous
async def worker(
    settings: Settings,
    functions: tuple[str, ...],
    concurrency: int,
    machines: tuple[str, ...],
    processes: int,
    supervised: int | None,
) -> int:
    """Run executions until SIGTERM or Ctrl-C, then finish what is being done and leave.

    Start as many as you like, on as many machines: each takes work that no other has.  A worker that dies is noticed
    and its work is done by another.  A worker needs the handlers of all the state machines it works on; where
    different workers have different handlers, --machine says which are its own.

    With --processes this command starts so many workers, and restarts those that die.  It gives up (exit code 2) when
    one dies again and again within a minute.  A second Ctrl-C ends all at once: what was being done is done again by
    others.

    \b
    Examples:
      statewright worker --functions handlers.py
      statewright --store redis://db:6379/0 worker --functions shop.handlers --machine orders --concurrency 64
      statewright worker --functions handlers.py --objects ./objects --processes 4
    """
    if processes > 1:
        return await _supervise(settings, functions, concurrency, machines, processes)
    from statewright_cli.signals import stop_signals
    from statewright_cli.supervisor import stops_with_supervisor

    tell_handlers(settings)
    tasks = load_handlers(functions)
    name = "worker" if supervised is None else f"worker {supervised}"
    collect_less_often()
    async with connect(settings, tasks=tasks, concurrency=concurrency, objects=settings.objects) as engine:
        with stop_signals() as stopping, nullcontext() if supervised is None else stops_with_supervisor(stopping):
            async with engine.worker(machines=machines):
                _report(settings, "ready", f"{name} ready, {len(tasks)} handlers; Ctrl-C stops it", supervised)
                await stopping.wait()
                if supervised is None:
                    _report(settings, "draining", "stopping: finishing what is being done")
    _report(settings, "stopped", "stopped" if supervised is None else f"{name} stopped", supervised)
    return 0


async def _supervise(
    settings: Settings, functions: tuple[str, ...], concurrency: int, machines: tuple[str, ...], processes: int
) -> int:
    from statewright_cli.supervisor import Supervisor

    place = ["--store", settings.store] if settings.store else ["--data-dir", settings.data_dir]
    objects = ["--objects", settings.objects] if settings.objects else []
    command = [sys.executable, *([] if {"", os.getcwd()} & set(sys.path) else ["-P"]), "-m", "statewright_cli"]
    command += [*place, *objects, "--profile", settings.profile, *(["--json"] if settings.json else []), "worker"]
    command += [word for each in functions for word in ("--functions", each)]
    command += [word for each in machines for word in ("--machine", each)]
    command += ["--concurrency", str(concurrency), "--supervised"]
    code = await Supervisor(command, processes, lambda event, text: _report(settings, event, text)).run()
    _report(settings, "stopped", "all workers stopped")
    return code


def _report(settings: Settings, event: str, text: str, worker: int | None = None) -> None:
    if settings.json:
        which = {} if worker is None else {"worker": worker, "process": os.getpid()}
        output.document({"event": event, **which}, line=True)
    else:
        output.note(text)


COMMANDS = [worker]
