"""How often the embedded server is started again when it dies without having stored anything.

A server that is killed is started again at once, as often as it takes.  One that cannot work, since the disk is full or
its program crashes at the same call each time, would be started for ever: after five times within a minute it is given
a rest, and whoever needs it is told why.
"""

from __future__ import annotations

import os
import shutil
import struct
import time
from pathlib import Path
from typing import Final

from statewright.errors import StatewrightError

__all__ = ["count", "forget", "log_end"]

_MOST: Final = 5
_SPAN: Final = 60.0  # seconds
_RECORD: Final = struct.Struct("<dq")  # when the server was started, bytes of its files then
_SLOTS: Final = _MOST + 1  # the first start is none again


def count(data_dir: Path) -> None:
    """Take note of a start; the caller holds start.lock.

    Raises StatewrightError ``StoreBroken`` instead if there were too many.

    Example: ``count(Path(".statewright"))``
    """
    now, size = time.time(), _size(data_dir)
    recent = [(at, then) for at, then in _read(data_dir) if 0 <= now - at < _SPAN and then == size]
    if len(recent) >= _SLOTS:
        raise StatewrightError(
            "StoreBroken",
            f"the server of {data_dir} ended {_MOST} times within a minute without having stored anything; it is "
            f"tried again in {_SPAN - (now - recent[0][0]):.0f} s.{_space(data_dir)}  Its last words: "
            f"{_last_words(data_dir)}",
        )
    _write(data_dir, [*recent, (now, size)])


def forget(data_dir: Path) -> None:
    """The server was stopped in order."""
    if _file(data_dir).exists():
        _write(data_dir, [])


def log_end(data_dir: Path) -> str:
    """The last lines of the server's log."""
    try:
        return "\n".join((data_dir / "server.log").read_text("utf-8", "replace").splitlines()[-8:])
    except OSError as error:
        return f"(no log: {error})"


def _last_words(data_dir: Path) -> str:
    """The warnings after it was ready, if it wrote any."""
    words = log_end(data_dir).rpartition("to accept connections")[2].splitlines()[1:]
    return " ".join(line.partition(" # ")[2] for line in words if " # " in line) or "none; see server.log"


def _space(data_dir: Path) -> str:
    free = shutil.disk_usage(data_dir).free
    return f"  The disk has {free:,} bytes left: make room." if free < 1 << 20 else ""


def _size(data_dir: Path) -> int:
    folder = data_dir / "appendonlydir"
    return sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0


def _file(data_dir: Path) -> Path:
    return data_dir / "starts"


def _read(data_dir: Path) -> list[tuple[float, int]]:
    try:
        data = _file(data_dir).read_bytes()
    except FileNotFoundError:
        return []
    whole = len(data) // _RECORD.size * _RECORD.size
    return [(at, size) for at, size in _RECORD.iter_unpack(data[:whole]) if at]


def _write(data_dir: Path, starts: list[tuple[float, int]]) -> None:
    """In place, and of the same length each time: that is possible on a full disk as well."""
    padded = [*starts, *[(0.0, 0)] * _SLOTS][:_SLOTS]
    fd = os.open(_file(data_dir), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(fd, b"".join(_RECORD.pack(*start) for start in padded), 0)
    finally:
        os.close(fd)
