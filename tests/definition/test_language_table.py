"""The README's table of the language: what it names is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT.parent / "shared" / "conformance" / "cases"
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The language, and what proves it\n")[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| feature")
]


def test_there_is_a_table() -> None:
    assert len(ROWS) > 35
    assert all(len(row) == 3 and all(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_tests_are_there(row: list[str]) -> None:
    for path in re.findall(r"`([^`]+)`", row[2]):
        assert (ROOT / "tests" / path).exists(), path


@pytest.mark.skipif(not CASES.is_dir(), reason="the recordings are not at hand")
def test_the_recordings_are_there() -> None:
    ids = [json.loads(path.read_text(encoding="utf-8"))["id"] for path in CASES.glob("*/*.json")]
    for _, proof, _ in ROWS:
        for prefix in re.findall(r"`([a-z_0-9.]+)`", proof):
            assert any(id_ == prefix or re.match(rf"{re.escape(prefix)}[.\[#@(]", id_) for id_ in ids), prefix
