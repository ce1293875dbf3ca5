from __future__ import annotations

import time
from typing import Any

import pytest

from statewright.lang.comparison import OPERATORS
from statewright.lang.scope import MISSING

ROWS: list[tuple[str, Any, Any, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", 1, "1", False),
    ("StringLessThan", "B", "a", True),
    ("StringLessThan", "\uffff", "\U0001f600", True),  # by code point; UTF-16 units would be the other way round
    ("StringGreaterThan", "A", "A ", False),
    ("StringGreaterThanEquals", "é", "é", True),
    ("StringLessThanEquals", "", "a", True),
    ("NumericEquals", 1, 1.0, True),
    ("NumericEquals", True, 1, False),
    ("NumericEquals", "1", 1, False),
    ("NumericEquals", 10**25, 10**25 + 1, False),
    ("NumericLessThan", -1, 0.5, True),
    ("NumericGreaterThan", 2, 2, False),
    ("NumericGreaterThanEquals", 2, 2.0, True),
    ("NumericLessThanEquals", None, 1, False),
    ("BooleanEquals", True, True, True),
    ("BooleanEquals", False, True, False),
    ("BooleanEquals", 1, True, False),
    ("TimestampEquals", "2016-03-14T01:59:00Z", "2016-03-14T02:59:00+01:00", True),
    ("TimestampEquals", "2016-03-14T01:59:00.000000001Z", "2016-03-14T01:59:00Z", False),
    ("TimestampLessThan", "2016-03-14T01:59:00Z", "2016-03-14T01:59:00.000000001Z", True),
    ("TimestampGreaterThan", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", True),
    ("TimestampGreaterThanEquals", "2016-03-14T01:59:00Z", "2016-03-14T01:59:00.0Z", True),
    ("TimestampEquals", "2016-03-14", "2016-03-14", False),
    ("TimestampLessThanEquals", 5, "2016-03-14T01:59:00Z", False),
    ("StringMatches", "log-2024.txt", "log-*.txt", True),
    ("StringMatches", "log-2024.txt", "log-*", True),
    ("StringMatches", "log", "log*", True),
    ("StringMatches", "xlog", "log*", False),
    ("StringMatches", "aba", "ab*ba", False),
    ("StringMatches", "a*b", "a\\*b", True),
    ("StringMatches", "axb", "a\\*b", False),
    ("StringMatches", "a\\b", "a\\\\b", True),
    ("StringMatches", "a\\", "a\\\\*", True),
    ("StringMatches", "a.c", "a?c", False),
    ("StringMatches", "abcXabcY", "*abc*abc*", True),
    ("StringMatches", "", "*", True),
    ("StringMatches", "", "", True),
    ("StringMatches", "line\nbreak", "line*break", True),
    ("StringMatches", 5, "*", False),
    ("IsNull", None, True, True),
    ("IsNull", MISSING, True, False),
    ("IsPresent", None, True, True),
    ("IsPresent", MISSING, True, False),
    ("IsPresent", MISSING, False, True),
    ("IsNumeric", True, True, False),
    ("IsNumeric", "1", False, True),
    ("IsString", "", True, True),
    ("IsBoolean", 0, True, False),
    ("IsTimestamp", "2016-03-14T01:59:00Z", True, True),
    ("IsTimestamp", "2016-03-14t01:59:00z", True, False),
    ("IsTimestamp", 1, False, True),
    ("IsString", "x", "true", False),
]


@pytest.mark.parametrize(("name", "value", "operand", "expected"), ROWS)
def test_row(name: str, value: Any, operand: Any, expected: bool) -> None:
    assert OPERATORS[name].compare(value, operand) is expected


def test_there_are_39_and_every_kind_has_rows() -> None:
    assert len(OPERATORS) == 39
    assert {name.removesuffix("Path") for name in OPERATORS} == {row[0] for row in ROWS}


def test_path_twins_compare_alike() -> None:
    for name, _, _, _ in ROWS:
        if twin := OPERATORS.get(f"{name}Path"):
            assert twin.takes_path
            assert not OPERATORS[name].takes_path
            assert all(twin.compare(row[1], row[2]) is row[3] for row in ROWS if row[0] == name)


def test_no_type_raises() -> None:
    values = [None, True, 0, 1.5, "", "2016-03-14T01:59:00Z", [], ["a"], {}, {"a": 1}, MISSING]
    for found in OPERATORS.values():
        for value in values:
            for operand in values:
                assert isinstance(found.compare(value, operand), bool)


def test_wildcards_do_not_backtrack() -> None:
    started = time.perf_counter()
    assert not OPERATORS["StringMatches"].compare("a" * 100_000, "*a" * 200 + "*b*")
    assert time.perf_counter() - started < 2
