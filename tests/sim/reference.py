"""How executions go when nothing goes wrong: what every run with faults is compared with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

from statewright.store import codec
from statewright.store.upkeep.archive import Archive
from tests.sim.plan import Plan
from tests.sim.run import Run
from tests.sim.workloads import WORKLOADS

__all__ = ["Event", "Trail", "differences", "prepare", "trails"]

Event: TypeAlias = tuple[int, int, int, str, dict[str, Any] | None]
"""id, previous id, ms, type, details (large payloads by their hash)."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMES = re.compile(r"\b1[67]\d{11}\b|\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass(frozen=True, slots=True)
class Trail:
    """What an execution has left in the server; `records`: its history as written; `lost`: payloads it refers to that
    are not there."""

    header: dict[bytes, bytes]
    records: list[bytes]
    events: list[Event]
    lost: list[str]

    @property
    def status(self) -> str:
        """E.g. RUNNING."""
        return self.header[b"st"].decode()

    def outcome(self) -> list[str | None]:
        """Status, output, error and cause, without what differs between runs."""
        fields = [self.header.get(name) for name in (b"st", b"output", b"error", b"cause")]
        return [_plain(field.decode()) if field else None for field in fields]

    def shape(self, *, ordered: bool) -> list[tuple[int, str, str]]:
        """(previous, type, details) of the events without what differs between runs.  Not `ordered`: sorted, and
        without ids."""
        shown = []
        for _, previous, _, kind, details in self.events:
            # A submission whose worker died before it could commit is known from its answer, without its output.
            dropped = ("output", "outputDetails") if kind == "TaskSubmitted" else ()
            kept = sorted((name, value) for name, value in (details or {}).items() if name not in dropped)
            shown.append((previous if ordered else 0, kind, repr(kept)))
        plain = _plain("\n".join(details for _, _, details in shown)).split("\n")
        shown = [(previous, kind, details) for (previous, kind, _), details in zip(shown, plain, strict=True)]
        return shown if ordered else sorted(shown)


def _plain(text: str) -> str:
    return _UUID.sub("UUID", _TIMES.sub("TIME", text))


def trails(run: Run) -> dict[str, Trail]:
    """What there is of each execution, by id."""
    space, found = run.left, {}
    for key, header in space.items():
        shard, x, execution = key.partition(b":x:")
        if x:
            payloads = space.get(b"%b:p:%b" % (shard, execution), {})
            records = space.get(b"%b:h:%b" % (shard, execution), [])
            if (stored := space.get(b"%b:z:%b" % (shard, execution))) is not None:
                archive = Archive.unpack(stored)
                header, records, payloads = {**header, **archive.fields}, archive.records, archive.payloads
            found[execution.decode()] = _trail(header, records, payloads)
    return found


def _trail(header: dict[bytes, bytes], records: list[bytes], payloads: dict[bytes, bytes]) -> Trail:
    lost: list[str] = []

    def resolve(text: str) -> str:
        if text.startswith("@") and text[1:].encode() not in payloads:
            lost.append(text)
        return text

    resolve(header.get(b"output", b"=")[1:].decode())
    return Trail(header, records, codec.decode_events(1, records, resolve), lost)


@dataclass(frozen=True, slots=True)
class _Reference:
    outcome: list[str | None]
    shape: list[tuple[int, str, str]]
    effects: dict[tuple[str, str], int]


@cache
def _reference(name: str, choice: int) -> _Reference:
    workload = next(workload for workload in WORKLOADS if workload.name == name)
    workload = replace(workload, stopped=False)
    run = Run(Plan(0, ((workload, choice),), workers=1)).carry_out()
    if run.stuck or run.problems:
        raise AssertionError(f"{name} does not even go well by itself: {run.problems or 'stuck'}")
    found = trails(run)
    trail = found[run.orders[0].execution.id]
    return _Reference(trail.outcome(), trail.shape(ordered=workload.ordered), effects(run))


def prepare() -> None:
    """Make all references now (before the engine is broken on purpose)."""
    for workload in WORKLOADS:
        for choice in range(len(workload.inputs)):
            _reference(workload.name, choice)


def effects(run: Run) -> dict[tuple[str, str], int]:
    """How many effects each state had, by execution name (random names taken together): keys, not attempts."""
    counted: Counter[tuple[str, str]] = Counter()
    for (execution, state), keys in run.ledger.keys.items():
        counted[_plain(execution), state] += len(keys)
    return counted


def differences(run: Run, found: dict[str, Trail]) -> Iterator[str]:
    """What is not as in an undisturbed run, though it should be."""
    allowed: Counter[tuple[str, str]] = Counter()
    wanted: Counter[tuple[str, str]] = Counter()
    racing: set[str] = set()  # executions whose effects depend on who is faster: each may be there once
    for number, order in enumerate(run.orders):
        name, workload = order.execution.name, order.workload
        expected = _reference(workload.name, run.plan.orders[number][1])
        allowed.update(expected.effects)
        if not workload.determined:
            racing.add(_plain(name))
        trail = found.get(order.execution.id)
        if trail is None:
            if not run.rolled_back:
                yield f"{name}: started, but not there"
            continue
        if not workload.determined or (run.rolled_back and workload.answered):
            continue
        wanted.update(expected.effects)
        if (outcome := trail.outcome()) != expected.outcome:
            yield f"{name}: ends with {outcome} instead of {expected.outcome}"
        else:
            yield from _compared(name, trail.shape(ordered=workload.ordered), expected.shape)
    had = effects(run)
    for place, count in had.items():
        if count > max(allowed[place], place[0] in racing):
            yield f"{place[0]}: {place[1]} had {count} effects, not {allowed[place]}"
    for place, count in wanted.items():
        if had.get(place, 0) < count:
            yield f"{place[0]}: {place[1]} had {had.get(place, 0)} effects, not {count}"


def _compared(name: str, shape: list[Any], expected: list[Any]) -> Iterator[str]:
    if shape == expected:
        return
    for place, (one, other) in enumerate(zip(shape, expected, strict=False), 1):
        if one != other:
            yield f"{name}: event {place} is {one}, not {other}"
            return
    yield f"{name}: {len(shape)} events, not {len(expected)}"
