"""What an execution did: its history folded into one row per visit of a state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from statewright_cli.output import duration
from statewright_cli.show import Event, details

__all__ = ["Timeline", "Visit"]

ORDERED = ("TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled")
FORKED = ("MapStateStarted", "ParallelStateStarted")
ITERATION_ENDED = ("MapIterationSucceeded", "MapIterationFailed", "MapIterationAborted")
JOINED = tuple(f"{kind}State{end}" for kind in ("Map", "Parallel") for end in ("Succeeded", "Failed", "Aborted"))


@dataclass(slots=True)
class Visit:
    """One visit of a state.

    Arguments:
        name: of the state.
        path: one text per Map or Parallel state around it, outermost first: ``"[2]"`` for a Map's third iteration,
            empty for a branch.
        since: seconds from the beginning of the execution until the state was entered.
        entered: when.
        status: running, waiting, waiting for an answer, succeeded, failed, caught or aborted.
        ended: when, or None.
        attempts: how often its work was ordered.
        error: the last error's name.
        progress: of its map run, in words.
    """

    name: str
    path: tuple[str, ...]
    since: float
    entered: datetime
    status: str = "running"
    ended: datetime | None = None
    attempts: int = 0
    error: str = ""
    progress: str = ""

    def __str__(self) -> str:
        """The visit in one line."""
        label = f"{self.path[-1]} {self.name}".strip() if self.path else self.name
        took = f" in {duration((self.ended - self.entered).total_seconds())}" if self.ended else ""
        tries = f", attempt {self.attempts}" if self.attempts > 1 else ""
        error = f" ({self.error})" if self.error else ""
        progress = f": {self.progress}" if self.progress else ""
        return f"{self.since:>9.3f}  {'  ' * len(self.path) + label:<28}  {self.status}{took}{tries}{error}{progress}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the execution an event is: the visit it belongs to, and the Map and Parallel visits around that."""

    visit: Visit | None = None
    around: tuple[Visit, ...] = ()
    path: tuple[str, ...] = ()


class Timeline:
    """The visits of an execution in the order of their beginning.

    Events are told apart by `previousEventId`: a thread of events belongs to one branch, iteration or root.

    `map_runs` are the visits that have a map run, by its ARN.

    Example: ``timeline = Timeline(); timeline.add(event); timeline.visits[-1].status``
    """

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.map_runs: dict[str, Visit] = {}
        self.seen = 0
        self._started: datetime | None = None
        self._places: dict[int, _Place] = {}

    def add(self, event: Event) -> Visit | None:
        """Take the next event; the visit it changed, or None."""
        self.seen = event["id"]
        before = self._places.get(event["previousEventId"], _Place())
        place = self._place(event, before)
        self._places[event["id"]] = place
        if place.visit is None:
            return None
        earlier = _progress(place.visit)
        _change(place.visit, event)
        return place.visit if place.visit is not before.visit or earlier != _progress(place.visit) else None

    def _place(self, event: Event, before: _Place) -> _Place:
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            time: datetime = event["timestamp"]
            self._started = self._started or time
            visit = Visit(details(event)["name"], before.path, (time - self._started).total_seconds(), time)
            self.visits.append(visit)
            return _Place(visit, before.around, before.path)
        if kind == "MapRunStarted" and before.around:
            self.map_runs[details(event)["mapRunArn"]] = before.around[-1]
        if kind in FORKED and before.visit:
            before.visit.attempts += 1
            return _Place(None, (*before.around, before.visit), (*before.path, ""))
        if kind == "MapIterationStarted":
            return _Place(None, before.around, (*before.path[:-1], f"[{details(event).get('index', 0)}]"))
        if kind in ITERATION_ENDED:
            return _Place(None, before.around, before.path)
        if before.around and (kind in JOINED or _leaves(kind, event, before)):
            return _Place(before.around[-1], before.around[:-1], before.path[:-1])
        return before


def _leaves(kind: str, event: Event, before: _Place) -> bool:
    """Whether a Map or Parallel state is left by an event that follows its last iteration's (as recorded)."""
    return kind.endswith("StateExited") and details(event).get("name") == before.around[-1].name


def _progress(visit: Visit) -> tuple[str, int]:
    """What is worth telling when it changes: the first attempt is no news."""
    return visit.status, max(1, visit.attempts)


def _change(visit: Visit, event: Event) -> None:
    kind: str = event["type"]
    if kind in ORDERED:
        visit.attempts += 1
        visit.status = "waiting" if kind == "ActivityScheduled" else "running"
    elif kind == "WaitStateEntered":
        visit.status = "waiting"
    elif kind == "TaskSubmitted":
        visit.status = "waiting for an answer"
    elif kind == "ActivityStarted":
        visit.status = "running"
    elif kind.endswith("StateExited"):
        visit.status = "caught" if visit.status == "failed" else "succeeded"
        visit.ended = event["timestamp"]
    elif kind.endswith("Aborted"):
        visit.status, visit.ended = "aborted", event["timestamp"]
    elif kind == "FailStateEntered":
        visit.status, visit.ended = "failed", event["timestamp"]
    elif kind.endswith(("Failed", "TimedOut")) and kind != "ExecutionFailed":
        visit.status = "failed"
        visit.error = str(details(event).get("error", "")) or visit.error
