"""The automaton that every (sub-)machine of an execution is: which event may come at which stage of a state.

A history does not say which branch or iteration an event belongs to; it says which event it follows.  A `Thread` is one
running machine as it can be known from that: the root, a branch of a Parallel state or an iteration of a Map.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Final

__all__ = ["AFTER", "SIDE", "Stage", "Thread", "word_of"]


class Stage(StrEnum):
    """How far a thread is in its current state."""

    BETWEEN = "between"  # about to enter a state
    ENTERED = "entered"
    SCHEDULED = "scheduled"
    STARTED = "started"
    SUBMITTED = "submitted"
    ANSWERED = "answered"  # the task has ended, one way or another
    REFUSED = "refused"  # an evaluation failed, or a map run did
    FORKED = "forked"  # branches, iterations or child executions may run
    RUNNING = "running"  # a map run is open
    JOINED = "joined"  # all children succeeded
    FAILED = "failed"  # the Parallel or Map state failed
    OVER = "over"  # the iteration has ended


_STATE: Final = re.compile(
    r"(Choice|Fail|Map|Parallel|Pass|Succeed|Task|Wait)State(Entered|Exited|Started|Succeeded|Failed|Aborted)"
)
_TASK: Final = re.compile(
    r"(?:Task|LambdaFunction|Activity)"
    r"(Scheduled|ScheduleFailed|Started|StartFailed|Submitted|SubmitFailed|Succeeded|Failed|TimedOut)"
)


@cache
def word_of(type_: str) -> tuple[str, str]:
    """What an event says, without the family it is of, and the type of the state it can only be of, or "".

    Example: ``word_of("LambdaFunctionScheduled") == ("scheduled", "Task")``
    """
    if found := _STATE.fullmatch(type_):
        return f"state {found[2].lower()}", found[1]
    if found := _TASK.fullmatch(type_):
        return found[1].lower(), "Task"
    if type_.startswith("MapRun"):
        return f"run {type_[6:].lower()}", "Map"
    if type_.startswith("MapIteration"):
        return f"iteration {type_[12:].lower()}", "Map"
    return type_, ""


_ANSWERS: Final = dict.fromkeys(("succeeded", "failed", "timedout"), Stage.ANSWERED)
_FORK: Final = {"state started": Stage.FORKED}
_ORDER: Final = {"scheduled": Stage.SCHEDULED}
_EXIT: Final = {"state exited": Stage.BETWEEN}
_REFUSAL: Final = {"EvaluationFailed": Stage.REFUSED}
_FAILURE: Final = {"state failed": Stage.FAILED}

AFTER: Final[dict[Stage, dict[str, Stage]]] = {
    Stage.BETWEEN: {"state entered": Stage.ENTERED, **_REFUSAL},
    Stage.ENTERED: {**_EXIT, **_ORDER, **_FORK, **_REFUSAL, **_FAILURE},
    Stage.SCHEDULED: {
        "started": Stage.STARTED,
        "schedulefailed": Stage.ANSWERED,
        "startfailed": Stage.ANSWERED,
        **_ANSWERS,  # of an activity: where the store has lost that it was taken
    },
    Stage.STARTED: {
        "submitted": Stage.SUBMITTED,
        "submitfailed": Stage.ANSWERED,
        "startfailed": Stage.ANSWERED,
        **_ANSWERS,
    },
    Stage.SUBMITTED: _ANSWERS,
    Stage.ANSWERED: {**_EXIT, **_ORDER, **_REFUSAL},
    Stage.REFUSED: {**_EXIT, **_ORDER, **_FORK, **_REFUSAL, **_FAILURE},
    Stage.FORKED: {
        "run started": Stage.RUNNING,
        "state succeeded": Stage.JOINED,
        **_FORK,  # a retry
        **_EXIT,
        **_REFUSAL,
        **_FAILURE,
    },
    Stage.RUNNING: {"run succeeded": Stage.JOINED, "run failed": Stage.REFUSED},
    Stage.JOINED: {"state succeeded": Stage.JOINED, **_EXIT, **_REFUSAL, **_FAILURE},
    Stage.FAILED: {**_EXIT, **_REFUSAL},
    Stage.OVER: {},
}
"""What may come at a stage, and the stage after it: the life of a state, its task, its fork or its map run."""

SIDE: Final = frozenset(
    {
        "state succeeded",
        "state aborted",
        "run aborted",
        "iteration succeeded",
        "iteration failed",
        "iteration aborted",
    }
)
"""What is told without that later events of the thread follow it (see `model.HistoryEvent`)."""


@dataclass(slots=True, eq=False)
class Thread:
    """A running machine, as its events tell.

    Arguments:
        parent: whose branch or iteration it is; None: the root.
        index: of an iteration; None: it is a branch, or the root.
        stage, state, type: how far it is, in which state, of which type ("" before the first one).
        cursor: id of the event that its next one follows; `last`: of its last event, whichever follows it;
            `before`: what the Entered event of the current state follows.
        entered, entered_at: of the current or last state: id and time (ms) of its Entered event.
        output: of the last state it left, as written.
        activity: its task is one for activity workers.
        ordered_at, patience: when its task was scheduled, and the shortest time (ms) after which it may time out.
        length: how many iterations its Map has, if known; `begun`: those that have begun.
        children: branches and iterations of its current fork.
        aborted: it was told that the iteration or its state was aborted; `told`: that the state was.
    """

    parent: Thread | None = None
    index: int | None = None
    stage: Stage = Stage.BETWEEN
    state: str = ""
    type: str = ""
    cursor: int = 0
    last: int = 0
    before: int = 0
    entered: int = 0
    entered_at: int | None = None
    output: Any = None
    activity: bool = False
    ordered_at: int | None = None
    patience: int | None = None
    length: int | None = None
    begun: set[int] = field(default_factory=set)
    children: list[Thread] = field(default_factory=list)
    aborted: bool = False
    told: bool = False

    def next_stage(self, word: str, type_: str, name: str | None) -> Stage | None:
        """The stage after an event of this word, if the thread can have it now.

        Arguments:
            type_: of the state the event is of, "" where it does not say so.
            name: of that state, None where it does not say so.
        """
        after = AFTER[self.stage].get(word)
        if after is None or self.aborted:
            return None
        if self.stage is Stage.BETWEEN:  # of an ItemSelector, before the first state: nothing but that is evaluated
            return after if word == "state entered" or not self.state else None
        if (type_ and type_ != self.type) or (name is not None and name != self.state):
            return None
        return after

    def tree(self) -> list[Thread]:
        """This thread and all below it."""
        found, stack = [], [self]
        while stack:
            thread = stack.pop()
            found.append(thread)
            stack += reversed(thread.children)
        return found

    def __str__(self) -> str:
        where = f"the state {self.state!r}" if self.state else "its first state"
        return f"{where} ({self.stage})"
