"""What AWS read: the item readers of its recordings give the items, or the error, that the Map then had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.items import Reader, open_objects
from tests.items.conftest import read_all

SHARED = Path(__file__).parents[3] / "shared" / "conformance" / "cases" / "execution"


def cases() -> list[Any]:
    """The recordings with an ItemReader and children that return their input."""
    found = []
    for path in sorted(SHARED.glob("*.json")):
        text = path.read_text()
        if '"ItemReader"' in text:
            case = json.loads(text)
            if case["expect"].get("error") in (None, "States.ItemReaderFailed"):
                found.append(pytest.param(case, id=case["id"]))
    return found


def reader_of(case: dict[str, Any]) -> Reader:
    """The case's ItemReader, its references to the input resolved; they are all of one level."""
    (state,) = [state for state in case["definition"]["States"].values() if "ItemReader" in state]
    given = state["ItemReader"]
    arguments = given.get("Arguments") or {
        name.removesuffix(".$"): value for name, value in given["Parameters"].items()
    }
    config = dict(given.get("ReaderConfig", {}))
    if "MaxItemsPath" in config:
        config["MaxItems"] = config.pop("MaxItemsPath")
    return Reader(given["Resource"], _resolve(arguments, case["input"]), _resolve(config, case["input"]))


def _resolve(template: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    resolved = {}
    for name, value in template.items():
        text = value.strip("{% }") if isinstance(value, str) else ""
        if text.startswith(("$.", "$states.input.")):
            value = given[text.rpartition(".")[2]]
        elif text.startswith("$maxItems := "):
            value = int(text.rpartition(" ")[2])
        resolved[name] = value
    return resolved


@pytest.mark.skipif(not SHARED.exists(), reason="the recordings are not here")
@pytest.mark.parametrize("case", cases())
@pytest.mark.parametrize("step", [1, 100])
def test_recorded_readers(case: dict[str, Any], step: int, tmp_path: Path) -> None:
    for call in case["setup"]:
        bucket = tmp_path / call["params"]["Bucket"]
        if call["op"] == "create_bucket":
            bucket.mkdir()
        else:
            (bucket / call["params"]["Key"]).write_bytes(call["params"]["Body"].encode())
    expected = case["expect"]
    if expected["status"] == "FAILED":
        with pytest.raises(StatesError) as caught:
            read_all(open_objects(tmp_path), reader_of(case), step)
        assert (caught.value.error, caught.value.cause) == (expected["error"], expected["cause"])
        return
    items = expected["output"]
    if items and isinstance(items[0], dict) and "Items" in items[0]:
        items = [item for batch in items for item in batch["Items"]]
    found = [item.payload.value for item in read_all(open_objects(tmp_path), reader_of(case), step, reopen=True)]
    if "LastModified" in str(items):
        variable = ("Etag", "LastModified")
        assert [sorted(item) for item in found] == [sorted(item) for item in items]
        found, items = (
            [{name: value for name, value in item.items() if name not in variable} for item in side]
            for side in (found, items)
        )
    assert found == items
