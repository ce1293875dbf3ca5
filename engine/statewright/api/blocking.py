"""`Engine`: the API of `AsyncEngine` for code without an event loop.

The asynchronous engine runs on a loop in a thread of its own; each method here runs its namesake there and waits.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from statewright.api.engine import AsyncEngine
from statewright.drive.upkeep.retention import Collected
from statewright.errors import StatewrightError
from statewright.store.records import Verified
from statewright.tasks import Handler

__all__ = ["Engine"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Handler)


class _End:
    """Comes after the last item."""


_END = _End()


def _blocking(
    method: Callable[Concatenate[AsyncEngine, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Engine, P], R]:
    @wraps(method)
    def call(self: Engine, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._await(method(self.engine, *args, **kwargs))

    return cast("Callable[Concatenate[Engine, P], R]", call)


class Engine:
    """Durable state machines on a store, for synchronous programs: arguments and methods of `AsyncEngine`.

    Example::

        with Engine(data_dir=".statewright", tasks={"greet": greet}) as engine:
            engine.deploy(Path("hello.asl.yaml"), name="hello")
            print(engine.run("hello", {"name": "you"}).output)
    """

    def __init__(self, store: str | None = None, *, data_dir: str | Path | None = None, **options: Any) -> None:
        self.engine = AsyncEngine(store, data_dir=data_dir, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    def open(self) -> None:
        """Start the thread and connect to the store.  Done by ``with``."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._process = os.getpid()
            self._thread = threading.Thread(target=self._loop.run_forever, name="statewright", daemon=True)
            self._thread.start()
        try:
            self._await(self.engine.open())
        except BaseException:
            self._end_thread()
            raise

    def close(self) -> None:
        """Close all connections and end the thread."""
        if self._loop is not None and os.getpid() == self._process:
            try:
                self._await(self.engine.close())
            finally:
                self._end_thread()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def task(self, name: str) -> Callable[[F], F]:
        """See `AsyncEngine.task`."""
        return self.engine.task(name)

    health = _blocking(AsyncEngine.health)
    metrics = _blocking(AsyncEngine.metrics)
    deploy = _blocking(AsyncEngine.deploy)
    machine = _blocking(AsyncEngine.machine)
    machines = _blocking(AsyncEngine.machines)
    start = _blocking(AsyncEngine.start)
    start_sync = _blocking(AsyncEngine.start_sync)
    describe = _blocking(AsyncEngine.describe)
    list = _blocking(AsyncEngine.list)
    history = _blocking(AsyncEngine.history)
    stop = _blocking(AsyncEngine.stop)
    wait = _blocking(AsyncEngine.wait)
    run = _blocking(AsyncEngine.run)
    send_task_success = _blocking(AsyncEngine.send_task_success)
    send_task_failure = _blocking(AsyncEngine.send_task_failure)
    send_task_heartbeat = _blocking(AsyncEngine.send_task_heartbeat)
    get_activity_task = _blocking(AsyncEngine.get_activity_task)
    map_runs = _blocking(AsyncEngine.map_runs)
    map_run = _blocking(AsyncEngine.map_run)
    update_map_run = _blocking(AsyncEngine.update_map_run)
    sweep = _blocking(AsyncEngine.sweep)
    repairs = _blocking(AsyncEngine.repairs)
    incidents = _blocking(AsyncEngine.incidents)
    dead_letters = _blocking(AsyncEngine.dead_letters)
    revive = _blocking(AsyncEngine.revive)

    def verify(
        self, executions: Sequence[str] = (), *, machine: str | None = None, status: str | None = None
    ) -> Iterator[Verified]:
        """See `AsyncEngine.verify`.

        Example: ``wrong = [finding for each in engine.verify() for finding in each.findings]``
        """
        return self._iterate(self.engine.verify(executions, machine=machine, status=status))

    def collect(self, retention: timedelta | None = None, *, dry_run: bool = False) -> Collected:
        """See `AsyncEngine.collect`; tells when all is done.

        Example: ``engine.collect(timedelta(days=30)).executions``
        """
        return deque(self._iterate(self.engine.collect(retention, dry_run=dry_run)), maxlen=1).pop()

    @contextmanager
    def worker(self, *, machines: Sequence[str] = (), grace: float = 10.0) -> Iterator[None]:
        """See `AsyncEngine.worker`.

        Example: ``with engine.worker(): engine.wait("hello:first")``
        """
        manager = self.engine.worker(machines=machines, grace=grace)
        self._await(manager.__aenter__())
        try:
            yield
        finally:
            self._await(manager.__aexit__(None, None, None))

    def run_worker(self, *, machines: Sequence[str] = (), grace: float = 10.0) -> None:
        """Work until KeyboardInterrupt, then drain for up to `grace` seconds."""
        with self.worker(machines=machines, grace=grace):
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                return

    def _iterate(self, items: AsyncGenerator[R, None]) -> Iterator[R]:
        """What an asynchronous iterator has, one by one, as it is asked for."""

        async def following() -> R | _End:
            return await anext(items, _END)

        try:
            while not isinstance(item := self._await(following()), _End):
                yield item
        finally:
            if self._loop is not None and os.getpid() == self._process:
                self._await(items.aclose())

    def _await(self, work: Coroutine[Any, Any, R]) -> R:
        if self._loop is None or os.getpid() != self._process:
            work.close()
            if self._loop is None:
                raise StatewrightError("NotOpen", "the engine is not open: use it as `with Engine(…) as engine`")
            raise StatewrightError("Forked", "the process has forked since the engine was opened: open one of its own")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _end_thread(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None
