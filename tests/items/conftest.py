"""A directory of objects with one bucket, and what is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from statewright.items import MapItem, Objects, Reader, open_items, open_objects

GET = "arn:aws:states:::s3:getObject"
LIST = "arn:aws:states:::s3:listObjectsV2"
BUCKET = "bucket"


def read_all(objects: Objects, reader: Reader, step: int = 1000, *, reopen: bool = False) -> list[MapItem]:
    """All items, taken in steps; with `reopen` a new reader goes on from the cursor after each."""
    items: list[MapItem] = []
    opened = open_items(objects, reader)
    try:
        while not opened.exhausted:
            items += opened.take(step, 1_000_000)
            if reopen:
                cursor = opened.cursor
                opened.close()
                opened = open_items(objects, reader, cursor)
                items += opened.take(step, 1_000_000)
        assert opened.taken == len(items)
        return items
    finally:
        opened.close()


@dataclass
class Bucket:
    """The bucket of a test."""

    root: Path
    objects: Objects

    def put(self, key: str, data: bytes | str) -> None:
        """Write an object's file."""
        path = self.root / BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def reader(self, key: str, **config: Any) -> Reader:
        """A reader of one object."""
        return Reader(GET, {"Bucket": BUCKET, "Key": key}, config)

    def read(self, data: bytes | str, step: int = 1000, *, reopen: bool = False, **config: Any) -> list[Any]:
        """The values of the items in an object with this content."""
        self.put("data", data)
        found = read_all(self.objects, self.reader("data", **config), step, reopen=reopen)
        return [item.payload.value for item in found]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    root = tmp_path / "objects"
    (root / BUCKET).mkdir(parents=True)
    return Bucket(root, open_objects(root))
