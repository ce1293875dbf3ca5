"""Which object store is at a location."""

from __future__ import annotations

from pathlib import Path

from statewright.errors import StatewrightError
from statewright.items.local import LocalObjects
from statewright.items.objects import Objects
from statewright.items.s3 import S3Objects

__all__ = ["open_objects"]


def open_objects(location: str | Path) -> Objects:
    """The object store at `location`.

    Arguments:
        location: a directory (its subdirectories are the buckets), also as ``file:///dir``; ``s3://`` for Amazon S3;
            ``s3+http://host:port`` or ``s3+https://host:port`` for another service that speaks S3.  Both take
            credentials and region from the usual places of the AWS SDK, and need the extra ``statewright[s3]``.

    Raises StatewrightError: ``InvalidObjects`` where there is no such directory, the URL has another form, or the extra
        is not installed.

    Example: ``open_objects("./data").size("my-bucket", "items.jsonl")``
    """
    text = str(location)
    scheme, separator, rest = text.partition("://")
    if not separator or scheme == "file":
        return LocalObjects(Path(rest if separator else text))
    if scheme in ("s3", "s3+http", "s3+https"):
        if scheme == "s3" and rest.strip("/"):
            raise StatewrightError("InvalidObjects", f"'{text}': buckets are named by the definition; use 's3://'")
        return S3Objects(f"{scheme[3:]}://{rest}" if scheme != "s3" else None)
    message = (
        f"'{text}' is neither a directory nor one of file:///dir, s3://, s3+http://host:port, s3+https://host:port"
    )
    raise StatewrightError("InvalidObjects", message)
