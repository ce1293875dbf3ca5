"""The pure core driven by hand: no store, no clock, no handlers.

It applies a step's commands to plain dictionaries exactly as `model` describes them, with virtual time, and answers
tasks from a script.  It serves data cases and property tests of the core; the same cases also run on the real store.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from statewright.definition.compile import compile_definition
from statewright.errors import StatesError
from statewright.history import render
from statewright.model import (
    Continue,
    EndExecution,
    Event,
    Execution,
    Finish,
    Fork,
    Frame,
    Item,
    Joined,
    Limits,
    MapRun,
    Phase,
    StartMapRun,
    StartTask,
    StartTimer,
    Step,
    Stopped,
    TaskAnswer,
    TaskKind,
    TaskSubmitted,
    TimerFired,
    TimerKind,
)
from statewright.recovery import error_output
from statewright.step import begin, feed, step
from statewright.values import Payload, encode

ARN = "arn:aws:states:us-east-1:000000000000"


def execution(input_: Any, type_: str = "STANDARD") -> Execution:
    """The constants of a test's execution, started at second 1000."""
    return Execution(
        "x", f"{ARN}:execution:m:x", "x", f"{ARN}:stateMachine:m", "m", "0", Payload.of(input_), 1_000_000, type=type_
    )


class Beat(Event, frozen=True, kw_only=True):
    """A heartbeat, of which the core never hears."""


class StuckError(AssertionError):
    """An execution waits for something that will never happen."""


@dataclass
class Join:
    """Children of one fork."""

    fork: Fork
    results: list[str | None]
    left: int
    next: int = 0
    failed: int = 0
    open: bool = True


