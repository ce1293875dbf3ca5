"""CSV: rows of text fields (InputType CSV); the parser is Python's own.

As AWS documents it: quotes around fields that contain delimiters, line ends or quotes, which are doubled then; a
backslash takes the character after it as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing

from statewright.items.config import ReaderConfig, check_headers, unreadable
from statewright.items.formats.source import BOM, LONGEST, File, Found, Position, lines
from statewright.values import Payload

__all__ = ["read"]


def read(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """An object per row, from the names of the columns to the row's fields, all of them text.

    A row that is too short is filled up with empty text, fields beyond the headers and blank rows are left out.  A
    position is the offset of the next row: the parser asks for no line before it needs it.
    """
    headers, start = config.headers, at
    if headers is None:
        headers, first = _first_row(file, config)
        start = at or first
    width, source = len(headers), file.source
    overhead = sum(map(len, headers)) + 6 * width
    rows = _Rows(file, config.delimiter, start or 0)
    with closing(rows):
        offset = rows.offset
        for row in rows:
            if row:
                if len(row) < width:
                    row += [""] * (width - len(row))
                value = dict(zip(headers, row, strict=False))
                yield Found(Payload.of(value), rows.offset - offset + overhead, rows.offset, source)
            offset = rows.offset


def _first_row(file: File, config: ReaderConfig) -> tuple[tuple[str, ...], int]:
    """The names in the first row, and the offset of the second."""
    with closing(_Rows(file, config.delimiter, 0)) as rows:
        for row in rows:
            if row:
                return check_headers(row), rows.offset
    raise unreadable("The CSV file has no header row.")


class _Rows:
    """The rows of a file from a byte offset on; `offset` is where the row after the last one begins."""

    def __init__(self, file: File, delimiter: str, start: int) -> None:
        self.offset = self._row = start
        self._lines = lines(file, start, ends=b"\r\n")
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST))  # one limit for the process: raised, never lowered
        self._rows = csv.reader(self._texts(), delimiter=delimiter, escapechar="\\")

    def _texts(self) -> Iterator[str]:
        for line, end in self._lines:
            if self.offset == 0:
                line = line.removeprefix(BOM)
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                place = self.offset + error.start
                raise unreadable(f"The CSV file is not UTF-8: {error.reason} at byte {place}.") from None
            self.offset = end
            if end - self._row > LONGEST:
                raise unreadable(f"The CSV row at byte {self._row} is longer than {LONGEST} bytes.")
            yield text

    def __iter__(self) -> Iterator[list[str]]:
        while True:
            self._row = self.offset
            try:
                row = next(self._rows, None)
            except csv.Error as error:
                raise unreadable(f"The CSV row at byte {self._row} cannot be read: {error}.") from None
            if row is None:
                return
            yield row

    def close(self) -> None:
        """Close the file."""
        self._lines.close()
