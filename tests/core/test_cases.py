"""The core's cases are data: definition, input, script of task outcomes; status, output and history."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from statewright.audit import check_history
from statewright.model import Limits, Phase, Stopped
from statewright.states import TYPES
from statewright.step import LEGAL, begin, step
from tests.core.memory import Memory

CASES = [
    case
    for file in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
    for case in yaml.safe_load_all(file.read_text())
    if case
]


def run(case: dict[str, Any]) -> Memory:
    limits = Limits(**case.get("limits", {}))
    return Memory(case["definition"], case["input"], case.get("tasks", {}), limits, stop=case.get("stop")).run()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_case(case: dict[str, Any]) -> None:
    memory = run(case)
    assert memory.end is not None
    assert (memory.end.status, memory.end.error) == (case["status"], case.get("error")), memory.end.cause
    if "output" in case:
        assert memory.end.output is not None
        assert memory.end.output.value == case["output"]
    if "cause" in case:
        assert memory.end.cause == case["cause"]
    if "seconds" in case:
        assert memory.now - memory.execution.started_at == case["seconds"] * 1000
    if "length" in case:
        assert len(memory.history) == case["length"]
    shown = [f"{id_}<{previous} {type_}" for id_, previous, _, type_, _ in memory.history]
    assert shown == case.get("history", shown)
    assert len(memory.events) == len(shown)  # every event can be rendered
    assert not check_history(memory.history, case["status"])


def test_every_legal_reaction_is_taken_by_some_case() -> None:
    taken = {(frame.phase, type(event)) for case in CASES for _, frame, event, _ in run(case).log}
    assert set(LEGAL) <= taken


def test_every_state_type_has_a_case() -> None:
    used = {type_.removesuffix("StateEntered") for case in CASES for *_, type_, _ in run(case).history}
    assert set(TYPES) <= used


def test_replaying_the_log_gives_the_same_steps() -> None:
    for case in CASES:
        memory = run(case)
        for execution, frame, event, taken in memory.log:
            assert step(memory.program, execution, frame, event, memory.limits) == taken


def test_an_event_of_another_epoch_changes_nothing() -> None:
    for case in CASES:
        memory = run(case)
        for execution, frame, event, _ in memory.log:
            if frame.phase is Phase.ENTER or event.epoch != frame.epoch or isinstance(event, Stopped):
                continue
            if getattr(event, "kind", None) == "execution":
                continue
            late = replace(event, epoch=frame.epoch + 1)
            answer = step(memory.program, execution, frame, late, memory.limits)
            assert (answer.frame, answer.history, answer.commands) == (frame, (), ())


def test_stop_drops_what_runs() -> None:
    case = next(case for case in CASES if case["case"].startswith("parallel branches"))
    memory = Memory(case["definition"], case["input"])
    memory.apply("", begin(memory.program, memory.execution))
    while memory.frames[""].phase is not Phase.JOIN:
        frame_id, event = memory.next_event()
        memory.apply(frame_id, step(memory.program, memory.execution, memory.frames[frame_id], event))
    children = tuple(frame for id_, frame in memory.frames.items() if id_)
    stopped = Stopped(at=1, entropy="", base=3, error="Enough", cause="by hand", open=children)
    taken = step(memory.program, memory.execution, memory.frames[""], stopped)
    assert [event.type for event in taken.history] == ["ExecutionAborted"]
    assert taken.commands[0].status == "ABORTED"  # type: ignore[union-attr]
    assert set(taken.drop) == {child.id for child in children}
    assert step(memory.program, memory.execution, taken.frame, stopped).history == ()
