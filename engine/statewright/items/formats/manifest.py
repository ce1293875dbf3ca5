"""Manifests: files that name the files with the data (InputType MANIFEST, or a ManifestType)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from statewright.items.config import ReaderConfig, check_headers, unreadable
from statewright.items.formats import files
from statewright.items.formats.source import LONGEST, File, Found, Position, lines, open_bytes
from statewright.values import Json, NotJsonError, decode

__all__ = ["read"]

_BUCKET_ARN: Final = ":s3:::"


def read(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """The items of all the files that a manifest names, one file after the other."""
    if config.manifest_type == "ATHENA_DATA":
        return _athena(file, config, at)
    return _inventory(file, config, at)


def _inventory(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """An Amazon S3 Inventory: an object per row of its CSV files, whose columns `fileSchema` names.

    Values are given as they stand in the inventory; there a key is URL-encoded.  A position is the index of the file
    and the position in it.
    """
    manifest = _document(file)
    bucket, names, schema = (manifest.get(name) for name in ("destinationBucket", "files", "fileSchema"))
    if manifest.get("fileFormat") != "CSV":
        raise unreadable(f"The inventory has the format {manifest.get('fileFormat')}; only CSV can be read.")
    if not (isinstance(bucket, str) and isinstance(names, list) and isinstance(schema, str)):
        raise unreadable(
            "The manifest is not one of an S3 inventory: it needs destinationBucket, files and fileSchema."
        )
    headers = check_headers([name.strip() for name in schema.split(",")])
    rows = replace(config, input_type="CSV", headers=headers, delimiter=",")
    first, inner = at or (0, None)
    for index, entry in enumerate(names[first:], first):
        if not (isinstance(entry, dict) and isinstance(entry.get("key"), str)):
            raise unreadable(f"The manifest's file {index} has no key.")
        data = File(file.objects, bucket.rpartition(_BUCKET_ARN)[2], entry["key"])
        for found in files.read(data, rows, inner):
            yield found._replace(after=[index, found.after])
        inner = None


def _document(file: File) -> dict[str, Json]:
    with open_bytes(file, 0) as stream:
        text = stream.read(LONGEST + 1)
    if len(text) > LONGEST:
        raise unreadable(f"The manifest is longer than {LONGEST} bytes.")
    try:
        manifest = decode(text)
    except NotJsonError as error:
        raise unreadable(f"The manifest is not valid JSON: {error}") from None
    if not isinstance(manifest, dict):
        raise unreadable("The manifest is not a JSON object.")
    return manifest


def _athena(file: File, config: ReaderConfig, at: Position) -> Iterator[Found]:
    """The data manifest of an Athena query: a line per file, ``s3://bucket/key``; the files have the InputType.

    A position is the offset of the line and the position in the file it names.
    """
    start, inner = at or (0, None)
    for line, end in lines(file, start):
        text = line.strip().strip(b'"')
        if text:
            for found in files.read(_named(file, text, start), config, inner):
                yield found._replace(after=[start, found.after])
            inner = None
        start = end


def _named(manifest: File, line: bytes, start: int) -> File:
    try:
        scheme, _, path = line.decode().partition("://")
    except UnicodeDecodeError:
        scheme, path = "", ""
    bucket, _, key = path.partition("/")
    if scheme.lower() != "s3" or not bucket or not key:
        raise unreadable(f"The manifest names no object at byte {start}: s3://bucket/key was expected.")
    return File(manifest.objects, bucket, key)
