"""Whether a concurrent history of calls can be put into one order that explains every answer (Wing and Gong)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["UNBORN", "Call", "State", "linearizable", "next_states"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as its client saw it: what, with which argument, the answer, and when it was made and answered."""

    name: str
    argument: str
    answer: str
    made: float
    answered: float


@dataclass(frozen=True, slots=True)
class State:
    """What an execution of one task with a token is, as a register: its status, its input, the answer that was taken,
    the error it was stopped with.  Between an answer that was taken and the end there may be some time."""

    status: str = ""
    input: str = ""
    taken: str = ""
    error: str = ""


UNBORN = State()


def _start(s: State, call: Call) -> Iterable[State]:
    if not s.status:
        if call.answer == "new":
            yield State("RUNNING", call.argument)
    elif s.status == "RUNNING" and s.input == call.argument:
        if call.answer == "same":
            yield s
        if call.answer == "exists" and s.taken:  # it ends just before
            yield State("SUCCEEDED", s.input, s.taken)
    elif call.answer == "exists":
        yield s


def _answer(s: State, call: Call) -> Iterable[State]:
    if s.status == "RUNNING" and not s.taken:
        if call.answer == "taken":
            yield State("RUNNING", s.input, call.argument)
    elif s.status == "RUNNING":
        same = s.taken == call.argument
        if call.answer == ("taken" if same else "refused"):
            yield s
        if call.answer == "refused":
            yield State("SUCCEEDED", s.input, s.taken)
    elif call.answer == "refused":
        yield s


def _stop(s: State, call: Call) -> Iterable[State]:
    if s.status == "RUNNING":
        if call.answer == f"ABORTED {call.argument}":
            yield State("ABORTED", s.input, s.taken, call.argument)
        if s.taken and call.answer == "SUCCEEDED":
            yield State("SUCCEEDED", s.input, s.taken)
    elif call.answer == f"{s.status} {s.error}".strip():
        yield s


def _describe(s: State, call: Call) -> Iterable[State]:
    if call.answer == (f"{s.status} {s.error}".strip() or "missing"):
        yield s
    if s.status == "RUNNING" and s.taken and call.answer == "SUCCEEDED":
        yield State("SUCCEEDED", s.input, s.taken)


_CALLS: dict[str, Callable[[State, Call], Iterable[State]]] = {
    "start": _start,
    "answer": _answer,
    "stop": _stop,
    "describe": _describe,
}


def next_states(state: State, call: Call) -> list[State]:
    """The states after a call that was answered so, one after the other; none if it cannot be answered so."""
    return list(_CALLS[call.name](state, call))


def linearizable(calls: Sequence[Call], first: S, following: Callable[[S, Call], Iterable[S]]) -> bool:
    """Whether some order of the calls, in which none comes before one that was answered before it was made, leads from
    `first` through the answers that were given.

    Example: ``linearizable(calls, UNBORN, next_states)``
    """
    seen: set[tuple[frozenset[int], S]] = set()
    stack = [(frozenset(range(len(calls))), first)]
    while stack:
        left, state = stack.pop()
        if not left:
            return True
        if (left, state) in seen:
            continue
        seen.add((left, state))
        soonest = min(calls[number].answered for number in left)
        for number in left:
            if calls[number].made <= soonest:
                stack += [(left - {number}, after) for after in following(state, calls[number])]
    return False
