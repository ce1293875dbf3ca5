"""A directory as an object store: its subdirectories are buckets, the files below them objects.

Nothing outside the root can be reached: a path is resolved first, must lie under the root, and is then walked from the
root down, one directory at a time, without following links, so that a link put there meanwhile leads nowhere either.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from statewright.errors import StatewrightError
from statewright.items.objects import (
    ObjectError,
    ObjectInfo,
    ObjectWriter,
    no_such_bucket,
    no_such_key,
    no_such_version,
)

__all__ = ["LocalObjects"]

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a pipe without a writer must not hang us
_UNFINISHED: Final = ".statewright-"
"""Names of files that are being written begin with this; a listing leaves them out."""


class LocalObjects:
    """An object store in a directory.

    Arguments:
        root: the directory; it must exist.

    Raises StatewrightError: ``InvalidObjects`` if there is no such directory.

    Example: ``LocalObjects(Path("data")).open("my-bucket", "2024/items.csv")``
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        if not os.path.isdir(self._root):
            raise StatewrightError("InvalidObjects", f"there is no directory '{root}' to keep objects in")

    def open(self, bucket: str, key: str, start: int = 0, *, version: str | None = None) -> BinaryIO:
        """See `Objects.open`.  Files have no versions."""
        if version is not None:
            raise no_such_version()
        stream = os.fdopen(self._open(bucket, key), "rb")
        stream.seek(start)
        return stream

    def size(self, bucket: str, key: str) -> int:
        """See `Objects.size`."""
        file = self._open(bucket, key)
        try:
            return os.fstat(file).st_size
        finally:
            os.close(file)

    def list(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """See `Objects.list`.  One directory's names are held in memory at a time; linked directories are left out."""
        top = self._bucket(bucket)
        low, start = after.encode(errors="surrogatepass"), prefix.encode(errors="surrogatepass")
        pending = [self._names(top, "")]
        while pending:
            name = next(pending[-1], None)
            if name is None:
                pending.pop()
            elif name.endswith("/"):
                path = os.fsencode(name)
                if (path.startswith(start) or start.startswith(path)) and (path > low or low.startswith(path)):
                    pending.append(self._names(top, name))
            elif name.startswith(prefix) and os.fsencode(name) > low:
                info = self._info(bucket, name)
                if info is not None:
                    yield info

    def create(self, bucket: str, key: str) -> _Writer:
        """See `Objects.create`.  Directories are made as needed, a bucket is not."""
        self._bucket(bucket)
        parts = _parts(key)
        if parts is None or parts[-1].startswith(_UNFINISHED):
            raise ObjectError("InvalidKey", f"an object in a directory cannot have the key '{key}'")
        try:
            directory = self._walk(os.path.join(self._root, bucket, *parts[:-1]), make=True)
        except OSError as error:
            raise ObjectError("InvalidKey", f"cannot write '{key}': {error.strerror}") from None
        return _Writer(directory, parts[-1])

    def _bucket(self, bucket: str) -> str:
        """The path of a bucket; NoSuchBucket where it is none, or not under the root."""
        path = os.path.realpath(os.path.join(self._root, bucket)) if _is_name(bucket) else ""
        if not (self._inside(path) and os.path.isdir(path)):
            raise no_such_bucket()
        return path

    def _inside(self, path: str) -> bool:
        return path.startswith(os.path.join(self._root, ""))

    def _open(self, bucket: str, key: str) -> int:
        """Open a regular file under the root; NoSuchKey where it is something else."""
        top, parts = self._bucket(bucket), _parts(key)
        if parts is None:
            raise no_such_key()
        try:
            path = os.path.realpath(os.path.join(top, *parts))
            directory = self._walk(os.path.dirname(path))
            try:
                file = os.open(os.path.basename(path), _FILE, dir_fd=directory)
            finally:
                os.close(directory)
        except (OSError, ValueError) as error:
            if isinstance(error, PermissionError) and error.errno == errno.EACCES:
                raise ObjectError("AccessDenied", "Access Denied") from None
            raise no_such_key() from None
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise no_such_key()
        return file

    def _walk(self, path: str, *, make: bool = False) -> int:
        """Open the directory `path`, going down from the root without following links; OSError where that fails."""
        path = os.path.realpath(path)
        if path != self._root and not self._inside(path):
            raise PermissionError(errno.EPERM, "outside of the root")
        directory = os.open(self._root, _DIRECTORY)
        for name in path[len(self._root) :].split("/"):
            if name:
                outer = directory
                try:
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(name, dir_fd=outer)
                            os.fsync(outer)
                    directory = os.open(name, _DIRECTORY, dir_fd=outer)
                finally:
                    os.close(outer)
        return directory

    def _names(self, top: str, directory: str) -> Iterator[str]:
        """Keys of the files in a directory and, ending in ``/``, of the directories, in the order of all keys below."""
        try:
            with os.scandir(os.path.join(top, directory)) as entries:
                names = [
                    directory + entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
                    for entry in entries
                    if not entry.name.startswith(_UNFINISHED)
                ]
        except (FileNotFoundError, NotADirectoryError):  # it has just gone
            names = []
        names.sort(key=os.fsencode)
        return iter(names)

    def _info(self, bucket: str, key: str) -> ObjectInfo | None:
        """None for what is no object: a pipe, a link that leads out of the root, a file that has just gone."""
        try:
            key.encode()
            file = self._open(bucket, key)
        except UnicodeEncodeError:
            raise ObjectError("InvalidKey", f"a file name is not UTF-8: {os.fsencode(key)!r}") from None
        except ObjectError:
            return None
        try:
            status = os.fstat(file)
        finally:
            os.close(file)
        return ObjectInfo(f'"{status.st_mtime_ns:x}-{status.st_size:x}"', key, int(status.st_mtime), status.st_size)


def _is_name(text: str) -> bool:
    """The text can be the name of one file or directory."""
    try:
        name = text.encode()
    except UnicodeEncodeError:
        return False
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


def _parts(key: str) -> list[str] | None:
    """The names in a key, or None where no file can have that key."""
    parts = key.split("/")
    return parts if all(map(_is_name, parts)) else None


class _Writer(ObjectWriter):
    """A temporary file beside its final place; `directory` is an open descriptor, closed with the writer."""

    def __init__(self, directory: int, name: str) -> None:
        self._directory = directory
        self._name = name
        self._temporary = f"{_UNFINISHED}{secrets.token_hex(8)}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._stream = os.fdopen(os.open(self._temporary, flags, 0o666, dir_fd=directory), "wb")
        except BaseException:
            os.close(directory)
            raise
        self._open = True

    def write(self, data: bytes, /) -> int:
        return self._stream.write(data)

    def close(self) -> None:
        if not self._open:
            return
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            os.rename(self._temporary, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            os.fsync(self._directory)
            self._finish()
        finally:
            self.abort()

    def abort(self) -> None:
        if self._open:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary, dir_fd=self._directory)
            self._finish()

    def _finish(self) -> None:
        self._open = False
        with suppress(OSError):  # what a full disk refuses to take at the last moment
            self._stream.close()
        os.close(self._directory)
