"""The store as it is before anything has been started, made once by the production code."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from statewright.definition.compile import compile_definition
from statewright.drive import Programs
from statewright.states.base import Program
from statewright.store import RedisStore, keys
from statewright.store.address import Address
from statewright.store.connection import Connection
from statewright.store.records import MachineRecord
from statewright.store.scripts import LIBRARY
from tests.sim.keyspace import making
from tests.sim.loop import SimLoop
from tests.sim.server import Server
from tests.sim.workloads import WORKLOADS, Workload
from tests.sim.world import World

__all__ = ["SECRET", "SHARDS", "deposit", "deposited", "open_store", "programs_of", "record_of"]

SHARDS = 2
SECRET = b"s" * 32
_LOAD = [b"FUNCTION", b"LOAD", LIBRARY.encode()]
_ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:"


async def _resolve() -> Address:
    return Address(path="/simulated")


def open_store(clock: Callable[[], int] | None = None) -> RedisStore:
    """A store in the running simulated process; production code from here to the bytes on the wire.

    Arguments:
        clock: time in ms to be said in each call, instead of the server's.
    """
    connection = Connection(_resolve, greeting=[("HGET", keys.META, "id")])
    return RedisStore(
        connection, _resolve, kind="standalone", shards=SHARDS, store_id="simulated", secret=SECRET, clock=clock
    )


def record_of(workload: Workload) -> MachineRecord:
    """The state machine of a workload as it is deployed."""
    text = json.dumps(workload.definition)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return MachineRecord(workload.name, _ARN + workload.name, digest, text, workload.type, "", 0, 0)


@cache
def _compiled() -> dict[str, tuple[str, str, Program]]:
    found = {}
    for workload in WORKLOADS:
        program = compile_definition(workload.definition, type=workload.type)
        found[workload.name] = (record_of(workload).hash, workload.type, program)
    return found


def programs_of(store: RedisStore) -> Programs:
    """What a process knows of the deployed definitions: everything, as compiling is not what is tested here."""
    programs = Programs(store)
    for hash_, type_, program in _compiled().values():
        programs.learn(hash_, type_, program)
    return programs


@cache
def deposited() -> dict[bytes, Any]:
    """All keys of a store in which the workloads are deployed."""
    world = World(0)
    world.server.execute(_LOAD)
    meta = [keys.META, "schema", keys.SCHEMA, "shards", SHARDS, "id", "simulated", "secret", SECRET]
    world.server.execute([b"HSET", *[part if isinstance(part, bytes) else str(part).encode() for part in meta]])
    done: list[bool] = []

    async def main(loop: SimLoop) -> None:
        store = open_store()
        await asyncio.gather(*[store.put_machine(record_of(workload)) for workload in WORKLOADS])
        await store.close()
        done.append(True)

    loop = world.spawn("deployer", main)
    while not done and not loop.problems:
        assert world.step()
    loop.kill()
    return world.server.space.keys


def deposit(server: Server) -> None:
    """Put what is deployed into a server."""
    libraries = server.libraries
    if libraries.deposited is None:
        for command in making(deposited()):
            server.execute(command)
        libraries.deposited = server.space.copy()
    server.space.restore(libraries.deposited)
    server.execute(_LOAD)
