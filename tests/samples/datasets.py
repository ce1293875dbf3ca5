"""The files that the Maps of a sample read, in a directory with a folder for each bucket."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from statewright.lang.jsonpath import compile_path
from statewright.lang.scope import MISSING
from statewright.values import Json, encode
from tests.samples.sample import Sample, states

_ITEMS = 3


def write(sample: Sample, root: Path) -> None:
    """Write a file, or a few to be listed, for each ItemReader of a sample; make the bucket of each ResultWriter.

    Example: ``write(sample, tmp_path)``
    """
    root.mkdir(parents=True, exist_ok=True)
    for name, state in states(sample.definition):
        if "ResultWriter" in state:
            (root / _arguments(state["ResultWriter"], sample.input)["Bucket"]).mkdir(exist_ok=True)
        if "ItemReader" in state:
            reader = state["ItemReader"]
            given = sample.places.get(name) or _arguments(reader, sample.input)
            folder = root / given["Bucket"]
            if reader["Resource"].endswith("listObjectsV2"):
                for number in range(_ITEMS):
                    _file(folder / f"{given.get('Prefix', '')}{number}.json").write_text("{}", encoding="utf-8")
            else:
                config = reader.get("ReaderConfig", {})
                _items(_file(folder / given["Key"]), config.get("InputType", "JSON"), [sample.datasets[name]] * _ITEMS)


def _arguments(owner: dict[str, Any], input_: Json) -> dict[str, str]:
    return {name.removesuffix(".$"): _value(name, value, input_) for name, value in owner["Parameters"].items()}


def _value(key: str, value: str, input_: Json) -> str:
    found = compile_path(value).evaluate(input_) if key.endswith(".$") else value
    assert found is not MISSING, value
    return str(found)


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _items(path: Path, input_type: str, items: list[Json]) -> None:
    if input_type == "CSV":
        rows = [item if isinstance(item, dict) and item else {"column": "text"} for item in items]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif input_type == "JSONL":
        path.write_text("".join(f"{encode(item)}\n" for item in items), encoding="utf-8")
    else:
        path.write_text(encode(items), encoding="utf-8")
