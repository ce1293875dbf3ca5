"""An event loop in virtual time: one for each simulated process.

Callbacks of a process run in the order asyncio promises, first in, first out; the order of processes is the world's
business.  Nothing runs by itself: the world calls `run_ready`, and `fire` when time has come.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Protocol

__all__ = ["Host", "SimLoop"]

_ENOUGH = 100_000
"""Callbacks in one turn after which a process is said to spin."""


class Host(Protocol):
    """What a loop needs of the world."""

    @property
    def now(self) -> float:
        """Virtual seconds."""

    def connect(self, loop: SimLoop, protocol: asyncio.Protocol, path: str) -> asyncio.Transport:
        """A connection to a server; OSError if there is none."""


class _Handle:
    """A callback that can be cancelled: what asyncio needs of a handle, in half the time."""

    __slots__ = ("args", "callback", "cancelled_", "context")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context | None) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.cancelled_ = False

    def cancel(self) -> None:
        """Do not call it."""
        self.cancelled_ = True

    def cancelled(self) -> bool:
        """Whether it will not be called."""
        return self.cancelled_


class SimLoop(asyncio.AbstractEventLoop):
    """The event loop of one process.

    Arguments:
        host: the world it is in.
        name: of the process, for the trace.

    Example: ``SimLoop(world, "worker 1").create_task(worker.run())``
    """

    def __init__(self, host: Host, name: str) -> None:
        self.name = name
        self.ready: deque[_Handle] = deque()
        self.paused_until = 0.0
        self.mute_until = 0.0
        """Nothing that it sends arrives anywhere before."""
        self.deaf_until = 0.0
        """Nothing that is sent to it arrives before."""
        self.ahead = 0.0
        """By how much its monotonic clock is ahead, s."""
        self.dead = False
        self.problems: list[str] = []
        self.belongings: object = None
        """What whoever started the process gives it along."""
        self._host = host
        self._timers: list[tuple[float, int, _Handle]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._order = 0

    # -- for the world ------------------------------------------------------------------------------------------------
    def run_ready(self) -> None:
        """Run callbacks until none is ready."""
        ready = self.ready
        asyncio._set_running_loop(self)
        try:
            for _ in range(_ENOUGH):
                if not ready:
                    return
                handle = ready.popleft()
                if not handle.cancelled_:
                    try:
                        if (context := handle.context) is None:
                            handle.callback(*handle.args)
                        else:
                            context.run(handle.callback, *handle.args)
                    except Exception as error:
                        self.call_exception_handler({"message": "a callback failed", "exception": error})
        finally:
            asyncio._set_running_loop(None)
        self.problems.append(f"{self.name} spins")
        ready.clear()

    @property
    def next_timer(self) -> float | None:
        """When the first timer fires; None if there is none."""
        while self._timers and self._timers[0][2].cancelled_:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def fire(self) -> None:
        """Make ready what time has come for."""
        while self._timers and self._timers[0][0] <= self._host.now:
            self.ready.append(heapq.heappop(self._timers)[2])

    def kill(self) -> None:
        """End the process: its tasks are taken apart where nobody can see it, so that nothing of them is left."""
        self.dead = True
        self._timers.clear()
        for _ in range(4):
            self.ready.clear()
            tasks = [task for task in self._tasks if not task.done()]
            if not tasks:
                return
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                task.cancel()
            self.run_ready()

    # -- for asyncio --------------------------------------------------------------------------------------------------
    def time(self) -> float:
        return self._host.now + self.ahead

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args, context)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> _Handle:
        return self.call_at(self._host.now + self.ahead + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args, context)
        if not self.dead:
            self._order += 1
            heapq.heappush(self._timers, (when - self.ahead, self._order, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call at once; the result comes in the next turn."""
        future = self.create_future()
        try:
            result = func(*args)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future

    async def create_unix_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], path: str, **options: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        await asyncio.sleep(0)
        if self.dead:
            raise ConnectionRefusedError("the process is dead")
        protocol = protocol_factory()
        return self._host.connect(self, protocol, path), protocol

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead:
            self.problems.append(f"{self.name}: {context.get('message')}: {context.get('exception')!r}")

    get_debug = bool  # type: ignore[assignment]  # so False, and said without a call of Python

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return self.dead
