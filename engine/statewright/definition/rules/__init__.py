"""The rules of the linter; importing this package registers all of them."""

from statewright.definition.rules import choices, expressions, fields, graph, loops, maps, paths, recovery, tasks
from statewright.definition.rules.rule import RULES, Finding, Rule, rule

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "choices",
    "expressions",
    "fields",
    "graph",
    "loops",
    "maps",
    "paths",
    "recovery",
    "rule",
    "tasks",
]
