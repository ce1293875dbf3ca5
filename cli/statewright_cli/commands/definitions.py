"""Commands about definitions: lint and graph."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from statewright_cli import output
from statewright_cli.arguments import type_option
from statewright_cli.session import Settings, asynchronous, connect, settings_options
from statewright_cli.timeline import Timeline

if TYPE_CHECKING:
    from statewright.definition.problem import Problem
    from statewright.definition.source import Source

__all__ = ["COMMANDS"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--target",
    type=click.Choice(["statewright", "aws"]),
    default="statewright",
    show_default=True,
    help="What the definition is to run on; aws refuses what only Statewright has.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json", "sarif", "github"]), default="text", show_default=True
)
@type_option()
@settings_options()
@click.pass_obj
def lint(settings: Settings, files: tuple[str, ...], format_: str, machine_type: Any, target: Any) -> int:
    """Check definitions, with the line and column of every problem.  - reads stdin.

    Exit code: 0 no errors (there may be warnings), 1 errors found, 2 a file could not be read.

    \b
    Examples:
      statewright lint definitions/*/workflow.asl.yaml
      statewright lint workflow.asl.json --format sarif > problems.sarif
      statewright lint workflow.asl.yaml --target aws
    """
    from statewright.definition.lint import lint as check
    from statewright.definition.source import SourceError

    problems: list[Problem] = []
    texts: dict[str, str] = {}
    for file in files:
        try:
            source = _source(file)
        except SourceError as error:
            problems.append(error.problem)
            continue
        texts[source.name] = source.text
        problems += check(source, machine_type, target)
    _report(problems, texts, "json" if settings.json else format_)
    errors = sum(problem.severity == "error" for problem in problems)
    output.note(f"{_count(len(files), 'file')}, {_count(errors, 'error')}, {_count(len(problems) - errors, 'remark')}")
    return 1 if errors else 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _source(file: str) -> Source:
    from statewright.definition.source import load, load_file

    if file == "-":
        return load(sys.stdin.buffer.read(), "<stdin>")
    try:
        return load_file(file)
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from None


def _report(problems: list[Problem], texts: dict[str, str], format_: str) -> None:
    from statewright.definition import problem as render
    from statewright.definition.lint import descriptions

    if format_ == "text":
        for problem in problems:
            output.block(render.render_text(problem, texts.get(problem.source, "")))
    elif format_ == "json":
        output.block(render.render_json(problems))
    elif format_ == "sarif":
        output.block(render.render_sarif(problems, descriptions()))
    elif problems:
        output.block(render.render_github(problems))


@click.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--format", "format_", type=click.Choice(["mermaid", "dot"]), default="mermaid", show_default=True)
@click.option("--execution", help="Colour the states by what this execution did: an ARN or MACHINE:NAME.")
@settings_options()
@click.pass_obj
@asynchronous
async def graph(settings: Settings, file: str, format_: str, execution: str | None) -> None:
    """Draw a definition as a Mermaid or Graphviz diagram.  - reads stdin.

    \b
    Examples:
      statewright graph workflow.asl.yaml > workflow.mmd
      statewright graph workflow.asl.yaml --format dot | dot -Tsvg > workflow.svg
      statewright graph workflow.asl.yaml --execution order-fulfilment:order-1001
    """
    from statewright.definition import draw
    from statewright.definition.source import SourceError

    try:
        value = _source(file).value
    except SourceError as error:
        raise click.UsageError(str(error)) from None
    statuses: dict[str, str] | None = None
    if execution:
        async with connect(settings) as engine:
            statuses = _statuses(await engine.history(execution))
    text = (draw.mermaid if format_ == "mermaid" else draw.dot)(value, statuses).rstrip("\n")
    if settings.json:
        output.document({"format": format_, "text": text})
    else:
        output.block(text)


def _statuses(events: Any) -> dict[str, str]:
    """What became of each state, by name, in the words of an execution's status: of its last visit."""
    timeline = Timeline()
    for event in events:
        timeline.add(event)
    return {visit.name: "RUNNING" if visit.ended is None else visit.status.upper() for visit in timeline.visits}


COMMANDS = [lint, graph]
