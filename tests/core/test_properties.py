"""Random definitions, inputs, task outcomes, stops and time-outs: the core never raises and never hangs, its histories
are well formed, and a log of events is a complete record.

``STATEWRIGHT_EXAMPLES=100 pytest tests/core/test_properties.py`` tries a hundred times as many.
"""

import os
from collections import defaultdict
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from statewright.audit import check_history
from statewright.definition.compile import compile_definition
from statewright.model import (
    Continue,
    Event,
    Frame,
    Joined,
    Limits,
    Phase,
    Stopped,
    TaskAnswer,
    TaskSubmitted,
    TimerFired,
    TimerKind,
)
from statewright.step import LEGAL, step
from statewright.store import codec
from statewright.values import NotJsonError, encode
from tests.core.machines import INPUT, TASKS, machines
from tests.core.memory import Memory


def is_json(value: Any) -> bool:
    """Whether a value may be an input at all (see `AsyncEngine.start`)."""
    try:
        return bool(encode(value))
    except NotJsonError:
        return False


EXAMPLES = int(os.environ.get("STATEWRIGHT_EXAMPLES", "1"))
LIMITS = Limits(history_events=150, payload_bytes=4000, variable_bytes=2000, variables_bytes=4000)


ANY_INPUT = INPUT.filter(is_json)


@settings(max_examples=200 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(machines(), ANY_INPUT, TASKS, st.none() | st.floats(0, 12))
def test_any_execution(definition: dict[str, Any], input_: Any, tasks: Any, stop: float | None) -> None:
    memory = Memory(definition, input_, tasks, LIMITS, stop=stop).run()
    check_end(memory)
    check_histories(memory)
    check_log(memory)
    again = Memory(definition, input_, tasks, LIMITS, stop=stop).run()
    assert again.history == memory.history
    assert again.end == memory.end


def check_end(memory: Memory) -> None:
    end = memory.end
    assert end is not None
    assert end.status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
    assert (end.status == "SUCCEEDED") == (end.output is not None)
    assert memory.history[-1][3] == f"Execution{end.status.title().replace('_O', 'O')}"
    assert len(memory.history) <= LIMITS.history_events + (end.status in ("TIMED_OUT", "ABORTED"))
    if end.status == "TIMED_OUT":
        assert (end.error, end.cause, end.at) == ("States.Timeout", None, memory.now)


def check_histories(memory: Memory) -> None:
    """The history is one that the checker of all histories knows, and each frame leaves the state that it entered,
    once."""
    for each in (memory, *memory.children):
        assert each.end is not None
        assert not check_history(each.history, each.end.status)
    assert len(memory.events) == len(memory.history)
    inside: dict[tuple[int, str], str | None] = defaultdict(lambda: None)
    for execution, frame, _, taken in memory.log:
        place = (id(execution), frame.id)
        for event in taken.history:
            name = (event.details or {}).get("name")
            if event.type.endswith("StateEntered"):
                assert inside[place] is None, "the state before was not left"
                inside[place] = name
            elif event.type.endswith("StateExited"):
                assert inside[place] == name
                inside[place] = None


def check_log(memory: Memory) -> None:
    """The same events, taken by a program compiled anew and from frames as a store keeps them, give the same steps."""
    program = compile_definition(memory.definition)
    for execution, frame, event, taken in memory.log:
        early = isinstance(event, Stopped) or getattr(event, "kind", None) is TimerKind.EXECUTION
        if not early and (frame.phase, type(event)) not in LEGAL:
            assert (taken.frame, taken.history, taken.commands, taken.keep_timers) == (frame, (), (), True)
        assert taken.frame.epoch >= frame.epoch
        assert step(program, execution, stored(frame), event, memory.limits) == taken
        codec.encode_step(taken, codec.Outgoing())
        assert stored(taken.frame) == taken.frame


def stored(frame: Frame) -> Frame:
    """The frame as it comes back from the store, which keeps item, fork, map run and Entered id beside it."""
    body = codec.encode_frame(frame, codec.Outgoing(apart=False))
    beside = {"item": frame.item, "fork": frame.fork, "map_run": frame.map_run, "entered_id": frame.entered_id}
    return codec.decode_frame(frame.id, body, str, **beside)  # type: ignore[arg-type]


FAULTY = st.sampled_from([0, 1, 7]).flatmap(
    lambda epoch: st.sampled_from(
        [Continue(at=1, entropy="", epoch=epoch), Joined(at=1, entropy="", epoch=epoch, results=("1",)),
         Joined(at=1, entropy="", epoch=epoch, error="Boom"), TaskAnswer(at=1, entropy="", epoch=epoch, failed=True),
         TaskSubmitted(at=1, entropy="", epoch=epoch), TimerFired(at=1, entropy="", epoch=epoch, kind=TimerKind.WAIT),
         TimerFired(at=1, entropy="", epoch=epoch, kind=TimerKind.RETRY)]
    )
)  # fmt: skip


@settings(max_examples=60 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(machines(), ANY_INPUT, TASKS, st.lists(FAULTY, min_size=1, max_size=3))
def test_events_that_are_not_due_change_nothing(
    definition: dict[str, Any], input_: Any, tasks: Any, faulty: list[Event]
) -> None:
    memory = Memory(definition, input_, tasks, LIMITS).run()
    for execution, frame, _, _ in memory.log:
        for event in faulty:
            due = (frame.phase, type(event)) in LEGAL and (frame.phase is Phase.ENTER or event.epoch == frame.epoch)
            if not due:
                taken = step(memory.program, execution, frame, event, memory.limits)
                assert (taken.frame, taken.history, taken.commands, taken.keep_timers) == (frame, (), (), True)


@settings(max_examples=60 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(machines(), ANY_INPUT, TASKS, st.integers(0, 40))
def test_any_execution_can_be_stopped_after_any_step(
    definition: dict[str, Any], input_: Any, tasks: Any, steps: int
) -> None:
    memory = Memory(definition, input_, tasks, LIMITS).run()
    execution, frame, event, _ = memory.log[min(steps, len(memory.log) - 1)]
    if frame.id == "":
        stopped = Stopped(at=event.at, entropy="", base=event.base, error="Enough")
        taken = step(memory.program, execution, frame, stopped, memory.limits)
        assert [written.type for written in taken.history] == ["ExecutionAborted"]
        assert taken.frame == replace(frame, phase=Phase.DONE)
        codec.encode_step(taken, codec.Outgoing())
