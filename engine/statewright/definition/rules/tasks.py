"""Task states: resources, callbacks, and what express state machines cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, State, strings
from statewright.lang.expression import source

_ARN = re.compile(r"arn:[\w-]*:[\w-]+:[\w-]*:[\w-]*:\S+")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]+")
_LIMITS = ("TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath")
_CONTINUE_AS_NEW = "arn:aws:states:::statewright:continueAsNew"
_WHOLE_CONTEXT = ("$$", "$$.Task")


def _waits_for_token(state: State) -> bool:
    return state.type == "Task" and (state.text("Resource") or "").endswith(".waitForTaskToken")


@rule("INVALID_RESOURCE", "error", "a Resource is neither an ARN nor the name of a handler")
def invalid_resource(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        resource = state.text("Resource")
        if state.type == "Task" and resource:
            if resource.startswith("arn:") and not _ARN.fullmatch(resource):
                hint = "an ARN has the form arn:aws:service:region:account:name"
                yield Finding(state.at("Resource"), "Value is not a valid resource ARN", hint)
            elif source(resource) is not None:
                hint = "to choose the function at run time, pass FunctionName to arn:aws:states:::lambda:invoke"
                yield Finding(state.at("Resource"), "A Resource cannot be an expression", hint)
            elif not _NAME.fullmatch(resource):
                yield Finding(state.at("Resource"), "The name of a resource has no blanks or control characters")


@rule("EXPRESS_TASK", "error", "an express state machine cannot wait for jobs, tokens or activities")
def express_task(definition: Definition) -> Iterator[Finding]:
    """Recorded: illegal_callbacks, illegal_activity_task (the blank at the end is AWS's)."""
    for state in definition.states:
        resource = state.text("Resource") or ""
        if state.type != "Task" or not state.scope.express:
            continue
        refused = None
        if re.search(r"\.sync(:[0-9]+)?$", resource):
            refused = "'.sync' service integration "
        elif resource.endswith(".waitForTaskToken"):
            refused = "'.waitForTaskToken' service integration "
        elif re.match(r"arn:[^:]*:states:[^:]*:[^:]*:activity:", resource):
            refused = "Activity ARN"
        if refused:
            yield Finding(state.at("Resource"), f"Express state machine does not support {refused}")


@rule("CONTINUE_AS_NEW", "error", "a task hands the execution over where that is not possible")
def continue_as_new(definition: Definition) -> Iterator[Finding]:
    """An addition of this engine: the task ends the execution and begins its successor in the same commit."""
    for state in definition.states:
        if state.type != "Task" or state.text("Resource") != _CONTINUE_AS_NEW:
            continue
        hint = "it ends the execution, and a fresh one of the same state machine goes on"
        if state.scope.express:
            yield Finding(state.at("Resource"), "An EXPRESS execution cannot continue as a new one", hint)
        elif state.scope.owner is not None:
            yield Finding(state.at("Resource"), "Only the execution itself can continue as a new one", hint)
        elif "Next" in state.value:
            yield Finding(state.at("Next"), "Nothing can follow a task that continues as a new execution", hint)


@rule("EXPRESS_MAP", "error", "an express state machine cannot have a distributed Map")
def express_map(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if state.distributed and state.scope.express:
            yield Finding(state.pointer, "Express state machine does not support a Map in DISTRIBUTED mode", key=True)


@rule("CALLBACK_WITHOUT_TIMEOUT", "warning", "a task waits for a token, maybe for ever")
def callback_without_timeout(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if _waits_for_token(state) and not any(name in state.value for name in _LIMITS):
            hint = "add TimeoutSeconds or HeartbeatSeconds"
            yield Finding(state.at("Resource"), "If the token never comes back, the state waits for years", hint)


@rule("TOKEN_NOT_PASSED", "warning", "a task waits for a token that it does not hand out")
def token_not_passed(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if not _waits_for_token(state):
            continue
        field = "Parameters" if state.language == "JSONPath" else "Arguments"
        texts = [text for _, text in strings(state.value.get(field), state.at(field))]
        if not any("Task.Token" in text or text in _WHOLE_CONTEXT or "$states.context" in text for text in texts):
            token = "$$.Task.Token" if state.language == "JSONPath" else "$states.context.Task.Token"
            message = f"Nothing in {field} passes the token on, so nobody can give it back"
            yield Finding(state.at("Resource"), message, f"pass {token}")
