"""The one checker of histories: a fold over the events of an execution.

It knows no definition: what may follow what is the same in all of them.  Whoever has a history can give it to a
`Trail`, event by event, whether the engine wrote it or AWS did; it keeps no more than what is still open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from statewright.audit.finding import Finding
from statewright.audit.threads import SIDE, Stage, Thread, word_of
from statewright.history import DETAILS

__all__ = ["ENDS", "Event", "Trail", "check_history"]

Event: TypeAlias = tuple[int, int, int | None, str, Mapping[str, Any] | None]
"""id, previous id, ms (None: unknown), type, details."""

ENDS: Final = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}
"""Status of an execution by its last event."""

_ANYWHERE: Final = "States.Runtime"
"""With this error an execution may fail at any stage: when its history is full, for instance."""

_BUSY: Final = {Stage.BETWEEN, Stage.SCHEDULED, Stage.STARTED, Stage.SUBMITTED, Stage.RUNNING}


class Trail:
    """What a history tells so far.

    Arguments:
        waits: seconds of the Wait states that say so in the definition, by name.
        slack: ms by which timers may seem early, because the clock was set back.

    `root` is the root's thread, `ended` the type and details of the last event once the execution has ended, `length`
    the number of events.  After the first event that cannot be there, those behind it are no longer understood.

    Example::

        trail = Trail()
        for event in events:
            if (finding := trail.add(event)) is not None:
                print(finding)
    """

    def __init__(self, waits: Mapping[str, int] | None = None, slack: int = 0) -> None:
        self.root = Thread()
        self.length = 0
        self.ended: tuple[str, Mapping[str, Any], int | None] | None = None
        self.first: tuple[Mapping[str, Any], int | None] | None = None
        self.understood = True
        self._waits = waits or {}
        self._slack = slack
        self._at = {0: self.root}  # whose event it is, for those that something may still follow

    def add(self, event: Event) -> Finding | None:
        """Take the next event; what is wrong with it, or None."""
        id_, previous, at, type_, details = event
        self.length += 1
        if id_ != self.length:
            wrong, self.length = f"event {id_} comes after event {self.length - 1}", id_
            return Finding("WrongOrder", wrong, id_)
        if not self.understood:
            return None
        wrong = self._wrong(id_, previous, type_)
        if not wrong:
            code, wrong = self._take(id_, previous, at, type_, details or {})
            if code == "EarlyTimer":
                return Finding(code, f"event {id_}, {type_}: {wrong}", id_)
        if not wrong:
            return None
        self.understood = False
        return Finding("WrongOrder", f"event {id_}, {type_}, which follows event {previous}: {wrong}", id_)

    def _wrong(self, id_: int, previous: int, type_: str) -> str:
        """What is wrong with an event whatever it tells."""
        if self.ended is not None:
            return f"the execution ended with {self.ended[0]}"
        if type_ not in DETAILS:  # so there are no more words than these
            return "there is no such event"
        if (id_ == 1) != (type_ == "ExecutionStarted"):
            return "a history begins with ExecutionStarted" if id_ == 1 else "the execution has begun before"
        if not 0 <= previous < id_ or (previous == 0 and id_ > 3):
            return "it follows no earlier event"
        return ""

    def _take(self, id_: int, previous: int, at: int | None, type_: str, details: Mapping[str, Any]) -> tuple[str, str]:
        """Go on with an event; (code, words) of what is wrong with it, if anything is."""
        if type_ == "ExecutionStarted":
            self.first = details, at
            self.root.last = id_  # but no cursor: the second event follows nothing, too (recorded)
            return "", ""
        word, of = word_of(type_)
        owner = self._at.get(previous)
        if word == "EvaluationFailed" or owner is None:
            owner = self._refused(id_, previous, details.get("state")) or owner
        if owner is None:
            return "", "nothing can follow that any more"
        if type_ in ENDS:
            return "", self._end(type_, details, at)
        name = details.get("name", details.get("state"))
        if word in ("state aborted", "run aborted"):
            return "", self._abort(owner, word, of, id_)
        if word.startswith("iteration"):
            return "", self._iteration(owner, word, id_, details)
        if word == "state entered" and owner.stage is Stage.FORKED and owner.type == "Parallel":
            owner = self._child(owner, None)
            owner.cursor = previous
        thread: Thread | None = owner
        while thread is not None and (stage := thread.next_stage(word, of, name)) is None:
            thread = thread.parent
        if thread is None or stage is None:
            return "", f"it cannot come at {owner}"
        return self._step(thread, stage, word, of, id_, previous, at, details)

    def _refused(self, id_: int, previous: int, state: Any) -> Thread | None:
        """The thread of the event before this one, if that entered `state` and follows the same one: an evaluation that
        fails at once follows what the Entered event does (recorded), or the end does if the history is full then."""
        thread = self._at.get(id_ - 1)
        if thread is None or (thread.entered, thread.before) != (id_ - 1, previous):
            return None
        return thread if state in (None, thread.state) else None

    def _advance(self, thread: Thread, id_: int, word: str) -> None:
        """The thread has a new last event, and unless that is told aside, its next one follows it."""
        for place in {thread.last, thread.cursor} if word not in SIDE else {thread.last} - {thread.cursor}:
            if self._at.get(place) is thread:
                del self._at[place]
        thread.last = id_
        if word not in SIDE:
            thread.cursor = id_
        self._at[id_] = thread

    def _step(
        self,
        thread: Thread,
        stage: Stage,
        word: str,
        of: str,
        id_: int,
        previous: int,
        at: int | None,
        details: Mapping[str, Any],
    ) -> tuple[str, str]:
        """An event of a thread itself."""
        if thread.children and word != "run started":
            if wrong := self._close(thread, word, previous):
                return "", wrong
        elif previous != thread.cursor and not self._aside(thread, word, previous):
            return "", f"the event before it is {thread.cursor}"
        early = self._early(thread, word, at)
        if word == "state entered":
            thread.state, thread.type = str(details.get("name")), of
            thread.before, thread.entered, thread.entered_at = previous, id_, at
        elif word == "scheduled":
            spans = [details[name] for name in ("timeoutInSeconds", "heartbeatInSeconds") if name in details]
            thread.ordered_at, thread.patience = at, min(spans, default=0) * 1000
            thread.activity = ":activity:" in str(details.get("resource"))
        elif word == "state started":
            thread.length, thread.begun = details.get("length"), set()
        elif word == "state exited":
            thread.output = details.get("output")
            if thread.stage is Stage.JOINED and self._at.get(thread.before) is thread:
                del self._at[thread.before]
        before = thread.cursor
        self._advance(thread, id_, word)
        if word == "run succeeded":  # recorded: the Exited event follows the start of the run
            thread.before = before
            self._at[before] = thread
        thread.stage = stage
        return early

    def _aside(self, thread: Thread, word: str, previous: int) -> bool:
        """Whether an event need not follow the one before it (recorded for both)."""
        return previous == thread.before and (word == "EvaluationFailed" or thread.stage is Stage.JOINED)

    def _early(self, thread: Thread, word: str, at: int | None) -> tuple[str, str]:
        """A timer that fired before its time."""
        since, span = None, 0
        if word == "timedout":
            since, span = thread.ordered_at, thread.patience or 0
        elif word == "state exited" and thread.type == "Wait":
            since, span = thread.entered_at, self._waits.get(thread.state, 0) * 1000
        if at is None or since is None or at - since + self._slack >= span:
            return "", ""
        return "EarlyTimer", f"it came {span - (at - since)} ms too early"

    # -- branches and iterations --------------------------------------------------------------------------------------
    def _child(self, parent: Thread, index: int | None) -> Thread:
        child = Thread(parent, index)
        parent.children.append(child)
        return child

    def _close(self, thread: Thread, word: str, previous: int) -> str:
        """The thread goes on, so its children have ended; what is wrong with that."""
        if not any(previous in (child.cursor, child.last) for each in thread.children for child in each.tree()):
            return f"it follows neither a branch nor an iteration of {thread}"
        open_ = [child for child in thread.children if child.stage is not Stage.OVER and not child.aborted]
        if thread.type == "Map" and open_ and word != "state exited":
            return f"iteration {open_[0].index} has not ended"
        if word == "state succeeded":
            if thread.length is not None and len(thread.begun) != thread.length:
                return f"{len(thread.begun)} of {thread.length} iterations have begun"
            running = [child for child in open_ if child.stage is not Stage.BETWEEN]
            if running:
                return f"a branch is in {running[0]}"
        for child in thread.tree()[1:]:
            for place in (child.cursor, child.last):
                if self._at.get(place) is child:
                    del self._at[place]
        thread.children.clear()
        self._at[previous] = thread
        thread.cursor = thread.last = previous
        return ""

    def _iteration(self, owner: Thread, word: str, id_: int, details: Mapping[str, Any]) -> str:
        """What is told of an iteration as a whole."""
        name, index = details.get("name"), details.get("index")
        if word == "iteration started":
            return self._begin(owner, name, index, id_)
        if word == "iteration aborted":
            return self._abort_iteration(owner, name, index)
        map_ = self._map_of(owner, name)
        thread: Thread | None = owner
        while thread is not None and thread.parent is not map_:
            thread = thread.parent
        if map_ is None or thread is None or thread.index != index or thread.stage is Stage.OVER:
            return f"iteration {index} is not open"
        if word == "iteration succeeded" and thread.stage is not Stage.BETWEEN:
            return f"iteration {index} is in {thread}"
        self._advance(thread, id_, word)
        thread.stage = Stage.OVER
        return ""

    def _begin(self, owner: Thread, name: Any, index: Any, id_: int) -> str:
        map_ = self._map_of(owner, name)
        if map_ is None or not isinstance(index, int):
            return f"no Map state {name!r} is open"
        if index in map_.begun or (map_.length is not None and not 0 <= index < map_.length):
            return f"iteration {index} of {map_.length} has begun before, or there is none"
        map_.begun.add(index)
        child = self._child(map_, index)
        child.cursor = child.last = id_
        self._at[id_] = child
        return ""

    def _abort_iteration(self, owner: Thread, name: Any, index: Any) -> str:
        """An iteration beside or below the thread that failed is aborted, whether it has begun or not."""
        around: Thread | None = owner
        while around is not None:
            for map_ in around.tree():
                if map_.state != name or map_.type != "Map":
                    continue
                if index not in map_.begun:
                    map_.begun.add(index)
                    return ""
                for child in map_.children:
                    if child.index == index and not child.aborted and child.stage is not Stage.OVER:
                        child.aborted = True
                        return ""
            around = around.parent
        return f"iteration {index} of {name!r} is not open"

    def _map_of(self, owner: Thread, name: Any) -> Thread | None:
        """The innermost open Map state of this name around a thread."""
        thread: Thread | None = owner
        while thread is not None and not (
            thread.type == "Map" and thread.state == name and thread.stage in (Stage.FORKED, Stage.REFUSED)
        ):
            thread = thread.parent
        return thread

    def _abort(self, owner: Thread, word: str, type_: str, id_: int) -> str:
        """A state, or its map run, is aborted: that of the thread that failed, or of one beside or below that."""
        around: Thread | None = owner
        while around is not None:
            for thread in around.tree():
                among = thread is owner or (thread is not around and thread.stage not in (Stage.BETWEEN, Stage.OVER))
                if not among or thread.type != type_ or thread.told:
                    continue
                if word == "run aborted" and thread.stage is Stage.RUNNING:
                    thread.stage = Stage.FORKED
                    return ""
                if word == "state aborted":
                    thread.told = thread.aborted = True
                    if thread is owner:
                        self._advance(thread, id_, word)
                    return ""
            around = around.parent
        return "nothing of the kind is open"

    # -- the end ------------------------------------------------------------------------------------------------------
    def _end(self, type_: str, details: Mapping[str, Any], at: int | None) -> str:
        self.ended = type_, details, at
        if type_ == "ExecutionSucceeded":
            if self.root.stage is not Stage.BETWEEN or not self.root.state:
                return f"the root is in {self.root}"
            if details.get("output") != self.root.output:
                return "its output is not that of the last state"
        elif type_ == "ExecutionFailed" and details.get("error") != _ANYWHERE and self.root.stage in _BUSY:
            return f"the root is in {self.root}"
        self._at.clear()
        return ""


def check_history(
    events: Iterable[Event], status: str | None = None, *, waits: Mapping[str, int] | None = None, slack: int = 0
) -> list[Finding]:
    """What is wrong with a whole history.

    Arguments:
        events: the first to the last.
        status: of the execution; None: whatever the history says.
        waits, slack: see `Trail`.

    Example: ``assert not check_history(events, "SUCCEEDED")``
    """
    trail = Trail(waits, slack)
    found = [finding for event in events if (finding := trail.add(event)) is not None]
    ended = "RUNNING" if trail.ended is None else ENDS[trail.ended[0]]
    if status is not None and status != ended and trail.understood:
        found.append(Finding("WrongEnd", f"it is {status}, and {ended} by its history"))
    return found
