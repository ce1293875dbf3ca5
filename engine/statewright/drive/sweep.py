"""The reconciliation sweep: what a store has lost, by a roll-back, an operator or a bug, is seen and put right (F19).

All keys are gone through slowly in the background, by all workers together; at once where the store has been rolled
back, or when somebody asks for it.  What concerns one shard is put right by a script (``lua/repair.lua``); what is
between a task and the execution it waits for, which may be in another shard, is put right here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from statewright.drive.nested import start_nested
from statewright.drive.notices import Notices
from statewright.drive.perform import runs_handler
from statewright.drive.session import Session
from statewright.errors import StatewrightError
from statewright.store.records import OpenTask, Signal
from statewright.tasks import TaskError

__all__ = ["Sweeper"]

_log = logging.getLogger("statewright")

_TURN: Final = 2.0
"""Seconds between two turns of all workers together, each of 200 keys."""

_REST: Final = 300.0
"""Seconds between the end of one time around and the next."""


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
        self._urgent: dict[int, asyncio.Task[None]] = {}

    async def keep(self) -> None:
        """Take turns with all other workers in going through the keys, for ever."""
        while True:
            await asyncio.sleep(_TURN)
            try:
                await self._look(await self._session.store.next_keys(_TURN, _REST))
            except Exception as error:  # whatever it is, the next turn comes
                _log.warning("sweep interrupted: %s", error)

    async def sweep(self, shard: int | None = None) -> int:
        """Go through all keys of a shard (None: of all) now; how many repairs that took.

        Raises StatewrightError if the store cannot be reached."""
        repairs = 0
        async for names in self._session.store.keys_of(shard):
            repairs += await self._look(names)
        return repairs

    def urge(self, shard: int) -> None:
        """Sweep a shard now, in the background, as it has been rolled back."""
        if shard not in self._urgent:
            task = self._urgent[shard] = self._session.clock.spawn(self._sweep_urgently(shard))
            task.add_done_callback(lambda _: self._urgent.pop(shard))

    async def _sweep_urgently(self, shard: int) -> None:
        while not self._session.stopping:
            try:
                repairs = await self.sweep(shard)
                # A task and what it waits for may be in two shards: what this one has lost may be missed in others.
                repairs += await self.sweep() if repairs == 0 or self._session.store.shards > 1 else 0
            except StatewrightError as error:
                _log.warning("shard %d not swept yet: %s", shard, error)
                await asyncio.sleep(1)
            else:
                _log.warning("shard %d was swept after it was rolled back: %d repairs", shard, repairs)
                return

    async def stop(self) -> None:
        """Stop sweeping; whatever is left is found by another worker."""
        tasks = list(self._urgent.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, names: Iterable[bytes]) -> int:
        repairs, tasks = await self._session.store.sweep(list(names))
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
        status, link, telling = await store.nested(task.child)
        ours = link.partition(":")[2] == ":".join(map(str, place))
        if ours and (status == "RUNNING" or telling):
            return 0
        # Asked after the nested execution: what it had told by then would be known here.
        if await store.task_state(*place) != "open":
            return 0
        if ours:
            await self._notices.answer(task.child)
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
            failed = Signal(
                "answer", frame.epoch, error=error.error, cause=error.cause, failed=True, worker=session.owner
            )
            await session.store.signal(task.execution, frame.id, failed)
