"""After the server's death with very many live executions: how soon is work done again?"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from bench.limit import server_information
from statewright import AsyncEngine

_AT_ONCE = 500
_DUE = 1000
"""Executions that are due while the server is away, at most."""


def parked() -> dict[str, Any]:
    """Two trivial states, then a Wait: six events so far."""
    return {
        "StartAt": "One",
        "States": {
            "One": {"Type": "Pass", "Next": "Two"},
            "Two": {"Type": "Pass", "Next": "Parked"},
            "Parked": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Done"},
            "Done": {"Type": "Succeed"},
        },
    }


async def restart(data_dir: Path, executions: int, away: int = 5) -> dict[str, float]:
    """Park `executions`, kill the server with SIGKILL, and let a new worker begin on what is left `away` seconds later.

    Answers seconds until the server answers again, and from then until the first of the executions that are due has
    ended, and all of them; and how many events there were.
    """
    async with AsyncEngine(data_dir=data_dir) as engine:
        await engine.deploy(parked(), name="parked")
        async with engine.worker():
            started = time.perf_counter()
            for first in range(0, executions, _AT_ONCE):
                batch = range(first, min(first + _AT_ONCE, executions))
                await asyncio.gather(*(engine.start("parked", {"seconds": 86_400}, name=f"p{n}") for n in batch))
            parking = time.perf_counter() - started
            orders = range(min(_DUE, executions // 10))
            runs = [engine.start("parked", {"seconds": away}, name=f"due{n}") for n in orders]
            due = [run.arn for run in await asyncio.gather(*runs)]
            sample = [len(await engine.history(f"parked:p{n}")) for n in range(0, executions, executions // 100)]
    # Nobody is at work any more; the server goes as in a power cut, and what is due comes due meanwhile.
    pid = int((await server_information(data_dir, "server"))["process_id"])
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(away)
    killed = time.perf_counter()
    while (await server_information(data_dir, "persistence"))["loading"] != "0":  # starts it
        await asyncio.sleep(0.01)
    answers = time.perf_counter()
    async with AsyncEngine(data_dir=data_dir) as engine, engine.worker():
        await asyncio.wait({asyncio.ensure_future(engine.wait(arn)) for arn in due}, return_when="FIRST_COMPLETED")
        first_ended = time.perf_counter()
        for ended in await asyncio.gather(*(engine.wait(arn) for arn in due)):
            assert ended.status == "SUCCEEDED"
        all_ended = time.perf_counter()
    return {
        "live": executions,
        "events": round(sum(sample) / len(sample) * executions),
        "parked_per_second": round(executions / parking),
        "loading_s": round(answers - killed, 2),
        "first_ended_s": round(first_ended - answers, 2),
        f"all_{len(due)}_due_ended_s": round(all_ended - answers, 2),
    }
