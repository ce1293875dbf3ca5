"""Workers: the handlers they have, and for how long they are at work."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from typing import TypeVar

from statewright.api.connected import Connected
from statewright.drive import Crew, Worker
from statewright.tasks import Handler

__all__ = ["Workers"]

F = TypeVar("F", bound=Handler)


class Workers(Connected):
    """Handlers of tasks, and workers in this process that call them."""

    @cached_property
    def _crew(self) -> Crew:
        return Crew(self.new_worker)

    def task(self, name: str) -> Callable[[F], F]:
        """Register a function as the handler of a resource.

        Example: ``@engine.task("charge-card")``
        """

        def register(handler: F) -> F:
            self.registry.register(name, handler)
            return handler

        return register

    @asynccontextmanager
    async def worker(self, *, machines: Sequence[str] = (), grace: float = 10.0) -> AsyncIterator[Worker]:
        """A worker in this process for as long as the block runs; then it drains for up to `grace` seconds.

        Arguments:
            machines: names or ARNs of the state machines to work on; none: all, so all their handlers must be here.

        Example: ``async with engine.worker(): await engine.wait("hello:first")``
        """
        async with self._crew.at_work(machines, grace) as worker:
            yield worker

    def new_worker(self, machines: Sequence[str] = ()) -> Worker:
        """A worker that does not run yet: ``await worker.run()``, or ``run_until_idle()`` with a virtual clock."""
        opened = self._open
        return Worker(
            opened.store,
            opened.programs,
            self.registry,
            opened.tokens,
            limits=self._limits,
            clock=self._clock,
            doorbell=opened.doorbell,
            machines=[self.arns.machine_name(machine) for machine in machines],
            objects=self._objects,
            **self._working,
        )

    async def run_worker(
        self, stop: asyncio.Event | None = None, *, machines: Sequence[str] = (), grace: float = 10.0
    ) -> None:
        """Work until `stop` is set or, in the main thread, SIGTERM or SIGINT arrives; then drain."""
        stop = stop or asyncio.Event()
        loop, heard = asyncio.get_running_loop(), []
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or not POSIX
                loop.add_signal_handler(number, stop.set)
                heard.append(number)
        try:
            async with self.worker(machines=machines, grace=grace):
                await stop.wait()
        finally:
            for number in heard:
                loop.remove_signal_handler(number)
