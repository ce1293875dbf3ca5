"""The store's own limit: equally sized atomic commits through the engine's own connection, and nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from statewright.store.address import Address
from statewright.store.connection import Connection
from statewright.store.embedded import start_embedded

_COMMIT = """#!lua
local key = KEYS[1]
local rev = tonumber(redis.call('HGET', key, 'rev') or '0')
if rev ~= tonumber(ARGV[1]) then return 'STALE' end
redis.call('HSET', key, 'rev', rev + 1, 'body', ARGV[2])
redis.call('RPUSH', KEYS[2], ARGV[3], ARGV[4])
return 'OK'
"""


async def commits_per_second(data_dir: Path, lanes: int, commits: int) -> float:
    """Checked commits of 500 bytes of state and two events of 150 bytes, one at a time in each of `lanes` lanes."""

    connection = _connection(data_dir)
    try:
        digest = await connection.call("SCRIPT", "LOAD", _COMMIT)
        body, event = "b" * 500, "e" * 150

        async def lane(number: int) -> None:
            keys = (f"bench:{{0}}:f:{number}", f"bench:{{0}}:h:{number}")
            await connection.call("DEL", *keys)
            for revision in range(commits // lanes):
                assert await connection.call("EVALSHA", digest, 2, *keys, revision, body, event, event) == b"OK"

        started = time.perf_counter()
        await asyncio.gather(*map(lane, range(lanes)))
        return commits // lanes * lanes / (time.perf_counter() - started)
    finally:
        await connection.close()


async def server_information(data_dir: Path, section: str) -> dict[str, str]:
    """A section of INFO of the server of `data_dir`, which is started if need be."""
    connection = _connection(data_dir)
    try:
        info: bytes = await connection.call("INFO", section)
    finally:
        await connection.close()
    return dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)


async def used_memory(data_dir: Path) -> float:
    """MB that the server of `data_dir` uses for what it keeps."""
    return int((await server_information(data_dir, "memory"))["used_memory"]) / 1e6


async def set_fsync(data_dir: Path, when: str) -> None:
    """Have the server of `data_dir` force its log to disk ``always``, before it answers, or once ``everysec``."""
    connection = _connection(data_dir)
    try:
        await connection.call("CONFIG", "SET", "appendfsync", when)
    finally:
        await connection.close()


def _connection(data_dir: Path) -> Connection:
    async def resolve() -> Address:
        return Address.parse(await start_embedded(data_dir))

    return Connection(resolve)
