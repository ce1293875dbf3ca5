"""What autoscaling and alarms go by: how much there is to do in a store, and who is there to do it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from statewright.api.connected import Connected
from statewright.store.records import Incident
from statewright.store.upkeep.measures import Measures

__all__ = ["Metric", "Metrics", "Monitoring"]

_MEANINGS = {
    "ready_frames": "Frames that wait for a worker, by state machine.",
    "oldest_ready_seconds": "For how long the first of them has been waiting.",
    "running_executions": "Executions that run, by state machine.",
    "waiting_activity_tasks": "Tasks that no activity worker has taken, by activity.",
    "oldest_activity_task_seconds": "For how long the first of them has been waiting.",
    "leased_frames": "Frames that workers hold.",
    "timers": "Timers that are armed.",
    "timer_lag_seconds": "For how long the first timer has been due; 0 if none is.",
    "dead_letters": "Frames that are put aside, as workers could not get on with them.",
    "incidents": "Roll-backs of the store (rollback) and jumps of a server's clock (clock), of the last 100.",
    "repairs_total": "What sweeps have put right, by what it was.",
    "notices": "Ends and starts of executions of which others have not been told yet.",
    "workers": "Workers that are there.",
    "worker_frames_held": "Frames that a worker holds.",
    "worker_frames_room": "Frames that a worker would hold.",
}
"""Every metric, by its name without the prefix ``statewright_``: gauges, and counters, which end in ``_total``."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One value.

    Arguments:
        name: with the prefix ``statewright_``.
        value: in the unit that the name ends in, or a number of things.
        labels: ``machine``, ``activity``, ``worker``, ``kind`` (of incidents) or ``what`` (of repairs).
    """

    name: str
    value: float
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Metrics:
    """All values of one moment; a name's values stand together.

    Example: ``(await engine.metrics()).value("ready_frames", machine="orders")``
    """

    values: tuple[Metric, ...]

    def value(self, name: str, **labels: str) -> float:
        """One value by its name, with or without the prefix; 0 if there is none with these labels.

        Raises KeyError for a name that no metric has.
        """
        name = f"statewright_{name.removeprefix('statewright_')}"
        _MEANINGS[name.removeprefix("statewright_")]
        return next((each.value for each in self.values if (each.name, each.labels) == (name, labels)), 0)

    def document(self) -> list[dict[str, Any]]:
        """For JSON: name, value and labels of each."""
        return [asdict(each) for each in self.values]

    def prometheus(self) -> str:
        """In Prometheus' text format.  Source: "Exposition formats" of its documentation, version 0.0.4."""
        lines, before = [], ""
        for each in self.values:
            if each.name != before:
                before = each.name
                lines.append(f"# HELP {each.name} {_MEANINGS[each.name.removeprefix('statewright_')]}")
                kind = "counter" if each.name.endswith("_total") else "gauge"
                lines.append(f"# TYPE {each.name} {kind}")
            labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in each.labels.items())
            lines.append(f"{each.name}{{{labels}}} {each.value:.15g}" if labels else f"{each.name} {each.value:.15g}")
        return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Monitoring(Connected):
    """What there is to do, in numbers."""

    async def metrics(self) -> Metrics:
        """Queues, executions, timers and workers of the store, what is put aside, and what was noticed and repaired;
        two calls for each of its shards.

        Example: ``print((await engine.metrics()).prometheus())``
        """
        store = self._open.store
        measures, incidents, repairs = await asyncio.gather(store.measure(), store.incidents(), store.repairs())
        values = [*_values(measures), *_past(incidents, repairs)]
        order = list(_MEANINGS)
        values.sort(key=lambda each: (order.index(each.name.removeprefix("statewright_")), *each.labels.values()))
        return Metrics(tuple(values))


def _past(incidents: Iterable[Incident], repairs: Mapping[str, int]) -> Iterator[Metric]:
    counts = Counter(dict.fromkeys(("rollback", "clock"), 0))  # what alarms go by is there from the beginning
    counts.update(incident.kind for incident in incidents)
    for kind, count in counts.items():
        yield Metric("statewright_incidents", count, {"kind": kind})
    for what, count in sorted(repairs.items()):
        yield Metric("statewright_repairs_total", count, {"what": what})


def _values(measures: Measures) -> Iterator[Metric]:
    def metric(name: str, value: float, **labels: str) -> Metric:
        return Metric(f"statewright_{name}", value, labels)

    for machine, queue in measures.machines.items():
        yield metric("ready_frames", queue.waiting, machine=machine)
        yield metric("oldest_ready_seconds", queue.oldest_ms / 1000, machine=machine)
        yield metric("running_executions", queue.running, machine=machine)
    for activity, queue in measures.activities.items():
        yield metric("waiting_activity_tasks", queue.waiting, activity=activity)
        yield metric("oldest_activity_task_seconds", queue.oldest_ms / 1000, activity=activity)
    yield metric("leased_frames", measures.leases)
    yield metric("timers", measures.timers)
    yield metric("timer_lag_seconds", measures.timer_lag_ms / 1000)
    yield metric("dead_letters", measures.dead_letters)
    yield metric("notices", measures.notices)
    yield metric("workers", len(measures.workers))
    for worker in measures.workers:
        yield metric("worker_frames_held", worker.held, worker=worker.owner)
        yield metric("worker_frames_room", worker.room, worker=worker.owner)
