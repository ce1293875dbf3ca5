"""The timestamps of the States Language: a strict profile of RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

__all__ = ["iso_time", "parse_instant", "parse_timestamp"]

_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_LONGEST: Final = len("2016-03-14T01:59:00.123456789+00:00")
_DAY: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def parse_timestamp(text: str) -> datetime | None:
    """The time that `text` names, with its offset, to the microsecond; None where it is not a timestamp.

    Uppercase `T` and `Z` are required (States Language, "Timestamps"); a blank for the `T`, a missing offset, month
    13 and hour 25 are refused (recorded: wait_timestamp_path NO_T, NO_Z, INVALID_DATE, INVALID_TIME); up to nine
    digits of a second are accepted (recorded: NANOSECONDS).

    Example: ``parse_timestamp("2016-03-14T01:59:00Z") == datetime(2016, 3, 14, 1, 59, tzinfo=UTC)``
    """
    found = _read(text) if len(text) <= _LONGEST else None
    return found[0] if found else None


def parse_instant(text: str) -> int | None:
    """Nanoseconds from 1970 to the time that `text` names; None where it is not a timestamp.

    Example: ``parse_instant("1970-01-01T01:00:00.000000001+01:00") == 1``
    """
    found = _read(text) if len(text) <= _LONGEST else None
    if not found:
        return None
    time, nanoseconds = found
    offset = time.utcoffset() or timedelta()
    seconds = (time.toordinal() - _EPOCH) * _DAY + time.hour * 3600 + time.minute * 60 + time.second
    return (seconds - int(offset.total_seconds())) * 1_000_000_000 + nanoseconds


@lru_cache(maxsize=1024)
def _read(text: str) -> tuple[datetime, int] | None:
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    nanoseconds = int((match[7] or "").ljust(9, "0"))
    zone = UTC
    if match[8]:
        hours, minutes = int(match[9]), int(match[10])
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes)
        zone = timezone(-offset if match[8] == "-" else offset)
    try:
        return datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone), nanoseconds
    except ValueError:
        return None


def iso_time(at: int) -> str:
    """A time as the context object shows it.  Example: ``iso_time(0) == "1970-01-01T00:00:00.000Z"``"""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
