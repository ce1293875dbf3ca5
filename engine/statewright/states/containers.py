"""Parallel and Map: states that run machines of their own, as child frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from msgspec.structs import replace

from statewright.errors import StatesError
from statewright.lang.dataflow import Dataflow, Items, Language, Value
from statewright.model import Event, Fork, Frame, Joined, Phase
from statewright.recovery import Retrier
from statewright.states.base import Catcher, CompileMachine, Outcome, Turn, recovery
from statewright.values import Payload, encode

__all__ = ["Map", "Parallel"]

_DISTRIBUTED_CONCURRENCY = 1000
"""Children of a distributed Map that run at once where MaxConcurrency is absent or 0."""


def _fork(turn: Turn, fork: Fork) -> Outcome:
    turn.command(fork)
    return turn.park(Phase.JOIN, fork=replace(fork, items=(), keys=()))


def _abort(turn: Turn, frames: tuple[Frame, ...]) -> None:
    """Tell of the children that were still running; they follow what closed the join and nothing follows them."""
    for frame in frames:
        machine = turn.program.machines[frame.machine]
        if machine.silent:
            continue
        if frame.item is not None and machine.owner is not None:
            details = {"name": machine.owner[1], "index": frame.item.index}
            turn.record("MapIterationAborted", details, side=True)
        state = machine.states.get(frame.state)
        if state is not None and frame.phase not in (Phase.ENTER, Phase.DONE):
            turn.record(f"{state.type}StateAborted", side=True)


def _joined(turn: Turn, event: Event) -> Payload:
    """The children's results as one array; raises what closed the join if it was a failure.

    The array as a whole has the size limit of a result, whatever ResultSelector and ResultPath make of it then.
    """
    assert isinstance(event, Joined)  # noqa: S101  nothing else is sent to a frame in Phase.JOIN
    turn.closed = (turn.frame.epoch,)
    turn.drop = tuple(frame.id for frame in event.open)
    state = turn.state
    announce = f"{state.type}StateFailed"
    if event.results is None:
        _abort(turn, event.open)
        if event.exceeded:
            cause = "The specified tolerated failure threshold was exceeded"
            raise StatesError("States.ExceedToleratedFailureThreshold", cause, in_state=False, announce=announce)
        aliases = ("States.BranchFailed",) if state.type == "Parallel" else ()
        raise StatesError(event.error, event.cause, in_state=False, aliases=aliases, announce=announce)
    results = Payload.parse(f"[{','.join(event.results)}]")
    turn.check_size(results, announce=announce)
    return results


@dataclass(frozen=True, slots=True)
class Parallel:
    """Runs its branches side by side; the output is the array of their outputs."""

    type: ClassVar[str] = "Parallel"
    name: str
    flow: Dataflow
    next: str | None
    branches: tuple[str, ...]
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Parallel:
        """See `State.compile`."""
        return cls(
            name,
            language.dataflow(spec),
            spec.get("Next"),
            tuple(sub(branch, f"Branches/{index}", False) for index, branch in enumerate(spec["Branches"])),
            *recovery(spec, language),
        )

    def enter(self, turn: Turn) -> Outcome:
        """Start all branches with the same input."""
        frame = turn.frame
        scope = turn.scope()
        arguments = turn.payload(self.flow.arguments(scope, self.flow.effective(scope)))
        turn.record("ParallelStateStarted")
        return _fork(
            turn,
            Fork(
                epoch=frame.epoch + 1,
                machines=self.branches,
                position=f"{frame.position}/{frame.visit}",
                length=len(self.branches),
                window=len(self.branches),
                tolerance=0,
                input=arguments,
                variables=frame.variables,
                outer_item=frame.item or frame.outer_item,
            ),
        )

    def resume(self, turn: Turn, event: Event) -> Outcome:
        """All branches ended, or one failed and the others were stopped."""
        results = _joined(turn, event)
        turn.record("ParallelStateSucceeded", side=True)
        return turn.exit(turn.scope(), results.value, self.next)


@dataclass(frozen=True, slots=True)
class Map:
    """Runs its machine once for each item; the output is the array of the outputs, in the items' order."""

    type: ClassVar[str] = "Map"
    name: str
    flow: Dataflow
    next: str | None
    items: Items
    selector: Value | None
    max_concurrency: Value | None
    tolerated_count: Value | None
    tolerated_percentage: Value | None
    distributed: bool
    processor: str
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Map:
        """See `State.compile`; `Iterator` and `Parameters` are the legacy names of ItemProcessor and ItemSelector."""
        processor = "ItemProcessor" if "ItemProcessor" in spec else "Iterator"
        distributed = spec[processor].get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        return cls(
            name,
            language.dataflow({key: value for key, value in spec.items() if key != "Parameters"}),
            spec.get("Next"),
            language.items(spec),
            language.selector(spec),
            language.integer(spec, "MaxConcurrency"),
            language.integer(spec, "ToleratedFailureCount"),
            language.percentage(spec, "ToleratedFailurePercentage"),
            distributed,
            sub(spec[processor], processor, distributed),
            *recovery(spec, language),
        )

    def enter(self, turn: Turn) -> Outcome:
        """Start as many iterations as may run at once; the store starts the others as these end."""
        frame = turn.frame
        scope = turn.scope()
        effective = self.flow.effective(scope)
        items, keys = self.items(scope, effective)
        turn.record("MapStateStarted", {"length": len(items)})
        tolerance = self._tolerance(turn, effective, len(items))
        window = self._window(turn, effective)
        if self.distributed:
            turn.record("MapRunStarted", {"mapRunArn": self._run_arn(turn)})
        if not items:
            return self._succeeded(turn, Payload.of([]))
        return _fork(
            turn,
            Fork(
                epoch=frame.epoch + 1,
                machines=(self.processor,),
                position=f"{frame.position}/{frame.visit}",
                length=len(items),
                window=min(window, len(items)),
                tolerance=tolerance,
                items=tuple(map(encode, items)),
                keys=tuple(keys or ()),
                input=None if self.selector is None else turn.payload(effective),
                variables=frame.variables,
                map_name=self.name,
            ),
        )

    def resume(self, turn: Turn, event: Event) -> Outcome:
        """All iterations ended, or more failed than may and the others were stopped."""
        return self._succeeded(turn, _joined(turn, event))

    def select(self, turn: Turn) -> Payload:
        """The input of one iteration.  `turn.frame` stands in this state, with the iteration's item and, as its input,
        the effective input of the Map state."""
        assert self.selector is not None  # noqa: S101  only then has a fork an input
        scope = turn.scope()
        return turn.payload(self.selector(scope, scope.input))

    def _succeeded(self, turn: Turn, results: Payload) -> Outcome:
        if self.distributed:
            turn.record("MapRunSucceeded")
        turn.record("MapStateSucceeded", side=True)
        return turn.exit(turn.scope(), results.value, self.next)

    def _window(self, turn: Turn, effective: Any) -> int:
        ceiling = _DISTRIBUTED_CONCURRENCY if self.distributed else turn.limits.map_concurrency
        asked = self.max_concurrency(turn.scope(), effective) if self.max_concurrency else 0
        return min(asked or ceiling, ceiling)

    def _tolerance(self, turn: Turn, effective: Any, length: int) -> int:
        """How many iterations may fail; with both a count and a percentage the smaller one decides."""
        bounds: list[int] = []
        if self.tolerated_count:
            bounds.append(self.tolerated_count(turn.scope(), effective))
        if self.tolerated_percentage:
            bounds.append(math.floor(length * self.tolerated_percentage(turn.scope(), effective) / 100))
        return min(bounds, default=0)

    def _run_arn(self, turn: Turn) -> str:
        machine = turn.execution.machine_arn.replace(":stateMachine:", ":mapRun:")
        return f"{machine}/{turn.entropy.uuid()}:{turn.entropy.uuid()}"
