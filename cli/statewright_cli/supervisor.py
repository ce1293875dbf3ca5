"""Several worker processes under one: started, restarted when they die, drained together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from statewright_cli.signals import stop_signals

__all__ = ["Supervisor", "stops_with_supervisor"]

STEADY = 60.0
"""Seconds after which a process that dies did not die in a row with the one before."""

BUDGET = 5
"""Deaths in a row after which the others are drained and the command gives up."""

PAUSE = 0.5
"""Seconds before the first restart in a row; twice as long before each further one."""


class Supervisor:
    """Keeps worker processes at work until a signal comes.

    Each is a clean process with a process group of its own, so that Ctrl-C reaches the supervisor alone; it passes that
    on.  Should the supervisor be killed, the workers' stdin ends, and they drain by themselves.

    Arguments:
        command: of a worker; its number is appended.
        count: how many.
        report: is told what happens, as a word and as a sentence.

    Example: ``code = await Supervisor([sys.executable, "worker.py"], 4, report).run()``
    """

    def __init__(self, command: Sequence[str], count: int, report: Callable[[str, str], None]) -> None:
        self._command = command
        self._count = count
        self._report = report
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._refused = 0
        self._gave_up = False

    async def run(self) -> int:
        """Work until the first SIGTERM or SIGINT, then drain; 2 if it gave up.  A second Ctrl-C ends all at once."""
        try:
            with stop_signals() as asked:
                keeping = asyncio.gather(*(self._keep(number) for number in range(1, self._count + 1)))
                waiting = asyncio.ensure_future(asked.wait())
                giving_up = asyncio.ensure_future(self._stopping.wait())
                await asyncio.wait([waiting, giving_up], return_when=asyncio.FIRST_COMPLETED)
                giving_up.cancel()
                self._report("draining", "stopping: finishing what is being done")
                self._stopping.set()
                for process in self._processes.values():
                    _send(process, signal.SIGTERM)
                await keeping
                waiting.cancel()
        finally:
            for process in self._processes.values():
                _send(process, signal.SIGKILL)
        return 2 if self._gave_up else 0

    async def _keep(self, number: int) -> None:
        """Have one worker at work, again and again."""
        clock = asyncio.get_running_loop().time
        deaths = 0
        while not self._stopping.is_set():
            began = clock()
            code = await self._work(number)
            if self._stopping.is_set():
                return
            deaths = 1 if clock() - began > STEADY else deaths + 1
            self._report("died", f"worker {number} {_ending(code)}")
            if self._hopeless(code, deaths):
                self._report("gave up", f"giving up: worker {number} does not stay at work")
                self._gave_up = True
                self._stopping.set()
                return
            try:
                async with asyncio.timeout(PAUSE * 2 ** (deaths - 1)):
                    await self._stopping.wait()
            except TimeoutError:
                self._report("restarting", f"restarting worker {number}")

    async def _work(self, number: int) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command, str(number), stdin=asyncio.subprocess.PIPE, process_group=0
        )
        self._processes[number] = process
        if self._stopping.is_set():  # meanwhile
            _send(process, signal.SIGTERM)
        try:
            return await process.wait()
        finally:
            if process.returncode is not None:
                del self._processes[number]

    def _hopeless(self, code: int, deaths: int) -> bool:
        """Whether to try no more.  A worker that refuses to start says 2: if all do so at first, it is the command."""
        if deaths == 1 and code == 2:
            self._refused += 1
        return deaths >= BUDGET or self._refused == self._count


def _send(process: asyncio.subprocess.Process, number: int) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _ending(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"


@contextmanager
def stops_with_supervisor(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` when the process that started this one is gone: then its end of our stdin is closed.

    Example: ``with stops_with_supervisor(event): await event.wait()``
    """
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def heard() -> None:
        if not os.read(stdin, 1024):
            loop.remove_reader(stdin)
            stopping.set()

    loop.add_reader(stdin, heard)
    try:
        yield
    finally:
        loop.remove_reader(stdin)
