"""The workers of one engine: who is at work, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from statewright.drive.worker import Worker

__all__ = ["Crew"]


@dataclass(slots=True, eq=False)
class _Shared:
    worker: AbstractAsyncContextManager[Worker]
    users: int = 0


class Crew:
    """Workers that run in this process.

    Arguments:
        hire: makes a worker for some state machines (by name; none: all) that does not run yet.

    Example: ``async with crew.at_work(): ...``
    """

    def __init__(self, hire: Callable[[Sequence[str]], Worker]) -> None:
        self._hire = hire
        self._workers: list[Worker] = []
        self._shared: dict[str, _Shared] = {}

    def taker(self, machine: str) -> Worker | None:
        """A worker that would take a new execution of a state machine at once."""
        return next((worker for worker in self._workers if worker.takes(machine)), None)

    def forget(self, execution: str) -> None:
        """Have everybody stop working on an execution that has ended."""
        for worker in self._workers:
            worker.forget(execution)

    @asynccontextmanager
    async def at_work(self, machines: Sequence[str] = (), grace: float = 10.0) -> AsyncIterator[Worker]:
        """A worker for as long as the block runs; then it drains for up to `grace` seconds."""
        worker = self._hire(machines)
        self._workers.append(worker)
        running = asyncio.get_running_loop().create_task(worker.run())
        try:
            yield worker
        finally:
            self._workers.remove(worker)
            await worker.stop(grace)
            await running

    @asynccontextmanager
    async def serving(self, machine: str) -> AsyncIterator[None]:
        """A block in which some worker serves a state machine: one that is at work anyway or, for all such blocks of
        the state machine that overlap, one until the last of them ends."""
        shared = self._shared.get(machine)
        if shared is None and any(worker.serves(machine) for worker in self._workers):
            yield
            return
        if shared is None:
            shared = self._shared[machine] = _Shared(self.at_work([machine]))
            await shared.worker.__aenter__()
        shared.users += 1
        try:
            yield
        finally:
            shared.users -= 1
            if not shared.users:
                del self._shared[machine]
                await shared.worker.__aexit__(None, None, None)
