"""Append-only files: where the first damage is, what is behind it, and cutting it off.

A file is a row of commands in the server's protocol.  All that a script does is one transaction, MULTI to EXEC, and is
cut off as a whole.  The last command may be incomplete after a power failure, or the file have NUL bytes behind it;
that was never acknowledged.  Anything else is damage that nobody repairs without being told to: what is behind it is
lost with it.  There are no checksums in these files: a bit that flips inside a value is not noticed here.

Files are read as a stream; nothing is trusted to be as long as it says.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final, Literal

__all__ = ["Damage", "Manifest", "cut", "examine"]

_FOLDER: Final = "appendonlydir"
_MANIFEST: Final = "appendonly.aof.manifest"
_LONGEST_LINE: Final = 1024  # as servers read annotations
_LONGEST_NAME: Final = 64
_MOST_WORDS: Final = 1 << 24
_CHUNK: Final = 1 << 20
_RDB: Final = (b"REDIS", b"VALKE")
_PROGRESS: Final = 1 << 24  # bytes between two words about it
_COMMAND: Final = re.compile(rb"(?<=\n)\*[1-9]\d{0,7}\r\n\$[1-9]\d?\r\n[A-Za-z]")

_NAMES: Final = frozenset(
    b"APPEND BITFIELD BITOP COPY DECR DECRBY DEL EXEC EXPIRE EXPIREAT FLUSHALL FLUSHDB FUNCTION GEOADD GETDEL GETEX "
    b"GETSET HDEL HEXPIREAT HINCRBY HINCRBYFLOAT HMSET HPEXPIREAT HPERSIST HSET HSETEX HSETNX INCR INCRBY INCRBYFLOAT "
    b"LINSERT LMOVE LPOP LPUSH LPUSHX LREM LSET LTRIM MOVE MSET MSETNX MULTI PERSIST PEXPIRE PEXPIREAT PFADD PFMERGE "
    b"PSETEX PUBLISH RENAME RENAMENX RESTORE RPOP RPOPLPUSH RPUSH RPUSHX SADD SDIFFSTORE SELECT SET SETBIT SETEX SETNX "
    b"SETRANGE SINTERSTORE SMOVE SORT SPOP SPUBLISH SREM SUNIONSTORE SWAPDB UNLINK XACK XADD XAUTOCLAIM XCLAIM XDEL "
    b"XGROUP XSETID XTRIM ZADD ZDIFFSTORE ZINCRBY ZINTERSTORE ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZREMRANGEBYLEX "
    b"ZREMRANGEBYRANK ZREMRANGEBYSCORE ZUNIONSTORE".split()
)
"""What a server writes: commands that change something.  A MULTI that reads MULTJ must not pass for one."""

Progress = Callable[[int, int], None]
"""Is told bytes done and bytes in all."""


@dataclass(frozen=True, slots=True)
class Damage:
    """The first damage of a directory's append-only files.

    Arguments:
        file: that has it.
        at: offset of the first byte that is wrong, or of the command that is incomplete.
        keep: offset up to which everything is whole: no transaction begins before it and ends behind it.
        size: of the file.
        what: in words.
        kind: torn (one incomplete command, or transaction, at the end), zeros (the same with NUL bytes behind it, or
            these alone), or broken (anything else).
        before: whole commands up to `keep`.
        unfinished: whole commands after that, of the transaction that is cut in two.
        after: whole commands found behind the damage, which are lost with it.
        later: files that follow, and are lost with it, too.
    """

    file: Path
    at: int
    keep: int
    size: int
    what: str
    kind: Literal["torn", "zeros", "broken"]
    before: int
    unfinished: int = 0
    after: int = 0
    later: tuple[Path, ...] = ()

    def __str__(self) -> str:
        lost = f"{self.size - self.keep} bytes behind offset {self.keep} are lost"
        if self.unfinished:
            lost += f", with {self.unfinished} commands of a transaction that is not whole"
        if self.after:
            lost += f", with {self.after} whole commands behind the damage"
        if self.later:
            lost += f", with the files {', '.join(file.name for file in self.later)}"
        return f"{self.file.name} is damaged at offset {self.at}: {self.what}; {self.before} commands are whole, {lost}"

    @property
    def harmless(self) -> bool:
        """Whether all that is cut off is what a power failure leaves of the last, unacknowledged write."""
        return self.kind != "broken" and not self.after and not self.later


class _BadError(Exception):
    """The command that begins at `start` is none, as `at` shows; `torn`: the file ends before it does."""

    def __init__(self, start: int, at: int, what: str, *, torn: bool = False) -> None:
        super().__init__(what)
        self.start = start
        self.at = at
        self.what = what
        self.torn = torn


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which files make up a directory's data, in the order they are loaded.

    Example: ``Manifest.of(Path(".statewright")).files``
    """

    path: Path
    lines: tuple[tuple[str, Path], ...]

    @classmethod
    def of(cls, data_dir: Path) -> Manifest | None:
        """The manifest of a data directory, None if it has none.  Raises OSError; ValueError if it cannot be read."""
        path = data_dir / _FOLDER / _MANIFEST
        if not path.exists():
            return None
        lines = []
        for line in path.read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                words = line.split(" ")
                fields = dict(zip(words[::2], words[1::2], strict=False))
                name = fields.get("file", "")
                if fields.get("type") not in ("b", "i", "h") or not name or "/" in name:
                    raise ValueError(f"{path} has a line that cannot be read: {line!r}")
                if fields["type"] != "h":  # history: to be deleted by the server
                    lines.append((line, path.parent / name))
        return cls(path, tuple(lines))

    @property
    def files(self) -> tuple[Path, ...]:
        """Base and increments."""
        return tuple(path for _, path in self.lines)

    def without(self, files: tuple[Path, ...]) -> None:
        """Write the manifest anew, without these."""
        text = "".join(f"{line}\n" for line, path in self.lines if path not in files)
        new = self.path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        new.replace(self.path)
        _fsync_folder(self.path.parent)


