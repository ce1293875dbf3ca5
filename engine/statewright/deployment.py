"""From a definition as it was written to one that may be deployed: read, linted, compiled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from statewright.definition.compile import compile_definition
from statewright.definition.lint import lint
from statewright.definition.problem import Problem
from statewright.definition.source import Source, SourceError, load, load_file
from statewright.errors import DefinitionError
from statewright.model import MachineType
from statewright.states.base import Program
from statewright.values import check, encode

__all__ = ["Deployable", "InvalidDefinitionError", "prepare"]


class InvalidDefinitionError(DefinitionError):
    """A definition that was refused; `problems` has all that lint found, warnings included.

    Example: ``except InvalidDefinitionError as error: print(*error.problems, sep="\\n")``
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0].code}: {errors[0].message}{more}", errors[0].location)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Deployable:
    """A definition without errors: its text, the text's SHA-256 in hex, and what it compiles to."""

    text: str
    hash: str
    program: Program


def prepare(definition: dict[str, Any] | str | Path, machine_type: MachineType) -> Deployable:
    """Read and check a definition.

    Arguments:
        definition: as values, as text (JSON or YAML), or as the path of a file.
        machine_type: EXPRESS has restrictions of its own.

    Raises InvalidDefinitionError with all problems, DefinitionError for what the compiler refuses, OSError for a file
    that cannot be read.

    Example: ``prepare({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}, "STANDARD").program``
    """
    try:
        source = _read(definition)
    except SourceError as error:
        raise InvalidDefinitionError((error.problem,)) from None
    problems = tuple(lint(source, machine_type))
    if any(problem.severity == "error" for problem in problems):
        raise InvalidDefinitionError(problems)
    program = compile_definition(source.value, type=machine_type)
    return Deployable(source.text, hashlib.sha256(source.text.encode()).hexdigest(), program)


def _read(definition: dict[str, Any] | str | Path) -> Source:
    if isinstance(definition, Path):
        return load_file(definition)
    if isinstance(definition, str):
        return load(definition)
    try:
        check(definition)
        return load(encode(definition))
    except ValueError as error:
        raise DefinitionError(f"The definition is not JSON: {error}") from None
