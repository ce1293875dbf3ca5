"""From the entries of a frame's inbox to the events of the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statewright.model import Event, Frame, Joined, TaskAnswer, TaskSubmitted, TimerFired, TimerKind
from statewright.store.records import Signal
from statewright.store.verbs import Store
from statewright.values import Payload

__all__ = ["event_of", "is_stale"]


def is_stale(signal: Signal, frame: Frame) -> bool:
    """Whether a signal has nothing to say to the frame as it is now: it answers an order of another epoch.

    The execution's own time-out concerns every epoch.
    """
    if signal.kind == "timer" and signal.timer is TimerKind.EXECUTION:
        return False
    return signal.kind == "nudge" or signal.epoch != frame.epoch


async def event_of(
    signal: Signal, execution: str, frame: Frame, store: Store, now: Callable[[], int], common: dict[str, Any]
) -> Event:
    """The event a signal stands for.

    Arguments:
        signal: not stale.
        execution, frame: whom it is for.
        store: asked for the results of a join.
        now: the clock, read last, after whatever had to be fetched.
        common: `entropy` and `base` of the event.
    """
    match signal.kind:
        case "timer":
            assert signal.timer is not None  # noqa: S101  the store writes timers with their kind
            return TimerFired(at=now(), epoch=signal.epoch, kind=signal.timer, **common)
        case "joined":
            return await _joined(signal, execution, frame, store, now, common)
        case "answer":
            return TaskAnswer(
                at=now(),
                epoch=signal.epoch,
                output=_payload(signal.output),
                error=signal.error,
                cause=signal.cause,
                failed=signal.failed,
                by_token=signal.worker is None,  # else the worker whose submission failed
                **common,
            )
        case "submitted" | "taken":
            return TaskSubmitted(
                at=now(), epoch=signal.epoch, output=_payload(signal.output), worker=signal.worker, **common
            )
        case kind:
            raise ValueError(f"unknown signal {kind!r}")


async def _joined(
    signal: Signal, execution: str, frame: Frame, store: Store, now: Callable[[], int], common: dict[str, Any]
) -> Joined:
    """Results are read once, by the parent; what still ran when a failure closed the join is read to be aborted."""
    results, record = await store.results(execution, frame.id, signal.epoch)
    failed = bool(record.get("failed"))
    open_frames = await store.open_frames(execution, frame.id) if failed else ()
    return Joined(
        at=now(),
        epoch=signal.epoch,
        results=None if failed else tuple(text or "null" for text in results),
        error=record.get("error"),
        cause=record.get("cause"),
        index=record.get("index") or 0,
        exceeded=bool(record.get("exceeded")),
        open=tuple(open_frame for open_frame, _ in open_frames),
        **common,
    )


def _payload(text: str | None) -> Payload | None:
    return None if text is None else Payload.parse(text)
