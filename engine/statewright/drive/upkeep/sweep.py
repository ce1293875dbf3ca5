"""The reconciliation sweep: what a store has lost, by a roll-back, an operator or a bug, is noticed and put right.

All keys are gone through slowly in the background, by all workers together; at once where the store has been rolled
back, or when somebody asks for it.  What concerns one shard is put right by a script (``lua/repair.lua``); what is
between a task and the execution it waits for, which may be in another shard, is put right here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, Final

from statewright.drive.children.nested import start_nested
from statewright.drive.children.notices import Notices
from statewright.drive.clock import VirtualClock
from statewright.drive.perform import runs_handler
from statewright.drive.session import Session
from statewright.drive.upkeep.retention import SETTLED_MS
from statewright.errors import StatewrightError
from statewright.lang.timestamps import iso_time
from statewright.store.records import Claim, Commit, Committed, OpenTask, Signal
from statewright.store.upkeep.serials import Loss
from statewright.tasks import TaskError

__all__ = ["Sweeper"]

_log = logging.getLogger("statewright")

_TURN: Final = 2.0
"""Seconds between two turns of all workers together, each of 200 keys."""

_BREATH: Final = 0.05
"""Seconds between two looks at 200 members of one key, of which there may be a million."""

_REST: Final = 300.0
"""Seconds between the end of one time around and the next."""

_JUMP: Final = 60_000
"""ms by which a server's clock may be off what it should show by ours; more is reported."""

_PROMPT: Final = 5.0
"""Seconds within which an answer tells what time it is."""


