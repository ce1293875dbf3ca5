"""Feeding map runs: reading items and starting child executions as long as there is room for them.

Whoever holds the Map's frame feeds its run.  A child is created with an id that follows from the run and its index, and
`advance` then tells how far reading has come, so that after a crash the next worker goes on there: what had been
created beyond that is found to be there.  When there is no room the frame is let go; the end of a child wakes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from statewright.arn import arn_within, execution_id, uuid_of
from statewright.drive.session import Session
from statewright.drive.starting import Starter, start_execution
from statewright.items import MapItem, Reader, open_items, open_results
from statewright.model import Execution, Frame, Item, Link, LinkKind, MapRun
from statewright.states.distributed import Feeding
from statewright.store.records import MapRunCounts
from statewright.values import Json, Payload, decode, encode

__all__ = ["Feeder"]

_ITEMS = 1_000
_BYTES = 4_000_000
"""How much is read ahead at once: items, and bytes of their texts."""

_CREATED_AT_ONCE = 256
"""Children created at once; fewer where their inputs have more than `_BYTES` together."""

_SOURCES = 64
"""Map runs whose readers stay open between two meals."""


class FeedingWorker(Starter, Protocol):
    """A worker, as far as it is needed to feed a map run (see `Worker`)."""

    @property
    def has_idle_handlers(self) -> bool: ...


class _Source(Protocol):
    """Where items come from (`items.Items`, or the state's own input)."""

    def take(self, count: int, max_bytes: int, /) -> list[MapItem]: ...

    @property
    def cursor(self) -> str: ...

    @property
    def exhausted(self) -> bool: ...

    def close(self) -> None: ...


class _StateItems:
    """The items of the state's input; the cursor is a place among them."""

    def __init__(self, values: list[Json], keys: Sequence[str], cursor: str) -> None:
        self._values = values
        self._keys: Sequence[str | None] = keys or [None] * len(values)
        self._at = int(cursor or 0)

    def take(self, count: int, max_bytes: int, /) -> list[MapItem]:  # noqa: ARG002  they are in memory anyway
        part = slice(self._at, self._at + count)
        items = zip(self._values[part], self._keys[part], strict=True)
        taken = [MapItem(Payload.of(value), "STATE_DATA", key) for value, key in items]
        self._at += len(taken)
        return taken

    @property
    def cursor(self) -> str:
        return str(self._at)

    @property
    def exhausted(self) -> bool:
        return self._at >= len(self._values)

    def close(self) -> None:
        pass


def _nothing() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


@dataclass(slots=True)
class _Reading:
    """A source and what has been read of it ahead.

    Arguments:
        child: index of the next child.
        item: index of the next item to be selected.
        parts: what was read at once and is not used up: the source's cursor before it, and how many items it has.
        used: how many items of the first part are used up.
    """

    source: _Source
    child: int
    item: int
    parts: deque[tuple[str, int]] = field(default_factory=deque)
    used: int = 0
    waiting: deque[Payload] = field(default_factory=deque)
    taking: Future[Any] = field(default_factory=_nothing)

    @property
    def cursor(self) -> str:
        """Where another worker goes on."""
        return encode([self.parts[0][0] if self.parts else self.source.cursor, self.used])

    @property
    def more(self) -> bool:
        """Whether there is anything that has not been read."""
        return not self.source.exhausted

    async def take(self, threads: Executor, count: int) -> list[MapItem]:
        """Take items from the source, in a thread."""
        before = self.source.cursor
        self.taking = threads.submit(self.source.take, count, _BYTES)
        found: list[MapItem] = await asyncio.wrap_future(self.taking)
        self.parts.append((before, len(found)))
        return found

    def use(self, count: int) -> None:
        """So many items more are used up."""
        self.used += count
        while self.parts and self.used >= self.parts[0][1]:
            self.used -= self.parts.popleft()[1]

    def close(self) -> None:
        """Close the source, as soon as nothing is being taken from it any more."""
        self.taking.add_done_callback(lambda _: self.source.close())


class Feeder:
    """Feeds the map runs whose frames a worker holds.

    Arguments:
        worker: takes on the children it starts, as long as it has nothing better to do; the others are for anybody.

    Example: ``await feeder.feed(execution, frame, make_feeding, interrupted)``
    """

    def __init__(self, worker: FeedingWorker) -> None:
        self._worker = worker
        self._session = worker.session
        self._readings: dict[tuple[str, str, int], _Reading] = {}

    def close(self) -> None:
        """Close all readers."""
        for reading in self._readings.values():
            reading.close()
        self._readings.clear()

    async def feed(
        self, execution: Execution, frame: Frame, feeding: Callable[[], Feeding], interrupted: Callable[[], bool]
    ) -> bool:
        """Start children as long as there is room and something to read.

        Arguments:
            execution, frame: the Map's.
            feeding: makes the children's inputs.
            interrupted: whether to stop here, as there is something else for the frame to react to.

        Returns False if the run is over or the frame is lost.  Raises StatesError for items that cannot be read or
        selected.
        """
        run = frame.map_run
        if run is None:  # the store has lost it since the frame was claimed
            return False
        place = (execution.id, frame.id, run.epoch)
        counts = await self._session.store.map_run_counts(*place)
        if counts is None or counts.status != "RUNNING":
            return False
        room = counts.concurrency - counts.running
        if counts.done or room <= 0:
            return await self._rest(place, counts)
        reading = await self._reading(place, run, counts)
        try:
            return await self._fill(execution, place, run, reading, feeding(), room, interrupted)
        except BaseException:
            self._forget(place)  # where it stands is what the store says
            raise

    async def _rest(self, place: tuple[str, str, int], counts: MapRunCounts) -> bool:
        """Nothing to do now: the frame is woken when there is."""
        begun, cursor = (counts.next, counts.next), counts.cursor
        answer = await self._session.store.advance(
            *place, self._session.owner, begun=begun, cursor=cursor, read=0, done=counts.done, idle=True
        )
        return answer is not None

    async def _fill(
        self,
        execution: Execution,
        place: tuple[str, str, int],
        run: MapRun,
        reading: _Reading,
        feeding: Feeding,
        room: int,
        interrupted: Callable[[], bool],
    ) -> bool:
        while True:
            first, items, size = reading.child, 0, 0
            children: list[Execution] = []
            while len(children) < min(room, _CREATED_AT_ONCE) and size < _BYTES:
                count = await self._next_batch(reading, feeding)
                if not count:
                    break
                payload = feeding.input([reading.waiting.popleft() for _ in range(count)])
                children.append(child_execution(self._session, execution, place, run, reading.child, payload, count))
                reading.child += 1
                reading.use(count)
                items += count
                size += len(payload.text)
            await asyncio.gather(*map(self._create, children))
            done = not reading.waiting and not reading.more
            idle = done or len(children) >= room
            answer = await self._session.store.advance(
                *place,
                self._session.owner,
                begun=(first, reading.child),
                cursor=reading.cursor,
                read=items,
                done=done,
                idle=idle,
            )
            self._session.lookout.look(self._session.store.shard_of(execution.id))
            if answer is None or done:
                self._forget(place)
            if answer is None or idle or self._session.stopping or interrupted():
                return answer is not None
            room = answer[1] - answer[0]

    async def _next_batch(self, reading: _Reading, feeding: Feeding) -> int:
        """How many of the waiting items are the next child's; reads ahead until that is clear."""
        while True:
            if count := feeding.batch(reading.waiting, reading.more):
                return count
            if not reading.more:
                return 0
            for item in await reading.take(self._session.threads, _ITEMS):
                selected = feeding.select(Item(reading.item, item.payload, item.key, item.source))
                reading.waiting.append(selected)
                reading.item += 1

    async def _reading(self, place: tuple[str, str, int], run: MapRun, counts: MapRunCounts) -> _Reading:
        """The reader of a run, at the place the store says."""
        known = self._readings.get(place)
        if known is not None and known.child == counts.next and known.cursor == (counts.cursor or known.cursor):
            return known
        self._forget(place)
        while len(self._readings) >= _SOURCES:
            self._forget(next(iter(self._readings)))
        before, used = _cursor(counts.cursor)
        source = await asyncio.get_running_loop().run_in_executor(
            self._session.threads, self._open, run, before or None
        )
        reading = _Reading(source, counts.next, counts.read - used)
        self._readings[place] = reading
        if used:
            await self._skip(reading, used)
        return reading

    async def _skip(self, reading: _Reading, used: int) -> None:
        """Pass over what was used up of the part that begins at the cursor."""
        while used and reading.more:
            found = await reading.take(self._session.threads, used)
            reading.use(len(found))
            reading.item += len(found)
            used -= len(found)

    def _open(self, run: MapRun, cursor: str | None) -> _Source:
        if cursor is None and run.writer is not None and run.writer.value["Resource"] is not None:
            # Results that cannot be written are better known before the work is done.
            config = run.writer.value["WriterConfig"] or None
            open_results(self._session.objects, run.writer.value["Arguments"], config, run.arn)
        if run.reader is None:
            return _StateItems(run.items.value if run.items is not None else [], run.keys, cursor or "")
        spec = run.reader.value
        reader = Reader(spec["Resource"], spec["Arguments"], spec["ReaderConfig"])
        return open_items(self._session.objects, reader, cursor)

    def _forget(self, place: tuple[str, str, int]) -> None:
        reading = self._readings.pop(place, None)
        if reading is not None:
            reading.close()

    async def _create(self, child: Execution) -> None:
        """Start a child execution, unless it was started before.  If the run is over, `advance` will say so."""
        session = self._session
        worker = self._worker if self._worker.has_idle_handlers else None
        await start_execution(session.store, session.programs, session.clock, child, worker, session.limits)


def _cursor(text: str) -> tuple[str, int]:
    """The source's cursor and how many items are used up after it, from `_Reading.cursor`."""
    before, used = decode(text) if text else ("", 0)
    return str(before), int(used)


def child_execution(
    session: Session,
    parent: Execution,
    place: tuple[str, str, int],
    run: MapRun,
    index: int,
    payload: Payload,
    items: int,
) -> Execution:
    """The child execution of a map run with an index: its name and id follow from the run and the index."""
    label = run.arn.rpartition("/")[2].partition(":")[0]
    machine, machine_arn = f"{parent.machine_name}/{label}", f"{parent.machine_arn}/{label}"
    name = uuid_of(run.arn, str(index))
    express = run.execution_type == "EXPRESS"
    known_as = f"{name}:{name}" if express else name
    return Execution(
        id=f"{execution_id(machine, known_as)}.{session.store.shard_of(parent.id)}",
        arn=arn_within(machine_arn, "express" if express else "execution", known_as),
        name=name,
        machine_arn=machine_arn,
        machine_name=machine,
        definition=parent.definition,
        input=payload,
        started_at=session.clock.now(),
        role_arn=parent.role_arn,
        type=run.execution_type,
        entry=run.machine,
        map_run=run.arn,
        link=Link(LinkKind.MAP_RUN, *place, index, items),
    )
