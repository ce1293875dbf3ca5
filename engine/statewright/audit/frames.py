"""State is the fold of history: what a running execution's frames must be, by the events so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from statewright.audit.finding import Finding
from statewright.audit.threads import Stage, Thread
from statewright.audit.trail import Trail
from statewright.model import Phase

__all__ = ["StoredFrame", "compare"]

_STAGES: Final = {
    Phase.ENTER: {Stage.BETWEEN},
    Phase.TASK: {Stage.SCHEDULED, Stage.STARTED, Stage.SUBMITTED},
    Phase.WAIT: {Stage.ENTERED, Stage.REFUSED},
    Phase.RETRY: {Stage.ENTERED, Stage.ANSWERED, Stage.REFUSED, Stage.FORKED},
    Phase.JOIN: {Stage.FORKED},
    Phase.MAP_RUN: {Stage.RUNNING},
    Phase.DONE: set(),
}
"""Where a history is while a frame is in a phase."""

_AFTER_JOIN: Final = {Phase.JOIN, Phase.RETRY}
"""Phases in which a frame may go on after an event of a child."""

_MAY_BE_OVER: Final = {Stage.BETWEEN, Stage.ENTERED, Stage.ANSWERED, Stage.REFUSED, Stage.FAILED, Stage.FORKED}
"""Stages in which a branch may have ended: no event says so."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """What is compared of a frame.

    Arguments:
        id, phase, state: see `model.Frame`.
        entered, previous: ids of the Entered event of its state, and of the event that its next one follows.
        submitted: its task was handed over, or taken.
        begun: it ever ran.
        waits: entries in its inbox.
    """

    id: str
    phase: Phase
    state: str
    entered: int
    previous: int
    submitted: bool = False
    begun: bool = True
    waits: int = 0


def compare(trail: Trail, frames: Sequence[StoredFrame]) -> Iterator[Finding]:
    """What differs between the frames of a running execution and what its history says of them.

    Example: ``assert not list(compare(trail, frames))``
    """
    if not trail.understood or trail.ended is not None:
        return
    threads = {thread.entered: thread for thread in trail.root.tree() if thread.entered}
    threads[trail.root.entered] = trail.root
    seen = set()
    for frame in frames:
        if not frame.begun:
            continue
        thread = threads.get(frame.entered)
        if thread is None or (frame.id == "") != (thread is trail.root):
            yield _finding(frame, f"is in the state of event {frame.entered}, which is open in no such frame", thread)
            continue
        seen.add(thread)
        for wrong in _differences(frame, thread):
            yield _finding(frame, wrong, thread)
    for thread in trail.root.tree():
        over = thread.stage is Stage.OVER or thread.aborted or _ended(thread)
        if thread not in seen and not over:
            yield Finding("WrongFrame", f"no frame is in {thread} of event {thread.entered}", thread.entered)


def _ended(thread: Thread) -> bool:
    return thread.parent is not None and thread.index is None and thread.stage in _MAY_BE_OVER


def _finding(frame: StoredFrame, wrong: str, thread: Thread | None) -> Finding:
    return Finding("WrongFrame", f"frame {frame.id!r} {wrong}", thread.entered if thread else None)


def _differences(frame: StoredFrame, thread: Thread) -> Iterator[str]:
    if thread.stage not in _STAGES[frame.phase]:
        yield f"is in phase {frame.phase}, but the history says: {thread}"
    elif frame.phase is not Phase.ENTER and frame.state != thread.state:
        yield f"is in the state {frame.state!r}, but the history says {thread.state!r}"
    elif frame.phase is Phase.TASK and frame.submitted != _submitted(thread):
        yield f"says submitted={frame.submitted}, but the history says: {thread}"
    if frame.id and frame.id.count("/") != _depth(thread):
        yield f"is not as deep as {thread}"
    if thread.index is not None and frame.id.rpartition(".")[2] != str(thread.index):
        yield f"is iteration {thread.index} by its history"
    below = {place for child in thread.tree()[1:] for place in (child.cursor, child.last)}
    if frame.previous != (thread.cursor or thread.last) and not (
        frame.phase in _AFTER_JOIN and frame.previous in below
    ):
        yield f"goes on after event {frame.previous}, but the history says {thread.cursor}"


def _submitted(thread: Thread) -> bool:
    return thread.stage is (Stage.STARTED if thread.activity else Stage.SUBMITTED)


def _depth(thread: Thread) -> int:
    return 0 if thread.parent is None else 1 + _depth(thread.parent)
