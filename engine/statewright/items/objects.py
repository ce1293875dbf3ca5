"""Object stores: buckets of named byte sequences, as Amazon S3 has them.

`Objects` is all that readers and writers know; where the bytes are is decided in `opening`.  Calls block: they are made
from threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from statewright.values import Json

__all__ = [
    "ObjectError",
    "ObjectInfo",
    "ObjectWriter",
    "Objects",
    "Unfinished",
    "no_such_bucket",
    "no_such_key",
    "no_such_version",
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


class Unfinished(ABC):
    """Something that is either closed, and then is there as a whole, or aborted, and then never was.

    As a context manager it is closed at the end of the block, and aborted if the block raises.

    Example: ``with objects.create("my-bucket", "a.json") as unfinished: unfinished.write(b"[]")``
    """

    @abstractmethod
    def close(self) -> object:
        """Finish it; what was closed or aborted stays as it is."""

    @abstractmethod
    def abort(self) -> None:
        """Forget it; without effect once closed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class ObjectWriter(Unfinished):
    """An object in the making: it appears, whole, when it is closed; never if that does not happen."""

    @abstractmethod
    def write(self, data: bytes, /) -> int:
        """Append to the object; the number of bytes taken, which is all of them."""


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
