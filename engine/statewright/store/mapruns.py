"""The verbs of map runs, and of notices between executions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from statewright.model import MapRun
from statewright.store import codec, keys
from statewright.store.reading import Reading
from statewright.store.recent import IDLE, Recent
from statewright.store.records import ChildEnd, MapRunCounts, TaskState
from statewright.store.scripts import Argument
from statewright.store.upkeep.serials import Serials

__all__ = ["MapRuns"]

_CACHED = 128
_RESULTS_PER_CALL = 200
_FIELDS = (
    "st", "at", "t1", "next", "cursor", "read", "done", "running", "working", "window", "count", "percentage",
    "exceeded", "begun",
)  # fmt: skip
_STATUSES = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


class MapRuns(Reading):
    """What a store knows of map runs (see `Store`)."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._runs: Recent[tuple[str, str, int], MapRun] = Recent(_CACHED, idle=IDLE)
        self._serials = Serials()

    async def map_run(self, execution: str, frame_id: str, epoch: int) -> MapRun | None:
        """See `Store.map_run`."""
        place = (execution, frame_id, epoch)
        if (known := self._runs.get(place)) is not None:
            return known
        body = await self._scripts.call("HGET", self._run_key(*place), "body")
        if body is None:
            return None
        run = codec.decode_map_run(epoch, body)
        self._runs.put(place, run)
        return run

    def _run_key(self, execution: str, frame_id: str, epoch: int, kind: str = "u") -> str:
        return self._key(execution, kind, f"{frame_id}:{epoch}")

    async def map_run_counts(self, execution: str, frame_id: str, epoch: int) -> MapRunCounts | None:
        """See `Store.map_run_counts`."""
        counted = [f"{unit}:{status}" for unit in "ix" for status in _STATUSES]
        found = await self._scripts.call("HMGET", self._run_key(execution, frame_id, epoch), *_FIELDS, *counted)
        if found[0] is None:
            return None
        status, at, stopped, next_, cursor, read, done, running, working, window, count, percentage, exceeded, begun = [
            "" if field is None else field.decode() for field in found[: len(_FIELDS)]
        ]
        numbers = [int(field or 0) for field in found[len(_FIELDS) :]]
        return MapRunCounts(
            status=status,
            started_at=int(at),
            stopped_at=int(stopped) if stopped else None,
            next=int(next_),
            begun=int(begun or 0),
            cursor=cursor,
            read=int(read),
            done=done == "1",
            running=int(running),
            working=int(working or 0),
            concurrency=int(window),
            tolerated_count=int(count) if count else None,
            tolerated_percentage=float(percentage) if percentage else None,
            exceeded=exceeded == "1",
            items=dict(zip(_STATUSES, numbers[:4], strict=True)),
            executions=dict(zip(_STATUSES, numbers[4:], strict=True)),
        )

    async def map_runs(self, execution: str) -> tuple[str, ...]:
        """See `Store.map_runs`."""
        return tuple(run.decode() for run in await self._scripts.call("LRANGE", self._key(execution, "k"), 0, -1))

    async def find_map_run(self, run: str) -> tuple[str, str, int] | None:
        """See `Store.find_map_run`."""
        places = await self._all([("HGET", f"{keys.prefix(shard)}runs", run) for shard in range(self.shards)])
        place = next((place for place in places if place is not None), None)
        if place is None:
            return None
        execution, frame_id, epoch = place.decode().split(":")
        return execution, frame_id, int(epoch)

    async def find_child(self, execution: str) -> str | None:
        """See `Store.find_child`."""
        placed = [f"{execution}.{shard}" for shard in range(self.shards)]
        found = await self._all([("EXISTS", self._key(name)) for name in placed])
        return next((name for name, there in zip(placed, found, strict=True) if there), None)

    async def advance(
        self,
        execution: str,
        frame_id: str,
        epoch: int,
        owner: str,
        *,
        begun: tuple[int, int],
        cursor: str,
        read: int,
        done: bool,
        idle: bool,
    ) -> tuple[int, int] | None:
        """See `Store.advance`."""
        arguments: list[Argument] = [execution, frame_id, self._time(), owner, epoch, *begun, cursor, read]
        outcome, running, window = await self._scripts.run(
            "advance", self._key(execution), [*arguments, int(done), int(idle)]
        )
        if idle and outcome == b"OK":
            self._serials.add(self.shard_of(execution), owner)
        return (running, window) if outcome == b"OK" else None

    async def update_map_run(self, execution: str, frame_id: str, epoch: int, changes: dict[str, float]) -> bool:
        """See `Store.update_map_run`."""
        names = {"concurrency": "window", "tolerated_count": "count", "tolerated_percentage": "percentage"}
        fields: list[Argument] = []
        for name, value in changes.items():
            fields += (names[name], str(value))
        arguments: list[Argument] = [execution, frame_id, self._time(), epoch, *fields]
        return bool(await self._scripts.run("update_run", self._key(execution), arguments))

    async def child_results(self, execution: str, frame_id: str, epoch: int) -> AsyncIterator[ChildEnd]:
        """See `Store.child_results`."""
        counts = await self.map_run_counts(execution, frame_id, epoch)
        results = self._run_key(execution, frame_id, epoch, "r")
        begun = counts.begun if counts else 0
        for start in range(0, begun, _RESULTS_PER_CALL):
            indexes = range(start, min(start + _RESULTS_PER_CALL, begun))
            fields = [f"{part}{index}" for index in indexes for part in ("", "o", "e", "c", "h")]
            found: Sequence[bytes | None] = await self._scripts.call("HMGET", results, *fields)
            for place in range(0, len(found), 5):
                ended, output, error, cause, header = found[place : place + 5]
                if ended is None:  # it had not ended when the run was closed
                    continue
                status, started, stopped = ended.decode().split(",")
                yield ChildEnd(
                    status,
                    int(started),
                    int(stopped),
                    codec.optional(output),
                    codec.optional(error),
                    codec.optional(cause),
                    None if header is None else codec.decode_execution("", int(started), header, str),
                    kept=output is not None,
                )

    async def open_children(self, execution: str, frame_id: str, epoch: int, count: int) -> tuple[str, ...]:
        """See `Store.open_children`."""
        found = await self._scripts.call("SRANDMEMBER", self._run_key(execution, frame_id, epoch, "o"), count)
        return tuple(child.decode() for child in found)

    async def task_state(self, execution: str, frame_id: str, epoch: int) -> TaskState:
        """See `Store.task_state`."""
        state: TaskState = (await self._task_state(execution, frame_id, epoch, ""))[0]
        return state

    async def _task_state(self, execution: str, frame_id: str, epoch: int, notice: str) -> tuple[TaskState, bool]:
        """The state of a task, and whether a notice waits in its shard."""
        arguments: list[Argument] = [execution, frame_id, epoch, notice]
        state, waits = await self._scripts.run("task_state", self._key(execution), arguments)
        return state.decode(), bool(waits)

    async def notices(self, shard: int, count: int, after: int = 0) -> tuple[str, ...]:
        """See `Store.notices`."""
        return tuple(
            text.decode()
            for text in await self._scripts.call("LRANGE", keys.prefix(shard) + "n", after, after + count - 1)
        )

    async def settle(self, shard: int, notice: str) -> None:
        """See `Store.settle`."""
        await self._scripts.call("LREM", keys.prefix(shard) + "n", 1, notice)
