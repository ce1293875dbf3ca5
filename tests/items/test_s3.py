"""Objects in S3: the AWS SDK's client against a server that speaks S3."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from statewright.errors import StatesError, StatewrightError
from statewright.items import ChildResult, ObjectError, Objects, Reader, open_items, open_objects, open_results
from tests.items.conftest import GET, LIST, read_all

moto_server = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")

LINES = Reader(GET, {"Bucket": "bucket", "Key": "lines"}, {"InputType": "JSONL"})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """URL of the server, with credentials in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Any]:
    """A client of our own, with which the tests look from the other side."""
    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="bucket")
    yield client
    client.close()


@pytest.fixture
def objects(client: Any, url: str) -> Objects:
    return open_objects(f"s3+{url}")


def test_an_object_is_read_from_any_byte(client: Any, objects: Objects) -> None:
    client.put_object(Bucket="bucket", Key="a/b", Body=b"0123456789")
    assert objects.size("bucket", "a/b") == 10
    for start, rest in ((0, b"0123456789"), (7, b"789"), (10, b"")):
        with objects.open("bucket", "a/b", start) as stream:
            assert stream.read() == rest


def test_a_version_can_be_asked_for(client: Any, objects: Objects) -> None:
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket="versions", Key="k", Body=b"1\n")["VersionId"]
    client.put_object(Bucket="versions", Key="k", Body=b"2\n")
    for version, value in (({}, 2), ({"VersionId": first}, 1)):
        reader = Reader(GET, {"Bucket": "versions", "Key": "k", **version}, {"InputType": "JSONL"})
        assert [item.payload.value for item in read_all(objects, reader)] == [value]


@pytest.mark.parametrize("step", [1, 100])
def test_items_are_read_and_resumed(client: Any, objects: Objects, step: int) -> None:
    client.put_object(Bucket="bucket", Key="lines", Body=b"1\n2\n3\n")
    found = read_all(objects, LINES, step, reopen=True)
    assert [(item.payload.value, item.source) for item in found] == [(n, "S3://bucket/lines") for n in (1, 2, 3)]


def test_a_listing_has_what_s3_tells(client: Any, objects: Objects) -> None:
    for key in ("list/b", "list/a", "list/a/c"):
        client.put_object(Bucket="bucket", Key=key, Body=b"12")
    reader = Reader(LIST, {"Bucket": "bucket", "Prefix": "list/"})
    found = [item.payload.value for item in read_all(objects, reader, 1, reopen=True)]
    assert [item["Key"] for item in found] == ["list/a", "list/a/c", "list/b"]
    tag = client.head_object(Bucket="bucket", Key="list/a")["ETag"]
    assert {**found[0], "LastModified": 0} == {
        "Etag": tag,
        "Key": "list/a",
        "LastModified": 0,
        "Size": 2,
        "StorageClass": "STANDARD",
    }


def test_more_than_a_page_is_listed(client: Any, objects: Objects) -> None:
    keys = [f"many/{number}" for number in range(5)]
    for key in keys:
        client.put_object(Bucket="bucket", Key=key, Body=b"")
    pages = []

    def two_a_page(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        pages.append(params)
        return {**params, "MaxKeys": 2}

    objects.client.meta.events.register("provide-client-params.s3.ListObjectsV2", two_a_page)  # type: ignore[attr-defined]
    assert [info.key for info in objects.list("bucket", "many/")] == keys
    assert [info.key for info in objects.list("bucket", "many/", after=keys[1])] == keys[2:]
    assert len(pages) == 3 + 2


def test_what_is_not_there_is_told_in_the_words_of_s3(client: Any, objects: Objects) -> None:
    calls = [
        ("NoSuchKey", lambda: objects.open("bucket", "none")),
        ("NoSuchKey", lambda: objects.size("bucket", "none")),
        ("NoSuchBucket", lambda: objects.open("nowhere", "none")),
        ("NoSuchBucket", lambda: list(objects.list("nowhere"))),
        ("NoSuchBucket", lambda: objects.create("nowhere", "new").close()),
    ]
    for code, call in calls:
        with pytest.raises(ObjectError) as caught:
            call()
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("bucket", "key"),
    [("no", "k"), ("Not/a bucket", "k"), ("a..b", "k"), ("x" * 100, "k"), ("\ud800", "k"), ("bucket", "\ud800")],
)
def test_a_name_that_nothing_can_have_is_an_error(objects: Objects, bucket: str, key: str) -> None:
    reader = Reader(GET, {"Bucket": bucket, "Key": key}, {"InputType": "JSON"})
    with open_items(objects, reader) as items, pytest.raises(StatesError, match="ItemReaderFailed"):
        items.take(1, 1)


@pytest.mark.parametrize("size", [0, 10, 17_000_000, 33_000_000])
def test_an_object_is_written_whole(client: Any, objects: Objects, size: int) -> None:
    stream = objects.create("bucket", "written")
    client.delete_object(Bucket="bucket", Key="written")
    for begin in range(0, size, 1_000_000):
        stream.write(b"x" * min(1_000_000, size - begin))
    with pytest.raises(ObjectError):
        objects.size("bucket", "written")
    stream.close()
    stream.close()
    assert objects.size("bucket", "written") == size


def test_an_object_that_is_given_up_leaves_nothing(client: Any, objects: Objects) -> None:
    stream = objects.create("bucket", "given-up")
    stream.write(b"x" * 20_000_000)
    stream.abort()
    assert "Uploads" not in client.list_multipart_uploads(Bucket="bucket")
    with pytest.raises(ObjectError):
        objects.size("bucket", "given-up")


def test_results_are_written(client: Any, objects: Objects) -> None:
    results = open_results(objects, {"Bucket": "bucket", "Prefix": "p"}, {"Transformation": "COMPACT"}, "x:mapRun:m:id")
    results.add(ChildResult("SUCCEEDED", "{}", "arn", "name", "machine", output="[1]"))
    details = results.close()["ResultWriterDetails"]
    assert details == {"Bucket": "bucket", "Key": "p/id/manifest.json"}
    assert client.get_object(Bucket="bucket", Key="p/id/SUCCEEDED_0.json")["Body"].read() == b"[[1]]"


def test_a_stream_that_breaks_off_is_taken_up_again(client: Any, objects: Objects) -> None:
    body = b"".join(b"%07d\n" % number for number in range(100_000))
    client.put_object(Bucket="bucket", Key="lines", Body=body)
    with objects.open("bucket", "lines") as stream:
        head = stream.read(1000)
        stream.raw._body.close()  # type: ignore[attr-defined]  as if the connection had gone
        assert head + stream.read() == body


def test_an_object_that_changes_is_not_taken_up_again(client: Any, objects: Objects) -> None:
    client.put_object(Bucket="bucket", Key="lines", Body=b"1\n" * 1_000_000)
    with objects.open("bucket", "lines") as stream:
        stream.read(1000)
        client.put_object(Bucket="bucket", Key="lines", Body=b"2\n" * 1_000_000)
        stream.raw._body.close()  # type: ignore[attr-defined]
        with pytest.raises(ObjectError) as caught:
            stream.read()
    assert caught.value.code == "PreconditionFailed"


def test_a_server_that_is_not_there_is_an_error(url: str) -> None:
    objects = open_objects("s3+http://127.0.0.1:9")
    with open_items(objects, LINES) as items, pytest.raises(StatesError, match="Could not connect"):
        items.take(1, 1)


def test_without_the_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StatewrightError, match=r"statewright\[s3\]"):
        open_objects("s3://")
