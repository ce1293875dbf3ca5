"""The end of a map run: its children's results made into the result of the Map state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

from statewright.drive.session import Session
from statewright.errors import StatesError
from statewright.items import ChildResult, Results, open_results, transform
from statewright.model import Frame, MapRun
from statewright.recovery import error_output
from statewright.store.records import ChildEnd
from statewright.values import Json, Payload, encode

__all__ = ["gather_results"]

T = TypeVar("T")

_AT_ONCE = 200


async def gather_results(session: Session, execution: str, frame: Frame) -> dict[str, Any]:
    """What the end of a frame's map run means for its state: members of a `Joined` event.

    The result is the array of the children's outputs; with a ResultWriter where they were written, or what its
    WriterConfig makes of them.
    """
    run = frame.map_run
    assert run is not None  # noqa: S101  the frame is in Phase.MAP_RUN
    counts = await session.store.map_run_counts(execution, frame.id, run.epoch)
    if counts is None or counts.exceeded:
        return {"exceeded": True}
    children = session.store.child_results(execution, frame.id, run.epoch)
    try:
        return {"result": await _result(session, run, frame.state, children)}
    except StatesError as error:
        return {"error": error.error, "cause": error.cause}


async def _result(session: Session, run: MapRun, state: str, children: AsyncIterator[ChildEnd]) -> Payload:
    if run.writer is None:
        return Payload.parse(f"[{','.join([_text(child, state) async for child in children])}]")
    writer = run.writer.value
    config = writer["WriterConfig"] or None
    if writer["Resource"] is None:
        return Payload.of(transform([_child_result(child, state) async for child in children], config))

    results = await _in_thread(session, lambda: open_results(session.objects, writer["Arguments"], config, run.arn))
    try:
        part: list[ChildResult] = []
        async for child in children:
            part.append(_child_result(child, state))
            if len(part) == _AT_ONCE:
                await _in_thread(session, partial(_add, results, part))
                part = []
        await _in_thread(session, partial(_add, results, part))
        written: Json = await _in_thread(session, results.close)
    except BaseException:
        results.abort()
        raise
    return Payload.of(written)


def _add(results: Results, part: list[ChildResult]) -> None:
    for child in part:
        results.add(child)


async def _in_thread(session: Session, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(session.threads, work)


def _text(child: ChildEnd, state: str) -> str:
    """What stands for a child in the array: its output or, where it may fail, its Error Output."""
    if not child.kept:
        raise _too_large(state)
    if child.output is not None:
        return child.output
    return encode(error_output(StatesError(child.error or "", child.cause)))


def _too_large(state: str) -> StatesError:
    return StatesError(
        "States.DataLimitExceeded",
        f"The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit.",
        in_state=False,
    )


def _child_result(child: ChildEnd, state: str) -> ChildResult:
    about = child.execution
    if not child.kept:
        raise _too_large(state)
    return ChildResult(
        status=child.status,  # type: ignore[arg-type]  # the store writes these only
        input=about.input.text if about else "null",
        execution_arn=about.arn if about else "",
        name=about.name if about else "",
        state_machine_arn=about.machine_arn if about else "",
        output=child.output,
        error=child.error,
        cause=child.cause,
        started_at=child.started_at,
        stopped_at=child.stopped_at,
    )
