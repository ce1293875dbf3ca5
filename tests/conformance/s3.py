"""Amazon S3: a folder for each bucket, a file for each object."""

from __future__ import annotations

import base64
import hashlib
import time
import zlib
from pathlib import Path
from typing import Any

from statewright.values import encode
from tests.conformance.errors import sdk_error

__all__ = ["Buckets"]


class Buckets:
    """All buckets of one case.

    Arguments:
        root: an empty folder for them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def handlers(self) -> dict[str, Any]:
        """By resource."""
        return {
            "arn:aws:states:::aws-sdk:s3:getObject": self.get,
            "arn:aws:states:::aws-sdk:s3:putObject": self.put,
        }

    def prepare(self, op: str, params: dict[str, Any]) -> None:
        """What a case's setup did: create buckets, put objects into them."""
        if op == "create_bucket":
            (self.root / params["Bucket"]).mkdir()
        elif op == "put_object":
            body = params["Body"]
            data = base64.b64decode(body["$base64"]) if isinstance(body, dict) else body.encode()
            self._write(params["Bucket"], params["Key"], data)

    async def get(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """GetObject (recorded: services.aws_sdk_task_service.s3_get_object)."""
        path = self._path(arguments["Bucket"], arguments["Key"])
        if not path.is_file():  # recorded: error_handling.aws_sdk.s3_no_such_key
            raise sdk_error("S3", "NoSuchKey", "The specified key does not exist.", status=404, extended=True)
        data = path.read_bytes()
        return {
            "AcceptRanges": "bytes",
            "Body": data.decode(errors="replace"),
            "ContentLength": len(data),
            "ContentType": "binary/octet-stream",
            "ETag": _etag(data),
            "LastModified": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(path.stat().st_mtime)),
            "Metadata": {},
            "ServerSideEncryption": "AES256",
        }

    async def put(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """PutObject: the body is stored as JSON, texts included (recorded: the ETags of
        services.aws_sdk_task_service.s3_put_object)."""
        data = encode(arguments.get("Body")).encode()
        self._write(arguments["Bucket"], arguments["Key"], data)
        return {
            "ChecksumCRC32": base64.b64encode(zlib.crc32(data).to_bytes(4)).decode(),
            "ChecksumType": "FULL_OBJECT",
            "ETag": _etag(data),
            "ServerSideEncryption": "AES256",
        }

    def _path(self, bucket: str, key: str) -> Path:
        folder = (self.root / bucket).resolve()
        path = (folder / key).resolve()
        if folder.parent != self.root.resolve() or not folder.is_dir() or not path.is_relative_to(folder):
            raise sdk_error("S3", "NoSuchBucket", "The specified bucket does not exist", status=404, extended=True)
        return path

    def _write(self, bucket: str, key: str, data: bytes) -> None:
        path = self._path(bucket, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
