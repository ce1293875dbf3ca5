"""User code that forks (F22): what the child does on its way out leaves the store alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from statewright import AsyncEngine

MACHINE = '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "a", "End": true}}}'

BLOCKING = f"""
import os, sys
from pathlib import Path
from statewright import Engine, StatewrightError

data_dir = Path(sys.argv[1])
server = lambda: (data_dir / "server.pid").read_text()
with Engine(data_dir=data_dir, tasks={{"a": lambda given: given}}) as engine:
    engine.deploy({MACHINE!r}, name="m")
    assert engine.run("m", {{"n": 1}}, name="before").status == "SUCCEEDED"
    before = server()
    child = os.fork()
    if child == 0:
        sys.exit(7)  # leaves through Engine.__exit__
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert server() == before
    assert engine.run("m", {{"n": 2}}, name="after").status == "SUCCEEDED"
    assert engine.describe("m:before").status == "SUCCEEDED"
    assert server() == before
print("well")
"""

IN_A_LOOP = f"""
import asyncio, os, sys
from pathlib import Path
from statewright import AsyncEngine

data_dir = Path(sys.argv[1])

async def main():
    async with AsyncEngine(data_dir=data_dir, tasks={{"a": lambda given: given}}) as engine:
        await engine.deploy({MACHINE!r}, name="m")
        assert (await engine.run("m", {{}}, name="before")).status == "SUCCEEDED"
        server = (data_dir / "server.pid").read_text()
        child = os.fork()
        if child == 0:
            sys.exit(7)  # leaves through AsyncEngine.__aexit__
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert (data_dir / "server.pid").read_text() == server
        assert (data_dir / "v.sock").exists()
        os.kill(int(server), 0)
        print("well", flush=True)
        os._exit(0)  # an event loop and its forked copy share a selector: Python does not promise that it goes on

asyncio.run(main())
"""

HANDLER = f"""
import os, sys
from pathlib import Path
from statewright import Engine

data_dir = Path(sys.argv[1])

def forks(given):
    child = os.fork()
    if child == 0:
        try:
            sys.exit(7)
        finally:
            os._exit(8)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

with Engine(data_dir=data_dir, tasks={{"a": forks}}) as engine:
    engine.deploy({MACHINE!r}, name="m")
    for number in range(5):
        ended = engine.run("m", {{}}, name=f"n{{number}}")
        assert (ended.status, ended.output) == ("SUCCEEDED", "8"), ended
print("well")
"""


@pytest.mark.parametrize("program", [BLOCKING, IN_A_LOOP, HANDLER], ids=["blocking", "in a loop", "handler"])
def test_a_forked_child_leaves_the_store_alone(program: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, str(tmp_path / "data")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=25)
    assert done.stdout == "well\n", done.stderr
    assert asyncio.run(kept(tmp_path / "data"))


async def kept(data_dir: Path) -> bool:
    """Whether the executions are all there."""
    async with AsyncEngine(data_dir=data_dir) as engine:
        return all(ended.status == "SUCCEEDED" for ended in await engine.list())
