"""What makes damage visible: a checksum in every record that is read back as a whole, and a chain through a history.

The files of Redis and Valkey have no checksums, so a bit that flips in a value is loaded as if it had been written.
"""

from __future__ import annotations

import hashlib
from zlib import crc32

from statewright.errors import StatewrightError

__all__ = ["BrokenRecordError", "Chain", "checksum", "seal", "unseal"]


class BrokenRecordError(StatewrightError):
    """What is stored is not what was written: its server lost or changed it.

    Example: ``raise BrokenRecordError("frame /3.0 of execution 01ABC does not match its checksum")``
    """

    def __init__(self, message: str) -> None:
        super().__init__("StoreBroken", message)


def seal(body: bytes) -> bytes:
    """A record with its CRC-32 in front.

    Example: ``unseal(seal(b"body")) == b"body"``
    """
    return crc32(body).to_bytes(4, "big") + body


def unseal(record: bytes) -> bytes:
    """The record without its checksum; BrokenRecordError if that is another."""
    body = record[4:]
    if record[:4] != crc32(body).to_bytes(4, "big"):
        raise BrokenRecordError("a record does not match its checksum")
    return body


def checksum(text: str) -> str:
    """CRC-32 of a text, as eight hex digits.

    Example: ``len(checksum("01abc")) == 8``
    """
    return f"{crc32(text.encode()):08x}"


class Chain:
    """The chain through an execution's history, checked record by record.

    The last of the records that one call appended holds the first eight hex digits of the SHA-1 of those of the link
    before it (at the beginning: of the execution's id) and of all records since, these without theirs; so it is made
    in ``lua/apply.lua``, `linked`, where SHA-1 is the digest there is.  It finds damage, not forgery.

    Arguments:
        execution: whose history it is.

    Example: ``all(chain.fits(record) for record in records) and chain.whole``
    """

    __slots__ = ("_digest", "whole")

    def __init__(self, execution: str) -> None:
        self._digest = hashlib.sha1(execution.encode(), usedforsecurity=False)
        self.whole = True
        """Whether the last record had a link."""

    def fits(self, record: bytes) -> bool:
        """Whether the history goes on with `record`: False where its link is not that of the records up to here."""
        parts = record.split(b",", 3)
        if len(parts) < 4:
            return False
        previous, at, link, body = parts
        self._digest.update(b"%b,%b,,%b" % (previous, at, body))
        self.whole = bool(link)
        if not link:
            return True
        found = self._digest.hexdigest()[:8].encode()
        self._digest = hashlib.sha1(link, usedforsecurity=False)
        return link == found