class Sweeper:
    """Puts right what a store has lost.

    Arguments:
        session: of the worker that does it.
        notices: of the same.

    Example: ``repairs = await Sweeper(session, notices).sweep()``
    """

    def __init__(self, session: Session, notices: Notices) -> None:
        self._session = session
        self._notices = notices
        self.refusal: StatewrightError | None = None
        self._urgent: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._times: dict[int, tuple[float, int]] = {}  # by shard: when it was last asked, and what time it was

    async def keep(self) -> None:
        """Take turns with all other workers in going through the keys, for ever."""
        while True:
            await asyncio.sleep(_TURN)
            try:
                await self._look(await self._session.store.next_keys(_TURN, _REST), _BREATH)
            except StatewrightError as error:
                if error.code == "StoreReplaced":
                    self._leave(error)
                    return
                _log.warning("sweep interrupted: %s", error)
            except Exception as error:  # whatever it is, the next turn comes
                _log.warning("sweep interrupted: %s", error)

    def _leave(self, error: StatewrightError) -> None:
        """This is not the store that was opened: nothing may be written to it."""
        _log.error("%s", error)
        self.refusal = error
        self._session.stopping = True
        self._session.lookout.wake.set()

    async def sweep(self, shard: int | None = None, tell: Callable[[int, int], None] | None = None) -> int:
        """Go through all keys of a shard (None: of all) now; how many repairs that took.

        `tell` is called now and then with the numbers of keys and repairs so far.

        Raises StatewrightError if the store cannot be reached."""
        keys = repairs = 0
        async for names in self._session.store.keys_of(shard):
            repairs += await self._look(names)
            keys += len(names)
            if tell is not None:
                tell(keys, repairs)
        return repairs

    def noticed(self, shard: int, loss: Loss) -> None:
        """A shard has lost something that it had acknowledged: say so, and sweep it now, in the background."""
        session = self._session
        session.store.distrust()
        session.programs.forget_all()
        if shard not in self._urgent:
            since = f" since {iso_time(loss.since)}" if loss.since else ""
            text = f"shard {shard} of the store was rolled back{since}: {loss.evidence}; going on from what is left"
            _log.error("%s", StatewrightError("StoreRolledBack", text))
            self._report("rollback", shard, loss.since, loss.evidence)
            self._urgent.add(shard)
            if self._sweeping is None or self._sweeping.done():
                self._sweeping = self._spawn(self._sweep_urgently())

    def refused(self, commit: Commit, answer: Committed, held_at: float) -> None:
        """Look at what a refused commit, to whose revision all had been acknowledged, tells about the store; the frame
        was held at `held_at` (s, monotonic)."""
        if (self._session.monotonic() - held_at) * 1000 > SETTLED_MS:
            return  # it may have ended and been deleted since, and its name be another execution's
        shard, what = self._session.store.shard_of(commit.execution), f"execution {commit.execution}"
        if answer.outcome != "STALE":
            return
        if 0 <= answer.base < commit.revision:
            known = f"revision {commit.revision} of frame '{commit.frame_id}'"
            self.noticed(shard, Loss(0, f"{known} of {what} was acknowledged, and it is at revision {answer.base}"))
        # (A child execution of a map run may go as it ends.)
        elif answer.base == -2 and "." not in commit.execution:
            self.noticed(shard, Loss(0, f"{what} was acknowledged, and is not there"))

    def hear(self, shard: int, claim: Claim, asked_at: float) -> None:
        """Look at what a claim, sent at `asked_at`, tells about the store."""
        if claim.loss is not None:
            self.noticed(shard, claim.loss)
        at, known = self._session.monotonic(), self._times.get(shard)
        if at - asked_at > _PROMPT or isinstance(self._session.clock, VirtualClock):
            return
        self._times[shard] = (at, claim.now)
        if known is not None and abs(off := claim.now - known[1] - round((at - known[0]) * 1000)) > _JUMP:
            text = f"the clock of the server jumped by {off / 1000:+.0f} s"
            _log.error("%s", StatewrightError("ClockJump", f"shard {shard}: {text}; timers go by it all the same"))
            self._report("clock", shard, known[1], text)

    def _report(self, kind: str, shard: int, since: int, evidence: str) -> None:
        async def report() -> None:
            try:
                await self._session.store.report(kind, shard, since, evidence)
            except StatewrightError as error:
                _log.warning("incident of shard %d not recorded: %s", shard, error)

        self._spawn(report())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._session.clock.spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _sweep_urgently(self) -> None:
        """The shards that were rolled back first, then all: a task may wait in one for what another has lost."""
        try:
            await self._session.store.next_keys(_TURN, _REST)  # is it the same store at all?
        except StatewrightError as error:
            if error.code == "StoreReplaced":
                self._leave(error)
        repairs, times = 0, 2
        while (self._urgent or times) and not self._session.stopping:
            shard = next(iter(self._urgent), None)
            try:
                repairs += await self.sweep(shard)
            except StatewrightError as error:
                _log.warning("not swept yet: %s", error)
                await asyncio.sleep(1)
                continue
            if shard is not None:
                self._urgent.discard(shard)
            elif times := times - 1:  # once more when those have let go who do not know of it yet
                await asyncio.sleep(self._session.lease_ms / 500)
        _log.warning("all shards were swept after a roll-back: %d repairs", repairs)

    async def stop(self) -> None:
        """Stop sweeping; whatever is left is found by another worker."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, names: Iterable[bytes], pause: float = 0) -> int:
        repairs, tasks = await self._session.store.sweep(list(names), pause)
        for task in tasks:
            repairs += await self._judge(task)
        return repairs

    async def _judge(self, task: OpenTask) -> int:
        """A task that nobody works on: is its handler due, or has its nested execution got lost?"""
        if runs_handler(task.frame):
            return int(await self._session.store.requeue(task))
        if not task.child:
            return 0  # its token is out
        store, place = self._session.store, (task.execution, task.frame.id, task.frame.epoch)
        nested = await store.nested(task.child)
        ours = nested.link.partition(":")[2] == ":".join(map(str, place))
        if ours and (nested.status == "RUNNING" or nested.telling):
            return 0
        # Asked after the nested execution: what it had told by then would be known here.
        if await store.task_state(*place) != "open":
            return 0
        if ours:
            await self._notices.answer(nested.execution)
            await store.repaired(task.execution, "answers")
        else:
            await self._order(task)
            await store.repaired(task.execution, "nested executions")
        return 1

    async def _order(self, task: OpenTask) -> None:
        """Start a nested execution that is not there (any more), as at first."""
        session, frame = self._session, task.frame
        assert frame.task is not None  # noqa: S101
        execution = await session.programs.execution(task.execution)
        try:
            await start_nested(session, execution, frame, frame.task)
        except TaskError as error:
            failed = Signal("answer", frame.epoch, error=error.error, cause=error.cause, failed=True)
            await session.store.signal(task.execution, frame.id, replace(failed, worker=session.owner))
