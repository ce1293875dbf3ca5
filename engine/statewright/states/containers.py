"""Parallel and Map: states that run machines of their own, as child frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from statewright.errors import StatesError
from statewright.lang.dataflow import Dataflow, Items, Language, Value
from statewright.model import Event, Fork, Frame, Joined, MapRun, Phase, StartMapRun
from statewright.recovery import Retrier
from statewright.states.base import Catcher, CompileMachine, Outcome, Turn, recovery
from statewright.states.distributed import Distributed
from statewright.values import Payload, encode

__all__ = ["Map", "Parallel"]

_EXCEEDED: Final = (
    "States.ExceedToleratedFailureThreshold",
    "The specified tolerated failure threshold was exceeded",
)
"""Error name and cause where more iterations failed than may (recorded)."""


def _fork(turn: Turn, fork: Fork) -> Outcome:
    turn.command(fork)
    return turn.park(Phase.JOIN, fork=replace(fork, items=(), keys=()))


def _abort(turn: Turn, frames: tuple[Frame, ...]) -> None:
    """Tell of the children that were still running; they follow what closed the join and nothing follows them."""
    for frame in frames:
        machine = turn.program.machines[frame.machine]
        if frame.item is not None and machine.owner is not None:
            details = {"name": machine.owner[1], "index": frame.item.index}
            turn.record("MapIterationAborted", details, side=True)
        state = machine.states.get(frame.state)
        if frame.phase is Phase.MAP_RUN:
            turn.record("MapRunAborted", side=True)
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
            error, cause = _EXCEEDED
            raise StatesError(error, cause, in_state=False, announce=announce)
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
            tuple(sub(branch, f"Branches/{index}") for index, branch in enumerate(spec["Branches"])),
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
    processor: str
    distributed: Distributed | None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> Map:
        """See `State.compile`; `Iterator` and `Parameters` are the legacy names of ItemProcessor and ItemSelector."""
        processor = "ItemProcessor" if "ItemProcessor" in spec else "Iterator"
        return cls(
            name,
            language.dataflow({key: value for key, value in spec.items() if key != "Parameters"}),
            spec.get("Next"),
            language.items(spec),
            language.selector(spec),
            language.integer(spec, "MaxConcurrency"),
            language.integer(spec, "ToleratedFailureCount"),
            language.percentage(spec, "ToleratedFailurePercentage"),
            sub(spec[processor], processor),
            Distributed.compile(spec, processor, language),
            *recovery(spec, language),
        )

    def enter(self, turn: Turn) -> Outcome:
        """Start as many iterations as may run at once; the store starts the others as these end."""
        frame = turn.frame
        scope = turn.scope()
        effective = self.flow.effective(scope)
        if self.distributed is not None:
            return self._start_run(turn, self.distributed, effective)
        items, keys = self.items(scope, effective)
        turn.record("MapStateStarted", {"length": len(items)})
        count, percentage = self._tolerated(turn, effective)
        bounds = [] if count is None else [count]
        if percentage is not None:
            bounds.append(math.floor(len(items) * percentage / 100))
        asked, most = self._concurrency(turn, effective), turn.limits.map_concurrency
        if not items:
            return self._succeeded(turn, Payload.of([]))
        return _fork(
            turn,
            Fork(
                epoch=frame.epoch + 1,
                machines=(self.processor,),
                position=f"{frame.position}/{frame.visit}",
                length=len(items),
                window=min(asked or most, most, len(items)),
                tolerance=min(bounds, default=0),  # of a count and a percentage the smaller one decides
                items=tuple(map(encode, items)),
                keys=tuple(keys or ()),
                input=None if self.selector is None else turn.payload(effective),
                variables=frame.variables,
                map_name=self.name,
            ),
        )

    def _start_run(self, turn: Turn, distributed: Distributed, effective: Any) -> Outcome:
        """Open a map run.  With an ItemReader the items are not known yet: length 0, and no ItemsPath (recorded)."""
        items: Payload | None = None
        keys: list[str] | None = None
        length = 0
        if distributed.reader is None:
            values, keys = self.items(turn.scope(), effective)
            items, length = Payload.of(values), len(values)
        turn.record("MapStateStarted", {"length": length})
        count, percentage = self._tolerated(turn, effective)
        run = distributed.order(
            turn,
            effective,
            machine=self.processor,
            concurrency=self._concurrency(turn, effective),
            items=items,
            keys=tuple(keys or ()),
            tolerated_count=count,
            tolerated_percentage=percentage,
        )
        turn.record("MapRunStarted", {"mapRunArn": run.arn})
        turn.command(StartMapRun(run))
        return turn.park(Phase.MAP_RUN, map_run=run)

    def resume(self, turn: Turn, event: Event) -> Outcome:
        """All iterations ended, or more failed than may and the others were stopped."""
        if turn.frame.map_run is None:
            return self._succeeded(turn, _joined(turn, event))
        assert isinstance(event, Joined)  # noqa: S101  nothing else is sent to a frame in Phase.MAP_RUN
        return self._run_ended(turn, turn.frame.map_run, event)

    def _run_ended(self, turn: Turn, run: MapRun, event: Joined) -> Outcome:
        result, failure = event.result, StatesError(event.error, event.cause, in_state=False, announce="MapStateFailed")
        if event.exceeded:
            failure = StatesError(*_EXCEEDED, in_state=False, announce="MapStateFailed")
        if result is not None:
            try:
                turn.check_size(result, announce="MapStateFailed")
            except StatesError as error:
                result, failure = None, error
        turn.map_run = (run.epoch, "FAILED" if result is None else "SUCCEEDED")
        if result is None:
            turn.record("MapRunFailed", {"error": failure.error, "cause": failure.cause})
            raise failure
        turn.record("MapRunSucceeded")
        return self._succeeded(turn, result)

    def select(self, turn: Turn, effective: Any) -> Payload:
        """The input of one iteration: its item, or what ItemSelector makes of it.  `turn.frame` has the item;
        `effective` is the effective input of the Map state."""
        item = turn.frame.item
        assert item is not None  # noqa: S101  an iteration has one
        return item.value if self.selector is None else turn.payload(self.selector(turn.scope(), effective))

    def _succeeded(self, turn: Turn, results: Payload) -> Outcome:
        turn.record("MapStateSucceeded", side=True)
        return turn.exit(turn.scope(), results.value, self.next)

    def _concurrency(self, turn: Turn, effective: Any) -> int:
        asked: int = self.max_concurrency(turn.scope(), effective) if self.max_concurrency else 0
        return asked

    def _tolerated(self, turn: Turn, effective: Any) -> tuple[int | None, float | None]:
        """How many iterations may fail: a number, and a percentage."""
        scope = turn.scope()
        return (
            self.tolerated_count(scope, effective) if self.tolerated_count else None,
            self.tolerated_percentage(scope, effective) if self.tolerated_percentage else None,
        )
