"""``python -m bench.peers.dbos``: DBOS on a PostgreSQL of its own (default settings: fsync on), one process."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from bench.peers.load import STEPS, measure, report


def server_program(name: str) -> str:
    """A program of the PostgreSQL server: of PATH, or where Debian puts it."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        raise SystemExit("no PostgreSQL server (Debian: apt-get install postgresql)")
    return found


@contextmanager
def postgres() -> Iterator[str]:
    """A fresh PostgreSQL with its default settings, on a socket in a temporary directory; its URL."""
    with tempfile.TemporaryDirectory(prefix="statewright-bench-") as name:
        folder = Path(name)
        # PostgreSQL refuses to run as root.
        user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            command = [server_program(program), *arguments]
            subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

        data = str(folder / "data")
        run("initdb", "-D", data, "-U", "bench", "--auth=trust")
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses=", "start")
        try:
            yield f"postgresql://bench@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


async def main(url: str, alone: int, together: int) -> None:
    """Measure and report."""
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})

    @DBOS.step()
    async def noop(number: int) -> int:
        return number

    @DBOS.workflow()
    async def chain(number: int) -> int:
        for _ in range(STEPS):
            number = await noop(number)
        return number

    DBOS.launch()
    started = 0

    async def run(number: int) -> int:
        nonlocal started
        started += 1
        with SetWorkflowID(f"chain-{started}"):
            handle = await DBOS.start_workflow_async(chain, number)
        return int(await handle.get_result())

    report(await measure(run, alone, together))
    DBOS.destroy()


if __name__ == "__main__":
    with postgres() as database:
        asyncio.run(main(database, int(sys.argv[1]), int(sys.argv[2])))
