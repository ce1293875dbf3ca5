"""What comes from outside: answers by task token, activity workers that poll, and StopExecution."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import suppress

from statewright.drive.doorbell import Doorbell
from statewright.drive.programs import Programs
from statewright.errors import StatewrightError
from statewright.model import Limits, Stopped
from statewright.step import step
from statewright.store.records import KEEP, Commit, Signal, Signalled, TaskOffer
from statewright.store.verbs import Store
from statewright.tasks import Tokens
from statewright.tasks.token import TokenTarget

__all__ = ["answer", "beat", "poll", "stop"]

_LEASE_MS = 10_000


async def answer(store: Store, target: TokenTarget, signal: Signal) -> None:
    """Answer a task once; the identical answer again changes nothing.

    Raises StatewrightError TaskDoesNotExist, TaskTimedOut (the order is over, or was answered otherwise).
    """
    _judge(await store.signal(target.execution, target.frame_id, signal))


async def beat(store: Store, tokens: Tokens, token: str) -> None:
    """A heartbeat by task token; StatewrightError InvalidToken, TaskDoesNotExist, TaskTimedOut."""
    target = tokens.check(token)
    _judge(await store.heartbeat(target.execution, target.frame_id, target.epoch, None))


def _judge(answered: Signalled) -> None:
    """In AWS's words (API reference, SendTaskSuccess)."""
    if answered.outcome == "STALE":
        raise StatewrightError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    if answered.outcome == "MISSING":
        raise StatewrightError("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist'")


async def poll(store: Store, doorbell: Doorbell, activity: str, worker: str, timeout: float) -> TaskOffer | None:
    """The next task of an activity, or None if there is none within `timeout` seconds.  Waits for the store's bell."""
    ring, until = asyncio.Event(), asyncio.get_running_loop().time() + timeout
    with doorbell.listen(lambda _: ring.set()):
        while True:
            ring.clear()
            # The time-out does not end this call half-way: a task that was handed out must not get lost.
            offer = await store.take_activity(activity, worker)
            if offer is not None or asyncio.get_running_loop().time() >= until:
                return offer
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await ring.wait()


async def stop(
    store: Store, programs: Programs, execution: str, error: str | None, cause: str | None, limits: Limits
) -> None:
    """End an execution as ABORTED, unless it has ended: take the root frame from whoever holds it, step, commit."""
    owner = secrets.token_hex(8)
    while (root := await store.claim_frame(execution, "", owner, _LEASE_MS)) is not None:
        constants = await programs.execution(execution)
        event = Stopped(
            at=await store.now(),
            entropy=owner,
            base=root.base,
            epoch=root.frame.epoch,
            error=error,
            cause=cause,
            open=tuple(frame for frame, _ in await store.open_frames(execution, "")),
        )
        taken = step(await programs.program(constants), constants, root.frame, event, limits)
        # (There is nothing to be let go afterwards: KEEP, so that no count is kept of this owner.)
        cid = secrets.token_hex(8)
        commit = Commit(execution, "", root.revision, cid, owner, taken, base=root.base, keep_ms=KEEP)
        if (await store.commit(commit)).outcome in ("OK", "DUP"):
            return
        # Somebody else took it: the worker that drives it, or one that stops it, too, and may do so in step with us.
        await asyncio.sleep(random.uniform(0, 0.1))  # noqa: S311  not a secret
