"""One connection to Redis or Valkey that pipelines by itself.

A call leaves at once if nothing is under way; others made in one turn of the event loop leave together, and the
server makes them durable with one fsync.
Answers come in order.  When the connection breaks, the calls without an answer are sent again, in order, on the next
one: every verb of the store is safe to repeat, so a caller never sees a broken connection, only a late answer -- or
`StoreUnavailable` when the server stays away for longer than the deadline.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from statewright.errors import StatewrightError
from statewright.store.address import Address, Command
from statewright.store.replies import PATIENCE, ServerError, StoreUnavailable, refusal
from statewright.store.wire import Wire, open_wire, pack

__all__ = ["Accept", "Connection", "Resolve", "no_errors"]

Resolve: TypeAlias = Callable[[], Awaitable[Address]]
"""Answers with the server's address; asked before each attempt to connect."""

Accept: TypeAlias = Callable[[list[Any]], None]
"""Looks at the answers to a greeting; whatever it raises is the end of the attempt to connect."""


def no_errors(answers: list[Any]) -> None:
    """Accept a server that answered its greeting without an error."""
    for answer in answers:
        if isinstance(answer, ServerError):
            raise answer


_REPLICATION_MS = 1000  # until a batch that the replicas do not have is answered NOREPLICAS
_FSYNC_MS = 2000  # the same where they have it, until it is on their disks: some take a second or two


class _Call:
    """A command without an answer yet; without a future it is a barrier."""

    __slots__ = ("future", "packed", "until")

    def __init__(self, packed: bytes, future: asyncio.Future[Any] | None, until: float) -> None:
        self.packed = packed
        self.future = future
        self.until = until

    def answer(self, reply: Any) -> None:
        """Give the caller the reply, unless nobody waits for it."""
        if isinstance(reply, ServerError):
            self.fail(reply)
        elif self.future is not None and not self.future.done():
            self.future.set_result(reply)

    def fail(self, error: Exception) -> None:
        """Tell the caller, unless nobody waits."""
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)


