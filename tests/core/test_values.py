"""JSON values: exact numbers, refusals, sizes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewright.values import NotJsonError, Payload, check, decode, encode, same, weight


@pytest.mark.parametrize("text", ["12345678901234567890", "9007199254740993", "[]", '{"a":[1,2.5]}', '"\\u0000"'])
def test_what_goes_in_comes_out(text: str) -> None:
    assert encode(decode(text)) == text


@pytest.mark.parametrize("text", ["NaN", "1e400", '"\\ud800"', "[1,]", "[" * 600 + "]" * 600, "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the reason is the decoder's
        decode(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, object(), {"a": {1, 2}}])
def test_what_python_allows_and_json_does_not(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|text"):
        check(value)


@pytest.mark.parametrize("levels", [501, 700, 5000])
def test_what_could_not_be_read_again_is_not_written(levels: int) -> None:
    value: object = 1
    for _ in range(levels):
        value = [value]
    with pytest.raises(NotJsonError):
        encode({"wide": [[]] * 1000, "deep": value})


def test_500_levels_are_written_and_weighed() -> None:
    value: object = 1
    for _ in range(500):
        value = {"a": value}
    assert decode(encode(value)) == value
    assert weight(value) > 500


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [(1, 1.0, True), (1, True, False), (0, False, False), ("1", 1, False), ([1], [1.0], True), ({"a": 1}, {}, False)],
)
def test_equality_is_that_of_json(a: object, b: object, equal: bool) -> None:
    assert same(a, b) is equal


JSON = st.recursive(st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5), st.lists)


@given(JSON)
def test_a_weight_is_about_the_length(value: object) -> None:
    assert len(encode(value)) <= weight(value) * 6 + 2


def test_shared_parts_are_weighed_once() -> None:
    value: list[object] = ["x" * 1000]
    for _ in range(60):
        value = [value, value]
    assert weight(value) > 1000 * 2**60


def test_a_payload_is_encoded_once() -> None:
    payload = Payload.of({"a": 1})
    assert payload.text is payload.text
    assert Payload.parse(payload.text).value == {"a": 1}
