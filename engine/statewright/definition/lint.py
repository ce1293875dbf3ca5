"""The linter: schema first, then every rule; the problems in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from statewright.definition.problem import Problem, Severity, location
from statewright.definition.rules import RULES
from statewright.definition.rules.rule import SCHEMA_VALIDATION_FAILED, Finding
from statewright.definition.schema import SCHEMA_CODES, violations
from statewright.definition.scopes import Definition, Target
from statewright.definition.source import Source
from statewright.model import MachineType

__all__ = ["MAX_FINDINGS", "descriptions", "lint"]

MAX_FINDINGS = 1000
"""The most problems that one rule, or the schemas together, report.  Every rule still has its say."""


def lint(source: Source, machine_type: MachineType = "STANDARD", target: Target = "statewright") -> list[Problem]:
    """Everything that is wrong with a definition, sorted by position.  It never raises, whatever the document holds.

    Arguments:
        source: the document.
        machine_type: ``"EXPRESS"`` also applies the restrictions of express state machines.
        target: ``"aws"`` also refuses what only this engine has, such as handlers by name and JMESPath.

    Example: ``[problem.code for problem in lint(load("{}"))] == ["MISSING_FIELD"]``
    """
    definition = Definition(source.value, machine_type == "EXPRESS", target, source.syntax)
    found = list(_problems(source, definition))
    return sorted(found, key=lambda problem: (problem.line, problem.column, problem.code, problem.message))


def descriptions() -> dict[str, str]:
    """All codes of the linter, each with one line about it.

    Example: ``descriptions()["MISSING_FIELD"] == "a required field is missing"``
    """
    return {**SCHEMA_CODES, **{code: rule.description for code, rule in RULES.items()}}


def _problems(source: Source, definition: Definition) -> Iterator[Problem]:
    for code, finding in islice(violations(definition), MAX_FINDINGS):
        yield _problem(source, finding, code, "error", SCHEMA_VALIDATION_FAILED)
    for rule in RULES.values():
        for finding in islice(rule.check(definition), MAX_FINDINGS):
            yield _problem(source, finding, rule.code, rule.severity, rule.aws_code)


def _problem(source: Source, finding: Finding, code: str, severity: Severity, aws_code: str | None) -> Problem:
    shown = finding.pointer if finding.at is None else finding.at
    position = source.position(shown, finding.key)
    if finding.offset is not None:
        position = source.inside(shown, finding.offset)
    place = location(finding.pointer) if finding.located else ""
    return Problem(code, severity, finding.message, place, source.name, *position, hint=finding.hint, aws_code=aws_code)
