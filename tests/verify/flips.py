"""Bits that flip in the append-only file: each is found, or changes nothing that is kept.

A thousand of them: ``python -m tests.verify.flips 1000``
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from statewright import AsyncEngine, StatewrightError
from statewright.store.embedded import start_embedded, stop_embedded
from tests.verify.filling import fill

__all__ = ["UNCHECKED", "Outcome", "flip_bits"]

UNCHECKED = {
    r"sw:\{meta\}:(meta|machines|m:.*|old)( .*)?": "the record of a state machine but for its definition; the secret",
    r"sw:\{meta\}:(sweep|workers|said|incidents)( .*)?": "what workers do and have done",
    r"sw:\{\d+\}:(q.*|l|t|a.*|n)": "queues, leases, timers, notices: the sweep puts them right",
    r"sw:\{\d+\}:(w|s)( .*)?": "what workers were told, and what the sweep has put right",
    r"sw:\{\d+\}:(done|z|dl)": "since when executions have ended, and dead letters have been put aside",
    r"sw:\{\d+\}:x:\w+(\.\d+)? (td|fi|la)": "when its time is over; of a chain the first and the last",
    r"sw:\{\d+\}:f:[^ ]* dl": "why a dead letter was put aside",
    r"(?!sw:|scripts).*": "keys of other programs, as far as anybody can tell",
    r"sw:\{\d+\}:x:\w+(\.\d+)? (nonce|n0|rev|cid|own|cr|cb)": "by what the repetition of a call is recognised",
    r"sw:\{\d+\}:f:[^ ]* (rev|cid|own|cr|cb|sn|tk|ans|del|hb)": "by what the repetition of a call is recognised",
    r"sw:\{\d+\}:u:.*": "counts of map runs",
    r"sw:\{\d+\}:[or]:[^ ]*( .*)?": "which child executions of a map run are open, and their results until it ends",
}
"""What no checksum covers and no history tells, by key (and field)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a flipped bit: refused (the server does not start), cut (it starts with what was before, and says
    so in its log), found (by verify), same (nothing kept has changed), unchecked, or missed; and where it was."""

    kind: str
    offset: int
    words: str


def _await_loaded(url: str) -> None:
    """Until the server has read its file; redis.ConnectionError if it ends over that."""
    with redis.Redis.from_url(url) as server:
        while True:
            try:
                server.exists("sw:{meta}:meta")
            except redis.BusyLoadingError:
                continue
            return


def _contents(url: str) -> dict[str, Any]:
    """Everything in the server, one entry for each key or field."""
    found: dict[str, Any] = {}
    with redis.Redis.from_url(url) as server:
        for library in server.function_list("statewright_*", withcode=True):
            found["scripts"] = library[library.index(b"library_code") + 1]
        for raw in server.scan_iter(count=1000):
            key = raw.decode(errors="backslashreplace")
            kind = server.type(raw)
            if kind == b"hash":
                found |= {f"{key} {name!r}": value for name, value in server.hgetall(raw).items()}
            elif kind == b"list":
                found[key] = server.lrange(raw, 0, -1)
            elif kind == b"set":
                found[key] = server.smembers(raw)
            elif kind == b"zset":
                found[key] = server.zrange(raw, 0, -1, withscores=True)
            else:
                found[key] = server.get(raw)
    return found


async def _problems(url: str) -> list[str]:
    async with AsyncEngine(url) as engine:
        return [str(finding) async for each in engine.verify() for finding in each.findings]


def _unchecked(place: str) -> bool:
    plain = re.sub(r" b'(.*)'$", r" \1", place)
    return any(re.fullmatch(pattern, plain) for pattern in UNCHECKED)


class _Trial:
    """One flipped bit in a copy of a store."""

    def __init__(self, data_dir: Path, whole: dict[str, Any], folder: Path) -> None:
        self._data_dir, self._whole, self._folder = data_dir, whole, folder

    def run(self, offset: int, bit: int) -> Outcome:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        shutil.copytree(self._data_dir / "appendonlydir", self._folder / "appendonlydir")
        file = next((self._folder / "appendonlydir").glob("*.incr.aof"))
        content = bytearray(file.read_bytes())
        content[offset] ^= 1 << bit
        file.write_bytes(content)
        where = repr(bytes(content[max(0, offset - 30) : offset + 30]))
        try:
            url = asyncio.run(start_embedded(self._folder))
            _await_loaded(url)
            return self._judged(url, offset, where)
        except (StatewrightError, redis.ConnectionError):
            return Outcome("refused", offset, where)
        finally:
            asyncio.run(stop_embedded(self._folder))

    def _judged(self, url: str, offset: int, where: str) -> Outcome:
        if "AOF loaded anyway" in (self._folder / "server.log").read_text(errors="replace"):
            return Outcome("cut", offset, where)
        now = _contents(url)
        now.setdefault("scripts", self._whole["scripts"])  # a library that is not there is loaded with the next call
        changed = [name for name in self._whole.keys() | now.keys() if self._whole.get(name) != now.get(name)]
        try:
            problems = asyncio.run(_problems(url))
        except StatewrightError as error:
            problems = [str(error)]
        if problems:
            return Outcome("found" if changed else "false alarm", offset, f"{where}: {problems}")
        if not changed:
            return Outcome("same", offset, where)
        kind = "unchecked" if all(map(_unchecked, changed)) else "missed"
        return Outcome(kind, offset, f"{where}: {changed}")


def flip_bits(count: int, seed: int, folder: Path) -> list[Outcome]:
    """Fill a store, then flip one bit at each of `count` random places of its append-only file, each time anew."""
    source = folder / "source"
    asyncio.run(fill(source))
    asyncio.run(stop_embedded(source))
    url = asyncio.run(start_embedded(source))
    whole, sound = _contents(url), asyncio.run(_problems(url))
    asyncio.run(stop_embedded(source))
    assert not sound, sound
    size = next((source / "appendonlydir").glob("*.incr.aof")).stat().st_size
    chance, trial = random.Random(seed), _Trial(source, whole, folder / "copy")
    return [trial.run(chance.randrange(size), chance.randrange(8)) for _ in range(count)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcomes = flip_bits(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, Path(folder))
    for outcome in outcomes:
        if outcome.kind in ("missed", "unchecked", "false alarm"):
            print(outcome.kind, outcome.offset, outcome.words)
    print(Counter(outcome.kind for outcome in outcomes))


if __name__ == "__main__":
    main()
