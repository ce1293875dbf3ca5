"""The `worker` command: run handlers until told to stop."""

from __future__ import annotations

import click

from statewright_cli import output
from statewright_cli.collector import collect_less_often
from statewright_cli.session import Settings, asynchronous, connect, load_handlers, settings_options, tell_handlers

__all__ = ["COMMANDS"]


@click.command()
@click.option("--functions", multiple=True, metavar="FILE|MODULE", help="Python file or module with the task handlers.")
@click.option("--concurrency", type=click.IntRange(1, 100_000), default=256, show_default=True, help="Tasks at once.")
@click.option("--machine", "machines", multiple=True, help="Work on this state machine only; may be given repeatedly.")
@settings_options(works=True)
@click.pass_obj
@asynchronous
async def worker(settings: Settings, functions: tuple[str, ...], concurrency: int, machines: tuple[str, ...]) -> None:
    """Run executions until SIGTERM or Ctrl-C, then finish what is being done and leave.

    Start as many as you like, on as many machines: each takes work that no other has.  A worker that dies is noticed
    and its work is done by another.  A worker needs the handlers of all the state machines it works on; where
    different workers have different handlers, --machine says which are its own.

    \b
    Examples:
      statewright worker --functions handlers.py
      statewright --store redis://db:6379/0 worker --functions shop.handlers --machine orders --concurrency 64
      statewright worker --functions handlers.py --objects ./objects
    """
    from statewright_cli.signals import stop_signals

    tell_handlers(settings)
    tasks = load_handlers(functions)
    collect_less_often()
    async with connect(settings, tasks=tasks, concurrency=concurrency, objects=settings.objects) as engine:
        with stop_signals() as stopping:
            async with engine.worker(machines=machines):
                _report(settings, "ready", f"worker ready, {len(tasks)} handlers; Ctrl-C stops it")
                await stopping.wait()
                _report(settings, "draining", "stopping: finishing what is being done")
    _report(settings, "stopped", "stopped")


def _report(settings: Settings, event: str, text: str) -> None:
    if settings.json:
        output.document({"event": event}, line=True)
    else:
        output.note(text)


COMMANDS = [worker]
