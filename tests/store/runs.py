"""A map run on a store, driven by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from statewright.model import (
    EndExecution,
    Execution,
    Frame,
    Link,
    LinkKind,
    MapRun,
    Phase,
    StartMapRun,
    Step,
)
from statewright.store import RedisStore
from statewright.store.records import MapRunCounts
from tests.store.conftest import Stores
from tests.store.scene import LEASE, Scene, events, payload

PLACE = ("E1", "", 1)
RUN = "arn:aws:states:us-east-1:000000000000:mapRun:m/label:run-1"


@dataclass
class Run:
    """The map run that the root frame of `scene` has begun."""

    scene: Scene
    type: str = "STANDARD"

    @classmethod
    async def begin(cls, stores: Stores, *, type: str = "STANDARD", **options: Any) -> Run:  # noqa: A002
        scene = Scene(await stores.open())
        await scene.create()
        options = {"concurrency": 4, **options}
        ordered = MapRun(epoch=1, arn=RUN, machine="/M", execution_type=type, **options)
        answer = await scene.commit(
            phase=Phase.MAP_RUN,
            epoch=1,
            commands=(StartMapRun(ordered),),
            history=events("MapRunStarted"),
            keep_ms=LEASE,
        )
        assert answer.outcome == "OK"
        return cls(scene, type)

    @property
    def store(self) -> RedisStore:
        return self.scene.store

    def child(self, index: int, items: int = 1, **options: Any) -> Execution:
        members: dict[str, Any] = {
            "id": f"C{index}.{self.scene.shard}",
            "arn": f"arn:C{index}",
            "name": f"C{index}",
            "machine_arn": "arn:m/label",
            "machine_name": "m/label",
            "definition": "d1",
            "input": payload(f'{{"index":{index}}}'),
            "started_at": self.scene.store._clock() if self.scene.store._clock else 0,
            "type": self.type,
            "map_run": RUN,
            "link": Link(LinkKind.MAP_RUN, *PLACE, index, items),
        }
        return Execution(**{**members, **options})

    async def start(self, index: int, items: int = 1, owner: str = "w") -> str:
        """Create a child; what the store says."""
        step = Step(Frame("", "/M", "", "A", payload()), events("ExecutionStarted"))
        child = self.child(index, items)
        return str((await self.store.create(child, step, digest="", owner=owner, lease_ms=LEASE)).outcome)

    async def end(
        self,
        index: int,
        status: str = "SUCCEEDED",
        output: str | None = None,
        error: str | None = None,
        cause: str = "c",
    ) -> str:
        """End a child that `w` holds."""
        if status == "SUCCEEDED":
            ending = EndExecution(status, output=payload(output if output is not None else str(index)))
        else:
            ending = EndExecution(status, error=error or "Boom", cause=cause)
        child = Scene(self.store, f"C{index}.{self.scene.shard}", "m/label", counter=self.scene.counter)
        answer = await child.commit(revision=1, phase=Phase.DONE, commands=(ending,), history=events("Ended"))
        return answer.outcome

    async def advance(
        self, begun: tuple[int, int], read: int | None = None, *, done: bool = False, idle: bool = False, **options: Any
    ) -> tuple[int, int] | None:
        read = begun[1] - begun[0] if read is None else read
        options = {"cursor": f"after {begun[1]}", "owner": "w", **options}
        owner = options.pop("owner")
        return await self.scene.store.advance(*PLACE, owner, begun=begun, read=read, done=done, idle=idle, **options)

    async def feed(self, count: int, *, done: bool = True, idle: bool = True) -> None:
        """Start the first `count` children and tell so."""
        for index in range(count):
            assert await self.start(index) == "OK"
        assert await self.advance((0, count), done=done, idle=idle) is not None

    async def counts(self) -> MapRunCounts:
        counts = await self.store.map_run_counts(*PLACE)
        assert counts is not None
        return counts

    async def inbox(self) -> list[str]:
        found = await self.store._scripts.call("LRANGE", self.store._key("E1", "b", ""), 0, -1)
        return [entry.decode() for entry in found]

    async def notices(self) -> list[str]:
        return list(await self.store.notices(self.scene.shard, 100))

    async def close(self, status: str = "SUCCEEDED", **options: Any) -> None:
        """What the Map's frame commits when it is over."""
        answer = await self.scene.commit(map_run=(1, status), phase=Phase.ENTER, epoch=2, **options)
        assert answer.outcome == "OK"
