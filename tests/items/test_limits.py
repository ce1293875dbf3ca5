"""Memory stays small whatever is in a file; what is too long is refused."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.items import Items, open_items
from statewright.items.formats import csv_rows, json_array, manifest, source
from tests.items.conftest import Bucket

CSV = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
SMALL = 1_000_000


@pytest.fixture
def short_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items may have 100 kB, so that the files here need not be larger than a few MB."""
    for module in (source, json_array, csv_rows, manifest):
        monkeypatch.setattr(module, "LONGEST", 100_000)
    for module in (source, json_array):
        monkeypatch.setattr(module, "CHUNK", 16 * 1024)


def drain(items: Items) -> int:
    """Take all items, without keeping them."""
    while items.take(100, 100_000):
        pass
    return items.taken


def peak(call: Callable[[], Any]) -> int:
    """The most memory that was in use during a call, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


TOO_LONG: list[tuple[str, dict[str, Any], bytes]] = [
    ("a line", {"InputType": "JSONL"}, b"1" * 5_000_000),
    ("a line of blanks", {"InputType": "JSONL"}, b" " * 5_000_000),
    ("a text", {"InputType": "JSON"}, b'["' + b"x" * 5_000_000),
    ("a number", {"InputType": "JSON"}, b"[" + b"1" * 5_000_000),
    ("an object", {"InputType": "JSON"}, b'[{"a": [' + b"1," * 2_500_000),
    ("a skipped text", {"InputType": "JSON", "ItemsPointer": "/b"}, b'{"a": "' + b"x" * 5_000_000),
    ("a name", {"InputType": "JSON", "ItemsPointer": "/b"}, b'{"' + b"x" * 5_000_000),
    ("a field", CSV, b'a\n"' + b"x" * 5_000_000),
    ("a field of many lines", CSV, b'a\n"' + b"x\n" * 2_500_000),
    ("a row of many fields", CSV, b"a\n" + b'"\n",' * 1_250_000),
    ("a header", CSV, b"a," * 2_500_000),
    ("an unpacked line", {"InputType": "JSONL"}, gzip.compress(b"1" * 50_000_000)),
    ("an unpacked manifest", {"InputType": "MANIFEST"}, gzip.compress(b"1" * 50_000_000)),
]


@pytest.mark.usefixtures("short_items")
@pytest.mark.parametrize(("config", "data"), [row[1:] for row in TOO_LONG], ids=[row[0] for row in TOO_LONG])
def test_what_is_too_long_is_refused_in_little_memory(bucket: Bucket, config: dict[str, Any], data: bytes) -> None:
    bucket.put("data", data)

    def read() -> None:
        with open_items(bucket.objects, bucket.reader("data", **config)) as items, pytest.raises(StatesError):
            drain(items)

    assert peak(read) < 3 * SMALL


LONG: list[tuple[str, dict[str, Any], bytes, int]] = [
    ("lines", {"InputType": "JSONL"}, b'{"a": 12345}\n' * 50_000, 50_000),
    ("an array", {"InputType": "JSON"}, b"[" + b'{"a": 12345},' * 49_999 + b"{}]", 50_000),
    ("rows", CSV, b"a,b\n" + b"1,2\n" * 50_000, 50_000),
    ("packed lines", {"InputType": "JSONL"}, gzip.compress(b'{"a": 12345}\n' * 50_000), 50_000),
    ("a skipped array", {"InputType": "JSON", "ItemsPointer": "/b"}, b'{"a":[' + b"[1]," * 100_000 + b'1],"b":[1]}', 1),
    ("skipped numbers", {"InputType": "JSON", "ItemsPointer": "/b"}, b'{"a":[' + b"1," * 700_000 + b'1],"b":[1]}', 1),
    ("spaces", {"InputType": "JSON"}, b"[" + b" " * 3_000_000 + b"1]", 1),
    ("blank lines", {"InputType": "JSONL"}, b"\n" * 1_000_000 + b"1", 1),
]


@pytest.mark.usefixtures("short_items")
@pytest.mark.parametrize(("config", "data", "count"), [row[1:] for row in LONG], ids=[row[0] for row in LONG])
def test_a_long_file_is_read_in_little_memory(bucket: Bucket, config: dict[str, Any], data: bytes, count: int) -> None:
    bucket.put("data", data)

    def read() -> None:
        with open_items(bucket.objects, bucket.reader("data", **config)) as items:
            assert drain(items) == count

    assert peak(read) < SMALL
