"""ItemReader: the items of a data set, a few at a time, and where to go on.

A reader is a data set's place and form; `open_items` opens it, at the beginning or where a cursor says.  Reading is a
stream: what is in memory is the items taken, and never more than a file's longest item besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from statewright.errors import StatesError
from statewright.items.config import ReaderConfig, unreadable
from statewright.items.formats import files, listing, manifest
from statewright.items.formats.source import File, Found, Position
from statewright.items.objects import ObjectError, Objects
from statewright.values import Json, NotJsonError, Payload, decode, encode

__all__ = ["Items", "MapItem", "Reader", "open_items"]


@dataclass(frozen=True, slots=True)
class Reader:
    """An evaluated ItemReader.

    Arguments:
        resource: ``arn:aws:states:::s3:getObject`` or ``arn:aws:states:::s3:listObjectsV2``, in any partition.
        arguments: Parameters or Arguments: Bucket, Key and if wanted VersionId, or Bucket and if wanted Prefix.  An
            ExpectedBucketOwner is not looked at: whoever set up the object store knows whose it is.
        config: ReaderConfig; MaxItemsPath resolved to MaxItems.

    Example: ``Reader("arn:aws:states:::s3:getObject", {"Bucket": "b", "Key": "a.jsonl"}, {"InputType": "JSONL"})``
    """

    resource: str
    arguments: Mapping[str, Json]
    config: Mapping[str, Json] = field(default_factory=dict)


class MapItem(NamedTuple):
    """An item as it was read.

    Arguments:
        payload: its value.
        source: what it was read from: `$$.Map.Item.Source`, e.g. ``"S3://my-bucket/items.csv"``.
        key: its name if it is a member of an object: `$$.Map.Item.Key`.
    """

    payload: Payload
    source: str
    key: str | None = None


def open_items(objects: Objects | None, reader: Reader, cursor: str | None = None) -> Items:
    """Begin to read a data set, or go on after the last item taken before.

    Arguments:
        objects: where it is; None if no place for objects was configured.
        reader: what to read.
        cursor: `Items.cursor` of an earlier reading of the same data set with the same reader.

    Raises StatesError: States.ItemReaderFailed for a configuration that makes no sense.  That there is no such object,
        or that its content is broken, is found when items are taken.

    Example: ``open_items(objects, reader).take(100, 1_000_000)``
    """
    config = ReaderConfig.parse(reader.config)
    if objects is None:
        raise unreadable("No object store is configured to read items from.")
    taken, at = _parse(cursor)
    return Items(_found(objects, reader, config, at), taken, at, config.max_items)


def _found(objects: Objects, reader: Reader, config: ReaderConfig, at: Position) -> Iterator[Found]:
    action = reader.resource.rpartition(":")[2]
    bucket = _text(reader.arguments, "Bucket")
    if action == "getObject":
        version = _text(reader.arguments, "VersionId") if reader.arguments.get("VersionId") is not None else None
        file = File(objects, bucket, _text(reader.arguments, "Key"), version)
        return (manifest.read if config.manifest_type else files.read)(file, config, at)
    if action == "listObjectsV2":
        prefix = _text(reader.arguments, "Prefix") if reader.arguments.get("Prefix") else ""
        return listing.read(objects, bucket, prefix, config, at)
    raise unreadable(f"Resource '{reader.resource}' is not one that items can be read with")


def _text(arguments: Mapping[str, Json], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise unreadable(f"field {name} must be a non-empty string")
    return value


def _parse(cursor: str | None) -> tuple[int, Position]:
    """How many items were taken before, and the format's position."""
    if cursor is None:
        return 0, None
    try:
        taken, at = decode(cursor)
        return int(taken), at
    except (NotJsonError, TypeError, ValueError):
        raise unreadable(f"The cursor is not one of a reader: {cursor[:100]}") from None


class Items:
    """The items of a data set, from `open_items`.  Close it, or use it as a context manager.

    Example: ``with open_items(objects, reader) as items: first = items.take(10, 1_000_000)``
    """

    def __init__(self, found: Iterator[Found], taken: int, at: Position, most: int) -> None:
        self._found = found
        self._taken = taken
        self._at = at
        self._most = most
        self._ended = taken >= most
        self._broken: StatesError | None = None

    def take(self, count: int, max_bytes: int) -> list[MapItem]:
        """The next items: at most `count`, and no more once their texts have about `max_bytes` bytes together.

        Fewer than that only at the end of the data set, none once it has been reached.

        Raises StatesError: States.ItemReaderFailed, once the items before the broken place have been taken.
        """
        items: list[MapItem] = []
        size = 0
        count = min(count, self._most - self._taken)
        while len(items) < count and size < max_bytes and not self._ended:
            try:
                found = self._next()
            except StatesError:
                if not items:
                    raise
                break
            if found is None:
                self._ended = True
            else:
                items.append(MapItem(found.payload, found.source, found.key))
                size += found.size
                self._at = found.after
        self._taken += len(items)
        self._ended = self._ended or self._taken >= self._most
        return items

    def _next(self) -> Found | None:
        """The next item, None at the end; what was broken once stays so."""
        if self._broken is not None:
            raise self._broken
        try:
            return next(self._found, None)
        except StatesError as error:
            self._broken = error
        except ObjectError as error:
            self._broken = unreadable(error.message)
        except OSError as error:
            self._broken = unreadable(f"The data set cannot be read: {error}")
        raise self._broken

    @property
    def cursor(self) -> str:
        """Where to go on after the last item taken: a short JSON text for `open_items`."""
        return encode([self._taken, self._at])

    @property
    def taken(self) -> int:
        """How many items have been taken, also before the cursor that reading began with."""
        return self._taken

    @property
    def exhausted(self) -> bool:
        """The end has been reached: there are no more items, or MaxItems have been taken."""
        return self._ended

    def close(self) -> None:
        """Close the files that are open."""
        self._ended = True
        close = getattr(self._found, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
