"""An execution on a store, driven by hand: short words for long calls."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import msgspec

from statewright.model import (
    Command,
    EndExecution,
    Execution,
    Finish,
    Fork,
    Frame,
    HistoryEvent,
    Phase,
    StartTask,
    Step,
    TaskKind,
    TaskOrder,
)
from statewright.store import RedisStore
from statewright.store.records import Claimed, Commit, Committed, Created
from statewright.store.wire import ask
from statewright.values import Payload

LEASE = 30_000


def payload(text: str = "{}") -> Payload:
    return Payload.parse(text)


def event(kind: str = "PassStateEntered", **options: Any) -> HistoryEvent:
    return HistoryEvent(kind, **options)


def events(*kinds: str) -> tuple[HistoryEvent, ...]:
    return tuple(HistoryEvent(kind) for kind in kinds)


def task(kind: TaskKind = TaskKind.TOKEN, resource: str = "arn:x", **options: Any) -> StartTask:
    return StartTask(TaskOrder(kind, resource, payload('{"n":1}'), **options))


def fork(epoch: int = 1, length: int = 2, **options: Any) -> Fork:
    """A Parallel state's fork, or that of a Map state if `items` or `map_name` say so."""
    if "items" in options:
        length = len(options["items"])
        options.setdefault("map_name", "M")
    machines = ("/M",) if "map_name" in options else tuple(f"/P/{i}" for i in range(length))
    options.setdefault("input", payload('"for all"'))
    options.setdefault("window", length)
    options.setdefault("tolerance", 0)
    return Fork(epoch=epoch, machines=machines, position="/1", length=length, **options)


def finish(output: str = "1") -> Finish:
    return Finish(output=payload(output))


def failure(error: str = "Boom", cause: str | None = "why") -> Finish:
    return Finish(error=error, cause=cause, failed=True)


END = EndExecution("SUCCEEDED", output=payload('"done"'))


@dataclass
class Scene:
    """One execution, `name`, on a store."""

    store: RedisStore
    name: str = "E1"
    machine: str = "m"
    counter: Any = field(default_factory=itertools.count)
    revisions: dict[str, int] = field(default_factory=dict)

    @property
    def execution(self) -> Execution:
        return Execution(
            id=self.name,
            arn=f"arn:{self.name}",
            name=self.name,
            machine_arn=f"arn:{self.machine}",
            machine_name=self.machine,
            definition="d1",
            input=payload('{"in":1}'),
            started_at=0,
        )

    @property
    def shard(self) -> int:
        return self.store.shard_of(self.name)

    def step(self, frame_id: str = "", **options: Any) -> Step:
        """A step; the frame's members are given by name, the rest are the step's."""
        names = ("phase", "epoch", "state", "input", "task", "fork", "variables", "position", "machine", "visit")
        members = {name: options.pop(name) for name in names if name in options}
        commands: tuple[Command, ...] = options.pop("commands", ())
        for command in commands:
            if isinstance(command, StartTask):
                members.update(phase=Phase.TASK, task=command.order)
            if isinstance(command, Fork):
                members.update(phase=Phase.JOIN, fork=command, epoch=command.epoch)
        frame = Frame(frame_id, members.pop("machine", ""), members.pop("position", ""), members.pop("state", "A"),
                      members.pop("input", payload()), **members)  # fmt: skip
        return Step(frame, commands=commands, **options)

    async def create(self, owner: str = "w", digest: str = "d", **options: Any) -> Created:
        options.setdefault("history", events("ExecutionStarted"))
        step = self.step(**options)
        execution = msgspec.structs.replace(self.execution, started_at=await self.store.now())
        created = await self.store.create(execution, step, digest=digest, owner=owner, lease_ms=LEASE)
        self.revisions[""] = 1
        return created

    def order(self, frame_id: str = "", **options: Any) -> Commit:
        """A commit, not sent yet; it takes the next revision of the frame unless told otherwise."""
        names = ("revision", "commit_id", "owner", "base", "consumed", "keep_ms", "requeue", "room", "lease_ms")
        members = {name: options.pop(name) for name in names if name in options}
        members.setdefault("revision", self.revisions.get(frame_id, 0))
        members.setdefault("owner", "w")
        members.setdefault("commit_id", f"c{next(self.counter)}")
        return Commit(self.name, frame_id, step=self.step(frame_id, **options), **members)

    async def commit(self, frame_id: str = "", **options: Any) -> Committed:
        order = self.order(frame_id, **options)
        answer = await self.store.commit(order)
        if answer.outcome == "OK":
            self.revisions[frame_id] = order.revision + 1
        return answer

    async def claim(self, owner: str = "w", limit: int = 100, lease_ms: int = LEASE) -> list[Claimed]:
        """Claim what is ready in the execution's shard."""
        frames = (await self.store.claim(self.shard, owner, lease_ms, limit)).frames
        for claimed in frames:
            self.revisions[claimed.frame.id] = claimed.revision
        return list(frames)

    async def links(self) -> list[tuple[int, int, str]]:
        """History as (id, previous, type)."""
        page = await self.store.history(self.name, 0, 1000)
        return [(id_, previous, kind) for id_, previous, _, kind, _ in page.events]

    async def keys(self) -> set[str]:
        """What the server holds, but for the store's own records and counts."""
        found = await administer(self.store, "KEYS", "*")
        return {
            key.decode().partition("}:")[2]
            for key in chain(*found)
            if not key.startswith(b"sw:{meta}") and not key.endswith(b"}:w")
        }


async def administer(store: RedisStore, *command: str | bytes) -> list[Any]:
    """The answers to a command that the engine has no right to, given to each primary of the store."""
    addresses = [await node.address() for node in store._connection.primaries()]
    return [(await ask(replace(to, user="", password=""), command, timeout=10))[0] for to in addresses]
