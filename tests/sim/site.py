"""The store as it is before anything has been started, made once by the production code."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from statewright.arn import Arns, execution_id
from statewright.definition.compile import compile_definition
from statewright.drive import Programs
from statewright.model import Execution
from statewright.states.base import Program
from statewright.store import RedisStore, keys
from statewright.store.address import Address
from statewright.store.connection import Connection
from statewright.store.records import MachineRecord
from statewright.store.scripts import LIBRARY
from statewright.values import Payload
from tests.sim.keyspace import making
from tests.sim.loop import SimLoop
from tests.sim.server import Server
from tests.sim.workloads import WORKLOADS, Workload
from tests.sim.world import World

__all__ = [
    "SECRET",
    "SHARDS",
    "beginning",
    "deposit",
    "deposited",
    "execution_of",
    "open_store",
    "programs_of",
    "record_of",
]

SHARDS = 2
SECRET = b"s" * 32
_LOAD = [b"FUNCTION", b"LOAD", LIBRARY.encode()]
_ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:"


async def _resolve() -> Address:
    return Address(path="/simulated")


def open_store(clock: Callable[[], int] | None = None, shards: int = SHARDS) -> RedisStore:
    """A store in the running simulated process; production code from here to the bytes on the wire.

    Arguments:
        clock: time in ms to be said in each call, instead of the server's.
        shards: how many it has.
    """
    connection = Connection(_resolve, greeting=[("HGET", keys.META, "id")])
    return RedisStore(
        connection, _resolve, kind="standalone", shards=shards, store_id="simulated", secret=SECRET, clock=clock
    )


@cache
def record_of(workload: Workload) -> MachineRecord:
    """The state machine of a workload as it is deployed."""
    text = json.dumps(workload.definition)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return MachineRecord(workload.name, _ARN + workload.name, digest, text, workload.type, "", 0, 0)


@cache
def execution_of(workload: Workload, choice: int) -> Execution:
    """What is started of a workload with one of its inputs, at time 0."""
    record = record_of(workload)
    name = f"{workload.name}-{choice}"
    known_as = name if workload.type == "STANDARD" else f"{name}:{name}"
    return Execution(
        id=execution_id(workload.name, known_as),
        arn=Arns().execution(workload.name, known_as),
        name=name,
        machine_arn=record.arn,
        machine_name=workload.name,
        definition=record.hash,
        input=Payload.of(workload.inputs[choice]),
        started_at=0,
        type=workload.type,
    )


@cache
def _compiled() -> dict[str, tuple[str, str, Program]]:
    found = {}
    for workload in WORKLOADS:
        program = compile_definition(workload.definition, type=workload.type)
        found[workload.name] = (record_of(workload).hash, workload.type, program)
    return found


def programs_of(store: RedisStore, machines: Iterable[str]) -> Programs:
    """What a process knows of the deployed definitions: all that will run, as compiling is not what is tested here."""
    programs, compiled = Programs(store), _compiled()
    for name in machines:
        hash_, type_, program = compiled[name]
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


@cache
def beginning(machines: frozenset[str], shards: int) -> list[list[bytes]]:
    """The commands that deploy these of the state machines in an empty server."""
    records = [record_of(workload) for workload in WORKLOADS if workload.name not in machines]
    others = {word.encode() for record in records for word in (record.name, record.hash)}
    commands = [command for command in making(deposited()) if command[1].rpartition(b":")[2] not in others]
    return [*commands, [b"HSET", keys.META.encode(), b"shards", b"%d" % shards], _LOAD]


def deposit(server: Server, machines: frozenset[str], shards: int) -> None:
    """Deploy these of the state machines in an empty server."""
    deposits, place = server.libraries.deposits, (machines, shards)
    if place not in deposits:
        for command in beginning(machines, shards):
            server.execute(command)
        deposits[place] = server.space.copy()
    server.space.restore(deposits[place])
