"""The worker: claims frames, has each driven by a runner, and looks again when there is something new."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from statewright.drive import leases
from statewright.drive.children.feeding import Feeder
from statewright.drive.children.notices import Notices
from statewright.drive.claiming import Claiming
from statewright.drive.clock import Clock, ServerClock, VirtualClock
from statewright.drive.doorbell import Doorbell
from statewright.drive.lookout import Lookout
from statewright.drive.presence import Attendance
from statewright.drive.programs import Programs
from statewright.drive.runner import Runner
from statewright.drive.session import Session
from statewright.drive.threads import Threads
from statewright.drive.upkeep.retention import keep_house
from statewright.drive.upkeep.sweep import Sweeper
from statewright.errors import StatewrightError
from statewright.items import Objects
from statewright.model import Execution, Limits, Phase, StartTimer, Step
from statewright.store.records import Claimed, Created, Lease, Presence
from statewright.store.verbs import Store
from statewright.tasks import Registry, Tokens

__all__ = ["Worker"]

_log = logging.getLogger("statewright")

_FAILURES = 5
"""A frame on which the engine fails is given up when it was delivered so often without a commit: it must not be tried
for ever."""

_DEATHS = 50
"""The same where nobody knows why: its workers may have died of something else, with all the frames they held."""

_UNKNOWN = "its workers ended while they were at it; see their logs"
"""Why a frame is given up of which nobody has said why it cannot be got on with."""

_FRAMES_PER_HANDLER = 4
"""Frames held for each handler that may run: those that wait for a slot, and those between handlers."""

_STEPPING = 128
"""Frames beyond which no more are claimed while that many are being stepped and committed."""


class Worker:
    """Drives executions of a store, for any number of state machines.

    Arguments:
        store: the store.
        programs: compiled definitions.
        registry: handlers.
        tokens: signs task tokens.
        limits: of payloads and histories.
        clock: the store's clock, or a VirtualClock.
        doorbell: rings when there is something to do.
        concurrency: how many handlers run at once.
        threads: how many of them may be synchronous.
        lease_seconds: a frame is another worker's if this one has not been heard of for so long.
        machines: names of the state machines to work on, whose handlers it has; none: all.
        objects: where distributed Maps read items from and write results to.
        archive_seconds: executions are archived so long after their end; None: nothing is archived or deleted here.

    Example: ``worker = Worker(store, …); await worker.run()``
    """

    def __init__(
        self,
        store: Store,
        programs: Programs,
        registry: Registry,
        tokens: Tokens,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        doorbell: Doorbell | None = None,
        concurrency: int = 256,
        threads: int = 32,
        lease_seconds: float = 9.0,
        machines: Sequence[str] = (),
        objects: Objects | None = None,
        archive_seconds: float | None = None,
    ) -> None:
        self._threads = Threads(threads)
        clock = clock or ServerClock()
        self._virtual = isinstance(clock, VirtualClock)
        self.session = Session(
            store=store,
            programs=programs,
            registry=registry,
            tokens=tokens,
            limits=limits or Limits(),
            clock=clock,
            owner=secrets.token_hex(8),
            lease_ms=round(lease_seconds * 1000),
            threads=self._threads,
            slots=asyncio.Semaphore(concurrency),
            objects=objects,
            lookout=Lookout(clock, store.shards, safe=not self._virtual),
            abandon=self.abandon,
            ended=self.forget,
            room=self._spare,
            take=self._take,
        )
        self._feeder = Feeder(self)
        self.session.feed = self._feeder.feed
        self._notices = Notices(self.session)
        self.sweeper = Sweeper(self.session, self._notices)
        self._machines = tuple(sorted(machines))
        hear = self.sweeper.hear
        self._claiming = Claiming(self.session, self._machines, self._notices, self._free, self._full, hear)
        self._attendance = Attendance(self.session, self._presence)
        self._archive_seconds = archive_seconds
        self.session.refused = self.sweeper.refused
        self._doorbell = doorbell or Doorbell(store)
        self._room = concurrency * _FRAMES_PER_HANDLER
        self._reserve = self._room // 8
        self._runners: dict[str, dict[str, Runner]] = {}  # by execution, then frame
        self._held = 0
        self._running = False
        self._loop_ended = asyncio.Event()
        self._loop_ended.set()
        self._loop_task: asyncio.Task[Any] | None = None
        if isinstance(clock, VirtualClock):
            clock.watch(self.session.lookout.wake.set)

    # -- life ---------------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Work until `stop` is called."""
        session = self.session
        keepers: list[asyncio.Task[None]] = []
        self._running = True
        self._loop_ended.clear()
        self._loop_task = asyncio.current_task()
        try:
            with self._doorbell.listen(self._heard):
                if isinstance(session.clock, VirtualClock):
                    await self._run_virtual(session.clock)
                else:
                    spawn = asyncio.get_running_loop().create_task
                    keepers = [spawn(leases.keep(session, self._all)), spawn(self.sweeper.keep())]
                    if self._archive_seconds is not None:
                        keepers.append(spawn(keep_house(session, self._archive_seconds)))
                    self._attendance.begin()
                    await self._claiming.run()
            if self.sweeper.refusal is not None:
                raise self.sweeper.refusal
        except asyncio.CancelledError:
            if not session.stopping:
                raise
        finally:
            self._running = False
            session.lookout.begin_all()
            self._loop_ended.set()
            for keeper in keepers:
                keeper.cancel()

    async def stop(self, grace: float = 10.0) -> None:
        """Drain: claim nothing more, let running handlers end for up to `grace` seconds, give back what is left."""
        session = self.session
        session.stopping = True
        session.lookout.wake.set()
        leaving = asyncio.get_running_loop().create_task(self._attendance.end())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._loop_ended.wait(), max(grace, 0.2))
        if not self._loop_ended.is_set() and self._loop_task is not None:
            self._loop_task.cancel()  # the store does not answer
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while tasks := self._tasks():  # one may bring others, by a commit that was under way
                    await asyncio.wait(tasks)
        tasks, left = self._tasks(), self._all()
        for runner in left:
            runner.abandon()
        if left:  # a handler may refuse to be cancelled: its frame is given back all the same
            await asyncio.wait(tasks, timeout=max(grace, 1))
        for runner in left:
            lease = Lease(runner.execution_id, runner.frame.id, runner.revision)
            giving_back = session.store.release(session.store.shard_of(lease.execution), session.owner, [lease])
            try:
                await asyncio.wait_for(giving_back, max(grace, 1))
            except (TimeoutError, StatewrightError) as error:
                _log.warning("frame not given back, its lease will lapse: %s", error or "no reply")
        await self._notices.stop()
        await self.sweeper.stop()
        await leaving
        self._feeder.close()
        self._threads.shutdown()

    def kill(self) -> None:
        """Drop everything at once without a word to the store, as a killed process would (for tests)."""
        self.session.stopping = True
        self.session.lookout.wake.set()
        self._attendance.abandon()
        for runner in self._all():
            runner.abandon()
        self._threads.shutdown()

    def serves(self, machine: str) -> bool:
        """Whether the state machine is one of those to work on."""
        return not self._machines or machine in self._machines

    def takes(self, machine: str) -> bool:
        """Whether `run` is at work and would take a frame of this state machine."""
        return self.serves(machine) and self._running and not self.session.stopping and self._held < self._room

    @property
    def has_idle_handlers(self) -> bool:
        """Whether `run` is at work and holds fewer frames than it may run handlers."""
        return self._running and not self.session.stopping and self._held < self._room // _FRAMES_PER_HANDLER

    def _full(self) -> bool:
        return self._room - self._held <= self._reserve

    def _free(self) -> int:
        """How many frames more to take on now; 0 until there is room for some at once.  Those that only wait for their
        handlers are many, those to be stepped few: all of them take turns, and each new one makes the others slower."""
        if self._full():
            return 0
        stepping = sum(not runner.waits for runner in self._all()) if self._held >= _STEPPING else self._held
        return max(0, min(self._room - self._held, _STEPPING - stepping))

    def _spare(self) -> int:
        """How many frames more to take on beside those that are claimed in turn."""
        return max(0, min(self._room - self._reserve, _STEPPING) - self._held)

    def _presence(self) -> Presence:
        return Presence(self.session.owner, self._machines, self._held, self._room)

    def _heard(self, shards: Collection[int] | None) -> None:
        self.session.lookout.ring(shards)
        if shards is None:
            self._attendance.ask()

    # -- frames -------------------------------------------------------------------------------------------------------
    def adopt(self, execution: Execution, first: Step, created: Created, asked_at: float) -> None:
        """Take on an execution just created with a lease for this worker (`Store.create(owner=…)`, called at
        `asked_at`)."""
        for command in first.commands:
            if isinstance(command, StartTimer):
                due = created.now + command.delay if command.due is None else command.due
                self.session.lookout.look_at(self.session.store.shard_of(execution.id), due)
        if first.frame.phase is not Phase.DONE:
            self.session.programs.add(execution)
        shard = self.session.store.shard_of(execution.id)
        if first.frame.phase in (Phase.ENTER, Phase.TASK, Phase.MAP_RUN):
            # Who takes a lease looks when it lapses: should this worker drop the frame, nobody rings.
            self.session.lookout.look_at(shard, created.now + self.session.lease_ms)
            frame = replace(first.frame, entered_id=first.entered or 0)
            base = created.length
            self._take(Claimed(execution.id, frame, 1, previous=1, inbox=(), base=base, asked_at=asked_at))
        else:
            self.session.lookout.look(shard)

    def abandon(self, execution: str, frame_ids: Iterable[str]) -> None:
        """Stop working on frames that a step has ended."""
        runners = self._runners.get(execution, {})
        for frame_id in frame_ids:
            if runner := runners.get(frame_id):
                runner.abandon()

    def forget(self, execution: str) -> None:
        """Stop working on all frames of an execution that has ended."""
        self.session.programs.forget(execution)
        for runner in self._runners.get(execution, {}).values():
            if runner.task is not asyncio.current_task():
                runner.abandon()

    def _all(self) -> list[Runner]:
        return [runner for runners in self._runners.values() for runner in runners.values()]

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [runner.task for runner in self._all() if runner.task is not None]

    def _take(self, claimed: Claimed) -> None:
        runner = self._runners.get(claimed.execution, {}).get(claimed.frame.id)
        if runner is not None:
            runner.deliver(claimed)
        else:
            self._start(claimed)

    def _start(self, claimed: Claimed) -> None:
        runner = Runner(self.session, claimed)
        self._runners.setdefault(claimed.execution, {})[claimed.frame.id] = runner
        self._held += 1
        runner.task = self.session.clock.spawn(self._drive(runner))
        runner.task.add_done_callback(lambda task: self._ended(runner, task))

    async def _drive(self, runner: Runner) -> None:
        """Run it, unless that was tried too often; what has happened to it since is a reason to try again."""
        claimed = runner.claimed
        hopeless = claimed.deliveries > _DEATHS * (2 if claimed.inbox else 1)
        if not hopeless or claimed.flaw is not None:
            await runner.run()
        reason = runner.failure or (_UNKNOWN if hopeless else "")
        if reason and claimed.deliveries >= _FAILURES and not runner.progressed:
            await self._bury(claimed, reason)

    def _ended(self, runner: Runner, task: asyncio.Task[None]) -> None:
        runners = self._runners[runner.execution_id]
        del runners[runner.claimed.frame.id]
        if not runners:
            del self._runners[runner.execution_id]
        self._held -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("runner of execution %s failed: %r", runner.execution_id, error)
        if runner.successor is not None and not self.session.stopping:
            self._start(runner.successor)
        if self._held == self._room - self._reserve - 1:
            self.session.lookout.wake.set()

    async def _bury(self, claimed: Claimed, reason: str) -> None:
        """Put a frame aside that the engine cannot get on with: nothing is lost, and somebody can look at it."""
        try:
            if await self.session.store.bury(claimed, self.session.owner, reason):
                _log.error(
                    "frame %r of %s is a dead letter after %d deliveries, see `statewright dead-letters`: %s",
                    claimed.frame.id,
                    claimed.execution,
                    claimed.deliveries,
                    reason,
                )
        except StatewrightError as error:
            _log.warning("frame of execution %s not put aside yet: %s", claimed.execution, error)

    # -- virtual time -------------------------------------------------------------------------------------------------
    async def run_until_idle(self, until: int | None = None) -> None:
        """With a virtual clock: do all there is to do, letting time jump to whatever is due next, until nothing is due.

        Arguments:
            until: let the clock go no further than this (ms); None: as far as it takes.

        Example: ``await worker.run_until_idle(until=clock())`` does what is ready, and no time passes.
        """
        session = self.session
        clock = session.clock
        if not isinstance(clock, VirtualClock):
            raise TypeError("run_until_idle needs a VirtualClock")
        while not session.stopping:
            if await self._claiming.everywhere():
                await asyncio.sleep(0)
            elif clock.working or session.lookout.wake.is_set():
                await session.lookout.wake.wait()
            elif not await self._advance(clock, until):
                return

    async def _run_virtual(self, clock: VirtualClock) -> None:
        session = self.session
        while not session.stopping:
            try:
                found = await self._claiming.everywhere()
            except Exception as error:  # whatever it is, the worker goes on
                await asyncio.sleep(self._claiming.pause_after(error))
                continue
            if found:
                await asyncio.sleep(0)
            elif not session.lookout.wake.is_set() and not await self._advance(clock, None):
                await session.lookout.wake.wait()

    async def _advance(self, clock: VirtualClock, until: int | None) -> bool:
        """Let the clock jump to what is due next; False if nothing is, or not by `until`."""
        if clock.working:
            return False
        moments = [moment for moment in (self.session.lookout.planned, clock.next_wake) if moment is not None]
        if not moments or (until is not None and min(moments) > until):
            return False
        clock.advance_to(max(min(moments), clock.now()))
        await leases.extend(self.session, self._all())
        return True
