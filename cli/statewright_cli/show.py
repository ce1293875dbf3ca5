"""The engine's answers as rows: for JSON with the member names of the Step Functions API, for people as lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statewright import Description, MachineRecord

__all__ = ["Event", "Row", "execution_row", "history_line", "machine_row", "moment"]

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
        "name": execution.name,
        "status": description.status,
        "startDate": moment(execution.started_at),
        "stopDate": None if description.stopped_at is None else moment(description.stopped_at),
        "error": description.error,
        "cause": description.cause,
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
