"""Object stores: buckets of named byte sequences, as Amazon S3 has them.

`Objects` is all that readers and writers know; where the bytes are is decided by the location given to `open_objects`.
Calls block: they are made from threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from statewright.errors import StatewrightError
from statewright.values import Json

__all__ = [
    "ObjectError",
    "ObjectInfo",
    "ObjectWriter",
    "Objects",
    "no_such_bucket",
    "no_such_key",
    "no_such_version",
    "open_objects",
]


class ObjectError(Exception):
    """What an object store answered instead of doing what was asked.

    Arguments:
        code: S3's name for it, e.g. ``"NoSuchKey"`` (S3 API reference, error responses).
        message: the words for people; they become the cause of States.ItemReaderFailed or States.ResultWriterFailed.

    Example: ``raise ObjectError("AccessDenied", "Access Denied")``
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def no_such_bucket() -> ObjectError:
    """The bucket does not exist, in S3's words."""
    return ObjectError("NoSuchBucket", _words("The specified bucket does not exist", "NoSuchBucket"))


def no_such_key() -> ObjectError:
    """The object does not exist, in S3's words."""
    return ObjectError("NoSuchKey", _words("The specified key does not exist.", "NoSuchKey"))


def no_such_version() -> ObjectError:
    """The object has no such version, in S3's words."""
    return ObjectError("NoSuchVersion", _words("The specified version does not exist.", "NoSuchVersion"))


def _words(message: str, code: str) -> str:
    return f"{message} (Service: Amazon S3; Status Code: 404; Error Code: {code})"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing tells of an object.

    Arguments:
        etag: changes when the content does; in double quotes, as S3 gives it.
        key: the object's name.
        modified: seconds since the epoch.
        size: bytes.
        storage_class: ``"STANDARD"`` unless the store has others.
    """

    etag: str
    key: str
    modified: int
    size: int
    storage_class: str = "STANDARD"

    def item(self) -> Json:
        """The item a Map over a listing gets (recorded: the members and their spelling).

        Example: ``ObjectInfo('"9b"', "a.txt", 1700000000, 12).item()["Key"] == "a.txt"``
        """
        return {
            "Etag": self.etag,
            "Key": self.key,
            "LastModified": self.modified,
            "Size": self.size,
            "StorageClass": self.storage_class,
        }


class ObjectWriter(Protocol):
    """An object in the making: it appears, whole, when it is closed; never if that does not happen.

    As a context manager it is closed at the end of the block, and aborted if the block raises.
    """

    def write(self, data: bytes, /) -> int:
        """Append to the object."""

    def close(self) -> None:
        """Make the object visible; a closed or aborted one stays as it is."""

    def abort(self) -> None:
        """Forget everything written; without effect once closed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Objects(Protocol):
    """An object store.  Every method raises ObjectError where the store refuses, OSError where it cannot be reached."""

    def open(self, bucket: str, key: str, start: int = 0, *, version: str | None = None) -> BinaryIO:
        """A stream of the object's bytes from offset `start`, to be closed by the caller; of the newest version."""

    def size(self, bucket: str, key: str) -> int:
        """The object's length in bytes."""

    def list(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """The objects whose keys begin with `prefix` and come after `after`, in the order of their UTF-8 bytes."""

    def create(self, bucket: str, key: str) -> ObjectWriter:
        """A writer of a new object, which replaces one of the same key.

        That it cannot be written may be told by the writer, at the latest when it is closed.
        """


def open_objects(location: str | Path) -> Objects:
    """The object store at `location`.

    Arguments:
        location: a directory (its subdirectories are the buckets), also as ``file:///dir``; ``s3://`` for Amazon S3;
            ``s3+http://host:port`` or ``s3+https://host:port`` for another service that speaks S3.  Both take
            credentials and region from the usual places of the AWS SDK, and need the extra ``statewright[s3]``.

    Raises StatewrightError: ``InvalidObjects`` where there is no such directory, the URL has another form, or the extra
        is not installed.

    Example: ``open_objects("./data").size("my-bucket", "items.jsonl")``
    """
    text = str(location)
    scheme, separator, rest = text.partition("://")
    if not separator or scheme == "file":
        from statewright.items.local import LocalObjects

        return LocalObjects(Path(rest if separator else text))
    if scheme in ("s3", "s3+http", "s3+https"):
        from statewright.items.s3 import S3Objects

        if scheme == "s3" and rest.strip("/"):
            raise StatewrightError("InvalidObjects", f"'{text}': buckets are named by the definition; use 's3://'")
        return S3Objects(f"{scheme[3:]}://{rest}" if scheme != "s3" else None)
    message = (
        f"'{text}' is neither a directory nor one of file:///dir, s3://, s3+http://host:port, s3+https://host:port"
    )
    raise StatewrightError("InvalidObjects", message)
