"""The files that the Maps of a sample read, in a directory with a folder for each bucket."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from statewright.lang.jsonpath import compile_path
from statewright.lang.scope import MISSING
from statewright.values import Json, encode

_ITEMS = 3


def write(definition: Any, input_: Json, items: dict[str, Json], root: Path) -> None:
    """Write a file, or a few to be listed, for each ItemReader; `items`: what one item looks like, by Map state.

    Example: ``write(sample.definition, sample.input, sample.datasets, tmp_path)``
    """
    for name, state in states(definition):
        reader = state.get("ItemReader")
        if reader is None:
            continue
        given = {key.removesuffix(".$"): _value(key, value, input_) for key, value in reader["Parameters"].items()}
        folder = root / given["Bucket"]
        if reader["Resource"].endswith("listObjectsV2"):
            for number in range(_ITEMS):
                _file(folder / f"{given.get('Prefix', '')}{number}.json").write_text("{}", encoding="utf-8")
        else:
            config = reader.get("ReaderConfig", {})
            _items(_file(folder / given["Key"]), config.get("InputType", "JSON"), [items[name]] * _ITEMS)


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


def states(definition: Any) -> list[tuple[str, dict[str, Any]]]:
    """Name and value of every state of a definition, at any depth.

    Example: ``[name for name, _ in states(definition)]``
    """
    found: list[tuple[str, dict[str, Any]]] = []
    pending = [definition]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            inside = part.get("States")
            found += [
                item for item in (inside if isinstance(inside, dict) else {}).items() if isinstance(item[1], dict)
            ]
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return found
