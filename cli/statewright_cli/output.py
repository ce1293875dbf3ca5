"""Everything the command says, and the one place that makes text of users safe for a terminal.

Results go to stdout, everything else (progress, hints, errors) to stderr.  What comes from a definition, an input, an
error or a name may hold control characters that would steer the reader's terminal; `safe` makes them visible.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

__all__ = ["block", "colour", "complain", "described", "document", "duration", "note", "safe", "say", "table"]

COLOURS = {"SUCCEEDED": "green", "RUNNING": "cyan", "FAILED": "red", "TIMED_OUT": "red", "ABORTED": "yellow"}
"""How the status of an execution is coloured on a terminal."""


def safe(text: object, *, lines: bool = False) -> str:
    """`text` with everything escaped that could steer a terminal or mislead its reader.

    Arguments:
        text: anything; its `str()` is taken.
        lines: keep line feeds (for blocks of text); otherwise they are escaped too.

    Control characters (C0, DEL, C1), bidirectional and other invisible formatting marks, and lone surrogates become
    ``\\x1b``, ``\\u202e`` and so on.

    Example: ``safe("a\\x1b[2J") == "a\\\\x1b[2J"``
    """
    from statewright.definition.problem import visible

    if lines:
        return "\n".join(visible(line) for line in str(text).split("\n"))
    return visible(str(text))


def say(text: object = "") -> None:
    """A line of result, to stdout; escaped."""
    click.echo(safe(text))


def block(text: object) -> None:
    """Several lines of result, to stdout; escaped, line feeds kept."""
    click.echo(safe(text, lines=True))


def note(text: object) -> None:
    """A line about what is going on, to stderr; escaped."""
    click.echo(safe(text), err=True)


def complain(code: str, message: str, hint: str | None = None) -> None:
    """An error, to stderr: ``error: CODE: message`` and, if there is one, a line of advice.

    Example: ``complain("InvalidName", "Invalid Name: 'a b'", "use letters, digits, - and _")``
    """
    click.echo(f"error: {safe(code)}: {safe(message.strip(), lines=True)}", err=True)
    if hint:
        click.echo(f"hint: {safe(hint, lines=True)}", err=True)


def document(value: Any, *, line: bool = False) -> None:
    """A JSON document, to stdout: indented, or on one `line` where it is one of a stream.

    Times are ISO 8601 texts, paths texts.  The text is ASCII without control characters whatever the value holds.
    """
    text = json.dumps(value, indent=None if line else 2, default=_plain).replace("\x7f", "\\u007f")
    click.echo(text)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> None:
    """Rows under heads, in columns, to stdout.

    Example: ``table([["a", 1]], ["NAME", "COUNT"])``
    """
    cells = [list(heads), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def colour(status: str, *, stream: Any = None) -> str:
    """The status, coloured if `stream` (default stdout) is a terminal and NO_COLOR is not set."""
    stream = stream or sys.stdout
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return safe(status)
    return click.style(safe(status), fg=COLOURS.get(status, "white"), bold=True)


def duration(seconds: float) -> str:
    """A span of time in words short enough for a column.

    Example: ``duration(0.0123) == "12 ms"``, ``duration(75) == "1 m 15 s"``
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} m" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def described(description: Mapping[str, Any]) -> None:
    """An execution's description, for people: its members, then input and output as blocks."""
    width = max(16, *map(len, description))
    for name, value in description.items():
        if value is not None and name not in ("input", "output"):
            say(f"{name:<{width}} {_plain(value) if isinstance(value, datetime) else value}")
    for name in ("input", "output"):
        if name in description:
            say(f"{name}:")
            block(json.dumps(description[name], indent=2, ensure_ascii=False))
