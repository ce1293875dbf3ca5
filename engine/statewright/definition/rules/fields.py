"""Which fields go together, and which belong to which query language."""

from __future__ import annotations

from collections.abc import Iterator

from statewright.definition.problem import Pointer
from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, State, has_placeholder
from statewright.lang.timestamps import parse_timestamp
from statewright.values import Json

JSONPATH_FIELDS = frozenset(
    "InputPath OutputPath Parameters ResultSelector ResultPath Result ItemsPath TimeoutSecondsPath SecondsPath "
    "HeartbeatSecondsPath TimestampPath ErrorPath CausePath MaxConcurrencyPath ToleratedFailureCountPath MaxItemsPath "
    "ToleratedFailurePercentagePath MaxItemsPerBatchPath MaxInputBytesPerBatchPath Variable And Or Not".split()
)
"""The fields that only states in JSONPath have."""

EXPRESSION_FIELDS = frozenset({"Arguments", "Output", "Items", "Condition"})
"""The fields that only states in JSONata or JMESPath have."""

_EXCLUSIVE = (
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("Iterator", "ItemProcessor"),
    ("MaxItems", "MaxItemsPath"),
    ("MaxItemsPerBatch", "MaxItemsPerBatchPath"),
    ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"),
)
NUMBERS = frozenset(
    "Seconds TimeoutSeconds HeartbeatSeconds MaxConcurrency ToleratedFailureCount ToleratedFailurePercentage MaxItems "
    "MaxItemsPerBatch MaxInputBytesPerBatch".split()
)
"""The fields that are numbers."""

_WAITS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")


def parts(state: State) -> Iterator[tuple[Pointer, dict[str, Json]]]:
    """The state and the objects in it whose fields depend on the query language, each with its pointer."""
    yield state.pointer, state.value
    for pointer, rule_value, _ in state.rules():
        yield pointer, rule_value
    yield from state.rows("Catch")
    for name in ("ItemReader", "ItemBatcher", "ResultWriter"):
        yield state.at(name), state.part(name)
    config = state.part("ItemReader").get("ReaderConfig")
    if isinstance(config, dict):
        yield state.at("ItemReader", "ReaderConfig"), config


@rule("WRONG_LANGUAGE", "error", "a field belongs to the other query language")
def wrong_language(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        jsonpath = state.language == "JSONPath"
        refused, owner = (EXPRESSION_FIELDS, "JSONata") if jsonpath else (JSONPATH_FIELDS, "JSONPath")
        for pointer, value in parts(state):
            for name in value:
                if name in refused:
                    message = (
                        f"The QueryLanguage is set to '{state.language}', but field '{name}' is only supported for "
                        f"the '{owner}' QueryLanguage"
                    )
                    yield Finding(pointer, message, at=(*pointer, name), key=True)


@rule("LANGUAGE_DOWNGRADE", "error", "a state goes back to JSONPath")
def language_downgrade(definition: Definition) -> Iterator[Finding]:
    """Recorded: INVALID_DOWNGRADE_QUERY_LANGUAGE."""
    whole = definition.scopes[0].language if definition.scopes else "JSONPath"
    for pointer, value in definition.owners if whole != "JSONPath" else ():
        if value.get("QueryLanguage") == "JSONPath":
            message = f"'QueryLanguage' can not be 'JSONPath' if set to '{whole}' for whole state machine"
            yield Finding(pointer, message, at=(*pointer, "QueryLanguage"))


@rule("MISPLACED_LANGUAGE", "warning", "QueryLanguage is written among the states")
def misplaced_language(definition: Definition) -> Iterator[Finding]:
    for scope in definition.scopes:
        members = scope.value.get("States")
        if isinstance(members, dict) and isinstance(members.get("QueryLanguage"), str):
            pointer = (*scope.pointer, "States", "QueryLanguage")
            yield Finding(pointer, "QueryLanguage belongs beside States, not among them", key=True)


@rule("EXPRESSION_FOR_NUMBER", "error", "a state in JSONPath has an expression where a number belongs")
def expression_for_number(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, value in parts(state) if state.language == "JSONPath" else ():
            for name in NUMBERS.intersection(value):
                if isinstance(value[name], str) and not has_placeholder(value[name]):
                    hint = f"expressions need the query language JSONata; in JSONPath use {name}Path"
                    yield Finding((*pointer, name), "Expected value of type Integer", hint)


@rule("EXCLUSIVE_FIELDS", "error", "two fields exclude one another")
def exclusive_fields(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        pairs = (*_EXCLUSIVE, ("Parameters", "ItemSelector")) if state.type == "Map" else _EXCLUSIVE
        for pointer, value in parts(state):
            for pair in pairs:
                if all(name in value for name in pair):
                    message = f"There should only be one of the following fields: [{', '.join(pair)}]"
                    yield Finding(pointer, message, at=(*pointer, pair[1]), key=True)


@rule("CREDENTIALS_PATH", "error", "a role is given by a path in a state that has none")
def credentials_path(definition: Definition) -> Iterator[Finding]:
    """Outside JSONPath RoleArn.$ is a name like any other, so that RoleArn is missing (recorded for other names)."""
    for state in definition.states:
        credentials = state.part("Credentials")
        if state.language != "JSONPath" and "RoleArn.$" in credentials and "RoleArn" not in credentials:
            hint = 'write "RoleArn": "{% … %}"'
            at = state.at("Credentials", "RoleArn.$")
            yield Finding(
                state.at("Credentials"), "The field 'RoleArn' is required but was missing", hint, at, key=True
            )


@rule("WAIT_FIELDS", "error", "a Wait state has none or several of its four fields")
def wait_fields(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        given = [name for name in _WAITS if name in state.value]
        if state.type == "Wait" and len(given) != 1:
            if given:
                message = f"There should only be one of the following fields: [{', '.join(given)}]"
            else:
                message = f"One of the following fields is required: [{', '.join(_WAITS)}]"
            yield Finding(state.pointer, message, key=True)


@rule("BAD_TIMESTAMP", "error", "a literal time is not an RFC 3339 timestamp")
def bad_timestamp(definition: Definition) -> Iterator[Finding]:
    """Recorded: wait_timestamp_invalid.  An expression in a JSONPath state is no timestamp either."""
    for state in definition.states:
        if state.language != "JSONPath":
            continue
        for pointer, value in parts(state):
            for name, text in value.items():
                literal = name.startswith("Timestamp") and not name.endswith("Path") and isinstance(text, str)
                if literal and not has_placeholder(text) and parse_timestamp(text) is None:
                    hint = "write it as 2030-01-31T12:00:00Z"
                    yield Finding((*pointer, name), "String does not match RFC3339 timestamp", hint)


@rule("HEARTBEAT_TOO_LONG", "error", "HeartbeatSeconds is not less than TimeoutSeconds")
def heartbeat_too_long(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        heartbeat, timeout = state.value.get("HeartbeatSeconds"), state.value.get("TimeoutSeconds")
        if type(heartbeat) is int and type(timeout) is int and heartbeat >= timeout:
            message = f"HeartbeatSeconds ({heartbeat}) must be less than TimeoutSeconds ({timeout})"
            yield Finding(state.at("HeartbeatSeconds"), message)
