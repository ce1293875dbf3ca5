"""Pass, Succeed and Fail: states that are done as soon as they are entered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from statewright.errors import StatesError
from statewright.lang.dataflow import Dataflow, Language, Value
from statewright.states.base import CompileMachine, Failed, Immediate, Outcome, Turn
from statewright.values import Json

__all__ = ["Fail", "Pass", "Succeed"]


@dataclass(frozen=True, slots=True)
class Pass(Immediate):
    """Passes its input, or a fixed `Result`, on."""

    type: ClassVar[str] = "Pass"
    name: str
    flow: Dataflow
    next: str | None
    result: tuple[Json] | None  # in a tuple: null is a result, absent is not

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Pass:  # noqa: ARG003
        """See `State.compile`."""
        result = (spec["Result"],) if "Result" in spec else None
        return cls(name, language.dataflow(spec), spec.get("Next"), result)

    def enter(self, turn: Turn) -> Outcome:
        """Result wins over Parameters; either goes through ResultPath."""
        scope = turn.scope()
        arguments = self.flow.arguments(scope, self.flow.effective(scope))
        return turn.exit(scope, arguments if self.result is None else self.result[0], self.next)


@dataclass(frozen=True, slots=True)
class Succeed(Immediate):
    """Ends its machine successfully."""

    type: ClassVar[str] = "Succeed"
    name: str
    flow: Dataflow
    next: str | None = None

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Succeed:  # noqa: ARG003
        """See `State.compile`."""
        return cls(name, language.dataflow(spec))

    def enter(self, turn: Turn) -> Outcome:
        """InputPath and OutputPath apply (AWS allows them, recorded schema)."""
        scope = turn.scope()
        return turn.exit(scope, self.flow.effective(scope), None)


@dataclass(frozen=True, slots=True)
class Fail(Immediate):
    """Ends its machine with an error; it has an Entered event but no Exited one (recorded)."""

    type: ClassVar[str] = "Fail"
    name: str
    flow: Dataflow
    error: Value | None
    cause: Value | None
    next: str | None = None

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Fail:  # noqa: ARG003
        """See `State.compile`."""
        return cls(name, language.dataflow({}), language.text(spec, "Error"), language.text(spec, "Cause"))

    def enter(self, turn: Turn) -> Outcome:
        """The machine fails; Error and Cause may both be absent."""
        scope = turn.scope()
        error = self.error and self.error(scope, scope.input)
        cause = self.cause and self.cause(scope, scope.input)
        return Failed(StatesError(error, cause, in_state=False))
