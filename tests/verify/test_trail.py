"""The checker of histories can say no: what is taken away, moved or changed in a sound history is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from statewright.audit import ENDS, Stage, StoredFrame, Trail, check_history, compare
from statewright.audit.threads import AFTER
from statewright.model import Phase
from tests.core.memory import Memory
from tests.core.test_cases import CASES, run

Events = list[tuple[int, int, int, str, dict[str, Any] | None]]


def sound() -> list[tuple[str, Events]]:
    """The histories of the core's cases."""
    found = []
    for case in CASES:
        memory = run(case)
        assert memory.end is not None
        found.append((memory.end.status, memory.history))
    return found


SOUND = sound()


def test_sound_histories_have_no_findings() -> None:
    assert not [found for status, history in SOUND if (found := check_history(history, status))]


def test_an_event_that_is_missing_is_found() -> None:
    for status, history in SOUND:
        for place in range(len(history)):
            assert check_history(history[:place] + history[place + 1 :], status), (place, history)


def _renumbered(history: Events, place: int) -> Events:
    """Without an event, and as if it had never been there."""

    def new(id_: int) -> int:
        return id_ - (id_ > place + 1)

    kept = [event for event in history if event[0] != place + 1]
    return [
        (new(id_), new(previous) if previous != place + 1 else history[place][1], *more)
        for id_, previous, *more in kept
    ]  # type: ignore[misc]


def test_an_event_that_never_was_is_mostly_found() -> None:
    """Not always: a branch may end anywhere, a failed state is left as one only entered.  (The chain knows.)"""
    tried = [(status, history, place) for status, history in SOUND for place in range(1, len(history))]
    found = [bool(check_history(_renumbered(history, place), status)) for status, history, place in tried]
    assert sum(found) > 0.8 * len(tried), (sum(found), len(tried))


def _swapped(history: Events, place: int) -> Events:
    one, other = history[place], history[place + 1]
    return [*history[:place], (one[0], *other[1:]), (other[0], *one[1:]), *history[place + 2 :]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda events: [*events, (len(events) + 1, len(events), 0, "PassStateEntered", {"name": "X"})],
            "the execution ended",
        ),
        (lambda events: [(i, p, t, "Nonsense" if i == 2 else k, d) for i, p, t, k, d in events], "no such event"),
        (lambda events: [(i, 77 if i == 3 else p, t, k, d) for i, p, t, k, d in events], "follows no earlier event"),
        (lambda events: _swapped(events, 3), "it follows no earlier event"),
        (lambda events: events[:1] + events, "event 1 comes after event 1"),
    ],
)
def test_what_is_wrong_is_said(change: Callable[[Events], Events], words: str) -> None:
    machine = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "f", "End": True}}}
    history = Memory(machine, {}).run().history
    found = check_history(change(history), "SUCCEEDED")
    assert any(words in finding.message for finding in found), found


def test_the_end_has_to_be_that_of_the_history() -> None:
    for status, history in SOUND:
        for other in {*ENDS.values(), "RUNNING"} - {status}:
            assert [finding.code for finding in check_history(history, other)] == ["WrongEnd"]


def test_a_timer_that_came_early_is_found() -> None:
    machine = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9, "End": True}}}
    history = Memory(machine, {}).run().history
    assert not check_history(history, waits={"W": 9})
    assert "1000 ms too early" in check_history(history, waits={"W": 10})[0].message
    assert not check_history(history, waits={"W": 10}, slack=1000)


def test_a_task_that_timed_out_early_is_found() -> None:
    task = {"Type": "Task", "Resource": "f", "TimeoutSeconds": 5, "End": True}
    memory = Memory({"StartAt": "T", "States": {"T": task}}, {}, {"f": [{"hang": True}]}).run()
    early = [(i, p, t - (1 if k.endswith("TimedOut") else 0), k, d) for i, p, t, k, d in memory.history]
    assert not check_history(memory.history)
    assert [finding.code for finding in check_history(early)] == ["EarlyTimer"]


def test_every_stage_can_be_left() -> None:
    assert set(AFTER) == set(Stage)
    assert [stage for stage, words in AFTER.items() if not words] == [Stage.OVER]


def _stored(memory: Memory) -> list[StoredFrame]:
    return [
        StoredFrame(
            frame.id,
            frame.phase,
            frame.state,
            frame.entered_id,
            memory.previous[frame.id],
            submitted=frame.task is not None and frame.task.submitted,
            begun=frame.state != "",
        )
        for frame in memory.frames.values()
    ]


def test_state_is_the_fold_of_history_after_every_step() -> None:
    compared = 0
    for case in CASES:
        memory = Memory(case["definition"], case["input"], case.get("tasks", {}), stop=case.get("stop"))
        apply = memory.apply

        def checked(frame_id: str, taken: Any, memory: Memory = memory, apply: Any = apply) -> None:
            nonlocal compared
            apply(frame_id, taken)
            trail = Trail()
            assert not [found for event in memory.history if (found := trail.add(event))]
            assert not list(compare(trail, _stored(memory)))
            compared += 1

        memory.apply = checked  # type: ignore[method-assign]
        if "limits" not in case:
            memory.run()
    assert compared > 500


def test_a_frame_that_is_elsewhere_is_found() -> None:
    machine = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "f", "End": True}}}
    history = Memory(machine, {}).run().history[:4]
    trail = Trail()
    assert not [found for event in history if (found := trail.add(event))]
    right = StoredFrame("", Phase.TASK, "T", 2, 4)
    assert not list(compare(trail, [right]))
    for wrong in (
        StoredFrame("", Phase.WAIT, "T", 2, 4),
        StoredFrame("", Phase.TASK, "U", 2, 4),
        StoredFrame("", Phase.TASK, "T", 3, 4),
        StoredFrame("", Phase.TASK, "T", 2, 3),
        StoredFrame("", Phase.TASK, "T", 2, 4, submitted=True),
        StoredFrame("/1.0", Phase.TASK, "T", 2, 4),
    ):
        assert {finding.code for finding in compare(trail, [wrong])} == {"WrongFrame"}
    assert [finding.message for finding in compare(trail, [])] == ["no frame is in the state 'T' (started) of event 2"]
