"""A directory as an object store: nothing outside is reached, nothing half written is seen."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from statewright.errors import StatesError, StatewrightError
from statewright.items import ObjectError, Reader, open_objects
from tests.items.conftest import BUCKET, LIST, Bucket, read_all

SECRET = "secret"


@pytest.fixture
def trap(bucket: Bucket) -> Bucket:
    """A bucket with a secret beside the root, and with everything in it that might lead there or hang."""
    outside = bucket.root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text(SECRET)
    (bucket.root / "loose").write_text(SECRET)
    bucket.put("ok", "fine")
    bucket.put("sub/deep", "fine")
    here = bucket.root / BUCKET
    (here / "link").symlink_to(outside / "secret")
    (here / "directory-link").symlink_to(outside)
    (here / "relative-link").symlink_to("../../outside/secret")
    (here / "inner-link").symlink_to("ok")
    (here / "inner-directory").symlink_to("sub")
    (here / "loop").symlink_to("loop")
    (here / "cycle").symlink_to(".")
    os.mkfifo(here / "pipe")
    (bucket.root / "bucket-link").symlink_to(outside)
    return bucket


ATTACKS = [
    "../../outside/secret",
    "../bucket/ok",
    "sub/../ok",
    "./ok",
    "/etc/passwd",
    "//etc/passwd",
    "sub//deep",
    "",
    "/",
    ".",
    "..",
    "link",
    "relative-link",
    "directory-link/secret",
    "loop",
    "pipe",
    "sub",
    "sub/",
    "ok/",
    "ok/x",
    "ok\0",
    "x" * 5000,
    "/dev/zero",
    "\ud800",
]


@pytest.mark.parametrize("key", ATTACKS, ids=range(len(ATTACKS)))
def test_a_key_that_leads_elsewhere_does_not_exist(trap: Bucket, key: str) -> None:
    with pytest.raises(ObjectError) as opened:
        trap.objects.open(BUCKET, key)
    with pytest.raises(ObjectError) as sized:
        trap.objects.size(BUCKET, key)
    assert {opened.value.code, sized.value.code} == {"NoSuchKey"}


@pytest.mark.parametrize("name", ["..", ".", "", "bucket/sub", "/etc", "bucket-link", "loose", "nowhere", "b\0"])
def test_a_bucket_is_a_directory_in_the_root(trap: Bucket, name: str) -> None:
    for call in (
        lambda: trap.objects.open(name, "secret"),
        lambda: trap.objects.size(name, "secret"),
        lambda: list(trap.objects.list(name)),
        lambda: trap.objects.create(name, "new"),
    ):
        with pytest.raises(ObjectError) as caught:
            call()
        assert caught.value.code == "NoSuchBucket"


def test_links_that_stay_inside_are_followed(trap: Bucket) -> None:
    for key in ("ok", "inner-link", "inner-directory/deep", "cycle/cycle/ok"):
        with trap.objects.open(BUCKET, key) as stream:
            assert stream.read() == b"fine"


def test_a_listing_leaves_out_what_is_no_object(trap: Bucket) -> None:
    (trap.root / BUCKET / ".statewright-0123").write_text("unfinished")
    assert [info.key for info in trap.objects.list(BUCKET)] == ["inner-link", "ok", "sub/deep"]


@pytest.mark.parametrize(
    "key", ["../new", "../../outside/new", "/new", "a//b", "directory-link/new", "bucket-link/new", "", "a/", "ok/new"]
)
def test_nothing_is_written_elsewhere(trap: Bucket, key: str) -> None:
    before = _files(trap.root.parent)
    if key == "bucket-link/new":  # a directory of that name is made in the bucket
        trap.objects.create(BUCKET, key).abort()
    else:
        with pytest.raises(ObjectError):
            trap.objects.create(BUCKET, key)
    assert _files(trap.root.parent) == before


def _files(root: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def test_an_object_written_over_a_link_replaces_the_link(trap: Bucket) -> None:
    with trap.objects.create(BUCKET, "link") as stream:
        stream.write(b"new")
    assert (trap.root.parent / "outside" / "secret").read_text() == SECRET
    assert not (trap.root / BUCKET / "link").is_symlink()


def test_a_link_made_meanwhile_leads_nowhere(trap: Bucket) -> None:
    stop, directory = threading.Event(), trap.root / BUCKET / "sub"

    def swap() -> None:
        aside = directory.with_name("aside")
        while not stop.is_set():
            directory.rename(aside)
            directory.symlink_to("../../outside")
            directory.unlink()
            aside.rename(directory)

    (directory / "secret").write_text("inside")
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(500):
            with suppress(ObjectError), trap.objects.open(BUCKET, "sub/secret") as stream:
                assert stream.read() == b"inside"
    finally:
        stop.set()
        thread.join()


def test_an_object_appears_when_it_is_closed(bucket: Bucket) -> None:
    stream = bucket.objects.create(BUCKET, "a/b/new")
    stream.write(b"1")
    stream.write(b"2")
    assert list(bucket.objects.list(BUCKET)) == []
    stream.close()
    stream.close()
    stream.abort()
    assert [(info.key, info.size) for info in bucket.objects.list(BUCKET)] == [("a/b/new", 2)]
    with bucket.objects.create(BUCKET, "a/b/new") as stream:
        stream.write(b"other")
    assert bucket.objects.size(BUCKET, "a/b/new") == 5


def test_an_object_whose_writer_fails_does_not_appear(bucket: Bucket) -> None:
    with pytest.raises(ZeroDivisionError), bucket.objects.create(BUCKET, "new") as stream:
        stream.write(bytes([1 // 0]))
    assert list((bucket.root / BUCKET).iterdir()) == []


def test_a_directory_cannot_be_replaced_by_an_object(bucket: Bucket) -> None:
    bucket.put("a/b", "")
    stream = bucket.objects.create(BUCKET, "a")
    with pytest.raises(OSError, match="directory"):
        stream.close()
    assert [path.name for path in (bucket.root / BUCKET).iterdir()] == ["a"]


def test_a_stream_begins_where_it_is_told(bucket: Bucket) -> None:
    bucket.put("x", "0123456789")
    for start, rest in ((0, b"0123456789"), (7, b"789"), (10, b""), (11, b"")):
        with bucket.objects.open(BUCKET, "x", start) as stream:
            assert stream.read() == rest


def test_a_listing_goes_on_after_a_key(bucket: Bucket) -> None:
    keys = ["a", "a-b", "a.txt", "a/b", "a/b/c", "a/c", "aa", "b"]
    for key in keys:
        if key not in ("a", "a/b"):
            bucket.put(key, "")
    keys = [info.key for info in bucket.objects.list(BUCKET)]
    assert keys == sorted(keys, key=str.encode) == ["a-b", "a.txt", "a/b/c", "a/c", "aa", "b"]
    for after in [*keys, "a", "a/", "a/b", "a/b/", "a/z", "zz", ""]:
        assert [info.key for info in bucket.objects.list(BUCKET, after=after)] == [key for key in keys if key > after]


def test_an_object_that_changes_has_another_etag(bucket: Bucket) -> None:
    bucket.put("x", "1")
    (first,) = bucket.objects.list(BUCKET)
    bucket.put("x", "12")
    (second,) = bucket.objects.list(BUCKET)
    assert first.etag != second.etag
    assert first.etag[0] == first.etag[-1] == '"'


def test_deep_directories_are_listed(bucket: Bucket) -> None:
    key = "/".join("d" * 1200)
    with bucket.objects.create(BUCKET, key) as stream:
        stream.write(b"")
    path = str(bucket.root / BUCKET / key)
    try:
        assert [info.key for info in bucket.objects.list(BUCKET)] == [key]
    finally:
        os.unlink(path)
        for _ in range(1199):  # what removes temporary directories does it by recursion
            path = os.path.dirname(path)
            os.rmdir(path)


def test_a_file_name_that_is_no_text_is_told_of(bucket: Bucket) -> None:
    (bucket.root / BUCKET).joinpath(os.fsdecode(b"\xff")).write_text("")
    with pytest.raises(StatesError, match="UTF-8"):
        read_all(bucket.objects, Reader(LIST, {"Bucket": BUCKET}))


@pytest.mark.parametrize("location", ["/no/such/directory", "ftp://host", "s3://bucket/prefix"])
def test_a_location_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(StatewrightError, match="InvalidObjects"):
        open_objects(location)


def test_a_directory_may_be_given_as_a_url(bucket: Bucket) -> None:
    bucket.put("x", "1")
    assert open_objects(f"file://{bucket.root}").size(BUCKET, "x") == 1
