"""How map runs are written down, and the links between executions."""

from __future__ import annotations

import msgspec

from statewright.model import Link, LinkKind, MapRun
from statewright.store.codec.integrity import seal, unseal
from statewright.values import Payload

__all__ = ["decode_link", "decode_map_run", "encode_link", "encode_map_run"]


class _MapRun(msgspec.Struct, array_like=True):
    arn: str
    machine: str
    execution_type: str
    concurrency: int
    items: str | None = None
    keys: list[str] = []
    reader: str | None = None
    batched: bool = False
    batch_items: int = 0
    batch_bytes: int = 0
    batch_input: str | None = None
    writer: str | None = None
    tolerated_count: int | None = None
    tolerated_percentage: float | None = None
    result_bytes: int | None = None


_pack = msgspec.msgpack.Encoder().encode
_map_run = msgspec.msgpack.Decoder(_MapRun).decode


def encode_link(link: Link | None) -> str:
    """A link as the scripts read it: ``<kind>:<execution>:<frame>:<epoch>``, and for a map run ``:<index>:<items>``."""
    if link is None:
        return ""
    text = f"{link.kind}:{link.execution}:{link.frame_id}:{link.epoch}"
    return f"{text}:{link.index}:{link.items}" if link.kind is LinkKind.MAP_RUN else text


def decode_link(text: str) -> Link | None:
    """The link of a text, None for the empty one.  Example: ``decode_link(encode_link(link)) == link``"""
    if not text:
        return None
    kind, execution, frame_id, epoch, *more = text.split(":")
    return Link(LinkKind(kind), execution, frame_id, int(epoch), *map(int, more))


def encode_map_run(run: MapRun) -> bytes:
    """A map run as its state ordered it."""
    record = _pack(
        _MapRun(
            run.arn,
            run.machine,
            run.execution_type,
            run.concurrency,
            _text(run.items),
            list(run.keys),
            _text(run.reader),
            run.batched,
            run.batch_items,
            run.batch_bytes,
            _text(run.batch_input),
            _text(run.writer),
            run.tolerated_count,
            run.tolerated_percentage,
            run.result_bytes,
        )
    )
    return seal(record)


def decode_map_run(epoch: int, body: bytes) -> MapRun:
    """A map run as its state ordered it."""
    r = _map_run(unseal(body))
    return MapRun(
        epoch=epoch,
        arn=r.arn,
        machine=r.machine,
        execution_type=r.execution_type,
        concurrency=r.concurrency,
        items=_payload(r.items),
        keys=tuple(r.keys),
        reader=_payload(r.reader),
        batched=r.batched,
        batch_items=r.batch_items,
        batch_bytes=r.batch_bytes,
        batch_input=_payload(r.batch_input),
        writer=_payload(r.writer),
        tolerated_count=r.tolerated_count,
        tolerated_percentage=r.tolerated_percentage,
        result_bytes=r.result_bytes,
    )


def _text(payload: Payload | None) -> str | None:
    return None if payload is None else payload.text


def _payload(text: str | None) -> Payload | None:
    return None if text is None else Payload.parse(text)
