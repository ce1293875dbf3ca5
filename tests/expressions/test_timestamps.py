from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewright.lang.timestamps import parse_instant, parse_timestamp


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2016-03-05T21:29:29.243167252Z", 1457213369243167252),
        ("2024-02-29T00:00:00.5Z", 1709164800500000000),
        ("2016-03-14T01:59:00-00:00", 1457920740000000000),
    ],
)
def test_accepted(text: str, nanoseconds: int) -> None:
    assert parse_instant(text) == nanoseconds
    time = parse_timestamp(text)
    assert time is not None
    assert (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == nanoseconds // 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2016-13-05T21:29:29Z",
        "05-12-2016T21:29:29Z",
        "2016-12-05T25:29:29Z",
        "2016-12-05 21:29:29Z",
        "2016-12-05T21:29:29",
        "2016-12-05t21:29:29Z",
        "2016-12-05T21:29:29z",
        "2016-12-05T21:29Z",
        "2016-12-05T21:29:60Z",
        "2016-12-05T24:00:00Z",
        "2023-02-29T00:00:00Z",
        "2016-12-05T21:29:29.Z",
        "2016-12-05T21:29:29.1234567890Z",
        "2016-12-05T21:29:29+24:00",
        "2016-12-05T21:29:29+0100",
        "0000-01-01T00:00:00Z",
        "2016-12-05T21:29:29Z\n",
        "٢٠١٦-12-05T21:29:29Z",
        "{% '2016-03-14T01:59:00Z' %}",
    ],
)
def test_refused(text: str) -> None:
    assert parse_timestamp(text) is None
    assert parse_instant(text) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_round_trip(time: datetime) -> None:
    text = time.replace(tzinfo=None).isoformat() + "Z"
    assert parse_timestamp(text) == time
