"""Pictures of a definition, as text for Mermaid and Graphviz.

Whatever the user has written only ever appears inside quoted labels, character by character escaped; nodes have names
of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from statewright import values
from statewright.definition.problem import Pointer, visible
from statewright.definition.scopes import Definition, Scope, State
from statewright.values import Json

__all__ = ["dot", "mermaid"]

_LABEL = 60
"""The most characters of a label."""

_SHAPES = {
    "Task": ('["', '"]', "box"),
    "Pass": ('("', '")', "box"),
    "Choice": ('{"', '"}', "diamond"),
    "Wait": ('(["', '"])', "box"),
    "Succeed": ('(("', '"))', "circle"),
    "Fail": ('(("', '"))', "circle"),
}
"""By state type: the brackets of Mermaid and the shape of Graphviz.  Parallel and Map are boxes around others."""

_COLOURS = {
    "RUNNING": "#cfe3ff",
    "SUCCEEDED": "#cdeccf",
    "FAILED": "#f6c9c9",
    "CAUGHT": "#fbe3bd",
    "ABORTED": "#dddddd",
    "TIMED_OUT": "#f6c9c9",
}
"""By status: the colour of a state."""

_ORDERS = (
    ("LessThanEquals", "<="),
    ("GreaterThanEquals", ">="),
    ("LessThan", "<"),
    ("GreaterThan", ">"),
    ("Equals", "=="),
    ("Matches", "matches"),
)


@dataclass(frozen=True, slots=True)
class _Edge:
    source: str
    target: str
    label: str
    dotted: bool = False


class _Picture:
    """The names of the nodes and the edges of a definition."""

    def __init__(self, definition: Json) -> None:
        self.definition = Definition(definition)
        self.names = {state.pointer: f"s{number}" for number, state in enumerate(self.definition.states)}
        self.scopes = {scope.pointer: f"c{number}" for number, scope in enumerate(self.definition.scopes)}
        self._inside: dict[Pointer, list[Scope]] = {}
        for scope in self.definition.scopes:
            if scope.owner is not None:
                self._inside.setdefault(scope.owner.pointer, []).append(scope)

    @property
    def top(self) -> list[Scope]:
        """The whole machine; nothing if the definition is not an object."""
        return self.definition.scopes[:1]

    def inside(self, state: State) -> list[Scope]:
        """The scopes inside a state."""
        return self._inside.get(state.pointer, [])

    def edges(self, scope: Scope) -> Iterator[_Edge]:
        """The transitions of a scope, from its start to its end."""
        frame = self.scopes[scope.pointer]
        start = scope.value.get("StartAt")
        if isinstance(start, str) and start in scope.states:
            yield _Edge(f"{frame}start", self.names[scope.states[start].pointer], "")
        for state in scope.states.values():
            source = self.names[state.pointer]
            for label, target, dotted in _transitions(state):
                if target in scope.states:
                    yield _Edge(source, self.names[scope.states[target].pointer], label, dotted)
            if state.value.get("End") is True:
                yield _Edge(source, f"{frame}end", "")

    def ends(self, scope: Scope) -> bool:
        """Whether a state of the scope has ``"End": true``."""
        return any(state.value.get("End") is True for state in scope.states.values())


def mermaid(definition: Json, statuses: Mapping[str, str] | None = None) -> str:
    """A Mermaid flowchart: Parallel and Map are boxes around their states, catchers dotted arrows.

    Arguments: the definition as JSON values (it need not be valid: what makes no sense is left out); for an execution
    the status of each state by name, one of RUNNING, SUCCEEDED, FAILED, CAUGHT, ABORTED, TIMED_OUT.

    Example: ``mermaid({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}).startswith("flowchart TD")``
    """
    picture = _Picture(definition)
    rows = ["flowchart TD"]
    for scope in picture.top:
        rows.extend(_mermaid_scope(picture, scope, "  "))
    for status, colour in _COLOURS.items():
        names = [
            picture.names[state.pointer] for state in picture.definition.states if _status(state, statuses) == status
        ]
        if names:
            rows.append(f"  classDef {status.lower()} fill:{colour}")
            rows.append(f"  class {','.join(names)} {status.lower()}")
    return "\n".join(rows) + "\n"


def _mermaid_scope(picture: _Picture, scope: Scope, indent: str) -> Iterator[str]:
    frame = picture.scopes[scope.pointer]
    yield f"{indent}{frame}start(( ))"
    for state in scope.states.values():
        name, label = picture.names[state.pointer], _mermaid_text(state.name)
        inside = picture.inside(state)
        if not inside:
            left, right, _ = _SHAPES.get(state.type, _SHAPES["Pass"])
            yield f"{indent}{name}{left}{label}{right}"
            continue
        yield f'{indent}subgraph {name}["{label} ({_mermaid_text(state.type)})"]'
        for inner in inside:
            yield f'{indent}  subgraph {picture.scopes[inner.pointer]}[" "]'
            yield from _mermaid_scope(picture, inner, indent + "    ")
            yield f"{indent}  end"
        yield f"{indent}end"
    if picture.ends(scope):
        yield f"{indent}{frame}end((( )))"
    for edge in picture.edges(scope):
        arrow = "-.->" if edge.dotted else "-->"
        text = f'|"{_mermaid_text(edge.label)}"|' if edge.label else ""
        yield f"{indent}{edge.source} {arrow}{text} {edge.target}"


def _mermaid_text(text: str) -> str:
    """Text for a quoted label: all but letters, digits and a few marks as entity codes such as ``#35;``."""
    return re.sub(r"[^\w .,:=-]", lambda match: f"#{ord(match.group())};", _short(text)) or "#8203;"


