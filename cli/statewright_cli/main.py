"""The `statewright` command.

Exit codes: 0 the answer is yes, 1 the answer is no (the execution did not succeed, a definition has errors, the store
is not safe), 2 the command could not do its work, 130 interrupted.  There is never a traceback.

Nothing of the engine is imported before a command needs it: `--help` and `--version` answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from statewright_cli import output
from statewright_cli.commands import (
    callbacks,
    definitions,
    executions,
    mapruns,
    metrics,
    operations,
    retention,
    run,
    upkeep,
    verify,
    worker,
)
from statewright_cli.session import Settings, settings_options

if TYPE_CHECKING:
    from statewright.definition.problem import Problem

__all__ = ["cli", "main"]

HINTS = {
    "StoreUnavailable": "is the server running, and is --store (or STATEWRIGHT_STORE) its URL?",
    "StateMachineDoesNotExist": "statewright deploy FILE makes it known under a name",
    "ExecutionDoesNotExist": "statewright list shows the executions; name one by its ARN or as MACHINE:NAME",
    "ExecutionAlreadyExists": "choose another --name, or give the same input to find the same execution again",
    "InvalidToken": "give the task token exactly as the handler got it",
    "TaskTimedOut": "the task has ended already: by an answer, by a timeout or with its execution",
    "TaskDoesNotExist": "the task has ended already: by an answer, by a timeout or with its execution",
    "ResourceNotFound": "statewright map-runs EXECUTION shows the map runs of an execution with their ARNs",
    "InvalidObjects": "--objects (or STATEWRIGHT_OBJECTS) is a directory, s3://, or s3+http(s)://HOST:PORT",
    "InvalidDefinition": "statewright lint FILE shows every problem with its line",
}
"""What to do about an error, by its code."""


SECTIONS = {
    "Definitions": (definitions,),
    "State machines and executions": (run, executions, mapruns),
    "Workers and open tasks": (worker, callbacks),
    "Upkeep of the store": (operations, metrics, verify, upkeep, retention),
}
"""What `--help` lists under which heading: modules of commands."""


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:  # noqa: ARG001
    if wanted:
        from statewright import __version__

        click.echo(f"statewright {__version__}")
        context.exit()


class Sections(click.Group):
    """Commands that are listed under the headings of `SECTIONS`."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands for ``--help``."""
        del context
        widest = max(map(len, self.commands))
        for heading, modules in SECTIONS.items():
            with formatter.section(heading):
                commands = [command for module in modules for command in module.COMMANDS]
                limit = formatter.width - widest - 6
                formatter.write_dl([(each.name or "", each.get_short_help_str(limit)) for each in commands])


@click.group(
    cls=Sections,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
@settings_options(environment=True)
@click.pass_context
def cli(context: click.Context) -> None:
    """Durable state machines in Amazon States Language, on Redis or Valkey.

    Without --store everything is kept by a private server in the directory .statewright.

    \b
    Examples:
      statewright lint workflow.asl.yaml
      statewright run workflow.asl.yaml --functions handlers.py --input '{"order": 7}'
      statewright --store redis://localhost:6379/0 list --status RUNNING
    """
    context.ensure_object(Settings)


for _module in (module for modules in SECTIONS.values() for module in modules):
    for _command in _module.COMMANDS:
        cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave the process with its exit code.

    Arguments: `arguments`: instead of `sys.argv[1:]`.

    Example: ``main(["lint", "workflow.asl.yaml"])``
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(args=arguments, prog_name="statewright", standalone_mode=False, obj=Settings())
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (click.Abort, KeyboardInterrupt):
        output.note("interrupted")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        _explain(error)
        return 2


def _explain(error: Exception) -> None:
    if isinstance(error, click.ClickException):
        context: Any = getattr(error, "ctx", None)
        output.complain("Usage", error.format_message(), f"{context.command_path} --help" if context else None)
        return
    from statewright import InvalidDefinitionError, StatewrightError

    if isinstance(error, InvalidDefinitionError):
        output.complain("InvalidDefinition", "\n".join(map(_headline, error.problems)), HINTS["InvalidDefinition"])
    elif isinstance(error, StatewrightError):
        output.complain(error.code, error.message, HINTS.get(error.code))
    elif isinstance(error, OSError):
        output.complain("System", f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
    elif os.environ.get("STATEWRIGHT_DEBUG"):
        raise error
    else:
        hint = "STATEWRIGHT_DEBUG=1 shows where; please report it"
        output.complain("Internal", f"{type(error).__name__}: {error}", hint)


def _headline(problem: Problem) -> str:
    place = f"{problem.source}:{problem.line}:{problem.column}"
    return f"{place}: {problem.severity} {problem.code} {problem.message.strip()}"
