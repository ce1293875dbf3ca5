"""Starting an execution, as far as its first task where a worker of this process goes on with it."""

from __future__ import annotations

import hashlib
import time

import msgspec
from msgspec.structs import replace

from statewright.drive.clock import Clock
from statewright.drive.programs import Programs
from statewright.drive.worker import Worker
from statewright.errors import StatewrightError
from statewright.model import Execution, Limits
from statewright.step import begin
from statewright.store.verbs import Created, Store

__all__ = ["start_execution"]

_DEFAULT_LIMITS = Limits()


async def start_execution(
    store: Store,
    programs: Programs,
    clock: Clock,
    execution: Execution,
    worker: Worker | None,
    limits: Limits = _DEFAULT_LIMITS,
) -> Created:
    """Create an execution; with a `worker` the same commit enters its first state, and the worker takes it from there.

    Raises StatewrightError ClockSkew if the store's clock cannot be followed.
    """
    program = await programs.compiled(execution.definition, execution.type)
    digest = hashlib.sha256(msgspec.json.encode(execution.input.value, order="sorted")).hexdigest()
    for _ in range(3):
        first = begin(program, execution, limits) if worker is None else worker.begin(program, execution)
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
