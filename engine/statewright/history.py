"""The event types of an execution's history, in one table, and their AWS shape (GetExecutionHistory).

The core writes events with the details' members only; what the API adds to every event of a type (the name of the
details member, `inputDetails` …) is added here, when a history is read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["DETAILS", "render"]

_STATE_TYPES: Final = ("Choice", "Fail", "Map", "Parallel", "Pass", "Succeed", "Task", "Wait")

_OWN_DETAILS: Final = (
    "ActivityFailed ActivityScheduleFailed ActivityScheduled ActivityStarted ActivitySucceeded ActivityTimedOut "
    "EvaluationFailed ExecutionAborted ExecutionFailed ExecutionRedriven ExecutionStarted ExecutionSucceeded "
    "ExecutionTimedOut LambdaFunctionFailed LambdaFunctionScheduleFailed LambdaFunctionScheduled "
    "LambdaFunctionStartFailed LambdaFunctionSucceeded LambdaFunctionTimedOut MapIterationAborted MapIterationFailed "
    "MapIterationStarted MapIterationSucceeded MapRunFailed MapRunRedriven MapRunStarted MapStateStarted TaskFailed "
    "TaskScheduled TaskStartFailed TaskStarted TaskSubmitFailed TaskSubmitted TaskSucceeded TaskTimedOut"
).split()

_NO_DETAILS: Final = (
    "LambdaFunctionStarted MapRunAborted MapRunSucceeded MapStateAborted MapStateFailed MapStateSucceeded "
    "ParallelStateAborted ParallelStateFailed ParallelStateStarted ParallelStateSucceeded TaskStateAborted "
    "WaitStateAborted"
).split()

DETAILS: Final[dict[str, str | None]] = {
    **{f"{type_}StateEntered": "stateEnteredEventDetails" for type_ in _STATE_TYPES},
    **{f"{type_}StateExited": "stateExitedEventDetails" for type_ in _STATE_TYPES if type_ != "Fail"},
    **{name: f"{name[0].lower()}{name[1:]}EventDetails" for name in _OWN_DETAILS},
    **dict.fromkeys(_NO_DETAILS),
}
"""Event type to the name of its details member; None: events of this type have no details (API model, recordings)."""

_WITH_SIZE: Final = ("input", "output", "assignedVariables")


def render(event: tuple[int, int, int, str, dict[str, Any] | None]) -> dict[str, Any]:
    """An event as GetExecutionHistory of the AWS SDK for Python shows it.

    Arguments:
        event: (id, previous id, timestamp in ms, type, details or None).

    Example: ``render((1, 0, 0, "MapStateFailed", None))["type"] == "MapStateFailed"``
    """
    id_, previous, at, type_, details = event
    shown: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(at / 1000, UTC),
        "type": type_,
        "id": id_,
        "previousEventId": previous,
    }
    member = DETAILS[type_]
    if member is not None:
        body = dict(details or {})
        for name in _WITH_SIZE:
            if name in body:
                body[f"{name}Details"] = {"truncated": False}
        shown[member] = body
    return shown
