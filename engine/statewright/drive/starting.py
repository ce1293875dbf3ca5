"""Starting an execution, as far as its first task where a worker of this process goes on with it."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from statewright.drive.clock import Clock
from statewright.drive.programs import Programs
from statewright.drive.session import Session
from statewright.errors import StatewrightError
from statewright.model import Continue, Execution, Fork, Limits, LinkKind, Step
from statewright.step import Program, begin, step
from statewright.store.codec import input_digest
from statewright.store.records import Created
from statewright.store.verbs import Store

__all__ = ["Starter", "start_execution"]

_log = logging.getLogger("statewright")

_DEFAULT_LIMITS = Limits()


class Starter(Protocol):
    """A worker, as far as it is needed to go on with an execution at once (see `Worker`)."""

    session: Session

    def adopt(self, execution: Execution, first: Step, created: Created, asked_at: float, /) -> None: ...


async def start_execution(
    store: Store,
    programs: Programs,
    clock: Clock,
    execution: Execution,
    worker: Starter | None,
    limits: Limits = _DEFAULT_LIMITS,
) -> Created:
    """Create an execution; with a `worker` the same commit enters its first state, and the worker takes it from there.

    Raises StatewrightError ClockSkew if the store's clock cannot be followed.
    """
    program = await programs.compiled(execution.definition, execution.type)
    digest = ""
    if execution.link is None or execution.link.kind is not LinkKind.MAP_RUN:  # those are told apart by their index
        digest = input_digest(execution.input)
    for _ in range(3):
        first = begin(program, execution, limits) if worker is None else _enter(worker.session, program, execution)
        owner, lease_ms = (worker.session.owner, worker.session.lease_ms) if worker else ("", 0)
        asked_at = time.monotonic()
        created = await store.create(execution, first, digest=digest, owner=owner, lease_ms=lease_ms)
        clock.observe(created.now)
        if created.outcome != "CLOCK":
            break
        execution = replace(execution, started_at=created.now)
    else:
        raise StatewrightError("ClockSkew", "the store's clock runs away from this machine's")
    if created.outcome == "OK" and worker is not None:
        worker.adopt(execution, first, created, asked_at)
    return created


def _enter(session: Session, program: Program, execution: Execution) -> Step:
    """The first commit of an execution that a worker of this process will go on with: its creation and the entry of its
    first state, so that the first task can begin as soon as the execution exists."""
    created = begin(program, execution, session.limits)
    event = Continue(at=execution.started_at, entropy=session.entropy(), base=len(created.history))
    sign = partial(session.tokens.sign, execution.id)
    try:
        entered = step(program, execution, created.frame, event, session.limits, sign)
    except Exception:  # the engine's own fault: the frame's deliveries will tell (F17)
        _log.exception("execution %s cannot enter its first state", execution.id)
        return created
    if any(isinstance(command, Fork) and command.items for command in entered.commands):
        return created  # items are written ahead of the commit that forks, by the frame's owner
    return replace(
        entered,
        history=created.history + entered.history,
        commands=created.commands + entered.commands,
        entered=entered.entered and entered.entered + len(created.history),
    )
