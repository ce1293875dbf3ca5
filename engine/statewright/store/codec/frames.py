"""How frames, their forks and what identifies an execution are written down."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping

import msgspec

from statewright.arn import arn_within
from statewright.model import Execution, Fork, Frame, Item, MapRun, Phase, TaskKind, TaskOrder
from statewright.store.codec.integrity import seal, unseal
from statewright.store.codec.payloads import Outgoing, Resolve
from statewright.store.codec.runs import decode_link, encode_link
from statewright.values import Json, Payload, decode, encode

__all__ = [
    "awaited_epochs",
    "decode_execution",
    "decode_fork",
    "decode_frame",
    "encode_execution",
    "encode_fork",
    "encode_frame",
    "first_frame",
    "input_digest",
    "item_calls",
]

_ITEM_FIELDS = 500
_ITEM_CHARACTERS = 1_000_000
"""Items are sent in calls of about so many fields and characters at most, each at least one item."""


class _Task(msgspec.Struct, array_like=True):
    kind: str
    resource: str
    arguments: str
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None
    submitted: bool = False
    execution: str = ""


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
    map_run: int | None = None


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
    """An empty `arn` or `machine_name` is the one that follows from the others, an empty `type` is STANDARD; the ARN of
    the state machine lacks what all have in common, and the hash of the definition is in base64."""

    arn: str
    name: str
    machine_arn: str
    machine_name: str
    definition: str
    input: str
    role_arn: str = ""
    type: str = "STANDARD"
    entry: str = ""
    map_run: str = ""
    link: str = ""
    sync: bool = False
    predecessor: str = ""


_pack = msgspec.msgpack.Encoder().encode
_frame = msgspec.msgpack.Decoder(_Frame).decode
_fork = msgspec.msgpack.Decoder(_Fork).decode
_execution = msgspec.msgpack.Decoder(_Execution).decode


def _record(struct: msgspec.Struct) -> bytes:
    return seal(_pack(struct))


def _variables(variables: Mapping[str, Json]) -> str:
    return encode(dict(variables)) if variables else ""


def _written(item: Item | None, out: Outgoing) -> tuple[int, str, str | None] | None:
    return None if item is None else (item.index, out.text(item.value.text), item.key)


def _item(written: tuple[int, str, str | None] | None, resolve: Resolve) -> Item | None:
    return None if written is None else Item(written[0], Payload.parse(resolve(written[1])), written[2])


def encode_frame(frame: Frame, out: Outgoing) -> bytes:
    """The body of a frame: all but what the store keeps beside it (id, item, fork, entered_id).

    Variables stay in the body, however large: it is replaced by the next commit, while a stored payload stays.

    Example: ``decode_frame("", encode_frame(frame, Outgoing()), resolve) == frame``
    """
    order, task = frame.task, None
    if order is not None:
        arguments = out.text(order.arguments.text)
        task = _Task(
            order.kind,
            order.resource,
            arguments,
            order.timeout_seconds,
            order.heartbeat_seconds,
            order.submitted,
            order.execution,
        )
    return _record(
        _Frame(
            frame.machine,
            frame.position,
            frame.state,
            out.text(frame.input.text),
            frame.phase,
            frame.epoch,
            frame.visit,
            _variables(frame.variables),
            sorted(frame.own_variables),
            list(frame.retries),
            frame.entered_at,
            task,
            frame.fork.epoch if frame.fork else None,
            _written(frame.outer_item, out),
            frame.map_run.epoch if frame.map_run else None,
        )
    )


def decode_frame(
    id: str,  # noqa: A002
    body: bytes,
    resolve: Resolve,
    *,
    item: Item | None = None,
    fork: Fork | None = None,
    map_run: MapRun | None = None,
    entered_id: int = 0,
) -> Frame:
    """A frame from its body and what is kept beside it; `fork` and `map_run` are used only if the frame has one."""
    f = _frame(unseal(body))
    return Frame(
        id=id,
        machine=f.machine,
        position=f.position,
        state=f.state,
        input=Payload.parse(resolve(f.input)),
        phase=Phase(f.phase),
        epoch=f.epoch,
        visit=f.visit,
        variables=decode(f.variables) if f.variables else {},
        own_variables=frozenset(f.own_variables),
        retries=tuple(f.retries),
        entered_at=f.entered_at,
        task=_order(f.task, resolve) if f.task else None,
        fork=fork if f.forked is not None else None,
        map_run=map_run if f.map_run is not None else None,
        item=item,
        outer_item=_item(f.outer_item, resolve),
        entered_id=entered_id,
    )


def _order(t: _Task, resolve: Resolve) -> TaskOrder:
    return TaskOrder(
        TaskKind(t.kind),
        t.resource,
        Payload.parse(resolve(t.arguments)),
        t.timeout_seconds,
        t.heartbeat_seconds,
        t.submitted,
        t.execution,
    )


def awaited_epochs(body: bytes) -> tuple[int | None, int | None]:
    """Epochs of the fork and of the map run a frame waits for, None where it does not wait for one."""
    frame = _frame(unseal(body))
    return frame.forked, frame.map_run


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


def encode_fork(fork: Fork, out: Outgoing) -> bytes:
    """A fork without its items."""
    return _record(
        _Fork(
            list(fork.machines),
            fork.position,
            fork.length,
            fork.window,
            fork.tolerance,
            out.text(fork.input.text) if fork.input else None,
            _variables(fork.variables),
            fork.map_name,
            _written(fork.outer_item, out),
        )
    )


def decode_fork(epoch: int, body: bytes, resolve: Resolve) -> Fork:
    """A fork without its items."""
    f = _fork(unseal(body))
    return Fork(
        epoch=epoch,
        machines=tuple(f.machines),
        position=f.position,
        length=f.length,
        window=f.window,
        tolerance=f.tolerance,
        input=Payload.parse(resolve(f.input)) if f.input is not None else None,
        variables=decode(f.variables) if f.variables else {},
        map_name=f.map_name,
        outer_item=_item(f.outer_item, resolve),
    )


def item_calls(fork: Fork) -> Iterator[list[str | bytes | int]]:
    """The items of a Map for several calls of bounded size: payloads, then alternating field and value: index and
    sealed JSON text, ``k<index>`` and sealed name.

    Example: ``[0, 0, seal(b'{"a":1}'), "k0", seal(b"first"), 1, ...]``
    """
    out, fields, size = Outgoing(), list[str | bytes | int](), 0
    for index, text in enumerate(fork.items):
        fields += (index, seal(out.text(text).encode()))
        if fork.keys:
            fields += (f"k{index}", seal(fork.keys[index].encode()))
        size += len(text)
        if len(fields) >= _ITEM_FIELDS or size >= _ITEM_CHARACTERS:
            yield out.arguments() + fields
            out, fields, size = Outgoing(), [], 0
    if fields:
        yield out.arguments() + fields


def _last(machine_arn: str) -> str:
    return machine_arn.rpartition(":")[2]


def _arn(machine_arn: str, name: str) -> str:
    """The ARN of an execution, as most have it."""
    return arn_within(machine_arn, "execution", name)


_MACHINE_ARN = re.compile(r"arn:aws:states:([^:=]*:[^:=]*):stateMachine:([^:=]*)")
_HASH = re.compile(r"[0-9a-f]{64}")


def _short(machine_arn: str) -> str:
    parts = _MACHINE_ARN.fullmatch(machine_arn)
    return f"={parts[1]}:{parts[2]}" if parts else machine_arn


def _long(short: str) -> str:
    if not short.startswith("="):
        return short
    place, _, name = short[1:].rpartition(":")
    return f"arn:aws:states:{place}:stateMachine:{name}"


def _short_hash(hash_: str) -> str:
    return "=" + b64encode(bytes.fromhex(hash_)).decode() if _HASH.fullmatch(hash_) else hash_


def _long_hash(short: str) -> str:
    return b64decode(short[1:]).hex() if short.startswith("=") else short


def input_digest(value: Payload) -> str:
    """What tells one input from another, however it was written.

    Example: ``input_digest(Payload.parse('{"a":1,"b":2}')) == input_digest(Payload.parse('{"b":2, "a":1}'))``
    """
    return hashlib.sha256(msgspec.json.encode(value.value, order="sorted")).hexdigest()[:16]


def encode_execution(execution: Execution, out: Outgoing) -> bytes:
    """The part of an execution's header that never changes, but for its id and start time."""
    e = execution
    return _record(
        _Execution(
            "" if e.arn == _arn(e.machine_arn, e.name) else e.arn,
            e.name,
            _short(e.machine_arn),
            "" if e.machine_name == _last(e.machine_arn) else e.machine_name,
            _short_hash(e.definition),
            out.text(e.input.text),
            e.role_arn,
            "" if e.type == "STANDARD" else e.type,
            e.entry,
            e.map_run,
            encode_link(e.link),
            e.sync,
            e.predecessor,
        )
    )


def decode_execution(id: str, started_at: int, body: bytes, resolve: Resolve) -> Execution:  # noqa: A002
    """An execution from its header."""
    e = _execution(unseal(body))
    machine_arn = _long(e.machine_arn)
    return Execution(
        id=id,
        arn=e.arn or _arn(machine_arn, e.name),
        name=e.name,
        machine_arn=machine_arn,
        machine_name=e.machine_name or _last(machine_arn),
        definition=_long_hash(e.definition),
        input=Payload.parse(resolve(e.input)),
        started_at=started_at,
        role_arn=e.role_arn,
        type=e.type or "STANDARD",
        entry=e.entry,
        map_run=e.map_run,
        link=decode_link(e.link),
        sync=e.sync,
        predecessor=e.predecessor,
    )
