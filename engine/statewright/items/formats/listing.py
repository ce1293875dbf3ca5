"""Listings: the objects of a bucket as items, or the items in all of them (Resource s3:listObjectsV2)."""

from __future__ import annotations

from collections.abc import Iterator

from statewright.items.config import ReaderConfig
from statewright.items.formats import files
from statewright.items.formats.source import File, Found, Position
from statewright.items.objects import Objects
from statewright.values import Payload

__all__ = ["read"]

_OVERHEAD = 150
"""About how many bytes an item has besides the key."""


def read(objects: Objects, bucket: str, prefix: str, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """The objects whose keys begin with `prefix`, in the order of their keys.

    With Transformation LOAD_AND_FLATTEN each object is itself a data set of the InputType, and its items are given.
    """
    return (_flatten if config.flatten else _entries)(objects, bucket, prefix, config, at)


def _entries(objects: Objects, bucket: str, prefix: str, config: ReaderConfig, at: Position) -> Iterator[Found]:  # noqa: ARG001  like _flatten
    """A position is the last key."""
    source = f"S3://{bucket}"
    for info in objects.list(bucket, prefix, at or ""):
        yield Found(Payload.of(info.item()), len(info.key) + _OVERHEAD, info.key, source)


def _flatten(objects: Objects, bucket: str, prefix: str, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """A position is the last key that was read to its end, the key being read, and the position in that object."""
    done, current, inner = at or ("", None, None)
    for info in objects.list(bucket, prefix, done):
        if not (info.key.endswith("/") and info.size == 0):  # what consoles make to show an empty folder
            start = inner if info.key == current else None
            for found in files.read(File(objects, bucket, info.key), config, start):
                yield found._replace(after=[done, info.key, found.after])
        done = info.key
