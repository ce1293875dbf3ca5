"""Each format by examples: what a file gives, and in which words a broken one is refused."""

from __future__ import annotations

import gzip
from typing import Any

import pyarrow
import pytest

from statewright.errors import StatesError
from statewright.items import Items, Reader, open_items
from tests.items.conftest import BUCKET, GET, LIST, Bucket, read_all

FIRST = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
GIVEN = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x", "y"]}
JSON = {"InputType": "JSON"}
JSONL = {"InputType": "JSONL"}
NOT_ITERABLE = "Attempting to map over non-iterable node."


def zstandard(data: bytes) -> bytes:
    """Data packed with Zstandard."""
    return bytes(pyarrow.compress(data, codec="zstd", asbytes=True))


READ: list[tuple[str, dict[str, Any], bytes | str, list[Any]]] = [
    ("array", JSON, '[1, {"a": [true, null]}, "]", 2.5]', [1, {"a": [True, None]}, "]", 2.5]),
    ("empty array", JSON, " [ ] \n", []),
    ("brackets and quotes in text", JSON, r'[{"a": "}\"]"}, "\\", "\\\""]', [{"a": '}"]'}, "\\", '\\"']),
    ("big integers stay exact", JSON, "[123456789012345678901234567890]", [123456789012345678901234567890]),
    ("byte order mark", JSON, b"\xef\xbb\xbf[1]", [1]),
    ("gzip", JSON, gzip.compress(b"[1, 2]"), [1, 2]),
    ("pointer", {**JSON, "ItemsPointer": "/a/b"}, '{"x": [[{}]], "a": {"y": "z", "b": [1, 2]}, "c"', [1, 2]),
    ("pointer with escapes", {**JSON, "ItemsPointer": "/a~1b/~0"}, r'{"a\/b": {"~": [1]}}', [1]),
    ("pointer into an array", {**JSON, "ItemsPointer": "/1"}, "[[0], [1, 2]]", [1, 2]),
    ("pointer to an object", {**JSON, "ItemsPointer": "/a"}, '{"a": {"k": 1, "l": [2]}}', [1, [2]]),
    ("empty pointer", {**JSON, "ItemsPointer": ""}, "[1]", [1]),
    ("lines", JSONL, '{"a": 1}\n\n  \r\n[2]\r\n"x"', [{"a": 1}, [2], "x"]),
    ("no lines", JSONL, "", []),
    ("lines, gzip", JSONL, gzip.compress(b"1\n2\n"), [1, 2]),
    ("lines, Zstandard", JSONL, zstandard(b"1\n2\n") + zstandard(b"3\n"), [1, 2, 3]),
    ("lines, gzip, several members", JSONL, gzip.compress(b"1\n2\n") + gzip.compress(b"3\n"), [1, 2, 3]),
    ("lines, byte order mark", JSONL, b"\xef\xbb\xbf1\n2\n", [1, 2]),
    ("first row", FIRST, "a,b\n1,2\n3,4", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
    ("first row only", FIRST, "a,b\n", []),
    ("given", GIVEN, "1,2\r\n3,4\r\n", [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]),
    ("rows too short and too long", FIRST, "a,b\n1\n1,2,3\n", [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]),
    ("blank rows", FIRST, "\na,b\n\n1,2\n\r\n", [{"a": "1", "b": "2"}]),
    ("quotes", GIVEN, '"a,b","c\nd"\n"e""f",g', [{"x": "a,b", "y": "c\nd"}, {"x": 'e"f', "y": "g"}]),
    ("backslashes", GIVEN, "C:\\\\a\\b,c\\,d\n", [{"x": "C:\\ab", "y": "c,d"}]),
    ("carriage returns", GIVEN, "1,2\r3,4\r", [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]),
    ("byte order mark in CSV", FIRST, b"\xef\xbb\xbfa\n1\n", [{"a": "1"}]),
    ("pipe", {**GIVEN, "CSVDelimiter": "PIPE"}, "1,5|2\n", [{"x": "1,5", "y": "2"}]),
    ("tab", {**GIVEN, "CSVDelimiter": "TAB"}, "1\t2\n", [{"x": "1", "y": "2"}]),
    ("semicolon", {**GIVEN, "CSVDelimiter": "SEMICOLON"}, "1;2\n", [{"x": "1", "y": "2"}]),
    ("space", {**GIVEN, "CSVDelimiter": "SPACE"}, "1 2\n", [{"x": "1", "y": "2"}]),
    ("comma", {**GIVEN, "CSVDelimiter": "COMMA"}, "1,2\n", [{"x": "1", "y": "2"}]),
    ("at most", {**JSON, "MaxItems": 2}, "[1, 2, 3]", [1, 2]),
    ("no limit", {**JSON, "MaxItems": 0}, "[1, 2, 3]", [1, 2, 3]),
    ("more than AWS reads", {**JSON, "MaxItems": 100_000_001}, "[1, 2, 3]", [1, 2, 3]),
    ("a limit that is a whole float", {**JSON, "MaxItems": 2.0}, "[1, 2, 3]", [1, 2]),
]


@pytest.mark.parametrize("reopen", [False, True], ids=["once", "reopened"])
@pytest.mark.parametrize(("config", "data", "items"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_items(bucket: Bucket, config: dict[str, Any], data: bytes | str, items: list[Any], reopen: bool) -> None:
    assert bucket.read(data, step=1, reopen=reopen, **config) == items


REFUSED: list[tuple[str, dict[str, Any], bytes | str, str]] = [
    ("an object", JSON, '{"Hello": "world"}', NOT_ITERABLE),
    ("text", JSON, '"text"', NOT_ITERABLE),
    ("a number", JSON, "12", NOT_ITERABLE),
    ("no array behind the pointer", {**JSON, "ItemsPointer": "/a"}, '{"a": 1}', NOT_ITERABLE),
    ("nothing behind the pointer", {**JSON, "ItemsPointer": "/a/b"}, '{"a": {"c": 1}}', "there is no 'b'"),
    ("nothing in a number", {**JSON, "ItemsPointer": "/a/b"}, '{"a": 1}', "there is no 'b'"),
    ("no such element", {**JSON, "ItemsPointer": "/2"}, "[[], []]", "there is no '2'"),
    ("no such file", {**JSON, "ItemsPointer": "/2"}, "", "there is no '2'"),
    ("an empty file", JSON, "", "the file ends at byte 0 where an array was expected"),
    ("a broken element", JSON, "[1, {]}]", "The item at byte 4 is not valid JSON"),
    ("no comma", JSON, "[1 2]", "there is '2' at byte 3 where ',' or ']' was expected"),
    ("a comma too many", JSON, "[1,]", "there is ']' at byte 3 where a value was expected"),
    ("the end is missing", JSON, "[1", "the file ends at byte 2 where ',' or ']' was expected"),
    ("the end of an object is missing", JSON, '[{"a": 1', "it ends in the middle of a value at byte 1"),
    ("the end of a text is missing", JSON, '["a', "at byte 1 where a value was expected"),
    ("something follows", JSON, "[1] 2", "there is '2' at byte 4 where the end of the file was expected"),
    ("not a number", JSON, "[NaN]", "The item at byte 1 is not valid JSON"),
    ("too deep", JSON, "[" * 100_000 + "]" * 100_000, "The item at byte 1 is not valid JSON: "),
    ("too deep without an end", JSON, "[" * 100_000, "it ends in the middle of a value at byte 1"),
    ("not UTF-8", JSON, b'["\xff"]', "The item at byte 1 is not valid JSON"),
    ("a name that is none", {**JSON, "ItemsPointer": "/a"}, "{1: 2}", "where a member's name was expected"),
    (
        "a name that is not UTF-8",
        {**JSON, "ItemsPointer": "/a"},
        b'{"\xff": 2}',
        "The name at byte 1 is not valid JSON",
    ),
    ("a line", JSONL, '{"a": 1}\n{"a"\n', "The item at byte 9 is not valid JSON"),
    ("a line that is not UTF-8", JSONL, b'"\xff"\n', "The item at byte 0 is not valid JSON"),
    (
        "Zstandard, cut",
        JSONL,
        zstandard(b"".join(b"%d\n" % n for n in range(9999)))[:-20],
        "The data set cannot be read",
    ),
    ("Zstandard, broken", JSONL, zstandard(b"1\n")[:8] + b"\xff" * 50, "The data set cannot be read"),
    ("a cut archive", JSONL, gzip.compress(b"1\n" * 10_000)[:-20], "The data set cannot be read"),
    ("a broken archive", JSONL, gzip.compress(b"1\n")[:10] + b"\xff" * 50, "The data set cannot be read"),
    ("not UTF-8 CSV", FIRST, b"a\n1\n\xff\n", "The CSV file is not UTF-8: invalid start byte at byte 4."),
    ("the same header twice", FIRST, "a,a\n1,2\n", "CSV headers cannot contain duplicates."),
    ("no header", FIRST, "", "The CSV file has no header row."),
    ("a long header", FIRST, ",".join(map(str, range(5000))), "CSV headers cannot be longer than 10 KiB."),
    ("a manifest that is none", {"InputType": "MANIFEST"}, "[]", "The manifest is not a JSON object."),
    ("a manifest that is broken", {"InputType": "MANIFEST"}, "{", "The manifest is not valid JSON"),
    ("another manifest", {"InputType": "MANIFEST"}, '{"fileFormat": "ORC"}', "The inventory has the format ORC"),
    ("half a manifest", {"InputType": "MANIFEST"}, '{"fileFormat": "CSV"}', "is not one of an S3 inventory"),
    (
        "a manifest without a key",
        {"ManifestType": "S3_INVENTORY"},
        '{"fileFormat": "CSV", "destinationBucket": "b", "fileSchema": "Key", "files": [1]}',
        "The manifest's file 0 has no key.",
    ),
    ("no URL", {"ManifestType": "ATHENA_DATA", "InputType": "JSONL"}, "b/c\n", "names no object at byte 0"),
    ("no format", {"ManifestType": "ATHENA_DATA"}, "s3://b/c\n", "field InputType must be one of"),
    ("not Parquet", {"InputType": "PARQUET"}, "PAR1", "The file is not a Parquet file."),
]


@pytest.mark.parametrize(("config", "data", "cause"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_broken_file_is_refused(bucket: Bucket, config: dict[str, Any], data: bytes | str, cause: str) -> None:
    bucket.put("data", data)
    with open_items(bucket.objects, bucket.reader("data", **config)) as items:
        with pytest.raises(StatesError) as caught:
            _exhaust(items)
        assert not items.exhausted
        with pytest.raises(StatesError):
            items.take(1, 1_000_000)
    assert (caught.value.error, caught.value.in_state) == ("States.ItemReaderFailed", False)
    assert cause in (caught.value.cause or "")


def _exhaust(items: Items) -> None:
    while items.take(1, 1_000_000):
        pass


CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"InputType": "JSON", "MaxItems": -1}, "field MaxItems must be positive"),
    ({"InputType": "JSON", "MaxItems": 1.5}, "field MaxItems must be an integer"),
    ({"InputType": "JSON", "MaxItems": True}, "field MaxItems must be an integer"),
    ({"InputType": "JSON", "MaxItems": "2"}, "field MaxItems must be an integer"),
    ({"InputType": "XML"}, "field InputType must be one of CSV, JSON, JSONL, MANIFEST, PARQUET"),
    ({}, "field InputType must be one of CSV, JSON, JSONL, PARQUET"),
    ({"InputType": ["CSV"]}, "field InputType must be one of"),
    ({"InputType": "CSV"}, "field CSVHeaderLocation is required for InputType CSV"),
    ({**FIRST, "CSVDelimiter": ","}, "field CSVDelimiter must be one of"),
    ({**GIVEN, "CSVHeaders": ["a", "a"]}, "CSV headers cannot contain duplicates."),
    ({**GIVEN, "CSVHeaders": []}, "field CSVHeaders must be a non-empty array of strings"),
    ({**GIVEN, "CSVHeaders": [1]}, "field CSVHeaders must be a non-empty array of strings"),
    ({"InputType": "JSON", "ItemsPointer": "a"}, "field ItemsPointer must be a JSON Pointer"),
    ({"InputType": "JSON", "ItemsPointer": 1}, "field ItemsPointer must be a JSON Pointer"),
]


@pytest.mark.parametrize(("config", "cause"), CONFIGS)
def test_a_configuration_that_makes_no_sense_is_refused(bucket: Bucket, config: dict[str, Any], cause: str) -> None:
    with pytest.raises(StatesError, match="ItemReaderFailed") as caught:
        open_items(bucket.objects, bucket.reader("data", **config))
    assert cause in (caught.value.cause or "")


ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    (GET, {"Bucket": "nowhere", "Key": "k"}, "The specified bucket does not exist (Service: Amazon S3;"),
    (GET, {"Bucket": BUCKET, "Key": "k"}, "The specified key does not exist. (Service: Amazon S3;"),
    (GET, {"Bucket": BUCKET}, "field Key must be a non-empty string"),
    (GET, {"Bucket": 1, "Key": "k"}, "field Bucket must be a non-empty string"),
    (GET, {"Bucket": BUCKET, "Key": "there", "VersionId": "1"}, "The specified version does not exist. (Service: "),
    (GET, {"Bucket": BUCKET, "Key": "there", "VersionId": 1}, "field VersionId must be a non-empty string"),
    (GET, {"Bucket": "\ud800", "Key": "k"}, "The specified bucket does not exist"),
    (GET, {"Bucket": BUCKET, "Key": "\ud800"}, "The specified key does not exist"),
    (LIST, {"Bucket": "nowhere"}, "The specified bucket does not exist (Service: Amazon S3;"),
    (LIST, {"Bucket": BUCKET, "Prefix": 1}, "field Prefix must be a non-empty string"),
    ("arn:aws:states:::s3:headObject", {"Bucket": BUCKET}, "is not one that items can be read with"),
]


@pytest.mark.parametrize(("resource", "arguments", "cause"), ARGUMENTS)
def test_a_place_where_nothing_is_is_refused(
    bucket: Bucket, resource: str, arguments: dict[str, Any], cause: str
) -> None:
    bucket.put("there", "[]")
    reader = Reader(resource, arguments, JSON)
    with pytest.raises(StatesError, match="ItemReaderFailed") as caught, open_items(bucket.objects, reader) as items:
        items.take(1, 1)
    assert cause in (caught.value.cause or "")


def test_without_a_place_for_objects_nothing_can_be_read() -> None:
    with pytest.raises(StatesError, match="No object store is configured"):
        open_items(None, Reader(GET, {"Bucket": "b", "Key": "k"}, JSON))


def test_nothing_begins_with_what_is_no_text(bucket: Bucket) -> None:
    assert read_all(bucket.objects, Reader(LIST, {"Bucket": BUCKET, "Prefix": "\ud800"})) == []


def test_a_take_ends_after_about_so_many_bytes(bucket: Bucket) -> None:
    bucket.put("data", '"0123456789"\n' * 100)
    with open_items(bucket.objects, bucket.reader("data", **JSONL)) as items:
        assert len(items.take(100, 40)) == 4
        assert len(items.take(3, 1000)) == 3
        assert items.take(0, 1000) == []
        assert not items.exhausted
        assert len(items.take(1000, 10_000)) == 93
        assert items.exhausted


def test_the_items_before_a_broken_one_are_given(bucket: Bucket) -> None:
    bucket.put("data", "1\n2\n{\n")
    with open_items(bucket.objects, bucket.reader("data", **JSONL)) as items:
        assert [item.payload.value for item in items.take(10, 1000)] == [1, 2]
        with pytest.raises(StatesError):
            items.take(10, 1000)
        assert items.cursor == "[2,4]"


def test_members_of_an_object_have_keys(bucket: Bucket) -> None:
    bucket.put("data", '{"a": {"k": 1, "l": 2}}')
    reader = bucket.reader("data", InputType="JSON", ItemsPointer="/a")
    assert [(item.key, item.payload.value) for item in read_all(bucket.objects, reader)] == [("k", 1), ("l", 2)]


@pytest.mark.parametrize("reopen", [False, True], ids=["once", "reopened"])
def test_a_listing_gives_what_s3_tells_of_objects(bucket: Bucket, reopen: bool) -> None:
    for key in ("b/2.txt", "b.txt", "a", "b/1.txt", "b0", "é"):
        bucket.put(key, f"{key}!")
    found = read_all(bucket.objects, Reader(LIST, {"Bucket": BUCKET}), 1, reopen=reopen)
    assert [item.payload.value["Key"] for item in found] == ["a", "b.txt", "b/1.txt", "b/2.txt", "b0", "é"]
    first = found[0].payload.value
    assert sorted(first) == ["Etag", "Key", "LastModified", "Size", "StorageClass"]
    assert (first["Size"], first["StorageClass"], type(first["LastModified"])) == (2, "STANDARD", int)
    assert found[0].source == "S3://bucket"


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [("b/", ["b/1", "b/c/2"]), ("b", ["b/1", "b/c/2", "b0"]), ("b/c", ["b/c/2"]), ("c", []), ("b/c/2/", [])],
)
def test_a_prefix_need_not_end_where_a_directory_does(bucket: Bucket, prefix: str, keys: list[str]) -> None:
    for key in ("a", "b/1", "b/c/2", "b0"):
        bucket.put(key, "")
    found = read_all(bucket.objects, Reader(LIST, {"Bucket": BUCKET, "Prefix": prefix}))
    assert [item.payload.value["Key"] for item in found] == keys