def dot(definition: Json, statuses: Mapping[str, str] | None = None) -> str:
    """A Graphviz digraph: Parallel and Map are clusters around their states, catchers dashed arrows.

    Arguments: as for `mermaid`.

    Example: ``dot({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}).startswith("digraph statewright {")``
    """
    picture = _Picture(definition)
    rows = ["digraph statewright {", '  node [fontname="sans-serif"];', '  edge [fontname="sans-serif", fontsize=10];']
    for scope in picture.top:
        rows.extend(_dot_scope(picture, scope, statuses, "  "))
    return "\n".join([*rows, "}"]) + "\n"


def _dot_scope(picture: _Picture, scope: Scope, statuses: Mapping[str, str] | None, indent: str) -> Iterator[str]:
    frame = picture.scopes[scope.pointer]
    yield f'{indent}{frame}start [shape=point, label=""];'
    for state in scope.states.values():
        name, inside = picture.names[state.pointer], picture.inside(state)
        colour = _COLOURS.get(_status(state, statuses) or "")
        fill = f', style=filled, fillcolor="{colour}"' if colour else ""
        shape = _SHAPES.get(state.type, _SHAPES["Pass"])[2]
        if not inside:
            yield f'{indent}{name} [shape={shape}, label="{_dot_text(state.name)}"{fill}];'
            continue
        yield f"{indent}subgraph cluster_{name} {{"
        yield f'{indent}  {name} [shape=plaintext, label="{_dot_text(state.name)} ({_dot_text(state.type)})"{fill}];'
        for inner in inside:
            yield f"{indent}  subgraph cluster_{picture.scopes[inner.pointer]} {{"
            yield from _dot_scope(picture, inner, statuses, indent + "    ")
            yield f"{indent}  }}"
        yield f"{indent}}}"
    if picture.ends(scope):
        yield f'{indent}{frame}end [shape=doublecircle, label="", width=0.15];'
    for edge in picture.edges(scope):
        style = ", style=dashed" if edge.dotted else ""
        yield f'{indent}{edge.source} -> {edge.target} [label="{_dot_text(edge.label)}"{style}];'


def _dot_text(text: str) -> str:
    return _short(text).replace("\\", "\\\\").replace('"', '\\"')


def _short(text: str) -> str:
    shown = visible(text[:_LABEL])
    return shown if len(text) <= _LABEL else f"{shown}…"


def _status(state: State, statuses: Mapping[str, str] | None) -> str | None:
    return statuses.get(state.name) if statuses else None


def _transitions(state: State) -> Iterator[tuple[str, str, bool]]:
    """Label and target of every way out of a state, and whether it is taken after an error."""
    rows = {(*pointer, "Next"): (field, row) for field in ("Choices", "Catch") for pointer, row in state.rows(field)}
    for pointer, target in state.targets():
        field, row = rows.get(pointer, ("", {}))
        if field == "Choices":
            yield _condition(row), target, False
        elif field == "Catch":
            names = row.get("ErrorEquals")
            yield ", ".join(map(str, names)) if isinstance(names, list) else "", target, True
        else:
            yield "otherwise" if pointer[-1] == "Default" else "", target, False


def _condition(rule: dict[str, Json]) -> str:
    """A choice rule in a few words, e.g. ``$.total > 100``."""
    if isinstance(rule.get("Condition"), str | bool):
        return str(rule["Condition"]).removeprefix("{%").removesuffix("%}").strip()
    for name, word in (("And", " and "), ("Or", " or ")):
        if isinstance(rule.get(name), list):
            return word.join(_operand(part) for part in rule[name][:4])
    if "Not" in rule:
        return f"not {_operand(rule['Not'])}"
    return _comparison(rule)


def _operand(rule: Json) -> str:
    """A rule inside another; what is nested more deeply is only hinted at."""
    nested = isinstance(rule, dict) and any(name in rule for name in ("And", "Or", "Not"))
    return "(…)" if nested or not isinstance(rule, dict) else _comparison(rule)


def _comparison(rule: dict[str, Json]) -> str:
    variable = str(rule.get("Variable", ""))
    for name, operand in rule.items():
        plain = name.removesuffix("Path")
        if name.startswith("Is"):
            return f"{variable} is {'' if operand else 'not '}{name[2:].lower()}"
        for ending, sign in _ORDERS:
            if plain.endswith(ending):
                shown = operand if plain != name else values.encode(operand)
                return f"{variable} {sign} {shown}"
    return variable or "…"
