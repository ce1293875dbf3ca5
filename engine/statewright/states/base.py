"""What every state type shares: the compiled shapes, and the notebook of a single step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final, Protocol, TypeAlias
from weakref import WeakKeyDictionary

from msgspec import Struct
from msgspec.structs import replace

from statewright.arn import uuid_of
from statewright.errors import StatesError, result_too_large, runtime_error
from statewright.lang.dataflow import Assign, Catch, Dataflow, Language
from statewright.lang.scope import Budget, Entropy, Scope
from statewright.lang.timestamps import iso_time
from statewright.model import Command, Event, Execution, Frame, HistoryEvent, Limits, Phase, Successor
from statewright.recovery import Retrier
from statewright.values import Json, Payload, encode

__all__ = [
    "Catcher",
    "CompileMachine",
    "Exited",
    "Failed",
    "Immediate",
    "Machine",
    "Outcome",
    "Parked",
    "Program",
    "State",
    "Turn",
    "recovery",
]


class Exited(Struct, frozen=True):
    """The state is done: go on to `next` (None: the machine ends) with `output`."""

    output: Payload
    next: str | None


class Parked(Struct, frozen=True):
    """The state waits; `frame` says for what."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Failed:
    """The machine fails with an error that is nobody's business to retry or catch (a Fail state)."""

    error: StatesError


Outcome: TypeAlias = Exited | Parked | Failed


@dataclass(frozen=True, slots=True)
class Catcher:
    """One member of `Catch`."""

    error_equals: tuple[str, ...]
    next: str
    flow: Catch


@dataclass(frozen=True, slots=True)
class Machine:
    """A compiled (sub-)machine.

    Arguments:
        key: JSON pointer of its place in the definition, "" for the root.
        start_at: name of the first state.
        states: by name.
        owner: the Parallel or Map state whose child it is: (key of its machine, its name); None for the root.
    """

    key: str
    start_at: str
    states: Mapping[str, State]
    owner: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled definition.

    Arguments:
        machines: by key; the root's key is "".
        timeout_seconds: of the whole execution, None for none.
        type: STANDARD or EXPRESS.
    """

    machines: Mapping[str, Machine]
    timeout_seconds: int | None = None
    type: str = "STANDARD"


CompileMachine: TypeAlias = Callable[[Mapping[str, Any], str], str]
"""(definition of a sub-machine, its field) to the sub-machine's key; provided by the compiler."""


def recovery(spec: Mapping[str, Any], language: Language) -> tuple[tuple[Retrier, ...], tuple[Catcher, ...]]:
    """The compiled `Retry` and `Catch` of a state."""
    retriers = tuple(map(Retrier.of, spec.get("Retry", ())))
    catchers = tuple(
        Catcher(tuple(catcher["ErrorEquals"]), catcher["Next"], language.catcher(catcher, f"Catch[{index}]"))
        for index, catcher in enumerate(spec.get("Catch", ()))
    )
    return retriers, catchers


class State(Protocol):
    """A compiled state.  `compile` makes it; `enter` and `resume` are the two halves of its life."""

    type: ClassVar[str]

    @property
    def name(self) -> str:
        """Unique within the definition."""

    @property
    def flow(self) -> Dataflow:
        """What it does with data."""

    @property
    def retry(self) -> tuple[Retrier, ...]:
        """Its retriers, in order."""

    @property
    def catch(self) -> tuple[Catcher, ...]:
        """Its catchers, in order."""

    @classmethod
    def compile(cls, name: str, spec: Mapping[str, Any], language: Language, sub: CompileMachine) -> State:
        """The state of a definition; raises DefinitionError for expressions that do not parse."""

    def enter(self, turn: Turn) -> Outcome:
        """Do the state's work, or order it and park (also when a retry orders it again)."""

    def resume(self, turn: Turn, event: Event) -> Outcome:
        """Take what a parked state waited for."""


