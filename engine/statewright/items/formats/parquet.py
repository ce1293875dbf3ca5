"""Parquet: an object per row (InputType PARQUET); through pyarrow, which is an optional extra."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO, Final
from uuid import UUID

from statewright.items.config import ReaderConfig, unreadable
from statewright.items.formats.source import File, Found, Position
from statewright.values import Json, NotJsonError, Payload, check, weight

__all__ = ["read"]

_FOOTER_BYTES: Final = 5_000_000
_GROUP_BYTES: Final = 256_000_000
"""Limits of AWS on a file's footer and its row groups (documentation of ItemReader); a row group is read as a whole."""

_BATCH: Final = 256
"""Rows made into values at once."""


def read(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:  # noqa: ARG001  a `Format`
    """The rows.  A position is the index of the row group and how many of its rows have been taken.

    What JSON has no form for becomes text: times in ISO 8601, decimals in digits, bytes in base64; a duration becomes a
    number of seconds, a number that is not finite null, and a map with text for keys an object.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise unreadable("Parquet files need pyarrow: pip install 'statewright[parquet]'") from None
    group, skip = at or (0, 0)
    source = file.source
    try:
        with closing(_Seekable(file)) as stream:
            _check_footer(stream)
            table = parquet.ParquetFile(stream, pre_buffer=False)
            with closing(table):
                names = table.schema_arrow.names
                if len(set(names)) < len(names):
                    raise unreadable("Parquet columns cannot contain duplicates.")
                for index in range(group, table.num_row_groups):
                    for row, value in enumerate(_rows(table, index, skip), skip + 1):
                        yield Found(Payload.of(value), weight(value), [index, row], source)
                    skip = 0
    except (pyarrow.ArrowException, NotJsonError, ValueError, OverflowError, RecursionError) as error:
        raise unreadable(f"The Parquet file cannot be read: {error or 'it is nested too deeply'}") from None


def _check_footer(stream: _Seekable) -> None:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(size - 8, 0))
    ending = stream.read(8)
    if len(ending) < 8 or ending[4:] != b"PAR1":
        raise unreadable("The file is not a Parquet file.")
    if int.from_bytes(ending[:4], "little") > _FOOTER_BYTES:
        raise unreadable(f"The footer of the Parquet file is longer than {_FOOTER_BYTES} bytes.")
    stream.seek(0)


def _rows(table: Any, index: int, skip: int) -> Iterator[Json]:
    """The rows of a row group after the first `skip`."""
    if table.metadata.row_group(index).total_byte_size > _GROUP_BYTES:
        raise unreadable(f"Row group {index} of the Parquet file is longer than {_GROUP_BYTES} bytes.")
    for batch in table.iter_batches(_BATCH, row_groups=[index]):
        if skip < len(batch):
            for row in _microseconds(batch.slice(skip)).to_pylist():
                value = _plain(row)
                check(value)
                yield value
        skip = max(skip - len(batch), 0)


def _microseconds(batch: Any) -> Any:
    """The batch with times in nanoseconds cut to microseconds, which is as fine as Python's are."""
    import pyarrow

    for index, column in enumerate(batch.schema):
        kind = column.type
        if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
            finer = batch.column(index).cast(pyarrow.timestamp("us", kind.tz), safe=False)
            batch = batch.set_column(index, column.name, finer)
    return batch


def _plain(value: Any) -> Json:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(pair, tuple) and isinstance(pair[0], str) for pair in value):
            return {name: _plain(member) for name, member in value}
        return [_plain(element) for element in value]
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    for kind, form in _FORMS.items():
        if isinstance(value, kind):
            return form(value)
    raise unreadable(f"The Parquet file has a value of type {type(value).__name__}, for which there is no JSON.")


_FORMS: Final[dict[type, Any]] = {
    Decimal: lambda value: f"{value:f}",
    bytes: lambda value: base64.b64encode(value).decode(),
    datetime: lambda value: value.isoformat().replace("+00:00", "Z"),
    date: date.isoformat,
    time: time.isoformat,
    timedelta: timedelta.total_seconds,
    UUID: str,
}
"""In this order: a datetime is also a date."""


class _Seekable(io.RawIOBase):
    """An object that can be read anywhere, as Parquet wants it: a stream is kept while reading goes straight on."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._size = file.objects.size(file.bucket, file.key)
        self._at = 0
        self._stream: BinaryIO | None = None
        self._stream_at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        wanted = min(len(buffer), max(self._size - self._at, 0))
        if not wanted:
            return 0
        if self._stream is None or self._stream_at != self._at:
            self._release()
            self._stream = self._file.objects.open(self._file.bucket, self._file.key, self._at)
        data = self._stream.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        self._stream_at = self._at
        return len(data)

    def close(self) -> None:
        self._release()
        super().close()

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
