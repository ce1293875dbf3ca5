"""Threads for synchronous handlers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeAlias, TypeVar

__all__ = ["Threads"]

P = ParamSpec("P")
R = TypeVar("R")
_Work: TypeAlias = tuple["Future[Any]", Callable[[], Any]]


class Threads(Executor):
    """At most `size` threads, started when needed.  Unlike those of `ThreadPoolExecutor` they are daemons: a handler
    that hangs must not keep the process of a worker that was told to end.

    Example: ``await loop.run_in_executor(Threads(32), handler, given)``
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call `fn` in one of the threads."""
        future: Future[R] = Future()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        with self._lock:
            if not self._idle.acquire(blocking=False) and self._started < self._size:
                self._started += 1
                threading.Thread(target=self._run, name=f"statewright-task-{self._started}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Let the threads end when their calls do; calls that were not begun are cancelled.  Does not wait."""
        with self._lock:
            try:
                while (work := self._work.get_nowait()) is not None:
                    work[0].cancel()
            except queue.Empty:
                pass
            for _ in range(self._started):
                self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            future, call = work
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            del work, future, call  # what a handler was given does not stay until the next call
            self._idle.release()
