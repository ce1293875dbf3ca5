"""One leased frame, taken as far as it goes: events in, steps committed, handlers run.

While the lease holds, the frame is in memory and never read again.  Transitions without outside effect go down the
pipeline in revision order without waiting for each other; before a handler runs, and before the frame is let go, all of
them have been acknowledged.  If one is refused, whatever is behind it is void and the frame is dropped.  Of an EXPRESS
execution only some steps are committed (see `unsaved`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace

from statewright.drive.children.gathering import gather_results
from statewright.drive.events import event_of
from statewright.drive.mailbox import Mailbox
from statewright.drive.perform import Performance, is_large, perform, runs_handler, task_context
from statewright.drive.session import Session
from statewright.drive.unsaved import TURN, Unsaved
from statewright.drive.upkeep.retention import SETTLED_MS
from statewright.errors import StatesError, StatewrightError
from statewright.model import Continue, Event, Execution, Joined, Phase, Step, TaskKind
from statewright.states.distributed import Feeding
from statewright.step import Program, feed, step
from statewright.store.records import KEEP, Claimed, Commit, Committed, Signal
from statewright.store.replies import TROUBLE
from statewright.tasks import TaskContext

__all__ = ["Runner"]

_log = logging.getLogger("statewright")

_WINDOW = 64
"""Commits of one frame under way at once."""


class _LostError(Exception):
    """The frame is not ours any more."""


@dataclass(slots=True, eq=False)
class _Sent:
    step: Step
    commit: Commit
    at: float
    reply: asyncio.Task[Committed] | None = None


class Runner:
    """Drives one frame, from a claim until it parks, ends or is lost.

    Arguments:
        session: of the worker.
        claimed: the frame, leased to the worker.

    Example: ``await Runner(session, claimed).run()``
    """

    def __init__(self, session: Session, claimed: Claimed) -> None:
        self.session = session
        self.claimed = claimed
        self.execution_id = claimed.execution
        self.frame = claimed.frame
        self.revision = claimed.revision
        self.renewed = claimed.asked_at
        self.task: asyncio.Task[None] | None = None
        self.successor: Claimed | None = None
        self.failure = ""
        self.progressed = False
        self._base = claimed.base
        self._mail = Mailbox(claimed.inbox)
        self._sign = partial(session.tokens.sign, claimed.execution)
        self._window: deque[_Sent] = deque()
        self._last = ""  # id of the commit sent last
        self._unsaved = Unsaved(0)
        self._leaving = False
        self._lost = False
        self._context: TaskContext | None = None
        self._feeding = False
        self._execution: Execution | None = None
        self._program: Program | None = None

    # -- what the worker asks and tells -------------------------------------------------------------------------------
    @property
    def waits(self) -> bool:
        """Whether it goes on, by a handler or by feeding a map run, and nothing is under way to the store: the lease
        needs to be extended."""
        return (self._context is not None or self._feeding or self._unsaved.steps > 0) and not self._window

    def abandon(self) -> None:
        """The frame is lost: stop whatever is being done about it."""
        self._lost = True
        self._interrupt()

    def deliver(self, claimed: Claimed) -> None:
        """The frame was claimed again while held here: there are new entries in its inbox, or its lease lapsed."""
        self.claimed = claimed
        away = (self.session.monotonic() - self.renewed) * 1000 > SETTLED_MS  # it may be another one of this name
        if away or claimed.revision > self.revision or (self._leaving and claimed.revision == self.revision):
            self.successor = claimed  # a claim made after our last commit
            if away or claimed.revision > self.revision:
                self.abandon()
            return
        if self._leaving or self._lost or claimed.flaw is not None:
            return
        self.renewed = max(self.renewed, claimed.asked_at)
        self._mail.renew(claimed.inbox, claimed.revision)
        if self._context is not None and self._mail.interrupts(self.frame):
            self._interrupt()

    async def run(self) -> None:
        """Go as far as it goes.  Never raises; `failure` says why the engine itself could not go on."""
        try:
            if self.claimed.flaw is not None:
                raise ValueError(f"it cannot be read: {self.claimed.flaw}")
            self._execution = await self.session.programs.execution(self.execution_id)
            self._program = await self.session.programs.program(self._execution)
            self._unsaved = Unsaved.of(self._execution, self.claimed.deliveries)
            await self._complete_child()
            while (event := await self._next()) is not None and await self._take(event):
                pass
        except _LostError:
            pass
        except asyncio.CancelledError:
            if not self._lost:
                raise
        except Exception as error:
            trouble = isinstance(error, StatewrightError) and error.code in TROUBLE
            self.failure = "" if trouble else str(error) or repr(error)
            level = logging.WARNING if trouble else logging.ERROR
            where = (self.frame.id, self.execution_id, self.claimed.deliveries)
            _log.log(level, "frame %r of %s dropped (delivery %d): %s", *where, error, exc_info=not trouble)
        finally:
            for sent in self._window:
                if sent.reply is not None:
                    sent.reply.cancel()
                    sent.reply.add_done_callback(lambda reply: reply.cancelled() or reply.exception())

    async def _complete_child(self) -> None:
        """An iteration that never ran needs its fork's input, for ItemSelector; it is kept once for all of them."""
        frame = self.frame
        if frame.state == "" and frame.fork is None:
            parent, _, child = frame.id.rpartition("/")
            fork = await self.session.store.fork(self.execution_id, parent, int(child.partition(".")[0]))
            self.frame = replace(frame, fork=fork)

    # -- events -------------------------------------------------------------------------------------------------------
    async def _next(self) -> Event | None:
        """What the frame has to react to, or None if it waits for a signal; then it has been let go."""
        while True:
            frame = self.frame
            if self._mail.skip_stale(frame):
                return await self._signalled(self._mail.take())
            if frame.phase is Phase.ENTER:
                return Continue(at=self._now(), entropy=self.session.entropy(), base=self._base, epoch=frame.epoch)
            feeds = frame.phase is Phase.MAP_RUN
            if self.session.stopping or not (feeds or runs_handler(frame)):
                # Nothing new after all (a lapsed lease, a signal that came too late): let go, timers untouched.
                await self._take(None)
                return None
            event = await (self._feed() if feeds else self._perform())
            if event is not None or self._leaving:
                return event

    async def _signalled(self, signal: Signal) -> Event:
        common: dict[str, Any] = {"entropy": self.session.entropy(), "base": self._base}
        if signal.kind == "joined" and self.frame.map_run is not None:
            self._feeding = True
            try:
                members = await gather_results(self.session, self.execution_id, self.frame)
            finally:
                self._feeding = False
            return Joined(at=self._now(), epoch=signal.epoch, **common, **members)
        return await event_of(signal, self.execution_id, self.frame, self.session.store, self._now, common)

    def _now(self) -> int:
        return self.session.clock.now()

    # -- map runs -----------------------------------------------------------------------------------------------------
    async def _feed(self) -> Event | None:
        """Start child executions while there is room; then the frame is let go, and their ends wake it again.

        Returns the failure of the run, if its items cannot be read."""
        session, frame = self.session, self.frame
        assert self._execution is not None  # noqa: S101
        self._feeding = True
        try:
            if not await session.feed(self._execution, frame, self._make_feeding, lambda: self._mail.skip_stale(frame)):
                raise _LostError
        except StatesError as error:
            common: dict[str, Any] = {"at": self._now(), "entropy": session.entropy(), "base": self._base}
            return Joined(**common, epoch=frame.epoch, error=error.error, cause=error.cause)
        finally:
            self._feeding = False
        if not self._mail.skip_stale(frame):
            await self._take(None)
        return None

    def _make_feeding(self) -> Feeding:
        event = Continue(at=self._now(), entropy=self.session.entropy(), base=self._base, epoch=self.frame.epoch)
        assert self._program is not None and self._execution is not None  # noqa: S101, PT018
        return feed(self._program, self._execution, self.frame, event, self.session.limits, self._sign)

    # -- handlers -----------------------------------------------------------------------------------------------------
    async def _perform(self) -> Event | None:
        """Run the handler of the frame's task; None if a signal came meanwhile that goes first."""
        frame, session = self.frame, self.session
        assert self._execution is not None and frame.task is not None  # noqa: S101, PT018
        if self.fenced():
            raise _LostError
        self._context = task_context(session, self._execution, frame, frame.task)
        try:
            done = await perform(session, self._execution, frame, self._context)
        except asyncio.CancelledError:
            if self._lost or not self._mail.interrupts(frame):
                raise
            done = Performance()
        finally:
            self._context = None
        if self._lost:
            raise _LostError
        self._mail.skip_stale(frame)
        if self._mail.interrupts(frame):
            _uncancel()
            return None
        if frame.task.kind in (TaskKind.TOKEN, TaskKind.JOB) and done.output is None:
            await self._answer(done)
            return None
        return done.event(at=self._now(), entropy=session.entropy(), base=self._base, epoch=frame.epoch)

    async def _answer(self, done: Performance) -> None:
        """A submission that failed is an answer like any other: of several, the store takes the first."""
        session, frame = self.session, self.frame
        failed = Signal("answer", frame.epoch, error=done.error, cause=done.cause, failed=True, worker=session.owner)
        await session.store.signal(self.execution_id, frame.id, failed)
        claimed = await session.store.claim_frame(self.execution_id, frame.id, session.owner, session.lease_ms)
        if claimed is None or claimed.revision != self.revision:
            raise _LostError
        self.deliver(claimed)

    def fenced(self) -> bool:
        """Whether the lease has not been renewed for two thirds of its time: from then on somebody else may soon hold
        it, and nothing new is begun.  A virtual clock does not run by itself, nor do its leases."""
        return self.session.monotonic() - self.renewed > self.session.lease_ms / 1500

    def _interrupt(self) -> None:
        if self._context is not None:
            self._context.cancel()
        if self.task is not None:
            self.task.cancel()

    # -- steps --------------------------------------------------------------------------------------------------------
    async def _take(self, event: Event | None) -> bool:
        """Step and commit; whether the frame goes on here.  Without an event the frame is just let go."""
        if event is None:
            await self._commit(Step(self.frame, keep_timers=True))
            return False
        while self.session.long_turn():
            await asyncio.sleep(0)
        taken = self._step(event)
        if taken.pinned:
            taken = await self._commit_pinned(event)
        elif self._unsaved.takes(taken) and not self.session.stopping:
            self.frame = await self._unsaved.keep(taken, event.at)
            self._base += len(taken.history)
        elif taken.frame.phase is not Phase.ENTER or self.session.stopping or is_large(taken.frame):
            await self._commit(taken)
        else:
            await self._pipeline(taken)
        return not self._leaving

    def _step(self, event: Event) -> Step:
        assert self._program is not None and self._execution is not None  # noqa: S101, PT018
        return step(self._program, self._execution, self.frame, event, self.session.limits, self._sign)

    async def _commit_pinned(self, event: Event) -> Step:
        """A text of the step names a history id: step with the history's exact length until it fits."""
        if self._unsaved.steps:
            await self._commit(Step(self.frame), stay=True)
        while True:
            await self._settle()
            before = (self.frame, self.revision, self._mail.copy(), self._leaving, self._last)
            claimed = self.claimed
            taken = self._step(replace(event, base=self._base))
            sent = self._prepare(taken)
            committed = await self.session.store.commit(sent.commit)
            if committed.outcome != "BASE":
                self._acknowledged(sent, committed)
                return taken
            self.frame, self.revision, self._mail, self._leaving, self._last = before
            self._base = committed.base
            if self.claimed is not claimed:  # mail came meanwhile
                self.deliver(self.claimed)

    async def _commit(self, taken: Step, *, stay: bool = False) -> None:
        """Commit a step and wait until it and all before it are acknowledged; `stay`: go on, stopping or not."""
        if self._window:
            self._send(taken)
            await self._settle()
        else:
            sent = self._prepare(taken, stay=stay)
            self._acknowledged(sent, await self.session.store.commit(sent.commit))

    def _send(self, taken: Step) -> None:
        """Send a commit behind those that are under way."""
        sent = self._prepare(taken)
        sent.reply = asyncio.get_running_loop().create_task(self.session.store.commit(sent.commit))
        self._window.append(sent)

    async def _pipeline(self, taken: Step) -> None:
        """Send a commit without waiting for it, as far as the window has room."""
        self._send(taken)
        if len(self._window) >= _WINDOW:
            await self._acknowledge()
        elif len(self._window) % TURN == 0:
            await asyncio.sleep(0)

    def _prepare(self, taken: Step, *, stay: bool = False) -> _Sent:
        """The commit of a step and of what is unsaved; the frame is from now on what it will be after that."""
        session = self.session
        self._base -= self._unsaved.length
        taken = self._unsaved.release(taken)
        self.frame = taken.frame
        goes_on = taken.frame.phase is not Phase.DONE and (
            self._mail.skip_stale(taken.frame)
            or taken.frame.phase is Phase.ENTER
            or runs_handler(taken.frame)
            # A run that begins is fed here; one whose worker drains is left to the next, which nobody would wake.
            or (taken.frame.phase is Phase.MAP_RUN and (session.stopping or bool(taken.commands)))
        )
        stays = goes_on and (stay or not session.stopping)
        self._leaving = not stays
        commit = Commit(
            execution=self.execution_id,
            frame_id=taken.frame.id,
            revision=self.revision,
            commit_id=session.commit_id(),
            owner=session.owner,
            step=taken,
            base=self._base,
            consumed=self._mail.tell(self.revision + 1),
            keep_ms=self._lease() if stays else 0,
            requeue=goes_on and not stays,
            follows=self._last,
            room=0 if stays else session.offer(self.execution_id, taken),
            lease_ms=session.lease_ms,
        )
        self._last = commit.commit_id
        self.revision += 1
        self._base += len(taken.history)
        return _Sent(taken, commit, session.monotonic())

    def _lease(self) -> int:
        """For how long to keep the frame; a lease that was renewed a short while ago need not be touched."""
        lease_ms = self.session.lease_ms
        return KEEP if self.session.monotonic() - self.renewed < lease_ms / 6000 else lease_ms

    async def _settle(self) -> None:
        """Wait until every commit sent is acknowledged."""
        while self._window:
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        sent = self._window[0]
        assert sent.reply is not None  # noqa: S101
        committed = await sent.reply
        self._window.popleft()
        self._acknowledged(sent, committed)

    def _acknowledged(self, sent: _Sent, committed: Committed) -> None:
        """What follows from a commit's reply."""
        session = self.session
        if committed.outcome not in ("OK", "DUP"):
            session.refused(sent.commit, committed, self.renewed)
            raise _LostError
        self.progressed = True
        if committed.now:
            session.clock.observe(committed.now)
        if sent.commit.keep_ms > 0:
            self.renewed = max(self.renewed, sent.at)
        if not self._window or committed.base != sent.commit.base:  # other frames of the execution write, too
            self._base = committed.base + sum(len(each.step.history) for each in (sent, *self._window))
        if sent.step.entered is not None and sent.step.frame is self.frame:
            self.frame = replace(self.frame, entered_id=committed.base + sent.step.entered)
        session.follow(self.execution_id, sent.step, committed)


def _uncancel() -> None:
    """Forget that this task was cancelled: that was to end the handler, not the runner."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
