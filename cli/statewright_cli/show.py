"""The engine's answers as rows: for JSON with the member names of the Step Functions API, for people as lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statewright import Description, MachineRecord, MapRunDescription

__all__ = [
    "Event",
    "Row",
    "details",
    "execution_row",
    "history_line",
    "machine_row",
    "map_run_row",
    "moment",
    "progress_line",
]

Event = Mapping[str, Any]
"""One event of GetExecutionHistory."""


Row = dict[str, Any]
"""An answer, with the member names of the Step Functions API."""


def execution_row(description: Description) -> Row:
    """An execution with the names of DescribeExecution; input and output are JSON values, not texts."""
    execution = description.execution
    row: Row = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine_arn,
        "mapRunArn": execution.map_run,
        "name": execution.name,
        "status": description.status,
        "startDate": moment(execution.started_at),
        "stopDate": None if description.stopped_at is None else moment(description.stopped_at),
        "predecessorArn": execution.predecessor or None,
        "successorArn": description.successor,
        "error": description.error,
        "cause": description.cause,
        **({"deadLetters": description.dead_letters} if description.dead_letters else {}),
        "input": execution.input.value,
        "output": None if description.output is None else json.loads(description.output),
    }
    if description.output is None:
        del row["output"]
    return {name: value for name, value in row.items() if value is not None or name in ("input", "output")}


def machine_row(record: MachineRecord) -> Row:
    """A state machine with the names of DescribeStateMachine."""
    return {
        "stateMachineArn": record.arn,
        "name": record.name,
        "type": record.type,
        "revision": record.revision,
        "creationDate": moment(record.created_at),
    }


def map_run_row(run: MapRunDescription) -> Row:
    """A map run with the names of DescribeMapRun; `reading` says whether there may be more items to come."""
    row: Row = {
        "mapRunArn": run.arn,
        "executionArn": run.execution_arn,
        "status": run.status,
        "startDate": moment(run.started_at),
        "stopDate": None if run.stopped_at is None else moment(run.stopped_at),
        "maxConcurrency": run.max_concurrency,
        "toleratedFailureCount": run.tolerated_failure_count,
        "toleratedFailurePercentage": run.tolerated_failure_percentage,
        "itemCounts": _counts(run.items),
        "executionCounts": _counts(run.executions),
        "reading": run.reading,
    }
    return {name: value for name, value in row.items() if value is not None}


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {"timedOut" if name == "timed_out" else name: number for name, number in counts.items()}


def progress_line(row: Row) -> str:
    """How far a map run is, in words.

    Example: ``"1,200 of 5,000 items, 3 failed, 40 executions running"``; while items are read, ``"1,200 of 5,000 items
    read so far"``
    """
    items: Mapping[str, int] = row["itemCounts"]
    ended = {status: items[status] for status in ("succeeded", "failed", "timedOut", "aborted")}
    parts = [f"{sum(ended.values()):,} of {items['total']:,} items{' read so far' if row['reading'] else ''}"]
    names = {"failed": "failed", "timedOut": "timed out", "aborted": "aborted"}
    parts += [f"{ended[status]:,} {name}" for status, name in names.items() if ended[status]]
    if running := row["executionCounts"]["running"]:
        parts.append(f"{running:,} execution{'' if running == 1 else 's'} running")
    return ", ".join(parts)


def moment(milliseconds: int) -> datetime:
    """The time so many ms after 1970-01-01 UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def details(event: Event) -> Mapping[str, Any]:
    """The details object of an event, whatever its member is called; empty where there is none."""
    for name, value in event.items():
        if name.endswith("EventDetails"):
            return value if isinstance(value, Mapping) else {}
    return {}


def history_line(event: Event) -> str:
    """An event for people: id, time, type and its details in short.

    Example: ``"    2  12:00:00.123  TaskStateEntered  name=Pay input={"id":7}"``
    """
    time: datetime = event["timestamp"]
    parts = [f"{name}={_short(value)}" for name, value in details(event).items() if not name.endswith("Details")]
    return (
        f"{event['id']:>5}  {time:%H:%M:%S}.{time.microsecond // 1000:03d}  {event['type']}  {' '.join(parts)}".rstrip()
    )


def _short(value: Any, width: int = 200) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= width else text[:width] + "…"
