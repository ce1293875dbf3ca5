"""The worker processes of a storm: they are killed and stopped, and others take their places."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections import Counter
from multiprocessing.process import BaseProcess

from tests.chaos.worker import Perils, work

__all__ = ["Crew"]


class Crew:
    """So many worker processes, all the time.

    Arguments:
        perils: of each of them.
        size: how many.

    Example: ``crew = Crew(perils, 4); tending = asyncio.create_task(crew.tend()); …; crew.end()``
    """

    def __init__(self, perils: Perils, size: int) -> None:
        self.perils = perils
        self.lost: Counter[str] = Counter()
        """Processes that ended, by how."""
        self._expected: set[int | None] = set()
        # A server process with everything imported, from which workers are forked in milliseconds.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.chaos.worker", "statewright.api", "statewright.definition.lint"])
        self.processes: list[BaseProcess] = [self._spawn() for _ in range(size)]

    def _spawn(self) -> BaseProcess:
        process = self._context.Process(target=work, args=(self.perils,), daemon=True)
        process.start()
        return process

    async def tend(self) -> None:
        """Put another process into the place of each that was killed; one that ended by itself is an error."""
        while True:
            for number, process in enumerate(self.processes):
                if not process.is_alive():
                    self._bury(process)
                    self.processes[number] = self._spawn()
            await asyncio.sleep(0.01)

    def _bury(self, process: BaseProcess) -> None:
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"a worker ended by itself: {process.exitcode}"
        self.lost["killed" if process.pid in self._expected else "met its fate"] += 1
        process.close()

    def kill(self, number: int) -> None:
        """SIGKILL to a process, or to the next one if it has just met its fate."""
        for process in self.processes[number:] + self.processes[:number]:
            if process.is_alive():
                self._expected.add(process.pid)
                process.kill()
                break

    async def stop(self, number: int, seconds: float) -> None:
        """SIGSTOP; the process goes on after some seconds, unless it was killed meanwhile."""
        process = self.processes[number]
        if not process.is_alive() or process.pid is None:
            return
        os.kill(process.pid, signal.SIGSTOP)
        self.lost["stopped for a while"] += 1
        await asyncio.sleep(seconds)
        if self.processes[number] is process and process.is_alive():
            os.kill(process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill them all."""
        for process in self.processes:
            process.kill()
            process.join()
