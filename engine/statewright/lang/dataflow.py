"""What a state does with data, whatever its query language.

A state type is compiled against `Language` and never learns which one it has: each language has one maker that turns
its own fields into these functions (JSONPath: InputPath, Parameters, ResultSelector, ResultPath, OutputPath;
JSONata and JMESPath: Arguments, Output).

Every function gets the scope of the state, in which `$` is the state's raw input, and, where it says so, the
effective input (JSONPath: after InputPath) or the state's result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from statewright.lang.scope import Scope
from statewright.values import Json

__all__ = ["Assign", "Catch", "Dataflow", "Items", "Language", "Rule", "Value", "takes_object", "whole_text"]

Assign = Callable[[Scope, Json], Mapping[str, Json]]
"""(scope, what `$` means here) to the variables to be assigned."""

Value = Callable[[Scope, Json], Any]
"""(scope, effective input) to the value of a field; raises StatesError where it is not of the right kind."""

Items = Callable[[Scope, Json], tuple[list[Json], list[str] | None]]
"""(scope, effective input) to a Map's items, and their names where an object is mapped over."""


def whole_text(text: str) -> int | None:
    """The whole number that a text writes, None if it writes none.  Example: ``whole_text("15000") == 15000``"""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


def takes_object(spec: Mapping[str, Any]) -> bool:
    """Whether a Map state takes the members of an object for its items.

    An inline one does not (recorded in both languages: state_map_context_object_EXECUTION_INPUT,
    map_state_items_input_types); a distributed one does (AWS documentation of 2025, which says so of both).

    Example: ``takes_object({"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}})``
    """
    processor = spec.get("ItemProcessor", spec.get("Iterator", {}))
    return bool(processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED")


@dataclass(frozen=True, slots=True)
class Dataflow:
    """The data side of a state.

    Arguments:
        effective: raw input to effective input.
        arguments: (scope, effective input) to the arguments of the state's work.
        output: (scope, result) to the state's output.
        assign: (scope, result) to assigned variables, or None where the state has no Assign.
    """

    effective: Callable[[Scope], Json]
    arguments: Callable[[Scope, Json], Json]
    output: Callable[[Scope, Json], Json]
    assign: Assign | None


@dataclass(frozen=True, slots=True)
class Catch:
    """The data side of a catcher: (scope, Error Output) to output and variables."""

    output: Callable[[Scope, Json], Json]
    assign: Assign | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A Choice rule: its condition over (scope, effective input), and what its match means for data (None: default)."""

    condition: Callable[[Scope, Json], bool]
    output: Callable[[Scope, Json], Json] | None
    assign: Assign | None


class Language(Protocol):
    """A query language: makes the functions of a state from its definition.

    Arguments of all methods: `spec`, the definition of the state (or catcher, rule); `field`, the name of a field
    without "Path".  All raise `DefinitionError` for expressions that do not parse.
    """

    name: str

    def dataflow(self, spec: Mapping[str, Any]) -> Dataflow:
        """The functions every state has."""

    def catcher(self, spec: Mapping[str, Any], place: str) -> Catch:
        """The functions of one catcher; `place` is where it is in the state, e.g. ``Catch[0]``."""

    def rule(self, spec: Mapping[str, Any], place: str) -> Rule:
        """The functions of one Choice rule; `place` is where it is in the state, e.g. ``Choices[0]``."""

    def integer(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """A field that is a non-negative whole number (TimeoutSeconds, MaxConcurrency …); None where it is absent."""

    def percentage(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """A field that is a number from 0 to 100 (ToleratedFailurePercentage); None where it is absent."""

    def seconds(self, spec: Mapping[str, Any]) -> Value | None:
        """A Wait state's Seconds."""

    def timestamp(self, spec: Mapping[str, Any]) -> Value | None:
        """A Wait state's Timestamp, as ms since 1970."""

    def text(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """A field that is text (Error, Cause)."""

    def credentials(self, spec: Mapping[str, Any]) -> Value | None:
        """A Task state's Credentials.RoleArn; None where it has none."""

    def items(self, spec: Mapping[str, Any]) -> Items:
        """A Map state's items."""

    def selector(self, spec: Mapping[str, Any]) -> Value | None:
        """A Map state's ItemSelector; None where each iteration's input is the item itself."""

    def count(self, spec: Mapping[str, Any], field: str, within: str) -> Value | None:
        """A whole number that may be written as text, in a part of a Map state named `within`
        (recorded: MaxItemsPerBatchPath); None where it is absent."""

    def parameters(self, spec: Mapping[str, Any], within: str) -> Value | None:
        """The arguments of a Map state's ItemReader or ResultWriter, `within`; None where it has none."""

    def batch_input(self, spec: Mapping[str, Any]) -> Value | None:
        """BatchInput of an ItemBatcher; None where it has none."""
