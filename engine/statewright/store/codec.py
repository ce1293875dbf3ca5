"""How frames, forks, signals and history are written down: compact msgpack, with every payload as the text it is.

Records are arrays whose last members may be missing: a newer version appends members with defaults and still reads
what an older one wrote.  Variables are one JSON text, so that numbers keep all their digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from statewright.errors import StatesError
from statewright.model import (
    EndExecution,
    Execution,
    Finish,
    Fork,
    Frame,
    HistoryEvent,
    Item,
    Phase,
    StartTask,
    StartTimer,
    Step,
    TaskKind,
    TaskOrder,
    TimerKind,
)
from statewright.recovery import error_output
from statewright.store.verbs import Signal
from statewright.values import Json, Payload, decode, encode

__all__ = [
    "decode_event",
    "decode_execution",
    "decode_fork",
    "decode_frame",
    "decode_signal",
    "encode_execution",
    "encode_fork",
    "encode_frame",
    "encode_signal",
    "encode_step",
    "first_frame",
    "forked_epoch",
    "item_fields",
    "optional",
]


class _Task(msgspec.Struct, array_like=True):
    kind: str
    resource: str
    arguments: str
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None
    submitted: bool = False


class _Frame(msgspec.Struct, array_like=True):
    machine: str
    position: str
    state: str
    input: str
    phase: str
    epoch: int
    visit: int
    variables: str = ""
    own_variables: list[str] = []
    retries: list[int] = []
    entered_at: int = 0
    task: _Task | None = None
    forked: int | None = None
    outer_item: tuple[int, str, str | None] | None = None


class _Fork(msgspec.Struct, array_like=True):
    machines: list[str]
    position: str
    length: int
    window: int
    tolerance: int
    input: str | None = None
    variables: str = ""
    map_name: str | None = None
    outer_item: tuple[int, str, str | None] | None = None


class _Execution(msgspec.Struct, array_like=True):
    arn: str
    name: str
    machine_arn: str
    machine_name: str
    definition: str
    input: str
    role_arn: str = ""
    type: str = "STANDARD"


class _Signal(msgspec.Struct, array_like=True):
    kind: str
    epoch: int = 0
    timer: str | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    worker: str | None = None


def _text_of(value: Any) -> str:
    if isinstance(value, Payload):
        return value.text
    raise TypeError(f"a {type(value).__name__} cannot be stored")


_pack = msgspec.msgpack.Encoder(enc_hook=_text_of).encode
_frame = msgspec.msgpack.Decoder(_Frame).decode
_fork = msgspec.msgpack.Decoder(_Fork).decode
_execution = msgspec.msgpack.Decoder(_Execution).decode
_signal = msgspec.msgpack.Decoder(_Signal).decode
_event = msgspec.msgpack.Decoder(tuple[str, dict[str, Any] | None]).decode


def _variables(variables: Mapping[str, Json]) -> str:
    return encode(dict(variables)) if variables else ""


def _written(item: Item | None) -> tuple[int, str, str | None] | None:
    return None if item is None else (item.index, item.value.text, item.key)


def _item(written: tuple[int, str, str | None] | None) -> Item | None:
    return None if written is None else Item(written[0], Payload.parse(written[1]), written[2])


def encode_frame(frame: Frame) -> bytes:
    """The body of a frame: all but what the store keeps beside it (id, item, fork, entered_id).

    Example: ``decode_frame("", encode_frame(frame)) == frame``
    """
    order, task = frame.task, None
    if order is not None:
        arguments = order.arguments.text
        task = _Task(
            order.kind, order.resource, arguments, order.timeout_seconds, order.heartbeat_seconds, order.submitted
        )
    return _pack(
        _Frame(
            frame.machine,
            frame.position,
            frame.state,
            frame.input.text,
            frame.phase,
            frame.epoch,
            frame.visit,
            _variables(frame.variables),
            sorted(frame.own_variables),
            list(frame.retries),
            frame.entered_at,
            task,
            frame.fork.epoch if frame.fork else None,
            _written(frame.outer_item),
        )
    )


def decode_frame(
    id: str,  # noqa: A002
    body: bytes,
    *,
    item: Item | None = None,
    fork: Fork | None = None,
    entered_id: int = 0,
) -> Frame:
    """A frame from its body and what is kept beside it; `fork` is used only if the frame has one."""
    f = _frame(body)
    return Frame(
        id=id,
        machine=f.machine,
        position=f.position,
        state=f.state,
        input=Payload.parse(f.input),
        phase=Phase(f.phase),
        epoch=f.epoch,
        visit=f.visit,
        variables=decode(f.variables) if f.variables else {},
        own_variables=frozenset(f.own_variables),
        retries=tuple(f.retries),
        entered_at=f.entered_at,
        task=_order(f.task) if f.task else None,
        fork=fork if f.forked is not None else None,
        item=item,
        outer_item=_item(f.outer_item),
        entered_id=entered_id,
    )


def _order(t: _Task) -> TaskOrder:
    return TaskOrder(
        TaskKind(t.kind),
        t.resource,
        Payload.parse(t.arguments),
        t.timeout_seconds,
        t.heartbeat_seconds,
        t.submitted,
    )


def forked_epoch(body: bytes) -> int | None:
    """Epoch of the fork a frame waits for, None if it does not wait for one."""
    return _frame(body).forked


def first_frame(id: str, fork: Fork, item: Item | None) -> Frame:  # noqa: A002
    """A child that never ran, made from its parent's fork.

    Its state is empty: the start of its machine.  A Parallel branch has the fork's input, a Map iteration its item.
    `fork` stays with it, as the effective input and the Map's name are in there.

    Example: ``first_frame("/1.0", fork, None).position == f"{fork.position}.0"``
    """
    index = int(id.rpartition(".")[2])
    return Frame(
        id=id,
        machine=fork.machines[index] if len(fork.machines) > 1 else fork.machines[0],
        position=f"{fork.position}.{index}",
        state="",
        input=item.value if item else fork.input or Payload.parse("null"),
        variables=fork.variables,
        fork=fork,
        item=item,
        outer_item=fork.outer_item,
    )


def encode_fork(fork: Fork) -> bytes:
    """A fork without its items."""
    return _pack(
        _Fork(
            list(fork.machines),
            fork.position,
            fork.length,
            fork.window,
            fork.tolerance,
            fork.input.text if fork.input else None,
            _variables(fork.variables),
            fork.map_name,
            _written(fork.outer_item),
        )
    )


def decode_fork(epoch: int, body: bytes) -> Fork:
    """A fork without its items."""
    f = _fork(body)
    return Fork(
        epoch=epoch,
        machines=tuple(f.machines),
        position=f.position,
        length=f.length,
        window=f.window,
        tolerance=f.tolerance,
        input=Payload.parse(f.input) if f.input is not None else None,
        variables=decode(f.variables) if f.variables else {},
        map_name=f.map_name,
        outer_item=_item(f.outer_item),
    )


def item_fields(fork: Fork) -> list[str | int]:
    """The items of a Map as alternating field and value: index and JSON text, ``k<index>`` and name.

    Example: ``[0, '{"a":1}', "k0", "first", 1, ...]``
    """
    fields: list[str | int] = []
    for index, text in enumerate(fork.items):
        fields += (index, text)
        if fork.keys:
            fields += (f"k{index}", fork.keys[index])
    return fields


def encode_execution(execution: Execution) -> bytes:
    """The part of an execution's header that never changes, but for its id and start time."""
    e = execution
    return _pack(
        _Execution(e.arn, e.name, e.machine_arn, e.machine_name, e.definition, e.input.text, e.role_arn, e.type)
    )


