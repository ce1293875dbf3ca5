"""What one execution's commit leaves to be done about another one, which may be in another shard.

A notice is written in the commit that makes it necessary, obeyed by whichever worker sees it, and settled afterwards;
obeying it again changes nothing.

    E<execution>                 it has ended: answer the task that waits for it
    C<execution>                 it was started for a task: stop it if that task is not waited for any more
                                 (both when it starts and when the waiting ends: neither can overtake the other)
    A<execution>:<frame>:<epoch> this map run is over: stop the children that still run
"""

from __future__ import annotations

import asyncio
import logging

from statewright.drive.callbacks import stop
from statewright.drive.children.nested import outcome
from statewright.drive.session import Session
from statewright.errors import StatewrightError
from statewright.store.records import Signal

__all__ = ["Notices"]

_log = logging.getLogger("statewright")

_AT_ONCE = 50

_PAUSE = 1.0
"""Seconds for which a shard is left alone after a notice of it could not be obeyed."""


class Notices:
    """Obeys the notices of a store's shards for one worker.

    Arguments:
        session: of the worker.

    Example: ``Notices(session).look(shard)`` whenever a claim says that there are some
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shards: dict[int, asyncio.Task[None]] = {}
        self._resting: dict[int, float] = {}  # until when (monotonic)

    def look(self, shard: int) -> None:
        """Obey what waits in a shard, unless that is being done."""
        if shard not in self._shards and self._session.monotonic() >= self._resting.get(shard, 0):
            task = self._shards[shard] = self._session.clock.spawn(self._obey_all(shard))
            task.add_done_callback(lambda _: self._looked(shard))

    def _looked(self, shard: int) -> None:
        del self._shards[shard]
        if shard not in self._resting:
            self._session.lookout.ring([shard])  # there may be new ones by now
        else:
            self._session.lookout.return_to(shard, round(_PAUSE * 1000))

    async def stop(self) -> None:
        """Stop obeying; what is left waits for another worker."""
        tasks = list(self._shards.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey_all(self, shard: int) -> None:
        store = self._session.store
        self._resting.pop(shard, None)
        try:
            passed = 0  # notices that could not be obeyed stay where they are, and must not hold up the others
            while notices := await store.notices(shard, _AT_ONCE, passed):
                done = await asyncio.gather(*map(self._obey, dict.fromkeys(notices)), return_exceptions=True)
                for notice, result in zip(dict.fromkeys(notices), done, strict=True):
                    if isinstance(result, BaseException):
                        _log.warning("notice %r not obeyed yet: %r", notice, result)
                        self._rest(shard)
                        passed += notices.count(notice)
                    else:
                        await store.settle(shard, notice)
        except StatewrightError as error:
            _log.warning("notices of shard %d left alone: %s", shard, error)
            self._rest(shard)

    def _rest(self, shard: int) -> None:
        self._resting[shard] = self._session.monotonic() + _PAUSE

    async def _obey(self, notice: str) -> None:
        kind, rest = notice[0], notice[1:]
        if kind == "E":
            await self.answer(rest)
        elif kind == "C":
            await self._check(rest)
        elif kind == "A":
            execution, frame_id, epoch = rest.split(":")
            await self._stop_children(execution, frame_id, int(epoch))
        else:
            _log.error("unknown notice %r", notice)

    async def answer(self, child: str) -> None:
        """Answer the task that waits for an execution, if that has ended; if it handed over to others, the last."""
        store = self._session.store
        description = await store.describe(child)
        if description is not None and description.successor is not None:
            description = await store.describe((await store.nested(child)).execution)
        link = None if description is None else description.execution.link
        if description is not None and link is not None and description.status != "RUNNING":
            # (What ended runs again if the store was rolled back meanwhile; there will be another notice.)
            answer = Signal("answer", epoch=link.epoch, **outcome(description))
            await store.signal(link.execution, link.frame_id, answer)

    async def _check(self, child: str) -> None:
        child = (await self._session.store.nested(child)).execution  # it may go on as another one
        description = await self._session.store.describe(child)
        link = None if description is None else description.execution.link
        if link is None:
            return
        if await self._session.store.task_state(link.execution, link.frame_id, link.epoch) == "over":
            await self._stop(child)

    async def _stop(self, execution: str) -> None:
        session = self._session
        await stop(session.store, session.programs, execution, None, None, session.limits)
        session.ended(execution)

    async def _stop_children(self, execution: str, frame_id: str, epoch: int) -> None:
        store, stopped = self._session.store, set[str]()
        while children := await store.open_children(execution, frame_id, epoch, _AT_ONCE):
            if stopped.issuperset(children):  # they are not there: a sweep drops them
                raise StatewrightError("StoreBroken", f"children of map run {execution}:{frame_id}:{epoch} are lost")
            await asyncio.gather(*map(self._stop, children))
            stopped.update(children)
