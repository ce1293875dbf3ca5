"""The engine as a library: deploy definitions, start executions, run workers, answer tasks.  `AsyncEngine` is the
whole API; `Engine` (in `blocking.py`) is the same for code without an event loop."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, TypeVar

from statewright.arn import Arns, check_name, execution_id
from statewright.deployment import prepare
from statewright.drive import Clock, Crew, Programs, ServerClock, VirtualClock, Worker, callbacks
from statewright.drive.doorbell import Doorbell
from statewright.drive.starting import start_execution
from statewright.errors import StatewrightError, too_long
from statewright.history import render
from statewright.model import PROFILES, Execution, Limits
from statewright.store import open_store
from statewright.store.verbs import Description, MachineRecord, Signal, Store
from statewright.tasks import Handler, Registry, Tokens
from statewright.values import Json, Payload, check, encode

__all__ = ["ActivityTask", "AsyncEngine", "Started"]

F = TypeVar("F", bound=Handler)
Events: TypeAlias = list[dict[str, Any]]
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Started:
    """Answer of `start`: the execution's ARN and name, when it started (ms), and whether it was running already."""

    arn: str
    name: str
    started_at: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class ActivityTask:
    """A task of an activity: the token to answer it with, and its input."""

    token: str
    input: Json


class AsyncEngine:
    """Durable state machines on a store.

    Arguments:
        store: URL of a Redis or Valkey server (``redis://``, ``rediss://``, ``unix://``); None: an embedded one.
        data_dir: where the embedded server keeps its data.
        tasks: handlers by resource, name or pattern (see `Registry`).
        profile: ``aws``, or ``statewright`` with larger limits; `limits`: instead of the profile's.
        concurrency: how many handlers a worker runs at once; `threads`: how many of them may be synchronous.
        lease_seconds: after so long without a sign of life a worker's work goes to another.
        region, account: in ARNs.
        clock: a VirtualClock, for tests.

    Example::

        async with AsyncEngine(data_dir=".statewright", tasks={"greet": greet}) as engine:
            await engine.deploy(Path("hello.asl.yaml"), name="hello")
            print((await engine.run("hello", {"name": "you"})).output)
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        data_dir: str | Path | None = None,
        tasks: Mapping[str, Handler] | None = None,
        profile: Literal["aws", "statewright"] = "aws",
        limits: Limits | None = None,
        concurrency: int = 256,
        threads: int = 32,
        lease_seconds: float = 9.0,
        region: str = "us-east-1",
        account: str = "000000000000",
        clock: VirtualClock | None = None,
    ) -> None:
        self._url = store
        self._data_dir = Path(data_dir if data_dir is not None else ".statewright")
        self._virtual = clock
        self._clock: Clock = clock or ServerClock()
        if profile not in PROFILES:
            raise StatewrightError("InvalidProfile", f"there is no profile {profile!r}, only {', '.join(PROFILES)}")
        self._limits = limits or PROFILES[profile]
        self._working = {"concurrency": concurrency, "threads": threads, "lease_seconds": lease_seconds}
        self.arns = Arns(region, account)
        self.registry = Registry(tasks, region=region, account=account)
        self._opened: _Opened | None = None
        self._crew = Crew(self.new_worker)

    # -- life ---------------------------------------------------------------------------------------------------------
    async def open(self) -> None:
        """Connect to the store; with an embedded one, start its server or join it.  Done by ``async with``.

        Raises StatewrightError if there is no server, or none that can be used.
        """
        if self._opened is None:
            store = await open_store(self._url, self._data_dir, clock=self._virtual)
            self._clock.observe(await store.now())
            loop = asyncio.get_running_loop()
            self._opened = _Opened(store, Programs(store), Tokens(await store.secret()), Doorbell(store), loop)

    async def close(self) -> None:
        """Close all connections.  Executions stay where they are in the store."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.store.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @property
    def _open(self) -> _Opened:
        if self._opened is None:
            raise StatewrightError("NotOpen", "the engine is not open: use it as `async with AsyncEngine(…) as engine`")
        if asyncio.get_running_loop() is not self._opened.loop:
            raise StatewrightError("WrongLoop", "the engine was opened in another event loop: open one in each")
        return self._opened

    @property
    def store(self) -> Store:
        """The open store, for what this API does not offer."""
        return self._open.store

    async def health(self) -> dict[str, Any]:
        """What the store's server is and how it is set (see `Store.health`)."""
        return await self._open.store.health()

    # -- definitions --------------------------------------------------------------------------------------------------
    def task(self, name: str) -> Callable[[F], F]:
        """Register a function as the handler of a resource.

        Example: ``@engine.task("charge-card")``
        """

        def register(handler: F) -> F:
            self.registry.register(name, handler)
            return handler

        return register

    async def deploy(
        self,
        definition: dict[str, Any] | str | Path,
        *,
        name: str,
        type: Literal["STANDARD", "EXPRESS"] = "STANDARD",  # noqa: A002  the API's own word
        role_arn: str | None = None,
    ) -> MachineRecord:
        """Create a state machine, or give it a new definition; running executions keep theirs.

        Arguments:
            definition: as values, as text (JSON or YAML), or as the path of a file.
            name: of the state machine.
            role_arn: shown to executions as ``$$.Execution.RoleArn``.

        Raises InvalidDefinitionError with all problems, StatewrightError InvalidName, OSError.
        """
        check_name(name)
        ready = prepare(definition, type)
        self._open.programs.learn(ready.hash, type, ready.program)
        record = MachineRecord(name, self.arns.machine(name), ready.hash, ready.text, type, role_arn or "", 0, 0)
        return await self._open.store.put_machine(record)

    async def machine(self, machine: str) -> MachineRecord:
        """A deployed state machine by name or ARN; StatewrightError StateMachineDoesNotExist."""
        name = self.arns.machine_name(machine)
        record = await self._open.store.machine(name)
        if record is None:
            arn = self.arns.machine(name)
            raise StatewrightError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return record

    async def machines(self) -> list[MachineRecord]:
        """All deployed state machines, by name."""
        return await self._open.store.machines()

    # -- executions ---------------------------------------------------------------------------------------------------
    async def start(self, machine: str, input: Json = None, *, name: str | None = None) -> Started:  # noqa: A002
        """Start an execution.  Again under the same name and with the same input, while it runs, changes nothing
        (an EXPRESS execution is always a new one).

        Arguments:
            machine: name or ARN.
            input: a JSON value; None: an empty object.
            name: of the execution, unique in its state machine; None: a new one.

        Raises StatewrightError StateMachineDoesNotExist, ExecutionAlreadyExists, InvalidName, InvalidExecutionInput.
        """
        name = check_name(name) if name is not None else str(uuid.uuid4())
        record = await self.machine(machine)
        value = {} if input is None else input
        known_as = f"{name}:{uuid.uuid4()}" if record.type == "EXPRESS" else name
        execution = Execution(
            id=execution_id(record.name, known_as),
            arn=self.arns.execution(record.name, known_as),
            name=name,
            machine_arn=record.arn,
            machine_name=record.name,
            definition=record.hash,
            input=self._payload(value, "InvalidExecutionInput"),
            started_at=self._clock.now(),
            role_arn=record.role_arn,
            type=record.type,
        )
        worker = self._crew.taker(record.name)
        created = await start_execution(self._open.store, self._open.programs, self._clock, execution, worker)
        if created.outcome == "EXISTS":
            raise StatewrightError("ExecutionAlreadyExists", f"Execution Already Exists: '{execution.arn}'")
        return Started(execution.arn, name, created.started_at, created.outcome == "DUP")

    async def describe(self, execution: str) -> Description:
        """An execution by ARN or ``machine:name``; StatewrightError ExecutionDoesNotExist."""
        description = await self._open.store.describe(self._id(execution))
        if description is None:
            arn = self.arns.execution(*self.arns.execution_names(execution))
            raise StatewrightError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return description

    async def list(
        self, machine: str | None = None, status: str | None = None, *, limit: int = 100, start: int = 0
    ) -> list[Description]:
        """Executions, most recent first: `limit` of them from the place `start` on.

        Arguments:
            machine: name or ARN of their state machine; None: any.
            status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None: any.
        """
        name = None if machine is None else self.arns.machine_name(machine)
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
        id_ = self._id(execution)
        events: Events = []
        while limit is None or len(events) < limit:
            count = _PAGE if limit is None else min(_PAGE, limit - len(events))
            page = await self._open.store.history(id_, after + len(events), count, reverse=reverse)
            events += [render(event) for event in page.events]
            if len(page.events) < count:
                break
        return events

    async def stop(self, execution: str, error: str | None = None, cause: str | None = None) -> Description:
        """Stop an execution: ABORTED with `error` and `cause`, unless it has ended before.  Running handlers are
        cancelled, those of other workers when they next extend their lease."""
        id_, opened = self._id(execution), self._open
        await callbacks.stop(opened.store, opened.programs, id_, error, cause, self._limits)
        self._crew.forget(id_)
        return await self.describe(execution)

    async def wait(self, execution: str, timeout: float | None = None) -> Description:
        """Wait until an execution has ended, at most `timeout` seconds; TimeoutError after that."""
        async with asyncio.timeout(timeout):
            while True:
                await self._open.store.watch_end(self._id(execution))
                description = await self.describe(execution)
                if description.status != "RUNNING":
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

    # -- tasks answered from outside ----------------------------------------------------------------------------------
    async def send_task_success(self, token: str, output: Json) -> None:
        """Answer a task with its result; the same answer again changes nothing.

        Raises StatewrightError InvalidToken, InvalidOutput, TaskDoesNotExist, TaskTimedOut (it is over).
        """
        text = self._payload(output, "InvalidOutput").text
        await self._answer(token, output=text)

    async def send_task_failure(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """Answer a task with a failure; StatewrightError as for `send_task_success`."""
        await self._answer(token, error=error, cause=cause, failed=True)

    async def send_task_heartbeat(self, token: str) -> None:
        """Start the task's HeartbeatSeconds anew; StatewrightError as for `send_task_success`."""
        await callbacks.beat(self._open.store, self._open.tokens, token)

    async def _answer(self, token: str, **members: Any) -> None:
        target = self._open.tokens.check(token)
        await callbacks.answer(self._open.store, target, Signal("answer", epoch=target.epoch, **members))

    async def get_activity_task(
        self, activity: str, worker_name: str | None = None, timeout: float = 60.0
    ) -> ActivityTask | None:
        """The next task of an activity, each handed out once; None if there is none within `timeout` seconds.

        Arguments:
            activity: its name or ARN.
            worker_name: shown in the history.
        """
        arn, opened = self.arns.activity(activity), self._open
        offer = await callbacks.poll(opened.store, opened.doorbell, arn, worker_name or "", timeout)
        if offer is None:
            return None
        token = opened.tokens.sign(offer.execution, offer.frame_id, offer.epoch)
        return ActivityTask(token, offer.order.arguments.value)

    # -- workers ------------------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def worker(self, *, machines: Sequence[str] = (), grace: float = 10.0) -> AsyncIterator[Worker]:
        """A worker in this process for as long as the block runs; then it drains for up to `grace` seconds.

        Arguments:
            machines: names or ARNs of the state machines to work on; none: all, so all their handlers must be here.

        Example: ``async with engine.worker(): await engine.wait("hello:first")``
        """
        async with self._crew.at_work(machines, grace) as worker:
            yield worker

    def new_worker(self, machines: Sequence[str] = ()) -> Worker:
        """A worker that does not run yet: ``await worker.run()``, or ``run_until_idle()`` with a virtual clock."""
        opened = self._open
        return Worker(
            opened.store,
            opened.programs,
            self.registry,
            opened.tokens,
            limits=self._limits,
            clock=self._clock,
            doorbell=opened.doorbell,
            machines=[self.arns.machine_name(machine) for machine in machines],
            **self._working,  # type: ignore[arg-type]
        )

    async def run_worker(
        self, stop: asyncio.Event | None = None, *, machines: Sequence[str] = (), grace: float = 10.0
    ) -> None:
        """Work until `stop` is set or, in the main thread, SIGTERM or SIGINT arrives; then drain."""
        stop = stop or asyncio.Event()
        loop, heard = asyncio.get_running_loop(), []
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or not POSIX
                loop.add_signal_handler(number, stop.set)
                heard.append(number)
        try:
            async with self.worker(machines=machines, grace=grace):
                await stop.wait()
        finally:
            for number in heard:
                loop.remove_signal_handler(number)

    def _id(self, execution: str) -> str:
        return execution_id(*self.arns.execution_names(execution))

    def _payload(self, value: Json, code: str) -> Payload:
        """A caller's JSON value; StatewrightError `code` if it is none, ValidationException if it is too large."""
        try:
            check(value)
            text = encode(value)
        except ValueError as error:
            raise StatewrightError(code, f"not JSON: {error}") from None
        if len(text.encode()) > self._limits.payload_bytes:
            raise too_long("output" if code == "InvalidOutput" else "input", self._limits.payload_bytes)
        return Payload.parse(text)


@dataclass(frozen=True, slots=True)
class _Opened:
    store: Store
    programs: Programs
    tokens: Tokens
    doorbell: Doorbell
    loop: asyncio.AbstractEventLoop
