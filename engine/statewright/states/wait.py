"""Wait: a durable timer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from statewright.errors import runtime_error
from statewright.lang.dataflow import Dataflow, Language, Value
from statewright.model import Event, Phase, StartTimer, TimerKind
from statewright.recovery import Retrier
from statewright.states.base import Catcher, CompileMachine, Outcome, Turn

__all__ = ["Wait"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits for a number of seconds, or until a moment; a moment that has passed is no wait at all."""

    type: ClassVar[str] = "Wait"
    name: str
    flow: Dataflow
    next: str | None
    seconds: Value | None
    timestamp: Value | None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Wait:  # noqa: ARG003
        """See `State.compile`."""
        return cls(name, language.dataflow(spec), spec.get("Next"), language.seconds(spec), language.timestamp(spec))

    def enter(self, turn: Turn) -> Outcome:
        """Start the timer, by the store's clock, and park."""
        scope = turn.scope()
        effective = self.flow.effective(scope)
        longest = turn.limits.wait_seconds * 1000
        if self.seconds is not None:
            delay = self.seconds(scope, effective) * 1000
            timer = StartTimer(TimerKind.WAIT, delay=delay)
        else:
            assert self.timestamp is not None  # noqa: S101  lint: a Wait has exactly one of the two
            due = self.timestamp(scope, effective)
            delay = due - turn.event.at
            timer = StartTimer(TimerKind.WAIT, due=due)
        if delay > longest:
            raise runtime_error("Wait state delay is too long.")
        if delay <= 0:
            return turn.exit(scope, effective, self.next)
        turn.command(timer)
        return turn.park(Phase.WAIT)

    def resume(self, turn: Turn, event: Event) -> Outcome:  # noqa: ARG002
        """The timer fired."""
        scope = turn.scope()
        return turn.exit(scope, self.flow.effective(scope), self.next)
