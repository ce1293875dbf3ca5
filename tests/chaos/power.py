"""Power failures of the private server: it is killed, and its append-only files keep what had been made durable.

SIGKILL alone loses nothing that was written: the kernel has it.  `power.c`, preloaded into the server, notes how much
of each file an fsync has made durable; a cut truncates the file to that, with a tail as file systems leave them.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Literal, TypeAlias

import pytest

from statewright.store.embedded import server_binary

__all__ = ["Power", "Tail", "durable", "locked"]

Tail: TypeAlias = Literal["clean", "torn", "nul"]
"""What is behind the durable length: nothing; a part of what was written; NUL bytes in its place."""


class Power:
    """A server program that notes what is durable.

    Arguments:
        folder: where the shim is compiled and the program is written.
        binary: the server program; None: the one the engine would use.
        settings: go before what the engine asks for, e.g. ``appendfsync="everysec"``.

    Example: ``monkeypatch.setenv("STATEWRIGHT_SERVER", str(Power(tmp_path).program))``
    """

    def __init__(self, folder: Path, binary: str | None = None, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.fail("power failures are played by a C library: install a compiler as `cc` (Debian: gcc, libc6-dev)")
        shim = folder / "power.so"
        source = Path(__file__).with_name("power.c")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", shim, source, "-ldl", "-lpthread"], check=True)
        self.program = folder / "server"
        words = ["env", f"LD_PRELOAD={shim}", str(binary or server_binary())]
        last = shlex.join(word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value))
        self.program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@" {last}\n')
        self.program.chmod(0o700)

    def cut(self, data_dir: Path, tail: Tail, chance: Random) -> int:
        """Cut the power of a private server; nobody starts it before the files are as the failure leaves them.

        Answers with how many bytes that were written are lost.
        """
        with locked(data_dir / "start.lock"):
            os.kill(running(data_dir), signal.SIGKILL)
            with locked(data_dir / "own.lock"):  # it has ended
                return sum(self._lose(file, tail, chance) for file in files(data_dir))

    @staticmethod
    def _lose(file: Path, tail: Tail, chance: Random) -> int:
        written, kept = file.stat().st_size, durable(file)
        if tail == "torn":
            kept = chance.randint(kept, max(kept, written))
        os.truncate(file, min(kept, written))
        if tail == "nul":
            os.truncate(file, written)
            mend(file)  # what F7 asks of the engine itself, when it starts the server
        return max(0, written - kept)


def files(data_dir: Path) -> list[Path]:
    """The append-only files of a private server that are written to."""
    return sorted((data_dir / "appendonlydir").glob("*.incr.aof"))


def durable(file: Path) -> int:
    """How much of an append-only file has been made durable."""
    marker = Path(f"{file}.durable")
    return int(marker.read_text()) if marker.exists() else 0


def mend(file: Path) -> None:
    """Cut NUL bytes off the end of an append-only file, as an operator does whose server refuses to load it."""
    with file.open("r+b") as opened:
        opened.truncate(len(opened.read().rstrip(b"\0")))


def running(data_dir: Path) -> int:
    """The process of a private server that runs; call it with `start.lock` held."""
    with pytest.raises(BlockingIOError), (data_dir / "own.lock").open("rb") as own:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return int((data_dir / "server.pid").read_text())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file, waiting for it."""
    with path.open("rb") as file:
        until = time.monotonic() + 30
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < until, f"{path} stays locked"
                time.sleep(0.002)
        yield
