"""JSONL: a JSON value on each line (InputType JSONL)."""

from __future__ import annotations

from collections.abc import Iterator

from statewright.items.config import ReaderConfig
from statewright.items.formats.source import BOM, File, Found, Position, item, lines

__all__ = ["read"]


def read(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:  # noqa: ARG001  a `Format`
    """The values of the lines; blank lines are passed over.  A position is the offset of the next line."""
    start: int = at or 0
    source = file.source
    for line, end in lines(file, start):
        if start == 0:
            line = line.removeprefix(BOM)
        if not line.isspace() and line:
            yield Found(item(line, start), len(line), end, source)
        start = end