@dataclass
class Memory:
    """One execution run to its end.

    Arguments:
        definition, input: what is run.
        tasks: resource (last part of an ARN) to the list of answers, the last one repeated: ``{"return": v}``,
            ``{"fail": [error, cause]}``, ``{"hang": true}``, ``{"echo": true}``; with `early` the answer comes before
            the handler returns, with `unsent` it is the handler that fails, with `after` so many seconds after the task
            was ordered (an activity: taken), and
            `beats` are the seconds at which heartbeats are sent.  An activity is `taken` after some seconds, null:
            never.
        stop: the second at which the execution is stopped.
    """

    definition: Mapping[str, Any]
    input: Any
    tasks: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    most_steps: int = 5000
    stop: float | None = None

    def __post_init__(self) -> None:
        self.program = compile_definition(self.definition)
        self.execution = execution(self.input)
        self.now = self.execution.started_at
        self.log: list[tuple[Execution, Frame, Event, Step]] = []
        self.history: list[tuple[int, int, int, str, dict[str, Any] | None]] = []
        self.frames: dict[str, Frame] = {}
        self.previous = {"": 0}
        self.joins: dict[tuple[str, int], Join] = {}
        self.ready: deque[tuple[str, Event]] = deque()
        self.coming: list[tuple[int, int, str, Event]] = []
        self.timers: dict[tuple[str, TimerKind], tuple[int, int]] = {}  # when they are due, and their epochs
        self.calls: dict[str, int] = {}
        self.end: EndExecution | None = None
        self.counter = itertools.count()
        self.children: list[Memory] = []  # child executions that have ended

    def run(self) -> Memory:
        """Go on until the execution ends."""
        self.apply("", begin(self.program, self.execution))
        if self.stop is not None:
            self.later(self.stop, "", Stopped(at=0, entropy=""))
        for _ in range(self.most_steps):
            if self.end is not None:
                return self
            frame_id, event = self.next_event()
            frame = self.frames.get(frame_id)
            if frame is None or self.fenced(frame_id):
                continue
            event = replace(event, at=self.now, base=len(self.history), entropy=str(next(self.counter)))
            if isinstance(event, Stopped) or getattr(event, "kind", None) is TimerKind.EXECUTION:
                open_ = tuple(frame for id_, frame in self.frames.items() if id_)
                event = replace(event, open=open_)
            taken = step(self.program, self.execution, frame, event, self.limits)
            self.log.append((self.execution, frame, event, taken))
            self.apply(frame_id, taken)
        raise AssertionError(f"not at its end after {self.most_steps} steps")

    def next_event(self) -> tuple[str, Event]:
        """What happens next: whatever is ready, else what is due first, a timer before an answer."""
        while not self.ready:
            timer = min(self.timers, key=lambda timer: self.timers[timer][0], default=None)
            if timer is None and not self.coming:
                raise StuckError("nothing is ready and no timer runs")
            if timer is not None and (not self.coming or self.timers[timer][0] <= self.coming[0][0]):
                due, epoch = self.timers.pop(timer)
                frame_id, event = timer[0], TimerFired(at=0, entropy="", epoch=epoch, kind=timer[1])
            else:
                due, _, frame_id, event = heapq.heappop(self.coming)
            self.now = max(self.now, due)
            if isinstance(event, Beat):
                self.beat(frame_id, event.epoch)
            else:
                self.ready.append((frame_id, event))
        return self.ready.popleft()

    def later(self, seconds: float, frame_id: str, event: Event) -> None:
        """Let something happen so many seconds from now."""
        heapq.heappush(self.coming, (self.now + round(seconds * 1000), next(self.counter), frame_id, event))

    def apply(self, frame_id: str, taken: Step) -> None:
        """Commit a step."""
        base, last = len(self.history), self.previous[frame_id]
        for event in taken.history:
            previous = self.previous[frame_id] if event.previous is None else event.previous
            last = len(self.history) + 1
            self.history.append((last, previous, self.now, event.type, _text(event.details)))
            if not event.side:
                self.previous[frame_id] = last
        frame = taken.frame
        if taken.entered is not None:
            frame = replace(frame, entered_id=base + taken.entered)
        self.frames[frame_id] = frame
        for dropped in taken.drop:
            self.frames.pop(dropped, None)
        if not taken.keep_timers:
            kept = {timer: at for timer, at in self.timers.items() if timer[0] in self.frames and timer[0] != frame_id}
            self.timers = kept | {t: at for t, at in self.timers.items() if t[1] is TimerKind.EXECUTION}
        for command in taken.commands:
            self.obey(frame, command, last)
        if frame.phase is Phase.ENTER:
            self.ready.append((frame_id, Continue(at=0, entropy="")))

    def obey(self, frame: Frame, command: Any, last: int) -> None:
        """Apply one command."""
        if isinstance(command, StartTimer):
            due = command.due if command.due is not None else self.now + command.delay
            self.timers[frame.id, command.kind] = due, frame.epoch
        elif isinstance(command, StartTask):
            self.answer(frame, command)
        elif isinstance(command, Fork):
            self.joins[frame.id, command.epoch] = Join(command, [None] * command.length, command.length)
            for _ in range(command.window):
                self.child(frame.id, command.epoch, self.previous[frame.id])
        elif isinstance(command, StartMapRun):
            with suppress(StuckError):  # else a child waits for ever, and so does the run
                ends_at, joined = self.map_run(frame, command.run)
                heapq.heappush(self.coming, (ends_at, next(self.counter), frame.id, joined))
        elif isinstance(command, Finish):
            self.finish(frame, command, last)
        elif isinstance(command, EndExecution):
            self.end = command

    def answer(self, frame: Frame, command: StartTask) -> None:
        """Answer a task from the script."""
        order = command.order
        name = order.resource.rpartition(":")[2].removesuffix(".waitForTaskToken")
        script = self.tasks.get(name, [{"echo": True}])
        said = script[min(self.calls.get(name, 0), len(script) - 1)]
        self.calls[name] = self.calls.get(name, 0) + 1
        by_token = order.kind is not TaskKind.CALL and not said.get("unsent")
        start = said.get("taken", 0) if order.kind is TaskKind.ACTIVITY else 0
        if by_token and not said.get("early") and start is not None:
            submitted = TaskSubmitted(at=0, entropy="", epoch=frame.epoch, output=Payload.of({}), worker="w")
            self.later(start, frame.id, submitted)
        if start is None:
            return
        for second in said.get("beats", ()):
            self.later(start + second, frame.id, Beat(at=0, entropy="", epoch=frame.epoch))
        if "hang" in said:
            return
        if "fail" in said:
            error, cause = said["fail"]
            event = TaskAnswer(
                at=0, entropy="", epoch=frame.epoch, failed=True, error=error, cause=cause, by_token=by_token
            )
        else:
            output = order.arguments if "echo" in said else Payload.of(said["return"])
            event = TaskAnswer(at=0, entropy="", epoch=frame.epoch, output=output, by_token=by_token)
        self.later(start + said.get("after", 0), frame.id, event)

    def beat(self, frame_id: str, epoch: int) -> None:
        """A heartbeat: the timer starts anew, unless it is of another order."""
        frame, timer = self.frames.get(frame_id), (frame_id, TimerKind.HEARTBEAT)
        if frame is not None and frame.task is not None and self.timers.get(timer, (0, None))[1] == epoch:
            self.timers[timer] = self.now + (frame.task.heartbeat_seconds or 0) * 1000, epoch

    def map_run(self, frame: Frame, run: MapRun) -> tuple[int, Joined]:
        """Run the child executions of a map run side by side, each with a history of its own; when they have ended."""
        assert run.items is not None, "there are no files here to read items from"
        base = len(self.history)
        event = Continue(at=self.now, entropy=str(next(self.counter)), base=base, epoch=frame.epoch)
        joined = Joined(at=0, entropy="", epoch=frame.epoch)
        try:
            feeding = feed(self.program, self.execution, frame, event, self.limits)
            keys = run.keys or (None,) * len(run.items.value)
            waiting = [
                feeding.select(Item(index, Payload.of(value), keys[index], "STATE_DATA"))
                for index, value in enumerate(run.items.value)
            ]
            inputs = []
            while count := feeding.batch(waiting, more=False):
                inputs.append((feeding.input(waiting[:count]), count))
                waiting = waiting[count:]
        except StatesError as error:
            return self.now, replace(joined, error=error.error, cause=error.cause)
        results, bad, items = [], 0, sum(count for _, count in inputs)
        ends_at = self.now
        for payload, count in inputs:
            ended_at, end = self.child_execution(run, payload)
            ends_at = max(ends_at, ended_at)
            failure = StatesError(end.error or "", end.cause)
            bad += 0 if end.status == "SUCCEEDED" else count
            results.append(end.output.text if end.output is not None else encode(error_output(failure)))
        allowed = [run.tolerated_count] if run.tolerated_count is not None else []
        if run.tolerated_percentage is not None:
            allowed.append(int(items * run.tolerated_percentage / 100))
        if bad > min(allowed, default=0):
            return ends_at, replace(joined, exceeded=True)
        return ends_at, replace(joined, result=Payload.parse(f"[{','.join(results)}]"))

    def child_execution(self, run: MapRun, payload: Payload) -> tuple[int, EndExecution]:
        """Run one child execution to its end; when that was."""
        child = Memory(self.definition, None, self.tasks, self.limits, self.most_steps)
        child.execution = replace(self.execution, entry=run.machine, input=payload)
        child.now, child.calls, child.log, child.counter = self.now, self.calls, self.log, self.counter
        self.children.append(child.run())
        assert child.end is not None
        return child.now, child.end

    def child(self, parent: str, epoch: int, previous: int) -> None:
        """Start the next child of a fork."""
        join = self.joins[parent, epoch]
        fork, index = replace(join.fork, entered_id=self.frames[parent].entered_id), join.next
        join.next += 1
        id_ = f"{parent}/{epoch}.{index}"
        item = None
        if fork.map_name is not None:
            item = Item(index, Payload.parse(fork.items[index]), fork.keys[index] if fork.keys else None)
        machine = fork.machines[0] if fork.map_name is not None else fork.machines[index]
        payload = item.value if item else fork.input
        assert payload is not None
        self.frames[id_] = Frame(
            id_, machine, f"{fork.position}.{index}", "", payload, variables=fork.variables, item=item, fork=fork,
            outer_item=fork.outer_item,
        )  # fmt: skip
        self.previous[id_] = previous
        self.ready.append((id_, Continue(at=0, entropy="")))

    def fenced(self, frame_id: str) -> bool:
        """Whether a join around a frame is closed: nothing is heard of it any more."""
        while frame_id:
            frame_id, _, place = frame_id.rpartition("/")
            if not self.joins[frame_id, int(place.partition(".")[0])].open:
                return True
        return False

    def finish(self, frame: Frame, command: Finish, last: int) -> None:
        """A child ended: the next one starts, or the join closes."""
        parent, _, tail = frame.id.rpartition("/")
        epoch, index = map(int, tail.split("."))
        join = self.joins[parent, epoch]
        del self.frames[frame.id]
        join.left -= 1
        join.failed += command.failed
        error = StatesError(command.error, command.cause)
        join.results[index] = encode(error_output(error)) if command.failed else command.output.text  # type: ignore[union-attr]
        event = None
        if join.failed > join.fork.tolerance:
            self.previous[parent] = self.previous[frame.id]
            running = tuple(f for id_, f in self.frames.items() if id_.startswith(f"{parent}/{epoch}."))
            event = Joined(
                at=0, entropy="", epoch=epoch, error=command.error, cause=command.cause, index=index,
                exceeded=join.fork.tolerance > 0, open=running,
            )  # fmt: skip
        elif join.next < join.fork.length:
            self.child(parent, epoch, self.previous[frame.id])
        elif join.left == 0:
            self.previous[parent] = last
            event = Joined(at=0, entropy="", epoch=epoch, results=tuple(result or "null" for result in join.results))
        if event is not None:
            join.open = False
            self.ready.append((parent, event))

    @property
    def events(self) -> list[dict[str, Any]]:
        """The history in AWS's shape."""
        return [render(event) for event in self.history]


def _text(details: Any) -> Any:
    if isinstance(details, Payload):
        return details.text
    if isinstance(details, Mapping):
        return {name: _text(value) for name, value in details.items()}
    return details