def decode_execution(id: str, started_at: int, body: bytes) -> Execution:  # noqa: A002
    """An execution from its header."""
    e = _execution(body)
    return Execution(
        id=id,
        arn=e.arn,
        name=e.name,
        machine_arn=e.machine_arn,
        machine_name=e.machine_name,
        definition=e.definition,
        input=Payload.parse(e.input),
        started_at=started_at,
        role_arn=e.role_arn,
        type=e.type,
    )


def encode_signal(signal: Signal) -> bytes:
    """An inbox entry that carries more than the scripts can write themselves."""
    s = signal
    return b"S" + _pack(_Signal(s.kind, s.epoch, s.timer, s.output, s.error, s.cause, s.failed, s.worker))


def decode_signal(entry: bytes) -> Signal:
    """An inbox entry; those the scripts write are ``T<epoch>:<timer>``, ``J<epoch>`` and ``K<epoch>:<worker>``."""
    kind, rest = entry[:1], entry[1:]
    if kind == b"S":
        s = _signal(rest)
        timer = TimerKind(s.timer) if s.timer else None
        return Signal(s.kind, s.epoch, timer, s.output, s.error, s.cause, s.failed, s.worker)
    epoch, _, text = rest.decode().partition(":")
    if kind == b"T":
        return Signal("timer", int(epoch), TimerKind(text))
    if kind == b"K":
        return Signal("taken", int(epoch), worker=text)
    return Signal("joined", int(epoch))


def decode_event(id: int, record: bytes) -> tuple[int, int, int, str, dict[str, Any] | None]:  # noqa: A002
    """A history record, ``<previous>,<ms>,<msgpack>``, as (id, previous, ms, type, details)."""
    previous, at, body = record.split(b",", 2)
    kind, details = _event(body)
    return id, int(previous), int(at), kind, details


def _place(event: HistoryEvent) -> str:
    """What an event follows, if it says so, after an ``s`` for a side event."""
    return ("s" if event.side else "") + ("" if event.previous is None else str(event.previous))


def encode_step(step: Step) -> list[str | bytes | int]:
    """A step as the arguments that ``lua/apply.lua`` reads.

    Raises ValueError if a payload is not JSON, TypeError if history details hold what cannot be stored.
    """
    frame = step.frame
    arguments: list[str | bytes | int] = [
        encode_frame(frame),
        frame.phase,
        frame.epoch,
        step.entered or 0,
        len(step.history),
    ]
    for event in step.history:
        arguments += (_place(event), _pack((event.type, event.details)))
    for command in step.commands:
        match command:
            case StartTimer(kind, delay, due):
                arguments += ("timer", kind, "" if due is None else due, delay)
            case StartTask(order):
                if order.kind is TaskKind.ACTIVITY:
                    arguments += ("activity", order.resource)
            case Fork() as fork:
                is_map = int(fork.map_name is not None)
                arguments += ("fork", fork.epoch, fork.length, fork.window, fork.tolerance, is_map, encode_fork(fork))
            case Finish(_, error, cause, failed):
                arguments += ("finish", int(failed), _result(command), _optional(error), _optional(cause))
            case EndExecution(status, output, error, cause, at):
                text = output.text if output is not None else None
                moment = "" if at is None else at
                arguments += ("end", status, _optional(text), _optional(error), _optional(cause), moment)
    if step.keep_timers:
        arguments.append("keep")
    for child in step.drop:
        arguments += ("drop", child)
    for epoch in step.closed:
        arguments += ("close", epoch)
    return arguments


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
