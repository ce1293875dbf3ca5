"""The rules of the linter; importing this package registers all of them."""

from statewright.definition.rules import (
    choices,
    datasets,
    expressions,
    fields,
    graph,
    loops,
    maps,
    paths,
    portability,
    recovery,
    tasks,
)
from statewright.definition.rules.rule import RULES, Finding, Rule, rule

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "choices",
    "datasets",
    "expressions",
    "fields",
    "graph",
    "loops",
    "maps",
    "paths",
    "portability",
    "recovery",
    "rule",
    "tasks",
]