class Connection:
    """An auto-pipelining connection that comes back by itself.

    Arguments:
        resolve: where the server is now (an embedded server is started by it when it has died).  A ServerError it
            raises, unless it is a passing one, is the answer to all calls.
        greeting: commands to send first on every connection, before anything else.
        accept: is given the answers to `greeting`, errors among them; a StatewrightError it raises fails all calls.
        deadline: how long, in seconds, a call may wait for its answer.
        replicas: an answer counts, and is given, when so many replicas have what it was given for, on disk if the
            server can tell (see `_barrier`); with fewer the call is answered NOREPLICAS, though it may have been
            applied.
        silence: after so many seconds without a sign of the server while calls wait, `resolve` is asked whether it
            is still the one; None: never.
        on_push: is given every reply that no call waits for (messages of a subscription).
        on_change: is called after each successful connect, and when connecting was given up.

    Example: ``await Connection(resolve).call("GET", "key")``
    """

    patience = PATIENCE
    guarded = False

    def __init__(
        self,
        resolve: Resolve,
        *,
        greeting: Sequence[Command] = (),
        accept: Accept = no_errors,
        deadline: float = 30.0,
        replicas: int = 0,
        silence: float | None = None,
        on_push: Callable[[Any], None] | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._resolve = resolve
        self._greeting = list(greeting)
        self._accept = accept
        self._deadline = deadline
        self._replicas = replicas
        self._held: list[tuple[_Call, Any]] = []  # answered, but not known to be on the replicas
        self._reached = False  # by WAIT: what is held is in the memory of enough replicas
        self._silence = silence
        self._on_push = on_push
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        self._pending: deque[_Call] = deque()
        self._out: list[bytes] = []
        self._wire: Wire | None = None
        self._address: Address | None = None  # of the wire
        self._heard = 0.0  # when the server gave its last sign of life
        self._doubting: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._closed = False
        self._trouble = ""  # why the last attempt to connect failed

    def call(self, *command: str | bytes | int, at: str = "") -> asyncio.Future[Any]:  # noqa: ARG002
        """Send a command; the future has its reply, or raises ServerError, StoreUnavailable or StatewrightError.

        The command takes its place in the pipeline at once, before anything is awaited.  `at` is a key of the server
        that is meant, where there are several.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed or os.getpid() != self._process:
            reason = "store has been closed" if self._closed else "process has forked since the store was opened"
            future.set_exception(StoreUnavailable(f"the {reason}"))
            return future
        packed = pack(command)
        alone = not self._pending
        self._pending.append(_Call(packed, future, self._loop.time() + self._deadline))
        if self._wire is not None and alone and not self._replicas:
            self._wire.write(packed)  # nothing is under way, so there is no company to wait for
        elif self._wire is not None:
            if not self._out:
                self._loop.call_soon(self._flush)
            self._out.append(packed)
        elif self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())
        if self._watchdog is None:
            self._watch()
        return future

    def follow(self, error: ServerError, command: Command) -> asyncio.Future[Any] | None:  # noqa: ARG002
        """Make a call again where its error reply says that it belongs; None if the reply says nothing of the kind."""
        return None

    def primaries(self) -> list[Connection]:
        """The connections calls may go to, one for each server that takes writes."""
        return [self]

    @property
    def where(self) -> Address | None:
        """The server it is, or was last, connected to."""
        return self._address

    async def address(self) -> Address:
        """Where the server is now."""
        return await self._resolve()

    async def replicas(self) -> list[Address]:
        """Servers that would take over, as far as they are known."""
        return []

    async def ensure(self) -> None:
        """Wait until there is a connection (the server may still be loading its data)."""
        if self._wire is None:
            try:
                await self.call("PING")
            except ServerError as error:
                if error.code not in self.patience:
                    raise refusal(error) from None

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._wire is not None and out:
            if self._replicas:
                out.append(self._barrier())
            self._wire.write(b"".join(out) if len(out) > 1 else out[0])

    def _barrier(self) -> bytes:
        """What is sent behind a batch, so that its answers are given when the replicas have it.

        WAIT comes first, as WAITAOF alone takes a second: a replica is asked together with the data, answers before
        it has fsynced that, and is asked again only then (measured: 1,004 ms, both together 0.9 ms).  Redis 7.0 does
        not know WAITAOF, which is no error: there it is enough that the replicas have it in memory.
        """
        until = self._loop.time() + self._deadline
        waits: tuple[Command, Command] = (
            ("WAIT", self._replicas, _REPLICATION_MS),
            ("WAITAOF", 0, self._replicas, _FSYNC_MS),
        )
        packed = [pack(wait) for wait in waits]
        self._pending += [_Call(each, None, until) for each in packed]
        return b"".join(packed)

    def _replied(self, reply: Any) -> None:
        if not self._pending:
            return
        call = self._pending.popleft()
        if not self._replicas:
            call.answer(reply)
        elif call.future is not None:
            self._held.append((call, reply))
        elif isinstance(reply, int):
            self._reached = reply >= self._replicas
        elif isinstance(reply, ServerError) and not str(reply).startswith("ERR unknown command"):
            self._reached = False
            self._release(reply)
        else:
            enough = self._reached and (isinstance(reply, ServerError) or reply[1] >= self._replicas)
            self._reached = False
            self._release(None if enough else ServerError(f"NOREPLICAS fewer than {self._replicas} replicas have it"))

    def _release(self, error: ServerError | None) -> None:
        """Answer the calls that are held, all with `error` if it is one."""
        held, self._held = self._held, []
        for call, reply in held:
            call.answer(reply if error is None or isinstance(reply, ServerError) else error)

    def _received(self, reply: Any) -> None:
        pushed = isinstance(reply, list) and reply and reply[0] == b"message"
        self._heard = self._loop.time()
        if self._on_push is not None and pushed:
            self._on_push(reply)
        else:
            self._replied(reply)

    def _lost(self, wire: Wire) -> None:
        if wire is not self._wire:
            return
        self._wire = None
        self._out = []
        self._again()
        if not self._closed and self._connecting is None and (self._pending or self._on_push is not None):
            self._connecting = self._loop.create_task(self._connect())

    def _again(self) -> None:
        """Put everything that has no answer, or one that does not count, into the queue for the next connection."""
        if self._replicas:
            calls = [*(call for call, _ in self._held), *self._pending]
            self._pending, self._held = deque(call for call in calls if call.future is not None), []
            if self._pending and self._watchdog is None:
                self._watch()

    def _watch(self) -> None:
        """Come back when the call that waits longest is overdue, or the server has been silent for too long."""
        wait = self._pending[0].until - self._loop.time()
        self._watchdog = self._loop.call_later(min(wait, self._silence or wait), self._check)

    def _check(self) -> None:
        """Fail what has waited too long; a server that lets calls wait is left for a new connection."""
        self._watchdog = None
        now, overdue = self._loop.time(), False
        while self._pending and self._pending[0].until <= now:
            overdue = True
            for call in (*(call for call, _ in self._held), self._pending.popleft()):
                call.fail(StoreUnavailable(f"no answer from the store within {self._deadline:g} s{self._trouble}"))
            self._held = []
        if overdue and self._wire is not None:
            self._wire.abort()
        if self._pending:
            self._watch()
            sent = self._pending[0].until - self._deadline
            if self._silence and now - max(sent, self._heard) >= self._silence and self._doubting is None:
                self.reconsider()

    def reconsider(self) -> None:
        """Ask again who the server is, and leave this one if it is another now."""
        if self._doubting is None and not self._closed:
            self._doubting = self._loop.create_task(self._doubt())

    def leave(self) -> None:
        """Drop the connection: what has no answer is sent again over the next one."""
        if self._wire is not None:
            self._wire.abort()

    async def _doubt(self) -> None:
        wire = self._wire
        try:
            async with asyncio.timeout(self._deadline):
                address = await self._resolve()
        except (OSError, TimeoutError):
            return  # nobody knows: stay
        except (ServerError, StatewrightError):
            address = None
        finally:
            self._doubting = None
        if wire is not None and address != self._address:
            wire.abort()

    def _fail_all(self, error: Exception) -> None:
        self._again()
        pending, self._pending = self._pending, deque()
        for call in pending:
            call.fail(error)

    def _give_up(self, error: Exception) -> None:
        self._fail_all(error)
        if self._on_change is not None:
            self._on_change()

    async def _connect(self) -> None:
        """Connect, with jittered back-off while somebody waits for an answer, then repeat what was not answered."""
        pause = 0.02
        try:
            while not self._closed and (self._pending or self._on_push is not None):
                try:
                    self._wire = await self._open()
                except (OSError, TimeoutError, ServerError) as error:
                    if isinstance(error, ServerError) and not error.passing:
                        return self._give_up(error)
                    self._trouble = f": {error}" if str(error) else ""
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                    pause = min(pause * 2, 1.0)
                    continue
                except StatewrightError as error:
                    return self._give_up(error)
                self._trouble = ""
                # Nothing is awaited between the greeting's last answer and this write, so the order is kept.
                if self._replicas and self._pending:
                    self._barrier()
                self._wire.write(b"".join(call.packed for call in self._pending))
                if self._on_change is not None:
                    self._on_change()
                return None
        finally:
            self._connecting = None

    async def _open(self) -> Wire:
        async with asyncio.timeout(self._deadline):
            address = await self._resolve()
        wire, answers = await open_wire(address, self._greeting, self._received, self._lost, self._deadline)
        try:
            self._accept(answers)
        except BaseException:
            wire.abort()
            raise
        self._address = address
        return wire

    async def close(self) -> None:
        """Close the socket; calls without an answer fail with StoreUnavailable."""
        self._closed = True
        if self._watchdog is not None:
            self._watchdog.cancel()
        for task in (self._connecting, self._doubting):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._wire is not None:
            self._flush()
            self._wire.abort()
            self._wire = None
        self._fail_all(StoreUnavailable("the store has been closed"))
        await asyncio.sleep(0)  # the transport closes its socket in the next turn
