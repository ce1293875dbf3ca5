"""``python -m bench.peers.statewright``: Statewright on its private server, `appendfsync always`, one process."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from bench.__main__ import noop
from bench.peers.load import measure, report
from bench.scenarios import chain
from statewright import AsyncEngine
from statewright.store.embedded import stop_embedded


async def main(alone: int, together: int) -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory(prefix="statewright-bench-") as folder:
        async with AsyncEngine(data_dir=Path(folder), tasks={"noop": noop}) as engine, engine.worker():
            await engine.deploy(chain(), name="chain")

            async def run(number: int) -> int:
                execution = await engine.start("chain", number)
                done = await engine.wait(execution.arn)
                assert done.output is not None
                return int(done.output)

            report(await measure(run, alone, together))
        await stop_embedded(Path(folder))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
