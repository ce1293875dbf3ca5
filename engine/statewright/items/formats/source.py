"""What all formats share: where a data set is, what reading it gives, and its bytes as a stream."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, TypeAlias, cast

from statewright.items.config import ReaderConfig, unreadable
from statewright.items.objects import Objects
from statewright.values import Json, NotJsonError, Payload, decode

__all__ = ["BOM", "CHUNK", "LONGEST", "File", "Format", "Found", "Position", "item", "lines", "open_bytes"]

CHUNK: Final = 256 * 1024
"""Bytes asked of a stream at once."""

LONGEST: Final = 8 * 1024 * 1024
"""Bytes an item may have in its file (AWS documentation: 8 MB), so that none can fill the memory."""

BOM: Final = b"\xef\xbb\xbf"

Position: TypeAlias = Json
"""Where to go on reading: a small JSON value of the format's own; None is the beginning."""


class Found(NamedTuple):
    """An item, about how many bytes its text has, where to go on after it, what it was read from, and its key if it is
    a member of an object.
    """

    payload: Payload
    size: int
    after: Position
    source: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A data set in an object; of an object with versions, the newest unless one is named.

    Example: ``File(objects, "my-bucket", "items.csv").source == "S3://my-bucket/items.csv"``
    """

    objects: Objects
    bucket: str
    key: str
    version: str | None = None

    @property
    def source(self) -> str:
        """What `$$.Map.Item.Source` says of items that come from here (AWS documentation, context object)."""
        return f"S3://{self.bucket}/{self.key}"


Format: TypeAlias = Callable[[File, ReaderConfig, Position], Iterator[Found]]
"""Reads a data set from a position on.  Raises StatesError (States.ItemReaderFailed), ObjectError, OSError."""


def item(text: bytes, start: int) -> Payload:
    """The item whose JSON text begins at byte `start` of a file; States.ItemReaderFailed where it is not JSON."""
    try:
        return Payload.of(decode(text))
    except NotJsonError as error:
        raise unreadable(f"The item at byte {start} is not valid JSON: {error}") from None


def open_bytes(file: File, start: int) -> BinaryIO:
    """The file's bytes from `start` on; of a file packed with gzip or Zstandard, the unpacked bytes.

    Whether it is packed is told from its first bytes, with which no text begins.  A packed file is unpacked from its
    beginning also when reading goes on in the middle.
    """
    stream = file.objects.open(file.bucket, file.key, version=file.version)
    try:
        head = stream.read(max(map(len, _UNPACK)))
        whole = cast(BinaryIO, _Rejoined(head, stream))
        for mark, unpack in _UNPACK.items():
            if head.startswith(mark):
                return cast(BinaryIO, _Unpacked(unpack(whole), whole, start))
        if start == 0:
            return whole
    except BaseException:
        stream.close()
        raise
    stream.close()
    return file.objects.open(file.bucket, file.key, start, version=file.version)


def lines(file: File, start: int, *, ends: bytes = b"\n") -> Generator[tuple[bytes, int], None, None]:
    """The lines of a file from byte `start` on, with their ends, each with the offset of the byte after it.

    Arguments:
        ends: ``b"\\n"``, or ``b"\\r\\n"`` to let a carriage return, also one without a line feed, end a line.
    """
    split: Callable[[bytes], list[bytes]] = _at_line_feeds if ends == b"\n" else _at_line_ends
    rest, offset = b"", start
    with closing(open_bytes(file, start)) as stream:
        while chunk := stream.read(CHUNK):
            *whole, rest = split(rest + chunk)
            for line in whole:
                offset += len(line)
                yield line, offset
            if len(rest) > LONGEST:
                raise unreadable(f"The item at byte {offset} is longer than {LONGEST} bytes.")
    for line in split(rest):
        if line:
            offset += len(line)
            yield line, offset


def _at_line_feeds(text: bytes) -> list[bytes]:
    """Lines with their ends; the last has none, and is empty if the text ends with a line."""
    *whole, rest = text.split(b"\n")
    return [*(line + b"\n" for line in whole), rest]


def _at_line_ends(text: bytes) -> list[bytes]:
    """The same for all line ends; a carriage return at the very end is left open, as a line feed may follow."""
    found = text.splitlines(keepends=True)
    if not found or found[-1].endswith(b"\n"):
        found.append(b"")
    return found


class _Rejoined(io.RawIOBase):
    """A stream after the look at its first bytes."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._stream.read(size)
        if 0 <= size < len(self._head):
            head, self._head = self._head[:size], self._head[size:]
            return head
        head, self._head = self._head, b""
        return head + self._stream.read(size - len(head) if size >= 0 else -1)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _gzip(packed: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=packed, mode="rb"))


def _zstandard(packed: BinaryIO) -> BinaryIO:
    try:
        import pyarrow
    except ImportError:
        raise unreadable("Files packed with Zstandard need pyarrow: pip install 'statewright[parquet]'") from None
    return cast(BinaryIO, pyarrow.CompressedInputStream(packed, "zstd"))


_UNPACK: Final = {b"\x1f\x8b": _gzip, b"\x28\xb5\x2f\xfd": _zstandard}
"""The formats of packed files that AWS reads (documentation of ItemReader), by the bytes they begin with."""


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a packed stream, from an offset on; closes both."""

    def __init__(self, unpacked: BinaryIO, packed: BinaryIO, start: int) -> None:
        self._unpacked = unpacked
        self._packed = packed
        while start > 0 and (skipped := self.read(min(start, CHUNK))):
            start -= len(skipped)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._unpacked.read(size)
        except (EOFError, ValueError, zlib.error) as error:
            raise OSError(f"it cannot be unpacked: {error}") from None

    def close(self) -> None:
        self._unpacked.close()
        self._packed.close()
        super().close()
