"""Names and transitions: what a state can go to, and how the states hang together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from statewright.definition.problem import Pointer
from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, Scope, has_placeholder, text_of

MAX_NESTING = 30
"""The most scopes around a state; it is also what can be compiled."""

_MAX_NAME = 80
_COMPARED = 200
"""The most names among which a misspelt one is looked for: comparing takes 10 us each."""


def transitions(scope: Scope) -> Iterator[tuple[Pointer, str]]:
    """Everything in a scope that names a state to go to, StartAt first."""
    if isinstance(scope.value.get("StartAt"), str):
        yield (*scope.pointer, "StartAt"), scope.value["StartAt"]
    for state in scope.states.values():
        yield from state.targets()


@rule(
    "MISSING_TRANSITION_TARGET",
    "error",
    "StartAt, Next or Default names no state of its scope",
    aws="MISSING_TRANSITION_TARGET",
)
def missing_transition_target(definition: Definition) -> Iterator[Finding]:
    """AWS's text says 'Next' for StartAt and Default, too."""
    everywhere = {state.name for state in definition.states}
    for scope in definition.scopes:
        members = scope.value.get("States")
        names = members if isinstance(members, dict) else {}
        for pointer, target in transitions(scope):
            if names and target not in names and not has_placeholder(target):
                near = difflib.get_close_matches(target[:_MAX_NAME], names, n=1) if len(names) <= _COMPARED else []
                hint = f"did you mean '{near[0]}'?" if near else None
                if target in everywhere:
                    hint = "that state is in another scope: states of a branch can only go to one another"
                yield Finding(pointer, f"Missing 'Next' target: {target}", hint)


def _has_end(scope: Scope) -> bool:
    return not scope.states or any(state.terminal or not state.type for state in scope.states.values())


@rule("MISSING_END_STATE", "error", "no state of a scope ends it", aws="MISSING_END_STATE")
def missing_end_state(definition: Definition) -> Iterator[Finding]:
    for scope in definition.scopes:
        if not _has_end(scope):
            hint = 'give a state "End": true, or add a Succeed or Fail state'
            states = (*scope.pointer, "States")
            located = bool(scope.pointer)
            yield Finding(scope.pointer, "Workflow has no terminal state", hint, states, key=True, located=located)


def _is_open(scope: Scope) -> bool:
    """Whether a target is still a placeholder, so that nothing can be said about what is reached."""
    return any(has_placeholder(target) for _, target in transitions(scope))


@rule("UNREACHABLE_STATE", "error", "nothing leads to a state", aws="MISSING_TRANSITION_TARGET")
def unreachable_state(definition: Definition) -> Iterator[Finding]:
    """A state that no StartAt, Next or Default names.  AWS leaves this out where the end state is missing."""
    for scope in definition.scopes:
        if _has_end(scope) and not _is_open(scope):
            named = {target for _, target in transitions(scope)}
            for state in scope.states.values():
                if state.name not in named:
                    hint = "let another state go to it, or delete it"
                    yield Finding(state.pointer, f'State "{state.name}" is not reachable.', hint, key=True)


@rule("UNREACHABLE_ISLAND", "warning", "states lead to one another, but nothing leads to them from StartAt")
def unreachable_island(definition: Definition) -> Iterator[Finding]:
    for scope in definition.scopes:
        if _is_open(scope) or not _has_end(scope):
            continue
        named = {target for _, target in transitions(scope)}
        pending = [name for name in scope.states if name not in named]
        start = text_of(scope.value, "StartAt")
        pending.extend(target for _, target in transitions(scope) if target == start)
        reached: set[str] = set()
        while pending:
            name = pending.pop()
            if name in scope.states and name not in reached:
                reached.add(name)
                pending.extend(target for _, target in scope.states[name].targets())
        for state in scope.states.values():
            if state.name not in reached and start in scope.states:
                yield Finding(state.pointer, f'No path from StartAt leads to state "{state.name}"', key=True)


@rule("DUPLICATE_STATE_NAME", "error", "two states have the same name", aws="DUPLICATE_STATE_NAME")
def duplicate_state_name(definition: Definition) -> Iterator[Finding]:
    """Names are unique in the whole definition, nested scopes included (States Language, "States")."""
    seen: set[str] = set()
    for state in definition.states:
        if state.name in seen:
            yield Finding(state.pointer, f"The state name '{state.name}' is there more than once", key=True)
        seen.add(state.name)


@rule("INVALID_STATE_NAME", "error", "the name of a state is empty or too long", aws="INVALID_STATE_NAME")
def invalid_state_name(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if not 1 <= len(state.name) <= _MAX_NAME:
            message = f"The name of a state has 1 to {_MAX_NAME} characters, not {len(state.name)}"
            yield Finding(state.pointer, message, key=True)


@rule("TOO_DEEPLY_NESTED", "error", "states are nested too deeply", aws="TOO_DEEPLY_NESTED")
def too_deeply_nested(definition: Definition) -> Iterator[Finding]:
    depths: dict[Pointer, int] = {(): 0}
    for scope in definition.scopes:
        if scope.owner is not None:
            depths[scope.pointer] = depths[scope.owner.scope.pointer] + 1
            if depths[scope.pointer] == MAX_NESTING + 1:
                yield Finding(scope.owner.pointer, f"States are nested more than {MAX_NESTING} levels deep", key=True)


@rule("NEXT_OR_END", "error", "a state has neither or both of Next and End")
def next_or_end(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        if state.type not in ("Pass", "Task", "Wait", "Parallel", "Map"):
            continue
        if "Next" in state.value and state.value.get("End"):
            yield Finding(state.pointer, "There should only be one of the following fields: [Next, End]", key=True)
        elif "Next" not in state.value and not state.value.get("End"):
            hint = 'name the state that follows in "Next", or write "End": true'
            yield Finding(state.pointer, "One of the following fields is required: [Next, End]", hint, key=True)
