"""Retry and Catch."""

from __future__ import annotations

import re
from collections.abc import Iterator

from statewright.definition.problem import Pointer
from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, State
from statewright.values import Json

_KNOWN = frozenset(
    f"States.{name}"
    for name in (
        "ALL BranchFailed DataLimitExceeded ExceedToleratedFailureThreshold HeartbeatTimeout Http.Socket "
        "IntrinsicFailure ItemReaderFailed NoChoiceMatched ParameterPathFailure Permissions QueryEvaluationError "
        "ResultPathMatchFailure ResultWriterFailed Runtime TaskFailed Timeout"
    ).split()
)
_HTTP_STATUS = re.compile(r"States\.Http\.StatusCode\.[1-5][0-9]{2}")


def _entries(state: State) -> Iterator[tuple[str, Pointer, dict[str, Json], list[str]]]:
    """Field, pointer, value and error names of every retrier and catcher."""
    for field in ("Retry", "Catch"):
        for pointer, row in state.rows(field):
            names = row.get("ErrorEquals")
            if isinstance(names, list):
                yield field, pointer, row, [name if isinstance(name, str) else "" for name in names]


@rule("STATES_ALL", "error", "States.ALL does not stand alone in the last retrier or catcher")
def states_all(definition: Definition) -> Iterator[Finding]:
    """States Language, "Errors": it MUST appear alone, and in the last entry."""
    for state in definition.states:
        for field, pointer, _, names in _entries(state):
            if "States.ALL" in names:
                at = (*pointer, "ErrorEquals", names.index("States.ALL"))
                if len(names) > 1:
                    yield Finding((*pointer, "ErrorEquals"), "States.ALL must be alone in its list", at=at)
                if pointer[-1] != len(state.value[field]) - 1:
                    message = f"States.ALL must be in the last entry of {field}"
                    yield Finding((*pointer, "ErrorEquals"), message, "the entries after it are never used", at)


@rule("RETRY_DELAY", "error", "MaxDelaySeconds is not greater than IntervalSeconds")
def retry_delay(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, row in state.rows("Retry"):
            longest, interval = row.get("MaxDelaySeconds"), row.get("IntervalSeconds", 1)
            if type(longest) is int and type(interval) is int and longest <= interval:
                message = f"MaxDelaySeconds ({longest}) must be greater than IntervalSeconds ({interval})"
                yield Finding((*pointer, "MaxDelaySeconds"), message)


@rule("UNKNOWN_ERROR_NAME", "warning", "there is no such error among those of the States Language")
def unknown_error_name(definition: Definition) -> Iterator[Finding]:
    """Names that begin with ``States.`` are reserved: only the engine raises them."""
    for state in definition.states:
        for _, pointer, _, names in _entries(state):
            for index, name in enumerate(names):
                if name.startswith("States.") and name not in _KNOWN and not _HTTP_STATUS.fullmatch(name):
                    yield Finding((*pointer, "ErrorEquals", index), f"No error is called {name}")


@rule("SHADOWED_ERROR", "warning", "an earlier retrier or catcher takes an error already")
def shadowed_error(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        seen: set[tuple[str, str]] = set()
        for field, pointer, _, names in _entries(state):
            for index, name in enumerate(names):
                if (field, name) in seen:
                    message = f"{name} is taken by an earlier entry of {field}; this one is never used for it"
                    yield Finding((*pointer, "ErrorEquals", index), message)
                seen.add((field, name))


@rule("CATCH_REPLACES_INPUT", "info", "a catcher without ResultPath drops the state's input")
def catch_replaces_input(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, row in state.rows("Catch") if state.language == "JSONPath" else ():
            if "ResultPath" not in row:
                hint = 'to keep the input, add for example "ResultPath": "$.error"'
                message = "The error replaces the whole input of the next state"
                yield Finding(pointer, message, hint)
