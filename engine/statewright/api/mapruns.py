"""Map runs: what distributed Maps are doing, and other limits for them while they run."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType

from statewright.api.connected import Connected
from statewright.arn import map_run_id
from statewright.errors import StatewrightError

__all__ = ["MapRunDescription", "MapRuns"]


@dataclass(frozen=True, slots=True)
class MapRunDescription:
    """A map run as DescribeMapRun shows it.

    Arguments:
        arn, execution_arn: of the run, and of the execution it belongs to.
        status: RUNNING, SUCCEEDED, FAILED or ABORTED.
        started_at, stopped_at: ms.
        max_concurrency, tolerated_failure_count, tolerated_failure_percentage: its limits, as they are now.
        items, executions: how many there are, by status: pending, running, succeeded, failed, timed_out, aborted and
            total; with an ItemReader the total grows as items are read.
        reading: whether it may still grow.
    """

    arn: str
    execution_arn: str
    status: str
    started_at: int
    stopped_at: int | None
    max_concurrency: int
    tolerated_failure_count: int | None
    tolerated_failure_percentage: float | None
    items: dict[str, int]
    executions: dict[str, int]
    reading: bool


class MapRuns(Connected):
    """The map runs of executions."""

    async def map_runs(self, execution: str) -> list[MapRunDescription]:
        """The map runs of an execution (by ARN or ``machine:name``), first to last."""
        runs = await self._open.store.map_runs(await self._id(execution))
        return [await self._describe(run) for run in runs]

    async def map_run(self, arn: str) -> MapRunDescription:
        """A map run by its ARN; StatewrightError InvalidArn, ResourceNotFound.

        Example: ``(await engine.map_run(arn)).items["succeeded"]``
        """
        return await self._describe(map_run_id(arn))

    async def update_map_run(
        self,
        arn: str,
        *,
        max_concurrency: int | None = None,
        tolerated_failure_count: int | None = None,
        tolerated_failure_percentage: float | None = None,
    ) -> None:
        """Give a running map run other limits; at once.

        Raises StatewrightError InvalidArn, ResourceNotFound, ValidationException (limits that make no sense, a run
        that has ended).
        """
        changes: dict[str, float] = {}
        if max_concurrency is not None:
            changes["concurrency"] = _within("maxConcurrency", max_concurrency, 1, 10_000, int)
        if tolerated_failure_count is not None:
            changes["tolerated_count"] = _within("toleratedFailureCount", tolerated_failure_count, 0, 100_000_000, int)
        if tolerated_failure_percentage is not None:
            changes["tolerated_percentage"] = _within(
                "toleratedFailurePercentage", tolerated_failure_percentage, 0, 100, int | float
            )
        if not changes:
            raise StatewrightError("ValidationException", "no limit to be changed was given")
        place = await self._place(map_run_id(arn))
        if not await self._open.store.update_map_run(*place, changes):
            raise StatewrightError("ValidationException", f"the map run '{arn}' does not run any more")

    async def _place(self, run: str) -> tuple[str, str, int]:
        place = await self._open.store.find_map_run(run)
        if place is None:
            raise StatewrightError("ResourceNotFound", f"Resource not found: there is no map run '{run}'")
        return place

    async def _describe(self, run: str) -> MapRunDescription:
        place = await self._place(run)
        store = self._open.store
        ordered, counts = await store.map_run(*place), await store.map_run_counts(*place)
        parent = await store.describe(place[0])
        if ordered is None or counts is None or parent is None:
            raise StatewrightError("ResourceNotFound", f"Resource not found: the map run '{run}' is gone")
        known = counts.read if ordered.items is None else len(ordered.items.value)
        return MapRunDescription(
            arn=ordered.arn,
            execution_arn=parent.execution.arn,
            status=counts.status,
            started_at=counts.started_at,
            stopped_at=counts.stopped_at,
            max_concurrency=counts.concurrency,
            tolerated_failure_count=counts.tolerated_count,
            tolerated_failure_percentage=counts.tolerated_percentage,
            items=_by_status(counts.items, counts.working, known),
            executions=_by_status(counts.executions, counts.running, counts.begun),
            reading=ordered.items is None and counts.status == "RUNNING" and not counts.done,
        )


def _by_status(ended: dict[str, int], running: int, total: int) -> dict[str, int]:
    """Counts by status; whatever neither ended nor runs is pending; what runs may not be in `total` yet."""
    by_status = {status.lower(): number for status, number in ended.items()}
    begun = running + sum(ended.values())
    return {"pending": max(0, total - begun), "running": running, **by_status, "total": max(total, begun)}


def _within(name: str, value: float, least: float, most: float, kind: type | UnionType) -> float:
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
        raise StatewrightError("ValidationException", f"{name} must be between {least} and {most} but was {value}")
    return value
