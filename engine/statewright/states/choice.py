"""Choice: the first rule that matches says where to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from statewright.errors import runtime_error
from statewright.lang.dataflow import Dataflow, Language, Rule
from statewright.states.base import CompileMachine, Immediate, Outcome, Turn

__all__ = ["Choice"]


@dataclass(frozen=True, slots=True)
class Choice(Immediate):
    """Branches on its input."""

    type: ClassVar[str] = "Choice"
    name: str
    flow: Dataflow
    rules: tuple[tuple[Rule, str], ...]
    default: str | None
    next: str | None = None

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Choice:  # noqa: ARG003
        """See `State.compile`."""
        rules = tuple(
            (language.rule(rule, f"Choices[{index}]"), rule["Next"]) for index, rule in enumerate(spec["Choices"])
        )
        return cls(name, language.dataflow(spec), rules, spec.get("Default"))

    def enter(self, turn: Turn) -> Outcome:
        """A matching rule's own Assign and Output win over the state's, which are for Default only."""
        scope = turn.scope()
        effective = self.flow.effective(scope)
        for rule, target in self.rules:
            if rule.condition(scope, effective):
                output = (rule.output or self.flow.output)(scope, effective)
                return turn.leave(scope, output, rule.assign, effective, target)
        if self.default is None:
            # "States.NoChoiceMatched" is the specification's name; AWS reports States.Runtime.
            raise runtime_error("Failed to transition out of the state. The state does not point to a next state.")
        return turn.exit(scope, effective, self.default)
