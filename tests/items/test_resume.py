"""Reading in any split, with a new reader after each, gives what Python's own parsers give for the whole file."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewright.errors import StatesError
from statewright.items import Items, Reader, open_items, open_objects
from statewright.items.formats import json_array, source
from tests.items.conftest import BUCKET, GET, Bucket

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8)
STEPS = st.lists(st.integers(0, 3), min_size=1, max_size=5)
CSV_TEXT = st.text(st.sampled_from('ab,"\n\r\\ é😀;'), max_size=40)


@pytest.fixture(scope="module", autouse=True)
def small_chunks() -> Iterator[None]:
    """Streams are read by 7 bytes, so that every kind of token is cut somewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK", 7)
        patch.setattr(json_array, "CHUNK", 7)
        yield


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    root: Path = tmp_path_factory.mktemp("objects")
    (root / BUCKET).mkdir()
    return Bucket(root, open_objects(root))


def resumed(bucket: Bucket, data: bytes, steps: list[int], config: dict[str, Any]) -> list[Any]:
    """The items, read by takes of the numbers in `steps`, over and over, with a reader for each."""
    bucket.put("data", data)
    reader = Reader(GET, {"Bucket": BUCKET, "Key": "data"}, config)
    values: list[Any] = []
    cursor: str | None = None
    while True:
        for step in [*steps, 1]:
            with open_items(bucket.objects, reader, cursor) as items:
                values += _values(items, step)
                cursor = items.cursor
                if items.exhausted:
                    return values


def _values(items: Items, count: int) -> list[Any]:
    return [item.payload.value for item in items.take(count, 1000)]


@given(values=st.lists(VALUES, max_size=6), steps=STEPS, indent=st.sampled_from([None, 0, 2]), ascii_=st.booleans())
def test_json(bucket: Bucket, values: list[Any], steps: list[int], indent: int | None, ascii_: bool) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=ascii_).encode()
    assert resumed(bucket, data, steps, {"InputType": "JSON"}) == values


@given(before=VALUES, values=st.lists(VALUES, max_size=6), path=st.lists(TEXT, min_size=1, max_size=3), steps=STEPS)
def test_json_behind_a_pointer(
    bucket: Bucket, before: Any, values: list[Any], path: list[str], steps: list[int]
) -> None:
    document: Any = values
    for name in reversed(path):
        document = {name + "x": before, name: document, name + "y": before}
    pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
    config = {"InputType": "JSON", "ItemsPointer": pointer}
    assert resumed(bucket, json.dumps(document).encode(), steps, config) == values


@given(
    values=st.lists(VALUES, max_size=6), steps=STEPS, end=st.sampled_from(["\n", "\r\n", "\n\n"]), last=st.booleans()
)
def test_json_lines(bucket: Bucket, values: list[Any], steps: list[int], end: str, last: bool) -> None:
    data = (end.join(map(json.dumps, values)) + end * last).encode()
    assert resumed(bucket, data, steps, {"InputType": "JSONL"}) == values


@given(values=st.lists(VALUES, max_size=6), steps=STEPS)
def test_packed_json_lines(bucket: Bucket, values: list[Any], steps: list[int]) -> None:
    data = gzip.compress("".join(f"{json.dumps(value)}\n" for value in values).encode())
    assert resumed(bucket, data, steps, {"InputType": "JSONL"}) == values


@given(text=CSV_TEXT, steps=STEPS)
def test_csv(bucket: Bucket, text: str, steps: list[int]) -> None:
    config = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x", "y"]}
    rows = csv.reader(io.StringIO(text, newline=""), escapechar="\\")
    try:
        expected = [dict(zip("xy", [*row, "", ""], strict=False)) for row in rows if row]
    except csv.Error:
        with pytest.raises(StatesError, match="cannot be read"):
            resumed(bucket, text.encode(), steps, config)
    else:
        assert resumed(bucket, text.encode(), steps, config) == expected


@given(
    rows=st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=6),
    steps=STEPS,
    delimiter=st.sampled_from([("COMMA", ","), ("PIPE", "|"), ("TAB", "\t"), ("SPACE", " "), ("SEMICOLON", ";")]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_csv_as_written_by_python(
    bucket: Bucket, rows: list[list[str]], steps: list[int], delimiter: tuple[str, str], end: str
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(
        file, delimiter=delimiter[1], lineterminator=end, escapechar="\\", doublequote=True, quoting=csv.QUOTE_ALL
    )
    writer.writerows([["a", "b"], *rows])
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVDelimiter": delimiter[0]}
    found = resumed(bucket, file.getvalue().encode(), steps, config)
    assert found == [{"a": row[0], "b": row[1]} for row in rows]


@given(data=st.binary(max_size=60), name=st.sampled_from(["JSON", "JSONL", "CSV", "PARQUET", "MANIFEST"]))
def test_any_bytes_give_items_or_a_states_error(bucket: Bucket, data: bytes, name: str) -> None:
    with suppress(StatesError):
        resumed(bucket, data, [3], {"InputType": name, "CSVHeaderLocation": "FIRST_ROW"})


@given(text=st.text(st.sampled_from('[]{}",:\\ 1tn\n'), max_size=40), pointer=st.sampled_from(["", "/a", "/1"]))
def test_an_array_is_read_if_python_reads_it(bucket: Bucket, text: str, pointer: str) -> None:
    config = {"InputType": "JSON", "ItemsPointer": pointer}
    try:
        expected = json.loads(text)
    except ValueError:
        expected = None
    try:
        found = resumed(bucket, text.encode(), [2], config)
    except StatesError:
        assert not isinstance(expected, list) or pointer
    else:
        assert pointer or found == expected
