"""Reading what commands are given: JSON documents, tokens, definition files and their names."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from statewright import AsyncEngine

__all__ = ["json_value", "machine_name", "map_run_arn", "token_text", "type_option"]

F = TypeVar("F", bound=Callable[..., Any])

GENERIC = ("workflow", "definition", "state-machine", "statemachine", "state_machine", "machine", "main")
"""File names that say nothing: the directory's name is taken instead."""


def type_option() -> Callable[[F], F]:
    """The option ``--type`` of commands that take a definition, as argument `machine_type`."""
    kinds = click.Choice(["STANDARD", "EXPRESS"])
    return click.option("--type", "machine_type", type=kinds, default="STANDARD", show_default=True)


def json_value(text: str, option: str) -> Any:
    """The value of a JSON document given as TEXT, as ``@FILE`` or as ``-`` (stdin).

    Arguments: the option's text; the option's name, for messages.

    Raises click.BadParameter where the file cannot be read or is not JSON, with line and column.

    Example: ``json_value('{"a": 1}', "--input") == {"a": 1}``
    """
    source = option
    if text == "-":
        source, text = f"{option} (stdin)", _decoded(sys.stdin.buffer.read(), option)
    elif text.startswith("@"):
        source = text[1:]
        try:
            text = _decoded(Path(source).read_bytes(), source)
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"cannot read {source}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"{source}, line {error.lineno} column {error.colno}"
        raise click.BadParameter(f"not JSON: {error.msg} ({place})") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise click.BadParameter(f"not JSON: {reason} ({source})") from None


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise click.BadParameter(f"{source} is not UTF-8 text") from None


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


def token_text(text: str) -> str:
    """A task token given as it is or, as ``-``, on stdin."""
    return sys.stdin.read().strip() if text == "-" else text


async def map_run_arn(engine: AsyncEngine, text: str) -> str:
    """The ARN of a map run, given that or an execution (ARN or ``machine:name``), whose last one is meant.

    Raises click.BadParameter where the execution has none.

    Example: ``await map_run_arn(engine, "csv-import:monday")``
    """
    if text.split(":")[5:6] == ["mapRun"]:
        return text
    await engine.describe(text)
    runs = await engine.map_runs(text)
    if not runs:
        raise click.BadParameter(f"{text} has no map run")
    return runs[-1].arn


def machine_name(file: Path) -> str:
    """The name under which `run` and `deploy` keep a definition: that of its file, or of the directory if the file's
    name says nothing.

    Example: ``machine_name(Path("order-fulfilment/workflow.asl.yaml")) == "order-fulfilment"``
    """
    stem = file.name.split(".")[0]
    if stem.lower() in GENERIC:
        stem = file.resolve().parent.name or stem
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:80] or "workflow"
