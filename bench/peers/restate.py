"""``python -m bench.peers.restate``: Restate's server with its default settings, and a service of one process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import hypercorn.asyncio
import restate
from hypercorn.config import Config

from bench.peers.load import STEPS, measure, report


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def server_program() -> str:
    """The server: $RESTATE_SERVER, or that of PATH."""
    found = shutil.which(os.environ.get("RESTATE_SERVER", "restate-server"))
    if found is None:
        raise SystemExit("no restate-server (npm install @restatedev/restate-server; RESTATE_SERVER=its path)")
    return found


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """A fresh server; the addresses of its ingress and of its administration."""
    ingress, admin, node = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="statewright-bench-") as folder:
        environment = {
            **os.environ,
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
            "RESTATE_DISABLE_TELEMETRY": "true",
        }
        with (Path(folder) / "log").open("w") as log:
            command = [server_program(), "--base-dir", folder]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                yield f"http://127.0.0.1:{ingress}", f"http://127.0.0.1:{admin}"
            finally:
                process.kill()
                process.wait()


def post(url: str, body: Any) -> Any:
    """The answer to a POST of JSON."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


async def main(alone: int, together: int) -> None:
    """Measure and report."""
    bench = restate.Service("bench")

    @bench.handler()
    async def chain(ctx: restate.Context, number: int) -> int:
        for step in range(STEPS):
            number = await ctx.run_typed(f"step {step}", noop, number=number)
        return number

    async def noop(number: int) -> int:
        return number

    port, over = free_port(), asyncio.Event()
    config = Config()
    config.bind, config.loglevel = [f"127.0.0.1:{port}"], "ERROR"
    serving = asyncio.create_task(
        hypercorn.asyncio.serve(restate.app([bench]), config, shutdown_trigger=over.wait)  # type: ignore[arg-type]
    )
    with server() as (ingress, admin):
        for _ in range(100):
            try:
                await asyncio.to_thread(post, f"{admin}/deployments", {"uri": f"http://127.0.0.1:{port}"})
                break
            except OSError:
                await asyncio.sleep(0.2)
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=ingress, limits=limits, timeout=120) as client:

            async def run(number: int) -> int:
                response = await client.post("/bench/chain", json=number)
                return int(response.raise_for_status().json())

            await asyncio.sleep(1)  # the ingress learns of the deployment
            report(await measure(run, alone, together))
    over.set()
    await serving


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
