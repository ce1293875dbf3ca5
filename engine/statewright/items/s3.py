"""Amazon S3, and whatever speaks its protocol, as an object store; through the AWS SDK, which is an optional extra."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, TypeVar

from statewright.errors import StatewrightError
from statewright.items.objects import (
    ObjectError,
    ObjectInfo,
    ObjectWriter,
    no_such_bucket,
    no_such_key,
    no_such_version,
)

__all__ = ["S3Objects"]

_BUFFER: Final = 256 * 1024
_PART: Final = 16 * 1024 * 1024
"""Bytes of an object in the making that are kept before they are sent; with at most 10,000 parts, 156 GiB for all."""

_ATTEMPTS: Final = 5
"""How often a stream that breaks off is taken up again before that is an error; so often botocore tries a request."""

_T = TypeVar("_T")


class S3Objects:
    """An object store that speaks the S3 protocol.

    Arguments:
        endpoint: e.g. ``"http://127.0.0.1:9000"``; None for Amazon S3.

    Raises StatewrightError: ``MissingExtra`` if the AWS SDK is not installed.

    Example: ``S3Objects("http://127.0.0.1:9000").size("my-bucket", "items.csv")``
    """

    def __init__(self, endpoint: str | None = None) -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            message = "objects in S3 need the AWS SDK: pip install 'statewright[s3]'"
            raise StatewrightError("MissingExtra", message) from None
        self._failures: tuple[type[Exception], ...] = (BotoCoreError, ClientError, UnicodeError)
        config = Config(retries={"mode": "standard", "max_attempts": _ATTEMPTS})
        if endpoint:  # not all services have a host name per bucket, and the newer checksums
            config = config.merge(
                Config(
                    s3={"addressing_style": "path"},
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                )
            )
        try:
            self.client = boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)
        except (BotoCoreError, ValueError) as error:
            raise StatewrightError("InvalidObjects", f"cannot use S3: {error}") from None

    def open(self, bucket: str, key: str, start: int = 0, *, version: str | None = None) -> BinaryIO:
        """See `Objects.open`."""
        place = {"Bucket": bucket, "Key": key} | ({} if version is None else {"VersionId": version})
        return io.BufferedReader(_Stream(self, place, start), _BUFFER)

    def get(self, place: dict[str, str], start: int, etag: str | None) -> tuple[Any, str]:
        """The body from `start` on, and the ETag; only of the object with `etag`, if there is one."""
        more = {"Range": f"bytes={start}-"} if start else {}
        more |= {"IfMatch": etag} if etag else {}
        answer = self.call(lambda: self.client.get_object(**place, **more))
        return answer["Body"], answer["ETag"]

    def size(self, bucket: str, key: str) -> int:
        """See `Objects.size`."""
        return int(self.call(lambda: self.client.head_object(Bucket=bucket, Key=key))["ContentLength"])

    def list(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """See `Objects.list`."""
        place = {"Bucket": bucket, "Prefix": prefix} | ({"StartAfter": after} if after else {})
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(**place))
        while (page := self.call(lambda: next(pages, None))) is not None:
            for entry in page.get("Contents", ()):
                yield ObjectInfo(
                    etag=entry["ETag"],
                    key=entry["Key"],
                    modified=int(entry["LastModified"].timestamp()),
                    size=entry["Size"],
                    storage_class=entry.get("StorageClass", "STANDARD"),
                )

    def create(self, bucket: str, key: str) -> _Writer:
        """See `Objects.create`.  A long object is sent in parts, which become one when the writer is closed."""
        return _Writer(self, {"Bucket": bucket, "Key": key})

    def call(self, call: Callable[[], _T]) -> _T:
        """Make a call of the SDK; ObjectError for its errors."""
        try:
            return call()
        except self._failures as error:
            raise _translate(error) from None


def _translate(error: Exception) -> ObjectError:
    details: dict[str, str] = getattr(error, "response", {}).get("Error", {})
    code, message = details.get("Code", type(error).__name__), details.get("Message", str(error))
    known = {error.code: error for error in (no_such_bucket(), no_such_key(), no_such_version())}
    known["404"] = no_such_key()  # an answer to HEAD has no words
    return known.get(code) or ObjectError(code, f"{message} (Service: Amazon S3; Error Code: {code})")


class _Stream(io.RawIOBase):
    """The bytes of an object; a connection that breaks off is opened again where it did, if the object is the same."""

    def __init__(self, objects: S3Objects, place: dict[str, str], start: int) -> None:
        self._objects = objects
        self._place = place
        self._at = start
        try:
            self._body, self._etag = objects.get(place, start, None)
        except ObjectError as error:
            if error.code not in ("InvalidRange", "416"):
                raise
            self._body, self._etag = io.BytesIO(), ""  # nothing is left to be read there

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        from botocore.exceptions import BotoCoreError, HTTPClientError

        for attempt in range(_ATTEMPTS):
            try:
                if attempt:
                    self._reopen(attempt)
                data = self._body.read(len(buffer))
            except (BotoCoreError, HTTPClientError) as error:
                failure = error
            else:
                buffer[: len(data)] = data
                self._at += len(data)
                return len(data)
        raise OSError(f"the connection broke off at byte {self._at}: {failure}")

    def _reopen(self, attempt: int) -> None:
        time.sleep(0.05 * 2**attempt)
        self._body.close()
        self._body, _ = self._objects.get(self._place, self._at, self._etag)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()


class _Writer(ObjectWriter):
    """Bytes that become an object: a short one with one request, a long one as an upload of several parts."""

    def __init__(self, objects: S3Objects, place: dict[str, str]) -> None:
        self._objects = objects
        self._place = place
        self._buffer = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._open = True

    def write(self, data: bytes, /) -> int:
        self._buffer += data
        while len(self._buffer) >= _PART:
            self._send()
        return len(data)

    def close(self) -> None:
        if not self._open:
            return
        client, call, place = self._objects.client, self._objects.call, self._place
        if self._upload is None:
            body = bytes(self._buffer)
            call(lambda: client.put_object(Body=body, **place))
        else:
            if self._buffer:
                self._send()
            parts = {"Parts": self._parts}
            call(lambda: client.complete_multipart_upload(UploadId=self._upload, MultipartUpload=parts, **place))
        self._open = False

    def abort(self) -> None:
        if self._open and self._upload is not None:
            client, place = self._objects.client, self._place
            self._objects.call(lambda: client.abort_multipart_upload(UploadId=self._upload, **place))
        self._open = False

    def _send(self) -> None:
        """Send what has been kept as the next part."""
        client, call, place = self._objects.client, self._objects.call, self._place
        if self._upload is None:
            self._upload = call(lambda: client.create_multipart_upload(**place))["UploadId"]
        body, number = bytes(self._buffer[:_PART]), len(self._parts) + 1
        sent = call(lambda: client.upload_part(UploadId=self._upload, PartNumber=number, Body=body, **place))
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        del self._buffer[:_PART]
