"""What a rule of the linter is: one generator, its code, its severity and one line about it, in one table.

To add a rule, write a generator in a module of this package and register it with `rule`; add a chunk in tests/lint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from statewright.definition.problem import Pointer, Severity
from statewright.definition.scopes import Definition

__all__ = ["RULES", "Check", "Finding", "Rule", "rule"]

SCHEMA_VALIDATION_FAILED = "SCHEMA_VALIDATION_FAILED"
"""AWS's code for most of what is wrong with a definition."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a rule has found.

    Arguments:
        pointer: what it is about; AWS's location.
        message: one sentence.
        hint: what to do about it.
        at: where to show it, if not at `pointer`.
        key: show the key rather than the value.
        offset: show this character of the text there.
        located: False if AWS gives no location for it.
    """

    pointer: Pointer
    message: str
    hint: str | None = None
    at: Pointer | None = None
    key: bool = False
    offset: int | None = None
    located: bool = True


Check: TypeAlias = Callable[[Definition], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its code, severity, description, AWS's code (None: AWS has no such rule) and generator."""

    code: str
    severity: Severity
    description: str
    aws_code: str | None
    check: Check


RULES: dict[str, Rule] = {}
"""All rules by code, in the order in which they are registered."""


def rule(code: str, severity: Severity, description: str, aws: str | None = None) -> Callable[[Check], Check]:
    """Register a generator of findings as a rule.

    Arguments: code, severity, one line about it; AWS's code, which is SCHEMA_VALIDATION_FAILED for an error and none
    for other severities unless given.

    Example: ``@rule("MISSING_DEFAULT", "warning", "a Choice state has no Default")``
    """
    aws_code = aws or (SCHEMA_VALIDATION_FAILED if severity == "error" else None)

    def register(check: Check) -> Check:
        if code in RULES:
            raise ValueError(f"there are two rules {code}")
        RULES[code] = Rule(code, severity, description, aws_code, check)
        return check

    return register
