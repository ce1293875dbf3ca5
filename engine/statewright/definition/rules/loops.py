"""Loops: those that cannot be left, and those that spin."""

from __future__ import annotations

from collections.abc import Iterator

from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, Scope, State


def _loops(scope: Scope) -> Iterator[dict[str, State]]:
    """The sets of states from which each can reach each (strongly connected components), those with a cycle."""
    forward = {name: [to for _, to in state.targets() if to in scope.states] for name, state in scope.states.items()}
    backward: dict[str, list[str]] = {name: [] for name in forward}
    for name, targets in forward.items():
        for target in targets:
            backward[target].append(name)
    finished: list[str] = []
    seen: set[str] = set()
    for name in forward:
        finished.extend(_depth_first(name, forward, seen))
    order = {name: number for number, name in enumerate(forward)}
    seen.clear()
    for name in reversed(finished):
        loop = sorted(_depth_first(name, backward, seen), key=order.__getitem__)
        if len(loop) > 1 or (loop and loop[0] in forward[loop[0]]):
            yield {member: scope.states[member] for member in loop}


def _depth_first(name: str, edges: dict[str, list[str]], seen: set[str]) -> Iterator[str]:
    """The names not seen before that can be reached, each after those it leads to; without recursion."""
    if name in seen:
        return
    seen.add(name)
    pending = [(name, iter(edges[name]))]
    while pending:
        current, targets = pending[-1]
        following = next((target for target in targets if target not in seen), None)
        if following is None:
            pending.pop()
            yield current
        else:
            seen.add(following)
            pending.append((following, iter(edges[following])))


@rule("NO_WAY_OUT", "warning", "a loop has no way out")
def no_way_out(definition: Definition) -> Iterator[Finding]:
    for scope in definition.scopes:
        if not any(state.terminal for state in scope.states.values()):
            continue  # MISSING_END_STATE says so already
        for loop in _loops(scope):
            leaves = any(target not in loop for state in loop.values() for _, target in state.targets())
            if not leaves and not any(state.terminal for state in loop.values()):
                message = f"The loop {_shown(loop)} never ends: no state of it leads out"
                yield Finding(_first(loop).pointer, message, "add a Choice that leaves the loop", key=True)


@rule("BUSY_LOOP", "info", "a loop has no Wait state")
def busy_loop(definition: Definition) -> Iterator[Finding]:
    """Without a Wait a loop that polls reaches the 25,000 events of an execution within a minute."""
    for scope in definition.scopes:
        for loop in _loops(scope):
            if not any(state.type == "Wait" for state in loop.values()):
                hint = "if it polls, add a Wait; every turn adds to the history, which is limited"
                yield Finding(_first(loop).pointer, f"The loop {_shown(loop)} has no Wait state", hint, key=True)


def _first(loop: dict[str, State]) -> State:
    return next(iter(loop.values()))


def _shown(loop: dict[str, State]) -> str:
    return ", ".join(list(loop)[:4]) + (", …" if len(loop) > 4 else "")
