"""How a step is handed to ``lua/apply.lua``, and how the history it wrote is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from statewright.arn import execution_id_of
from statewright.errors import StatesError
from statewright.model import (
    EndExecution,
    Finish,
    Fork,
    HistoryEvent,
    StartMapRun,
    StartTask,
    StartTimer,
    Step,
    Successor,
    TaskKind,
)
from statewright.recovery import error_output
from statewright.store.codec.frames import encode_execution, encode_fork, encode_frame
from statewright.store.codec.integrity import seal
from statewright.store.codec.payloads import NOTHING_LARGE, LargePayloadError, Outgoing, Resolve, detail_hook
from statewright.store.codec.runs import encode_map_run
from statewright.values import encode

__all__ = ["decode_events", "encode_commit", "encode_step", "optional"]


def decode_events(
    first: int, records: Sequence[bytes], resolve: Resolve
) -> list[tuple[int, int, int, str, dict[str, Any] | None]]:
    """History records, ``<previous>,<ms>,<chain>,<msgpack>``, from id `first` on, as (id, previous, ms, type, details);
    the chain is not looked at (see `Chain`)."""
    unpack = msgspec.msgpack.Decoder(tuple[str, dict[str, Any] | None], ext_hook=detail_hook(resolve)).decode
    events = []
    for id_, record in enumerate(records, first):
        previous, at, _, body = record.split(b",", 3)
        kind, details = unpack(body)
        events.append((id_, int(previous), int(at), kind, details))
    return events


def _place(event: HistoryEvent) -> str:
    """What an event follows, if it says so, after an ``s`` for a side event; then ``@`` and its time, if it says so."""
    follows = ("s" if event.side else "") + ("" if event.previous is None else str(event.previous))
    return follows if event.at is None else f"{follows}@{event.at}"


def encode_commit(step: Step) -> tuple[list[str | bytes | int], Outgoing]:
    """A step as `encode_step` writes it, and the payloads it refers to."""
    try:
        return encode_step(step, NOTHING_LARGE), NOTHING_LARGE
    except LargePayloadError:
        out = Outgoing()
        return encode_step(step, out), out


def encode_step(step: Step, out: Outgoing) -> list[str | bytes | int]:
    """A step as the arguments that ``lua/apply.lua`` reads.

    Raises ValueError if a payload is not JSON, TypeError if history details hold what cannot be stored.
    """
    frame, pack = step.frame, out.packer()
    arguments: list[str | bytes | int] = [
        encode_frame(frame, out),
        frame.phase,
        frame.epoch,
        step.entered or 0,
        len(step.history),
    ]
    for event in step.history:
        arguments += (_place(event), pack((event.type, event.details)))
    for command in step.commands:
        match command:
            case StartTimer(kind, delay, due):
                arguments += ("timer", kind, "" if due is None else due, delay)
            case StartTask(order):
                if order.kind is TaskKind.ACTIVITY:
                    arguments += ("activity", order.resource)
                elif order.execution:
                    arguments += ("job", execution_id_of(order.execution))
            case Fork() as fork:
                is_map = int(fork.map_name is not None)
                body = encode_fork(fork, out)
                arguments += ("fork", fork.epoch, fork.length, fork.window, fork.tolerance, is_map, body)
            case StartMapRun(run):
                limits = _number(run.tolerated_count), _number(run.tolerated_percentage)
                arguments += ("maprun", run.epoch, run.arn.rpartition(":")[2], run.concurrency, *limits)
                arguments += (_number(run.result_bytes), encode_map_run(run))
            case Finish(_, error, cause, failed):
                sealed = seal(out.text(_result(command)).encode())
                arguments += ("finish", int(failed), sealed, _optional(error), _optional(cause))
            case EndExecution(status, output, error, cause, at, successor):
                text = out.text(output.text) if output is not None else None
                arguments += (
                    "end",
                    status,
                    _optional(text),
                    _optional(error),
                    _optional(cause),
                    "" if at is None else at,
                )
                if successor is not None:
                    arguments += _successor(successor, out)
    if step.keep_timers:
        arguments.append("keep")
    for child in step.drop:
        arguments += ("drop", child)
    for epoch in step.closed:
        arguments += ("close", epoch)
    if step.map_run is not None:
        arguments += ("endrun", *step.map_run)
    return arguments


def _successor(successor: Successor, out: Outgoing) -> list[str | bytes | int]:
    """The command by which an execution begins in the commit that ends another one."""
    execution, first = successor.execution, successor.first
    (started,) = first.history
    due = next((timer.due for timer in first.commands if isinstance(timer, StartTimer)), None)
    written = out.text(execution.input.text)
    head, body = encode_execution(execution, out), encode_frame(first.frame, out)
    event = out.packer()((started.type, started.details))
    payload = written[1:] if written.startswith("@") else ""
    words = ("successor", execution.id, execution.arn, execution.started_at, head, body, event)
    return [*words, "" if due is None else due, payload]


def _number(number: float | None) -> str:
    return "" if number is None else str(number)


def _result(finish: Finish) -> str:
    """What a join keeps of a child: its output, or the Error Output of its failure (specification, "Errors")."""
    if not finish.failed:
        return finish.output.text if finish.output is not None else "null"
    return encode(error_output(StatesError(finish.error or "", finish.cause)))


def _optional(text: str | None) -> str:
    """None and text, told apart by a first character."""
    return "" if text is None else "=" + text


def optional(field: bytes | None) -> str | None:
    """What `_optional` wrote: None for a missing or empty field."""
    return field[1:].decode() if field else None
