"""What reaches a terminal is harmless, whatever users put into names, inputs and errors."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statewright_cli import output

HOSTILE = [
    "\x1b]0;x\x07",
    "\x9b31m",
    "a\rb",
    "\u202etxt.exe",
    "\u2066x\u2069",
    "\x7f",
    "\x00",
    "\ud800",
    "a\nb",
    "\u2028",
]


def harmful(text: str, allowed: str = "") -> list[str]:
    """The characters of a text that a terminal may act on or hide."""
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in allowed]


@pytest.mark.parametrize("text", HOSTILE)
def test_known_attacks_are_made_visible(text: str) -> None:
    assert not harmful(output.safe(text))
    assert not harmful(output.safe(text, lines=True), "\n")


@given(st.text(st.characters()))
def test_no_text_gets_through(text: str) -> None:
    assert not harmful(output.safe(text))
    block = output.safe(text, lines=True)
    assert not harmful(block, "\n")
    assert block.count("\n") == text.count("\n")


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert output.safe(text) == text


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_is_the_value_in_printable_ascii(value: object) -> None:
    import io
    from contextlib import redirect_stdout

    with redirect_stdout(io.StringIO()) as stream:
        output.document(value)
    text = stream.getvalue()
    assert text.isascii()
    assert not harmful(text, "\n")
    assert json.loads(text) == value


def test_times_are_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    output.document({"at": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)}, line=True)
    assert capsys.readouterr().out == '{"at": "2026-01-02T03:04:05.678Z"}\n'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12 ms"), (1.25, "1.2 s"), (75, "1 m 15 s"), (3700, "1 h 1 m"), (200_000, "2 d 7 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert output.duration(seconds) == text