@pytest.mark.parametrize("reopen", [False, True], ids=["once", "reopened"])
def test_the_objects_of_a_listing_are_read(bucket: Bucket, reopen: bool) -> None:
    bucket.put("in/a.jsonl", "1\n2\n")
    bucket.put("in/b.jsonl", "")
    bucket.put("in/c.jsonl", gzip.compress(b"3\n"))
    bucket.put("other", "{")
    reader = Reader(LIST, {"Bucket": BUCKET, "Prefix": "in/"}, {**JSONL, "Transformation": "LOAD_AND_FLATTEN"})
    found = read_all(bucket.objects, reader, 1, reopen=reopen)
    assert [(item.payload.value, item.source) for item in found] == [
        (1, "S3://bucket/in/a.jsonl"),
        (2, "S3://bucket/in/a.jsonl"),
        (3, "S3://bucket/in/c.jsonl"),
    ]


@pytest.mark.parametrize("reopen", [False, True], ids=["once", "reopened"])
def test_an_inventory_gives_the_rows_of_its_files(bucket: Bucket, reopen: bool) -> None:
    bucket.put("inventory/1.csv.gz", gzip.compress(b'"source","a%20b.txt","12"\n"source","c.txt","0"\n'))
    bucket.put("inventory/2.csv.gz", gzip.compress(b'"source","d.txt","7"\n'))
    manifest = (
        '{"destinationBucket": "arn:aws:s3:::bucket", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size",'
        ' "files": [{"key": "inventory/1.csv.gz"}, {"key": "inventory/2.csv.gz"}]}'
    )
    assert bucket.read(manifest, 1, reopen=reopen, InputType="MANIFEST") == [
        {"Bucket": "source", "Key": "a%20b.txt", "Size": "12"},
        {"Bucket": "source", "Key": "c.txt", "Size": "0"},
        {"Bucket": "source", "Key": "d.txt", "Size": "7"},
    ]


@pytest.mark.parametrize("reopen", [False, True], ids=["once", "reopened"])
def test_an_athena_manifest_names_the_files_to_read(bucket: Bucket, reopen: bool) -> None:
    bucket.put("1.gz", gzip.compress(b"1\n2\n"))
    bucket.put("2.gz", b"3\n")
    manifest = "s3://bucket/1.gz\ns3://bucket/2.gz\n"
    assert bucket.read(manifest, 1, reopen=reopen, ManifestType="ATHENA_DATA", InputType="JSONL") == [1, 2, 3]