def examine(data_dir: Path, progress: Progress | None = None) -> Damage | None:
    """The first damage of a data directory's append-only files, None if they are whole (or there are none).

    A base file in the binary format is passed over: it has a checksum, which the server looks at.

    Raises OSError; ValueError if the manifest cannot be read, or names a file that is not there.

    Example: ``damage = examine(Path(".statewright"))``
    """
    manifest = Manifest.of(data_dir)
    files = manifest.files if manifest is not None else ()
    if missing := [file.name for file in files if not file.exists()]:
        raise ValueError(f"{_MANIFEST} names {', '.join(missing)}, which is not there")
    size, done = sum(file.stat().st_size for file in files), 0

    def tell(at: int) -> None:
        if progress is not None:
            progress(done + at, size)

    for place, file in enumerate(files):
        found = _examine(file, tell)
        if found is not None:
            return replace(found, later=files[place + 1 :])
        done += file.stat().st_size
    return None


def _examine(path: Path, progress: Callable[[int], None]) -> Damage | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(5) in _RDB:
            return None
        file.seek(0)
        keep = count = whole = 0
        opened, told, end = False, 0, 0
        try:
            for at, end, name in _commands(file, size):
                if name == b"MULTI" and opened:
                    raise _BadError(at, at, "a transaction begins inside another")
                if name == b"EXEC" and not opened:
                    raise _BadError(at, at, "a transaction ends that did not begin")
                count += 1
                opened = name == b"MULTI" or (opened and name != b"EXEC")
                if not opened:
                    keep, whole = end, count
                if end - told > _PROGRESS:
                    told = end
                    progress(end)
        except _BadError as bad:
            error = bad
        else:
            if not opened:
                return None
            error = _BadError(size, size, "the file ends inside a transaction", torn=True)
        kind, what = _kind(file, size, error)
        after = _found_behind(file, size, error.at) if kind != "zeros" else 0
        if after:
            kind = "broken"
        return Damage(path, error.at, keep, size, what, kind, whole, count - whole, after)


def _kind(file: IO[bytes], size: int, error: _BadError) -> tuple[Literal["torn", "zeros", "broken"], str]:
    """What kind of damage it is that begins at `error.at`."""
    if error.torn:
        return "torn", error.what
    end = _end_without_zeros(file, size, error.start)
    if end < size:
        file.seek(error.start)
        try:
            for _ in _commands(file, end):
                pass
        except _BadError as before:
            torn = before.torn
        else:
            torn = True
        if torn:
            return "zeros", f"{size - end} NUL bytes at the end" + (" of an incomplete command" * (end > error.start))
    return "broken", error.what


