"""A definition seen as scopes and states, with places: what the rules of the linter look at.

Nothing here trusts the shape of the document: what has the wrong type is reported by the schema and left out here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from statewright.definition.problem import Pointer
from statewright.values import Json

__all__ = ["Definition", "Scope", "State", "Target", "has_placeholder", "strings", "text_of"]

Target: TypeAlias = Literal["statewright", "aws"]
"""What a definition is to run on: this engine, with its additions to the language, or AWS, which has none of them."""


@dataclass(frozen=True, slots=True)
class State:
    """A state: its name, its value (an object), its pointer, the scope it belongs to, its type and query language."""

    name: str
    value: dict[str, Json]
    pointer: Pointer
    scope: Scope = field(repr=False)
    type: str
    language: str

    def at(self, *steps: str | int) -> Pointer:
        """The pointer of something inside the state."""
        return (*self.pointer, *steps)

    def text(self, name: str) -> str | None:
        """The text in the field `name`; None if there is none, or a placeholder that is not filled in yet."""
        return text_of(self.value, name)

    def rows(self, name: str) -> Iterator[tuple[Pointer, dict[str, Json]]]:
        """Pointer and value of the objects in the array `name`, e.g. of the catchers in ``Catch``."""
        rows = self.value.get(name)
        for index, row in enumerate(rows if isinstance(rows, list) else []):
            if isinstance(row, dict):
                yield self.at(name, index), row

    def part(self, name: str) -> dict[str, Json]:
        """The object in the field `name`; an empty one if there is none."""
        value = self.value.get(name)
        return value if isinstance(value, dict) else {}

    @property
    def processor(self) -> str:
        """The name that a Map has for its ItemProcessor, whose legacy name is Iterator."""
        return "ItemProcessor" if "ItemProcessor" in self.value else "Iterator"

    @property
    def processor_config(self) -> dict[str, Json]:
        """The ProcessorConfig of a Map; an empty object if there is none."""
        config = (self.part("ItemProcessor") or self.part("Iterator")).get("ProcessorConfig")
        return config if isinstance(config, dict) else {}

    @property
    def distributed(self) -> bool:
        """Whether it is a Map in DISTRIBUTED mode."""
        return self.type == "Map" and self.processor_config.get("Mode") == "DISTRIBUTED"

    def targets(self) -> Iterator[tuple[Pointer, str]]:
        """Pointer and text of all that names a state to go to: Next, Default, the Next of rules and catchers."""
        for name in ("Next", "Default"):
            if isinstance(self.value.get(name), str):
                yield self.at(name), self.value[name]
        for name in ("Choices", "Catch"):
            for pointer, row in self.rows(name):
                if isinstance(row.get("Next"), str):
                    yield (*pointer, "Next"), row["Next"]

    @property
    def terminal(self) -> bool:
        """Whether a scope can end with it."""
        return self.type in ("Succeed", "Fail") or bool(self.value.get("End"))

    def rules(self) -> Iterator[tuple[Pointer, dict[str, Json], bool]]:
        """Pointer and value of every choice rule, also those inside And, Or and Not, and whether it is one of those."""
        pending = deque((pointer, row, False) for pointer, row in self.rows("Choices"))
        while pending:
            pointer, row, nested = pending.popleft()
            yield pointer, row, nested
            for name in ("And", "Or"):
                parts = row.get(name)
                for index, part in enumerate(parts if isinstance(parts, list) else []):
                    if isinstance(part, dict):
                        pending.append(((*pointer, name, index), part, True))
            if isinstance(row.get("Not"), dict):
                pending.append(((*pointer, "Not"), row["Not"], True))


@dataclass(frozen=True, slots=True)
class Scope:
    """States that can go to one another: the whole machine, a branch of a Parallel, the processor of a Map.

    Arguments: its value; its pointer; the state it is inside of, None for the whole machine; its query language;
    whether it runs in an EXPRESS execution; its states by name.
    """

    value: dict[str, Json]
    pointer: Pointer
    owner: State | None
    language: str
    express: bool
    states: dict[str, State] = field(default_factory=dict, repr=False)


class Definition:
    """All scopes and states of a definition, outermost first, in the order in which they are written.

    Arguments: the document; whether its executions are of type EXPRESS; what it is to run on; its syntax.

    Example: ``[state.name for state in Definition(load(text).value).states]``
    """

    def __init__(
        self,
        value: Json,
        express: bool = False,
        target: Target = "statewright",
        syntax: Literal["yaml", "json"] = "json",
    ) -> None:
        self.value = value
        self.target = target
        self.syntax = syntax
        self.scopes: list[Scope] = []
        self.states: list[State] = []
        if isinstance(value, dict):
            pending = deque([Scope(value, (), None, _language(value, "JSONPath"), express)])
            while pending:
                pending.extend(self._grow(pending.popleft()))

    @property
    def owners(self) -> Iterator[tuple[Pointer, dict[str, Json]]]:
        """Pointer and value of every scope and state: what can have a QueryLanguage."""
        yield from ((scope.pointer, scope.value) for scope in self.scopes)
        yield from ((state.pointer, state.value) for state in self.states)

    def _grow(self, scope: Scope) -> Iterator[Scope]:
        """Add a scope and its states; the scopes inside them."""
        self.scopes.append(scope)
        members = scope.value.get("States")
        for name, member in (members if isinstance(members, dict) else {}).items():
            if isinstance(member, dict):
                kind = member.get("Type")
                kind = kind if isinstance(kind, str) else ""
                language = _language(member, scope.language)
                state = State(name, member, (*scope.pointer, "States", name), scope, kind, language)
                scope.states[name] = state
                self.states.append(state)
                yield from _inner(state)


def _inner(state: State) -> Iterator[Scope]:
    """The scopes inside a state.  They inherit the language of the scope around it, not that of the state itself."""
    outer = state.scope
    for pointer, branch in state.rows("Branches"):
        yield Scope(branch, pointer, state, _language(branch, outer.language), outer.express)
    for name in ("ItemProcessor", "Iterator"):
        if isinstance(state.value.get(name), dict):
            express = state.processor_config.get("ExecutionType") == "EXPRESS" if state.distributed else outer.express
            inner = state.value[name]
            yield Scope(inner, state.at(name), state, _language(inner, outer.language), express)


def _language(value: dict[str, Json], inherited: str) -> str:
    """The query language of a scope or state.

    A published AWS sample has the QueryLanguage of the machine among its States.  It can only mean one thing, so it is
    understood (and MISPLACED_LANGUAGE warns).
    """
    members = value.get("States")
    misplaced = members.get("QueryLanguage") if isinstance(members, dict) else None
    language = value.get("QueryLanguage", misplaced)
    return language if isinstance(language, str) else inherited


def has_placeholder(value: Json) -> bool:
    """Whether `value` is text with a ``${placeholder}``, which a deployment tool fills in before it is used."""
    return isinstance(value, str) and "${" in value


def text_of(value: dict[str, Json], name: str) -> str | None:
    """The text in the field `name` of an object; None if there is none, or a placeholder that is not filled in yet."""
    found = value.get(name)
    return found if isinstance(found, str) and not has_placeholder(found) else None


def strings(value: Json, pointer: Pointer) -> Iterator[tuple[Pointer, str]]:
    """Every string in a value, at any depth, with its pointer."""
    pending: list[tuple[Pointer, Json]] = [(pointer, value)]
    while pending:
        place, part = pending.pop()
        if isinstance(part, str):
            yield place, part
        elif isinstance(part, dict):
            pending.extend(((*place, name), member) for name, member in part.items())
        elif isinstance(part, list):
            pending.extend(((*place, index), member) for index, member in enumerate(part))
