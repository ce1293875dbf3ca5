"""Parquet: types, row groups, limits, and files that are not what they say."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.items import open_items
from statewright.items.formats import parquet
from tests.items.conftest import BUCKET, Bucket, read_all

pyarrow = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678901, UTC)

TYPES: list[tuple[Any, Any, Any]] = [
    (pyarrow.int64(), 2**62, 2**62),
    (pyarrow.uint64(), 2**64 - 1, 2**64 - 1),
    (pyarrow.float64(), 1.5, 1.5),
    (pyarrow.float64(), float("nan"), None),
    (pyarrow.float64(), float("-inf"), None),
    (pyarrow.bool_(), True, True),
    (pyarrow.string(), "é", "é"),
    (pyarrow.string(), None, None),
    (pyarrow.binary(), b"\x00\xff", "AP8="),
    (pyarrow.decimal128(20, 2), Decimal("123456789012345678.90"), "123456789012345678.90"),
    (pyarrow.timestamp("us", "UTC"), MOMENT, "2024-01-02T03:04:05.678901Z"),
    (pyarrow.timestamp("ms"), 1_704_153_600_000, "2024-01-02T00:00:00"),
    (pyarrow.timestamp("ns"), 1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456"),
    (pyarrow.date32(), date(2024, 1, 2), "2024-01-02"),
    (pyarrow.time64("us"), time(1, 2, 3), "01:02:03"),
    (pyarrow.duration("ms"), timedelta(seconds=1.5), 1.5),
    (pyarrow.list_(pyarrow.int64()), [1, 2], [1, 2]),
    (pyarrow.struct([("a", pyarrow.list_(pyarrow.binary()))]), {"a": [b"a"]}, {"a": ["YQ=="]}),
    (pyarrow.map_(pyarrow.string(), pyarrow.int64()), [("k", 1)], {"k": 1}),
    (pyarrow.map_(pyarrow.int64(), pyarrow.int64()), [(1, 2)], [[1, 2]]),
]


def put(bucket: Bucket, table: Any, **options: Any) -> Path:
    path = bucket.root / BUCKET / "data"
    pq.write_table(table, path, **options)
    return path


@pytest.mark.parametrize(("kind", "value", "expected"), TYPES, ids=[f"{row[0]} {row[1]}" for row in TYPES])
def test_values_become_json(bucket: Bucket, kind: Any, value: Any, expected: Any) -> None:
    put(bucket, pyarrow.table({"x": pyarrow.array([value], kind)}))
    (found,) = read_all(bucket.objects, bucket.reader("data", InputType="PARQUET"))
    assert found.payload.value == {"x": expected}
    assert found.payload.text
    assert found.source == "S3://bucket/data"


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd", "snappy"])
@pytest.mark.parametrize("step", [1, 7, 300, 1000])
def test_reading_goes_on_in_a_row_group(bucket: Bucket, step: int, compression: str) -> None:
    put(bucket, pyarrow.table({"n": range(1000)}), row_group_size=280, compression=compression)
    reader = bucket.reader("data", InputType="PARQUET", MaxItems=60 if step < 7 else 0)
    found = [item.payload.value["n"] for item in read_all(bucket.objects, reader, step, reopen=True)]
    assert found == list(range(60 if step < 7 else 1000))


def test_a_file_without_rows_has_no_items(bucket: Bucket) -> None:
    put(bucket, pyarrow.table({"n": pyarrow.array([], pyarrow.int64())}))
    assert read_all(bucket.objects, bucket.reader("data", InputType="PARQUET")) == []


def test_limits_of_aws_are_kept(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bucket, pyarrow.table({"n": range(1000)}))
    reader = bucket.reader("data", InputType="PARQUET")
    for name, cause in (("_GROUP_BYTES", "Row group 0"), ("_FOOTER_BYTES", "The footer")):
        with monkeypatch.context() as patch:
            patch.setattr(parquet, name, 100)
            with open_items(bucket.objects, reader) as items, pytest.raises(StatesError, match=cause):
                items.take(1, 1000)


def test_two_columns_of_one_name_are_refused(bucket: Bucket) -> None:
    put(bucket, pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"]))
    reader = bucket.reader("data", InputType="PARQUET")
    with open_items(bucket.objects, reader) as items, pytest.raises(StatesError, match="duplicates"):
        items.take(1, 1000)


def test_broken_files_are_states_errors(bucket: Bucket) -> None:
    table = pyarrow.table({"n": range(500), "s": [f"text {number}" for number in range(500)]})
    path = put(bucket, table, row_group_size=100)
    whole, chance = path.read_bytes(), random.Random(1)
    reader = bucket.reader("data", InputType="PARQUET")
    refused = 0
    for turn in range(150):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 10)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if turn % 3 == 0:
            del data[chance.randrange(len(data)) : chance.randrange(len(data))]
        path.write_bytes(data)
        try:
            read_all(bucket.objects, reader)
        except StatesError:
            refused += 1
    assert refused > 100