def _end_without_zeros(file: IO[bytes], size: int, start: int) -> int:
    """Where the NUL bytes begin with which the file ends, `start` at the earliest."""
    end = size
    while end > start:
        first = max(start, end - _CHUNK)
        file.seek(first)
        rest = file.read(end - first).rstrip(b"\0")
        if rest:
            return first + len(rest)
        end = first
    return end


def _found_behind(file: IO[bytes], size: int, at: int) -> int:
    """How many whole commands there are behind the damage at `at`."""
    place, count = at + 1, 0
    while place < size:
        found = _next_start(file, place)
        if found is None:
            break
        place = found + 1
        file.seek(found)
        try:
            for _, end, _ in _commands(file, size):
                count, place = count + 1, end
        except _BadError:
            pass
    return count


def _next_start(file: IO[bytes], place: int) -> int | None:
    """The next offset from `place` at which a command seems to begin, at the beginning of a line."""
    first = max(0, place - 1)
    file.seek(first)
    rest, offset = b"", first
    while chunk := file.read(_CHUNK):
        text = rest + chunk
        for found in _COMMAND.finditer(text):
            if offset + found.start() >= place:
                return offset + found.start()
        rest = text[-64:]
        offset += len(text) - len(rest)
    return None


def _commands(file: IO[bytes], size: int) -> Iterator[tuple[int, int, bytes]]:
    """Start, end and name of each command from where the file is, up to `size`; raises _BadError."""
    at = file.tell()
    while at < size:
        line = _line(file, size, at, at)
        if line.startswith(b"#"):  # an annotation, e.g. #TS:1700000000
            at += len(line)
            continue
        words = _number(line, b"*", at, at, "a command")
        if words > _MOST_WORDS or words == 0:
            raise _BadError(at, at, f"a command of {words} words")
        start, end, name = at, at + len(line), b""
        for number in range(words):
            head = _line(file, size, end, start)
            length = _number(head, b"$", end, start, "a word")
            body = end + len(head)
            end = body + length + 2
            if end > size:
                raise _BadError(start, start, "an incomplete command at the end", torn=True)
            if number == 0:
                if not 0 < length <= _LONGEST_NAME:
                    raise _BadError(start, body, "a command without a name")
                name = file.read(length)
                if name.upper() not in _NAMES:
                    raise _BadError(start, body, f"a command named {name!r}")
            else:
                file.seek(length, os.SEEK_CUR)
            if file.read(2) != b"\r\n":
                raise _BadError(start, end - 2, "a word that is longer than it says")
        at = end
        yield start, end, name.upper()


def _line(file: IO[bytes], size: int, at: int, start: int) -> bytes:
    """A line of the protocol with its end."""
    line = file.readline(min(_LONGEST_LINE, size - at))
    if line.endswith(b"\r\n"):
        return line
    if at + len(line) >= size and re.fullmatch(rb"([*$]\d*|#[^\0\r\n]*)?\r?", line):
        raise _BadError(start, start, "an incomplete command at the end", torn=True)
    raise _BadError(start, at, f"a line that is none: {line[:20]!r}")


def _number(line: bytes, mark: bytes, at: int, start: int, what: str) -> int:
    digits = line[1:-2]
    if line[:1] != mark or not digits.isdigit() or len(digits) > 12:
        raise _BadError(start, at, f"{line[:20]!r} where {what} should begin")
    return int(digits)


def cut(data_dir: Path, damage: Damage, stamp: str) -> tuple[Path, ...]:
    """Cut the damage off; what is cut off is kept in files of its own, in the data directory.

    Arguments:
        stamp: part of these files' names, e.g. the time.

    Returns: the files: first what was behind `damage.keep`, then the files that followed.

    Raises OSError.

    Example: ``cut(data_dir, damage, "20261122T080000")``
    """
    rest = data_dir / f"{damage.file.name}.from-{damage.keep}.{stamp}"
    with damage.file.open("r+b") as file, rest.open("xb") as copy:
        rest.chmod(0o600)
        file.seek(damage.keep)
        shutil.copyfileobj(file, copy, _CHUNK)
        copy.flush()
        os.fsync(copy.fileno())
        _fsync_folder(data_dir)
        if damage.later and (manifest := Manifest.of(data_dir)) is not None:
            manifest.without(damage.later)
        file.truncate(damage.keep)
        os.fsync(file.fileno())
    moved = [file.rename(data_dir / f"{file.name}.{stamp}") for file in damage.later]
    _fsync_folder(data_dir)
    return (rest, *moved)


def _fsync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
