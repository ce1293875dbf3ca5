"""The end of a map run: its children's results made into the result of the Map state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

from statewright.drive.session import Session
from statewright.errors import StatesError, result_too_large
from statewright.items import ChildResult, Results, open_results, transform
from statewright.model import Frame
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
    place = (execution, frame.id, run.epoch)
    counts = await session.store.map_run_counts(*place)
    exceeded = counts is None or counts.exceeded
    ended = session.store.child_results(*place)
    try:
        if run.writer is not None:
            children = _child_results(ended, frame.state)
            if counts is not None and exceeded:
                children = _with_pending(session, place, counts.running, children)
            result = await _written(session, run.arn, run.writer.value, children, files_only=exceeded)
        elif not exceeded:
            result = Payload.parse(f"[{','.join([_text(child, frame.state) async for child in ended])}]")
    except StatesError as error:
        if not exceeded:
            return {"error": error.error, "cause": error.cause}
    return {"exceeded": True} if exceeded else {"result": result}


async def _written(
    session: Session, arn: str, writer: dict[str, Json], children: AsyncIterator[ChildResult], *, files_only: bool
) -> Payload:
    """What ResultWriter makes of the children's results; `files_only`: only what its Resource writes counts."""
    config = writer["WriterConfig"] or None
    if writer["Resource"] is None:
        return Payload.of(None if files_only else transform([child async for child in children], config))
    results = await _in_thread(session, lambda: open_results(session.objects, writer["Arguments"], config, arn))
    try:
        part: list[ChildResult] = []
        async for child in children:
            part.append(child)
            if len(part) == _AT_ONCE:
                await _in_thread(session, partial(_add, results, part))
                part = []
        await _in_thread(session, partial(_add, results, part))
        written: Json = await _in_thread(session, results.close)
    except BaseException:
        results.abort()
        raise
    return Payload.of(written)


async def _child_results(ended: AsyncIterator[ChildEnd], state: str) -> AsyncIterator[ChildResult]:
    async for child in ended:
        yield _child_result(child, state)


async def _with_pending(
    session: Session, place: tuple[str, str, int], running: int, ended: AsyncIterator[ChildResult]
) -> AsyncIterator[ChildResult]:
    """Those that ended, and those that are stopped now because too many failed (AWS documentation: PENDING)."""
    async for child in ended:
        yield child
    for id_ in await session.store.open_children(*place, max(running, 1)):
        found = await session.store.describe(id_)
        if found is not None:
            about = found.execution
            yield ChildResult("PENDING", about.input.text, about.arn, about.name, about.machine_arn)


def _add(results: Results, part: list[ChildResult]) -> None:
    for child in part:
        results.add(child)


async def _in_thread(session: Session, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(session.threads, work)


def _text(child: ChildEnd, state: str) -> str:
    """What stands for a child in the array: its output or, where it may fail, its Error Output."""
    if not child.kept:
        raise result_too_large(state)
    if child.output is not None:
        return child.output
    return encode(error_output(StatesError(child.error or "", child.cause)))


def _child_result(child: ChildEnd, state: str) -> ChildResult:
    about = child.execution
    if not child.kept:
        raise result_too_large(state)
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
