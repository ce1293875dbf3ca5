"""What has to be true of every order after a storm, by its history and by the ledger of effects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeAlias

from statewright.audit import ENDS, check_history

__all__ = ["Event", "Written", "flaws", "lateness", "shape"]

Event: TypeAlias = dict[str, Any]
"""As the API shows it."""

Written: TypeAlias = tuple[int, int, int, str, dict[str, Any] | None]
"""As the store has it."""

_BEGUN_BY = {
    f"{type_}State{end}": f"{type_}StateStarted" for type_ in ("Map", "Parallel") for end in ("Succeeded", "Exited")
}
_DIFFERENT = (
    (re.compile(r"order-\d{6}"), "ORDER"),
    (re.compile(r"KEY-[0-9a-f]{12}"), "KEY"),
    (re.compile(r'(\\*"token\\*": ?\\*")[\w.-]+'), r"\1TOKEN"),
    (re.compile(r'"index": \d+'), '"index": 0'),
)


def flaws(events: list[Written], waits: dict[str, int] | None = None) -> Iterator[str]:
    """What is wrong with a history whatever its execution was to do.

    Arguments:
        waits: ms each Wait state waits.
    """
    seconds = {name: ms // 1000 for name, ms in (waits or {}).items()}
    yield from map(str, check_history(events, waits=seconds))
    for (_, _, at, *_), (id_, _, then, *_) in pairwise(events):
        if then < at:
            yield f"event {id_} is older than the one before"
    if not events or events[-1][3] not in ENDS:
        yield "it has not ended"


def shape(events: list[Event]) -> tuple[str, ...]:
    """A history without what differs between two undisturbed runs: times, names, keys, the order of parallel branches.

    Each event stands for itself and all that it follows, so two histories of one shape have the same events in the same
    order within each branch.
    """
    own: list[str] = []
    whole: dict[int, int] = {0: 0}
    for event in events:
        own.append(_words(event))
        previous = event["previousEventId"]
        if begun_by := _BEGUN_BY.get(event["type"]):  # it follows the branch that happened to end last
            while previous and events[previous - 1]["type"] != begun_by:
                previous = events[previous - 1]["previousEventId"]
        whole[event["id"]] = hash((own[-1], whole[previous]))
    return tuple(sorted(f"{text} {whole[place]}" for place, text in enumerate(own, 1)))


def _words(event: Event) -> str:
    event = {name: value for name, value in event.items() if name not in ("timestamp", "id", "previousEventId")}
    # A submission whose worker died before it could commit is known from its answer, without its output.
    for member in ("output", "outputDetails"):
        event.get("taskSubmittedEventDetails", {}).pop(member, None)
    text = json.dumps(event, sort_keys=True)
    for pattern, word in _DIFFERENT:
        text = pattern.sub(word, text)
    return text


def lateness(events: list[Event], waits: dict[str, int], intervals: dict[str, int]) -> Iterator[tuple[float, float]]:
    """Of each timer that fired: when it was due (s since 1970), and how many seconds later that shows.

    Arguments:
        waits: ms each Wait state waits.
        intervals: ms until each Task state is tried again.
    """
    entered: dict[str, datetime] = {}
    state, failed = "", None
    for event in events:
        kind, at = event["type"], event["timestamp"]
        if kind.endswith("StateEntered"):
            state = event["stateEnteredEventDetails"]["name"]
            entered[state], failed = at, None
        elif kind == "WaitStateExited":
            name = event["stateExitedEventDetails"]["name"]
            due = entered[name].timestamp() + waits[name] / 1000
            yield due, at.timestamp() - due
        elif kind in ("TaskFailed", "LambdaFunctionFailed"):
            failed = at
        elif kind in ("TaskScheduled", "LambdaFunctionScheduled") and failed is not None and state in intervals:
            due = failed.timestamp() + intervals[state] / 1000
            yield due, at.timestamp() - due
            failed = None
