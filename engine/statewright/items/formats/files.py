"""The formats a single object can have: the table behind InputType."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from statewright.items.config import ReaderConfig, unreadable
from statewright.items.formats import csv_rows, json_array, json_lines, parquet
from statewright.items.formats.source import File, Format, Found, Position

__all__ = ["read"]


def read(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """The items of an object that is a data set itself."""
    name = config.input_type
    if name not in _FORMATS:
        raise unreadable(f"field InputType must be one of {', '.join(map(str, _FORMATS))}")
    return _FORMATS[name](file, config, at)


_FORMATS: Final[dict[str | None, Format]] = {
    "CSV": csv_rows.read,
    "JSON": json_array.read,
    "JSONL": json_lines.read,
    "PARQUET": parquet.read,
}
