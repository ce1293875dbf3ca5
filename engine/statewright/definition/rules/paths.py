"""Paths and payload templates of states in JSONPath."""

from __future__ import annotations

import re
from collections.abc import Iterator

from statewright.definition.problem import Pointer
from statewright.definition.rules.fields import parts
from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, State, has_placeholder, strings
from statewright.lang.intrinsics import compile_intrinsic
from statewright.lang.jsonpath import PathSyntaxError, compile_path
from statewright.values import Json

_NUMBER_PATHS = frozenset(
    "MaxConcurrencyPath ToleratedFailureCountPath ToleratedFailurePercentagePath MaxItemsPath MaxItemsPerBatchPath "
    "MaxInputBytesPerBatchPath".split()
)
_REFERENCES = (
    _NUMBER_PATHS
    | {"ItemsPath", "ResultPath", "TimeoutSecondsPath", "HeartbeatSecondsPath", "SecondsPath", "TimestampPath"}
    | {"ErrorPath", "CausePath"}
)
_TEXT_FUNCTIONS = frozenset(
    f"States.{name}" for name in "Format JsonToString ArrayGetItem Base64Encode Base64Decode Hash UUID".split()
)
"""The intrinsic functions that ErrorPath and CausePath may call (AWS documentation, Fail state)."""
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign", "BatchInput", "Credentials")
_LOOKS_LIKE_PATH = re.compile(r"\$(\$?(\.[\w@['\"*]|\[).*)?|\$\$|States\.[A-Z][A-Za-z0-9]+\(.*\)", re.DOTALL)


def _paths(state: State) -> Iterator[tuple[Pointer, str, str]]:
    """Pointer, field and text of everything that must be a path."""
    for pointer, value in parts(state):
        for name, text in value.items():
            if (name == "Variable" or name.endswith("Path")) and isinstance(text, str) and not has_placeholder(text):
                yield (*pointer, name), name, text


def _fault(text: str, intrinsic: bool) -> PathSyntaxError | None:
    """What is wrong with a path, or with an intrinsic function where one is allowed."""
    try:
        if intrinsic and text.startswith("States."):
            compile_intrinsic(text)
        else:
            compile_path(text)
    except PathSyntaxError as error:
        return error
    return None


@rule("INVALID_PATH", "error", "a path cannot be read")
def invalid_path(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, name, text in _paths(state) if state.language == "JSONPath" else ():
            call = name in ("ErrorPath", "CausePath") and text.startswith("States.")
            fault = _fault(text, intrinsic=call)
            if call and not fault and compile_intrinsic(text).functions[0] not in _TEXT_FUNCTIONS:
                fault = PathSyntaxError("an error and its cause are text: only functions that give text can be used")
            if fault:
                yield Finding(pointer, "Value is not a valid JSONPath", fault.message, offset=fault.position)


@rule("NOT_A_REFERENCE_PATH", "error", "a path must name exactly one place and does not")
def not_a_reference_path(definition: Definition) -> Iterator[Finding]:
    """States Language, "Reference Paths"; that numbers of a Map cannot come from the context is AWS's rule."""
    for state in definition.states:
        for pointer, name, text in _paths(state) if state.language == "JSONPath" else ():
            if name not in _REFERENCES or _fault(text, intrinsic=False):
                continue
            path = compile_path(text)
            hint = None
            if name == "ResultPath" and path.root != "$":
                hint = "a result can only be put into the input: begin with $"
            elif name in _NUMBER_PATHS and path.root == "$$":
                hint = "the context object cannot be used here"
            elif not path.is_reference:
                hint = "only names and indexes are allowed: no wildcards, slices, filters or .."
            if hint:
                yield Finding(pointer, "Value is not a Reference Path", hint)


def _templates(state: State) -> Iterator[tuple[Pointer, Json]]:
    """Pointer and value of the payload templates of a state."""
    if state.language == "JSONPath":
        for pointer, value in parts(state):
            for name in _TEMPLATES:
                if name in value:
                    yield (*pointer, name), value[name]


def _objects(pointer: Pointer, value: Json) -> Iterator[tuple[Pointer, dict[str, Json]]]:
    """Every object in a template, at any depth, with its pointer."""
    pending = [(pointer, value)]
    while pending:
        place, part = pending.pop()
        if isinstance(part, dict):
            yield place, part
            pending.extend(((*place, name), member) for name, member in part.items())
        elif isinstance(part, list):
            pending.extend(((*place, index), member) for index, member in enumerate(part))


@rule("INVALID_TEMPLATE", "error", "a field whose name ends in .$ holds neither a path nor an intrinsic function")
def invalid_template(definition: Definition) -> Iterator[Finding]:
    """Recorded: illegal_escapes."""
    for state in definition.states:
        for template, value in _templates(state):
            for pointer, members in _objects(template, value):
                for name, text in members.items():
                    if not name.endswith(".$") or has_placeholder(text):
                        continue
                    fault = _fault(text, intrinsic=True) if isinstance(text, str) else None
                    if fault or not isinstance(text, str):
                        message = f"The value for the field '{name}' must be a valid JSONPath"
                        message += " or a valid intrinsic function call"
                        at, hint = (*pointer, name), fault.message if fault else None
                        yield Finding(pointer, message, hint, at, offset=fault.position if fault else None)


@rule("DUPLICATE_TEMPLATE_FIELD", "error", "a template has a field both with and without .$")
def duplicate_template_field(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for template, value in _templates(state):
            for pointer, members in _objects(template, value):
                for name in members:
                    if name.endswith(".$") and name[:-2] in members:
                        message = f"The field '{name[:-2]}' is there twice: with and without '.$'"
                        yield Finding(pointer, message, at=(*pointer, name), key=True)


@rule("NO_DOLLAR", "warning", "a value looks like a path, but its name does not end in .$", aws="NO_DOLLAR")
def no_dollar(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for template, value in _templates(state):
            for pointer, text in strings(value, template):
                name = pointer[-1]
                if isinstance(name, str) and not name.endswith(".$") and _LOOKS_LIKE_PATH.fullmatch(text):
                    message = f"The value of '{name}' looks like a path, but it is passed on as text"
                    yield Finding(pointer, message, f"to evaluate it, call the field '{name}.$'")


@rule("NO_PATH", "warning", "a value looks like a path, but its name does not end in Path", aws="NO_PATH")
def no_path(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for pointer, value in parts(state) if state.language == "JSONPath" else ():
            for name, text in value.items():
                literal = name in ("Error", "Cause") or name.startswith(("String", "Timestamp"))
                if literal and not name.endswith("Path") and isinstance(text, str) and _LOOKS_LIKE_PATH.fullmatch(text):
                    message = f"The value of '{name}' looks like a path, but it is taken as text"
                    yield Finding((*pointer, name), message, f"to evaluate it, call the field '{name}Path'")


@rule("PASS_RESULT_IS_STATIC", "warning", "a path in the Result of a Pass state", aws="PASS_RESULT_IS_STATIC")
def pass_result_is_static(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if state.type == "Pass" and state.language == "JSONPath":
            for pointer, text in strings(state.value.get("Result"), state.at("Result")):
                if _LOOKS_LIKE_PATH.fullmatch(text):
                    message = "Result is passed on as it is: paths in it are not evaluated"
                    yield Finding(pointer, message, "use Parameters, with names that end in .$")
