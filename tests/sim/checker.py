"""What has to be true after every run, by what is left in the server, in the ledger and with the client."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from statewright.audit import check_history
from statewright.store.codec import Chain
from tests.sim.client import Order
from tests.sim.reference import Event, Trail, differences, trails
from tests.sim.run import Run

__all__ = ["violations"]

_STAYS = re.compile(
    rb"^sw:\{(meta|\d+)\}:(meta$|machines$|workers$|said$|m:|d:|x:|h:|p:|z:|k:|u:|e:|runs$|a$|s$|sweep$|w$|incidents$"
    rb"|done$|z$)"
)
"""What may be left when all executions have ended."""


def violations(run: Run) -> list[str]:
    """What is wrong after a run, in words; nothing if all is well.

    Example: ``assert not violations(Run(plan_of(7)).carry_out())``
    """
    found = trails(run)
    # A frame that was claimed before the store lost it has no payloads after that, as its worker says.
    wrong = [problem for problem in run.problems if not (run.rolled_back and "LostPayloadError" in problem)]
    if run.stuck:
        return [*wrong, f"stuck: {[name for name, trail in found.items() if trail.status == 'RUNNING']}"]
    for execution, trail in found.items():
        wrong += [f"{execution}: {each}" for each in _history(run, execution, trail)]
    wrong += _left_over(run)
    wrong += _repairs(run)
    wrong += _indexes(run, found)
    wrong += _remembered(run, found)
    wrong += _map_runs(run)
    for order in run.orders:
        if order.execution.id in found:
            events = found[order.execution.id].events
            wrong += [f"{order.execution.name}: {each}" for each in _early(order, events, run.set_back)]
            wrong += [f"{order.execution.name}: {each}" for each in _idle(run, events)]
            if order.workload.fails_fast:
                wrong += [f"{order.execution.name}: {each}" for each in _fenced(events)]
    wrong += differences(run, found)
    wrong += _inputs(run)
    wrong += [f"{name}: a frame of another worker was committed" for name in run.world.usurped]
    wrong += [f"{name}: refused its own commit" for name in run.world.refused if run.plan.harmless]
    wrong += _answers(run, found)
    return wrong


def _history(run: Run, execution: str, trail: Trail) -> Iterator[str]:
    """The history is whole, and one that an execution can have."""
    if trail.lost:
        yield f"payloads are not there: {trail.lost}"
    chain = Chain(execution)
    for place, record in enumerate(trail.records, 1):
        if not chain.fits(record):
            yield f"the chain is broken at event {place}"
    for one, other in pairwise(trail.events):
        if other[2] < one[2]:
            yield f"event {other[0]} is {one[2] - other[2]} ms before the one before it"
    if trail.events:
        yield from map(str, check_history(trail.events, trail.status, slack=round(run.set_back * 1000)))


def _left_over(run: Run) -> Iterator[str]:
    for key in run.left:
        if not _STAYS.match(key):
            yield f"left over: {key.decode()}"


def _repairs(run: Run) -> Iterator[str]:
    """A sweep finds nothing to put right, and nobody thinks that the store has lost something, unless it has."""
    for entry in run.world.server.execute([b"LRANGE", b"sw:{meta}:incidents", b"0", b"-1"]):
        if b",rollback," in entry and not run.rolled_back:
            yield f"noticed, though nothing was lost: {entry.decode()}"
    for key, counts in run.left.items():
        if key.endswith(b"}:s") and not run.rolled_back:
            yield f"repaired, though nothing was lost: {dict(counts)}"


def _indexes(run: Run, found: dict[str, Trail]) -> Iterator[str]:
    """Every execution is listed once, under its status; child executions only under their map run."""
    listed: Counter[tuple[str, str]] = Counter()
    for key, value in run.left.items():
        if b"}:e::" in key:
            listed.update((member.decode(), key.rpartition(b":")[2].decode()) for member in value)
    there = Counter((name, trail.status) for name, trail in found.items() if not trail.header.get(b"ix"))
    if listed != there:
        yield f"listed, but not there: {listed - there}; there, but not listed: {there - listed}"


def _remembered(run: Run, found: dict[str, Trail]) -> Iterator[str]:
    """Whatever ended is once on the list of what is to be archived, or on that of what is archived; the children of
    map runs, which go with their parents, are on the first only.  An archive replaces the history."""
    space = run.left
    listed = Counter(name.decode() for key in space if key.endswith((b"}:done", b"}:z")) for name in space[key])
    for name, trail in found.items():
        child = bool(trail.header.get(b"ix"))
        archived = any(key.endswith(b"}:z:" + name.encode()) for key in space)
        if archived == any(key.endswith(b"}:h:" + name.encode()) for key in space):
            yield f"{name}: there is a history and an archive, or neither"
        if listed[name] != (trail.status != "RUNNING" and not (child and archived)):
            yield f"{name}: it is {trail.status}, and remembered {listed[name]} times"


def _map_runs(run: Run) -> Iterator[str]:
    for key, counts in run.left.items():
        if b"}:u:" in key and counts[b"st"] == b"SUCCEEDED":
            numbers = {name: int(counts.get(name, 0)) for name in (b"running", b"read", b"next", b"i:SUCCEEDED")}
            ended = sum(int(number) for name, number in counts.items() if name.startswith(b"x:"))
            if numbers[b"running"] or numbers[b"read"] != numbers[b"i:SUCCEEDED"] or ended != numbers[b"next"]:
                yield f"a map run counts {numbers}, {ended} ended"


def _early(order: Order, events: list[Event], set_back: float) -> Iterator[str]:
    """No Wait ends, and no state is tried again, before its time by the server's clock.  (If that was `set_back` by so
    many seconds, a timer that was due before may end by an earlier time than it was due.)"""
    since: dict[str, int] = {}
    state = ""
    for _, _, at, kind, details in events:
        name = (details or {}).get("name", "")
        if kind.endswith("StateEntered"):
            state = name
            since[name] = at
        elif kind == "WaitStateExited":
            early = since[name] + order.workload.pauses.get(name, 0) - at
            if early > set_back * 1000:
                yield f"{name} ended {early} ms early"
        elif kind in ("TaskFailed", "LambdaFunctionFailed"):
            since[f"retry {state}"] = at
        elif kind == "TaskScheduled" and f"retry {state}" in since and state in order.workload.intervals:
            early = since[f"retry {state}"] + order.workload.intervals[state] - at
            if early > set_back * 1000:
                yield f"{state} was tried again {early} ms early"


def _idle(run: Run, events: list[Event]) -> Iterator[str]:
    """Nothing waits for longer than leases of workers that died, and its turn among those that live."""
    kinds = [kind for _, kind in run.plan.faults]
    if run.plan.calm and set(kinds) <= {"crash", "flush functions", "sweep", "bury"}:
        crashes = kinds.count("crash")
        most = run.lease * (2 + crashes if crashes else 1) * 1000
        for one, other in pairwise(events):
            if other[2] - one[2] >= most:
                yield f"nothing was done for {other[2] - one[2]} ms before event {other[0]}"


def _fenced(events: list[Event]) -> Iterator[str]:
    """When a branch has failed for good, nothing is heard of the others any more."""
    kinds = [kind for *_, kind, _ in events]
    if "ParallelStateFailed" in kinds:
        closed = kinds.index("ParallelStateFailed")
        failed = max(place for place, kind in enumerate(kinds[:closed]) if kind == "LambdaFunctionFailed")
        heard = [kind for kind in kinds[failed + 1 : closed] if not kind.endswith("Aborted")]
        if heard:
            yield f"{heard} came after the failure of another branch"


def _inputs(run: Run) -> Iterator[str]:
    """A handler is given what was committed, so the same at every attempt (unless the store has forgotten it)."""
    if not run.rolled_back:
        for key, inputs in run.ledger.inputs.items():
            if len(inputs) > 1:
                yield f"the effect {key[:8]} was attempted with {sorted(inputs)}"


def _answers(run: Run, found: dict[str, Trail]) -> Iterator[str]:
    """Of several answers to a task one counts, and it is the one whose sender was told so."""
    if run.rolled_back:
        return
    taken: dict[str, set[str]] = {}
    for answer in run.client.answers:
        taken.setdefault(answer.token, set()).add(answer.output)
    outputs = [
        (details or {}).get("output")
        for trail in found.values()
        for _, _, _, kind, details in trail.events
        if kind in ("TaskSucceeded", "ActivitySucceeded")
    ]
    for answers in taken.values():
        if len(answers) > 1:
            yield f"a task took the answers {sorted(answers)}"
        elif not answers & set(outputs):
            yield f"the answer {answers} was acknowledged, but does not count"
