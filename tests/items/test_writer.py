"""Results of a distributed Map: the files' layout, transformations, parts, and what a failure leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from statewright.errors import StatesError
from statewright.items import ChildResult, Objects, Results, open_objects, open_results, transform
from tests.items.conftest import BUCKET, Bucket

RUN = "arn:aws:states:us-east-1:123456789012:mapRun:orders/Map:4977ded7-b097-3bee-81e1-7863c5660f29"
FOLDER = "out/4977ded7-b097-3bee-81e1-7863c5660f29"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:orders/Map"
TO = {"Bucket": BUCKET, "Prefix": "out"}


def child(name: str, status: Any = "SUCCEEDED", output: str | None = None, **more: Any) -> ChildResult:
    arn = MACHINE.replace(":stateMachine:", ":execution:")
    return ChildResult(status, f'{{"n":"{name}"}}', f"{arn}:{name}", name, MACHINE, output=output, **more)


CHILDREN = [
    child("a", output='[{"x":1},{"x":2}]', started_at=1_738_633_790_099, stopped_at=1_738_633_790_163),
    child("b", "FAILED", error="Oops", cause="why", started_at=0, stopped_at=1),
    child("c", output='{"y":"é"}', started_at=0, stopped_at=1),
    child("d", "TIMED_OUT", error="States.Timeout", started_at=0, stopped_at=1),
    child("e", "ABORTED", started_at=0, stopped_at=1),
    child("f", "PENDING"),
]

RECORD_A = {
    "ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:orders/Map:a",
    "Input": '{"n":"a"}',
    "InputDetails": {"Included": True},
    "Name": "a",
    "Output": '[{"x":1},{"x":2}]',
    "OutputDetails": {"Included": True},
    "RedriveCount": 0,
    "RedriveStatus": "NOT_REDRIVABLE",
    "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
    "StartDate": "2025-02-04T01:49:50.099Z",
    "StateMachineArn": MACHINE,
    "Status": "SUCCEEDED",
    "StopDate": "2025-02-04T01:49:50.163Z",
}
RECORD_B = {
    "Cause": "why",
    "Error": "Oops",
    "ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:orders/Map:b",
    "Input": '{"n":"b"}',
    "InputDetails": {"Included": True},
    "Name": "b",
    "RedriveCount": 0,
    "RedriveStatus": "REDRIVABLE_BY_MAP_RUN",
    "StartDate": "1970-01-01T00:00:00.000Z",
    "StateMachineArn": MACHINE,
    "Status": "FAILED",
    "StopDate": "1970-01-01T00:00:00.001Z",
}


def write(objects: Objects, config: dict[str, Any] | None = None, **more: Any) -> Any:
    results = open_results(objects, TO, config, RUN, **more)
    _add(results, *CHILDREN)
    return results.close()


def _add(results: Results, *children: ChildResult) -> None:
    for result in children:
        results.add(result)


def contents(bucket: Bucket) -> dict[str, str]:
    folder = bucket.root / BUCKET / FOLDER
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_results_are_exported_as_aws_documents_it(bucket: Bucket) -> None:
    result = write(bucket.objects)
    assert result == {
        "MapRunArn": RUN,
        "ResultWriterDetails": {"Bucket": BUCKET, "Key": f"{FOLDER}/manifest.json"},
    }
    files = contents(bucket)
    assert list(files) == ["FAILED_0.json", "PENDING_0.json", "SUCCEEDED_0.json", "manifest.json"]
    assert json.loads(files["manifest.json"]) == {
        "DestinationBucket": BUCKET,
        "MapRunArn": RUN,
        "ResultFiles": {
            group: [{"Key": f"{FOLDER}/{group}_0.json", "Size": len(files[f"{group}_0.json"].encode())}]
            for group in ("FAILED", "PENDING", "SUCCEEDED")
        },
    }
    succeeded, failed = json.loads(files["SUCCEEDED_0.json"]), json.loads(files["FAILED_0.json"])
    assert succeeded[0] == RECORD_A
    assert failed[0] == RECORD_B
    assert [record["Name"] for record in (*succeeded, *failed)] == ["a", "c", "b", "d", "e"]
    (pending,) = json.loads(files["PENDING_0.json"])
    assert (pending["Status"], "StartDate" in pending, "Output" in pending) == ("PENDING", False, False)


ENTRIES: list[tuple[str | None, list[Any]]] = [
    (None, [RECORD_A]),
    ("NONE", [RECORD_A]),
    ("COMPACT", [[{"x": 1}, {"x": 2}]]),
    ("FLATTEN", [{"x": 1}, {"x": 2}]),
]


@pytest.mark.parametrize("output_type", ["JSON", "JSONL"])
@pytest.mark.parametrize(("transformation", "first"), ENTRIES)
def test_results_are_transformed(
    bucket: Bucket, transformation: str | None, first: list[Any], output_type: str
) -> None:
    config = {"OutputType": output_type} | ({"Transformation": transformation} if transformation else {})
    write(bucket.objects, config)
    text = contents(bucket)[f"SUCCEEDED_0.{output_type.lower()}"]
    failed = contents(bucket)[f"FAILED_0.{output_type.lower()}"]
    if output_type == "JSON":
        found, records = json.loads(text), json.loads(failed)
    else:
        assert text.endswith("\n")
        found, records = ([json.loads(line) for line in lines.splitlines()] for lines in (text, failed))
    assert found[: len(first)] == first
    assert found[-1] == {"y": "é"} or transformation in (None, "NONE")
    assert records[0] == RECORD_B  # what failed is never transformed
    result = transform(CHILDREN[:2], config)
    if output_type == "JSON":
        assert result == [*first, RECORD_B]
    else:
        assert [json.loads(line) for line in result.splitlines()] == [*first, RECORD_B]


def test_long_results_go_on_in_another_file(bucket: Bucket) -> None:
    with open_results(bucket.objects, TO, {"Transformation": "COMPACT"}, RUN, part_bytes=20) as results:
        for number in range(10):
            results.add(child("n", output=f'"{number:06}"'))
        results.add(child("long", output=f'"{"x" * 100}"'))
        results.add(child("last", output="1"))
    files = contents(bucket)
    assert [files[f"SUCCEEDED_{index}.json"] for index in (0, 4)] == ['["000000","000001"]', '["000008","000009"]']
    assert files["SUCCEEDED_5.json"] == f'["{"x" * 100}"]'
    assert files["SUCCEEDED_6.json"] == "[1]"
    listed = json.loads(files["manifest.json"])["ResultFiles"]["SUCCEEDED"]
    assert [(part["Key"], part["Size"]) for part in listed] == [
        (f"{FOLDER}/SUCCEEDED_{index}.json", len(files[f"SUCCEEDED_{index}.json"])) for index in range(7)
    ]


def test_writing_again_gives_the_same_files(bucket: Bucket) -> None:
    write(bucket.objects, part_bytes=600)
    first = contents(bucket)
    interrupted = open_results(bucket.objects, TO, None, RUN, part_bytes=600)
    interrupted.add(CHILDREN[0])
    interrupted.abort()
    assert contents(bucket) == first
    write(bucket.objects, part_bytes=600)
    assert contents(bucket) == first


def test_results_that_are_not_finished_are_not_seen(bucket: Bucket) -> None:
    with pytest.raises(StatesError), open_results(bucket.objects, TO, None, RUN) as results:
        _add(results, child("a", output="1"), child("b", cause="\ud800"))
    assert contents(bucket) == {}


def test_a_run_without_children_has_a_manifest(bucket: Bucket) -> None:
    open_results(bucket.objects, {"Bucket": BUCKET}, None, RUN).close()
    key = RUN.rpartition(":")[2] + "/manifest.json"
    manifest = json.loads((bucket.root / BUCKET / key).read_text())
    assert manifest["ResultFiles"] == {"FAILED": [], "PENDING": [], "SUCCEEDED": []}


def test_a_prefix_may_end_in_a_slash(bucket: Bucket) -> None:
    result = open_results(bucket.objects, {"Bucket": BUCKET, "Prefix": "out/"}, None, RUN).close()
    assert result["ResultWriterDetails"]["Key"] == f"{FOLDER}/manifest.json"


REFUSED: list[tuple[dict[str, Any], dict[str, Any] | None, str]] = [
    ({}, None, "field Bucket must be a non-empty string"),
    ({"Bucket": 1}, None, "field Bucket must be a non-empty string"),
    ({"Bucket": BUCKET, "Prefix": 1}, None, "field Prefix must be a string"),
    ({"Bucket": BUCKET}, {"Transformation": "x"}, "field Transformation must be one of COMPACT, FLATTEN, NONE"),
    ({"Bucket": BUCKET}, {"OutputType": ["JSON"]}, "field OutputType must be one of JSON, JSONL"),
    ({"Bucket": "nowhere"}, None, "The specified bucket does not exist"),
    ({"Bucket": BUCKET, "Prefix": "../out"}, None, "cannot have the key"),
    ({"Bucket": BUCKET, "Prefix": "a//b"}, None, "cannot have the key"),
]


@pytest.mark.parametrize(("arguments", "config", "cause"), REFUSED)
def test_results_that_cannot_be_written_are_an_error(
    bucket: Bucket, arguments: dict[str, Any], config: dict[str, Any] | None, cause: str
) -> None:
    with pytest.raises(StatesError, match="ResultWriterFailed") as caught:
        _add(open_results(bucket.objects, arguments, config, RUN), CHILDREN[0])
    assert cause in (caught.value.cause or "")
    assert not caught.value.in_state


def test_without_a_place_for_objects_nothing_can_be_written() -> None:
    with pytest.raises(StatesError, match="No object store is configured"):
        open_results(None, TO, None, RUN)


def test_what_the_disk_refuses_is_an_error(bucket: Bucket, tmp_path: Path) -> None:
    (bucket.root / BUCKET / FOLDER / "manifest.json").mkdir(parents=True)
    results = open_results(open_objects(bucket.root), TO, None, RUN)
    results.add(CHILDREN[0])
    with pytest.raises(StatesError, match="ResultWriterFailed"):
        results.close()
