"""Executions: starting, asking, stopping, waiting for the end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from statewright.api.connected import milliseconds
from statewright.api.machines import StateMachines
from statewright.api.workers import Workers
from statewright.arn import check_name, execution_id, map_run_id
from statewright.drive import callbacks
from statewright.drive.starting import start_execution
from statewright.drive.upkeep.retention import Collected, collect
from statewright.errors import StatewrightError
from statewright.history import render
from statewright.model import Execution
from statewright.store.records import Description
from statewright.values import Json

__all__ = ["Executions", "Started"]

Events: TypeAlias = list[dict[str, Any]]
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Started:
    """Answer of `start`: the execution's ARN and name, when it started (ms), and whether it was running already."""

    arn: str
    name: str
    started_at: int
    duplicate: bool


class Executions(Workers, StateMachines):
    """Executions of state machines, taken up at once by a worker of this engine where there is one."""

    async def start(self, machine: str, input: Json = None, *, name: str | None = None) -> Started:  # noqa: A002
        """Start an execution.  Again under the same name and with the same input, while it runs, changes nothing
        (an EXPRESS execution is always a new one).

        Arguments:
            machine: name or ARN.
            input: a JSON value; None: an empty object.
            name: of the execution, unique in its state machine; None: a new one.

        Raises StatewrightError StateMachineDoesNotExist, ExecutionAlreadyExists, InvalidName, InvalidExecutionInput.
        """
        return await self._start(machine, input, name, sync=False)

    async def start_sync(
        self,
        machine: str,
        input: Json = None,  # noqa: A002
        *,
        name: str | None = None,
        timeout: float | None = None,
    ) -> Description:
        """Start an execution of an EXPRESS state machine and wait for its end, however it ends: on a worker of this
        engine if there is one at work that has room, else on whichever takes it.

        As on AWS its context object has no RedriveCount (recorded).  Unlike there it goes on if the caller goes away,
        and is repeated from where it was last persisted if its worker dies; `statewright.Description` has the
        duration that AWS would bill.

        Arguments:
            machine, input, name: as for `start`.
            timeout: wait no longer (s); TimeoutError after that.  The execution itself has five minutes at most.

        Raises StatewrightError StateMachineTypeNotSupported (not EXPRESS), and those of `start`.

        Example: ``(await engine.start_sync("quote", {"item": 7})).output``
        """
        return await self.wait((await self._start(machine, input, name, sync=True)).arn, timeout)

    async def _start(self, machine: str, value: Json, name: str | None, *, sync: bool) -> Started:
        name = check_name(name) if name is not None else str(uuid.uuid4())
        record = await self.machine(machine)
        if sync and record.type != "EXPRESS":
            message = "This operation is not supported by this type of state machine"  # recorded, for other calls
            raise StatewrightError("StateMachineTypeNotSupported", message)
        known_as = f"{name}:{uuid.uuid4()}" if record.type == "EXPRESS" else name
        execution = Execution(
            id=execution_id(record.name, known_as),
            arn=self.arns.execution(record.name, known_as),
            name=name,
            machine_arn=record.arn,
            machine_name=record.name,
            definition=record.hash,
            input=self._payload({} if value is None else value, "InvalidExecutionInput"),
            started_at=self._clock.now(),
            role_arn=record.role_arn,
            type=record.type,
            sync=sync,
        )
        store, programs, worker = self._open.store, self._open.programs, self._crew.taker(record.name)
        created = await start_execution(store, programs, self._clock, execution, worker, self._limits)
        if created.outcome == "EXISTS":
            raise StatewrightError("ExecutionAlreadyExists", f"Execution Already Exists: '{execution.arn}'")
        return Started(execution.arn, name, created.started_at, created.outcome == "DUP")

    async def describe(self, execution: str) -> Description:
        """An execution by ARN or ``machine:name``; StatewrightError ExecutionDoesNotExist."""
        description = await self._open.store.describe(await self._id(execution))
        if description is None:
            arn = self.arns.execution(*self.arns.execution_names(execution))
            raise StatewrightError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return description

    async def list(
        self,
        machine: str | None = None,
        status: str | None = None,
        *,
        map_run: str | None = None,
        limit: int = 100,
        start: int = 0,
    ) -> list[Description]:
        """Executions, most recent first: `limit` of them from the place `start` on.

        Arguments:
            machine: name or ARN of their state machine; None: any.
            status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None: any.
            map_run: ARN of the map run whose child executions are wanted (EXPRESS ones are gone when they have ended).
        """
        name = None if machine is None else self.arns.machine_name(machine)
        if map_run is not None:
            name = map_run_id(map_run)
        found, _ = await self._open.store.executions(name, status, start, limit)
        return found

    async def history(
        self, execution: str, *, reverse: bool = False, limit: int | None = None, after: int = 0
    ) -> Events:
        """Events of an execution as GetExecutionHistory of the AWS SDK for Python shows them.

        Arguments:
            reverse: latest first.
            limit: at most so many; None: all.
            after: leave out the first `after` of them (with `reverse`: the last).
        """
        await self.describe(execution)
        id_ = await self._id(execution)
        events: Events = []
        while limit is None or len(events) < limit:
            count = _PAGE if limit is None else min(_PAGE, limit - len(events))
            page = await self._open.store.history(id_, after + len(events), count, reverse=reverse)
            events += [render(event) for event in page.events]
            if len(page.events) < count:
                break
        return events

    async def collect(
        self, retention: timedelta | None = None, *, dry_run: bool = False
    ) -> AsyncGenerator[Collected, None]:
        """Delete executions that ended longer ago than `retention` (None: than the store keeps them), and definitions
        that nothing refers to; tells how far it is while that goes on.  Their names may be used again.

        What ended within the last minute stays, and so does a definition that was replaced within the last hour.

        Arguments:
            dry_run: only count (the children of map runs, which go with their executions, are not counted).

        Example: ``async for done in engine.collect(timedelta(days=30)): print(done.executions)``
        """
        store = self._open.store
        ms = await store.retention() if retention is None else milliseconds(retention)
        async for done in collect(store, ms, dry_run=dry_run):
            yield done

    async def stop(self, execution: str, error: str | None = None, cause: str | None = None) -> Description:
        """Stop an execution: ABORTED with `error` and `cause`, unless it has ended before.  Running handlers are
        cancelled, those of other workers when they next extend their lease.

        One that has handed over to another is followed, as by `wait`: the last one is stopped, and returned."""
        opened = self._open
        while True:
            id_ = await self._id(execution)
            await callbacks.stop(opened.store, opened.programs, id_, error, cause, self._limits)
            self._crew.forget(id_)
            description = await self.describe(execution)
            if description.successor is None:
                return description
            execution = description.successor

    async def wait(self, execution: str, timeout: float | None = None) -> Description:
        """Wait until an execution has ended, and all that it handed over to; at most `timeout` seconds, TimeoutError
        after that.  Returns the last one."""
        async with asyncio.timeout(timeout):
            while True:
                await self._open.store.watch_end(await self._id(execution))
                description = await self.describe(execution)
                if description.successor is not None:
                    execution = description.successor
                elif description.status != "RUNNING":
                    return description

    async def run(
        self,
        machine: str,
        input: Json = None,  # noqa: A002
        *,
        name: str | None = None,
        timeout: float | None = None,
    ) -> Description:
        """Start an execution, work on it (unless a worker of this engine does already) and wait for its end."""
        async with self._crew.serving(self.arns.machine_name(machine)):
            return await self.wait((await self.start(machine, input, name=name)).arn, timeout)