class Immediate:
    """What states have in common that are done when they are entered: nothing to retry, to catch or to resume."""

    __slots__ = ()
    retry: ClassVar[tuple[Retrier, ...]] = ()
    catch: ClassVar[tuple[Catcher, ...]] = ()

    def resume(self, turn: Turn, event: Event) -> Outcome:
        """Never called: the state does not park."""
        raise NotImplementedError


@dataclass(slots=True)
class Turn:
    """The notebook of one step: what is known, and what has been written so far.

    Arguments:
        program, execution, event, limits: as `step` got them.
        frame: as it is now; replaced as the step goes on.
        sign: makes the task token of (frame id, epoch).
        entropy, budget: chance, and what expressions may use, for the whole step.
        history, commands: what the step has written.
        entered, pinned, drop, closed, map_run, keep_timers: of the `Step` that comes of it.
        successor: the execution to hand over to at the end.
    """

    program: Program
    execution: Execution
    frame: Frame
    event: Event
    limits: Limits
    sign: Callable[[str, int], str]
    entropy: Entropy
    budget: Budget = field(default_factory=Budget)
    history: list[HistoryEvent] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    entered: int | None = None
    pinned: bool = False
    drop: tuple[str, ...] = ()
    closed: tuple[int, ...] = ()
    map_run: tuple[int, str] | None = None
    keep_timers: bool = False
    successor: Successor | None = None

    @property
    def machine(self) -> Machine:
        """The machine this frame runs."""
        return self.program.machines[self.frame.machine]

    @property
    def owner(self) -> str:
        """Name of the Parallel or Map state whose child this frame runs; "" for none."""
        return self.machine.owner[1] if self.machine.owner else ""

    @property
    def state(self) -> State:
        """The frame's current state."""
        return self.machine.states[self.frame.state]

    def record(
        self,
        type_: str,
        details: Mapping[str, Any] | None = None,
        previous: int | None = None,
        *,
        side: bool = False,
    ) -> None:
        """Write an event of the history."""
        if self.event.base + len(self.history) < 2 and self.frame.id == "":
            previous = 0  # recorded: the first two events of an execution follow nothing
        self.history.append(HistoryEvent(type_, details, previous, side))

    def command(self, command: Command) -> None:
        """Order something, to be applied in the same commit."""
        self.commands.append(command)

    def entered_id(self) -> int:
        """History id of the current state's Entered event.  If that event is not committed yet the id depends on the
        length of the history, and the step is pinned to it."""
        if self.entered is None:
            if not self.frame.entered_id:
                self.pinned = True  # an earlier step's event, to be committed first
            return self.frame.entered_id
        self.pinned = True
        return self.event.base + self.entered

    def order_id(self) -> str:
        """A UUID for what the state orders next.  It follows from the place in the execution, so it is the same when
        the step is taken again, even after the store has lost it: what has effects under this id has them once."""
        return uuid_of(self.execution.id, self.frame.id, str(self.frame.epoch + 1))

    def scope(self, token_epoch: int | None = None) -> Scope:
        """What expressions of the current state see; with `token_epoch` the context holds that order's task token."""
        frame = self.frame
        context = partial(self._context, frame, self.state.type, token_epoch)
        return Scope(frame.input.value, context, frame.variables, self.entropy, self.event.at, self.budget)

    def _context(self, frame: Frame, state_type: str, token_epoch: int | None) -> dict[str, Json]:
        context = dict(_execution_context(self.execution))
        state: dict[str, Json] = {"EnteredTime": iso_time(frame.entered_at), "Name": frame.state}
        if state_type in _RETRYING:
            state["RetryCount"] = sum(frame.retries)
        context["State"] = state
        if token_epoch is not None:
            context["Task"] = {"Token": self.sign(frame.id, token_epoch)}
        item = frame.item or frame.outer_item
        if item is not None:
            more = {name: text for name, text in (("Key", item.key), ("Source", item.source)) if text is not None}
            context["Map"] = {"Item": {"Index": item.index, "Value": item.value.value, **more}}
        return context

    def payload(self, value: Json) -> Payload:
        """The payload of what a state passes on; its own input is neither encoded nor measured a second time.

        Raises States.DataLimitExceeded beyond the payload limit, NotJsonError for what is nested too deeply.
        """
        if value is self.frame.input.value:
            return self.frame.input
        payload = Payload.of(value)
        self.check_size(payload)
        return payload

    def exit(self, scope: Scope, result: Json, next_: str | None) -> Exited:
        """Leave the state with what its dataflow makes of `result`."""
        flow = self.state.flow
        return self.leave(scope, flow.output(scope, result), flow.assign, result, next_)

    def leave(self, scope: Scope, output: Json, assign: Assign | None, dollar: Json, next_: str | None) -> Exited:
        """Leave the state with `output`, assigning variables in which `$` is `dollar`; writes the Exited event."""
        payload = self.payload(output)
        details: dict[str, Any] = {"name": self.frame.state, "output": payload}
        if assign is not None:
            assigned = self._assign(assign(scope, dollar))
            if assigned:  # recorded: an empty Assign leaves no trace
                details["assignedVariables"] = assigned
        self.record(f"{self.state.type}StateExited", details)
        return Exited(payload, next_)

    def check_size(self, payload: Payload, of: str | None = None, announce: str | None = None) -> None:
        """Refuse a payload beyond the limit: of the state, or of what else is named (see `result_too_large`)."""
        if _exceeds(payload.text, self.limits.payload_bytes):
            raise result_too_large(of or self.frame.state, announce=announce)

    def _assign(self, assigned: Mapping[str, Json]) -> dict[str, Payload]:
        """Set variables from the next state on; returns them as the history shows them."""
        frame = self.frame
        payloads = {name: Payload.of(value) for name, value in assigned.items()}
        for name, payload in payloads.items():
            if name in frame.variables and name not in frame.own_variables:
                raise runtime_error(f"The variable '{name}' belongs to an outer scope and cannot be assigned here.")
            if _exceeds(payload.text, self.limits.variable_bytes):
                raise runtime_error(f"The variable '{name}' exceeds the maximum size of a variable.")
        if _exceeds("".join(payload.text for payload in payloads.values()), self.limits.variable_bytes):
            raise runtime_error("The variables of one Assign exceed the maximum size.")
        variables = {**frame.variables, **assigned}
        if _exceeds(encode(variables), self.limits.variables_bytes):
            raise runtime_error("The variables exceed the maximum size of all variables together.")
        self.frame = replace(frame, variables=variables, own_variables=frame.own_variables | payloads.keys())
        return payloads

    def park(self, phase: Phase, **changes: Any) -> Parked:
        """Wait in the current state; the epoch rises, so answers to earlier orders are void."""
        return Parked(replace(self.frame, phase=phase, epoch=self.frame.epoch + 1, **changes))


def _exceeds(text: str, limit: int) -> bool:
    """Whether a text is longer than `limit` bytes of UTF-8, which are counted only when they can matter."""
    return len(text) * 4 > limit and len(text.encode()) > limit


_RETRYING = frozenset({"Task", "Parallel", "Map"})
"""State types whose context has a RetryCount (recorded)."""


_CONTEXTS: Final[WeakKeyDictionary[Execution, dict[str, Json]]] = WeakKeyDictionary()
"""Made once for an execution, and kept no longer than it."""


def _execution_context(execution: Execution) -> dict[str, Json]:
    context = _CONTEXTS.get(execution)
    if context is None:
        context = _CONTEXTS[execution] = _new_context(execution)
    return context


def _new_context(execution: Execution) -> dict[str, Json]:
    about: dict[str, Json] = {
        "Id": execution.arn,
        "Input": execution.input.value,
        "Name": execution.name,
        "RoleArn": execution.role_arn,
        "StartTime": iso_time(execution.started_at),
    }
    if not execution.sync:  # recorded: an execution started synchronously has none
        about["RedriveCount"] = 0
    return {"Execution": about, "StateMachine": {"Id": execution.machine_arn, "Name": execution.machine_name}}
