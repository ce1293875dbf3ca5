"""How the entries of a frame's inbox are written down."""

from __future__ import annotations

import msgspec

from statewright.model import TimerKind
from statewright.store.codec.integrity import seal, unseal
from statewright.store.codec.payloads import Outgoing, Resolve
from statewright.store.records import Signal

__all__ = ["decode_signal", "encode_signal"]


class _Signal(msgspec.Struct, array_like=True):
    kind: str
    epoch: int = 0
    timer: str | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    failed: bool = False
    worker: str | None = None


_pack = msgspec.msgpack.Encoder().encode
_signal = msgspec.msgpack.Decoder(_Signal).decode


def encode_signal(signal: Signal, out: Outgoing) -> bytes:
    """An inbox entry that carries more than the scripts can write themselves."""
    s = signal
    output = None if s.output is None else out.text(s.output)
    return b"S" + seal(_pack(_Signal(s.kind, s.epoch, s.timer, output, s.error, s.cause, s.failed, s.worker)))


def decode_signal(entry: bytes, resolve: Resolve) -> Signal:
    """An inbox entry; those the scripts write are ``T<epoch>:<timer>``, ``J<epoch>``, ``F<epoch>`` and
    ``K<epoch>:<worker>``."""
    kind, rest = entry[:1], entry[1:]
    if kind == b"S":
        s = _signal(unseal(rest))
        timer = TimerKind(s.timer) if s.timer else None
        output = None if s.output is None else resolve(s.output)
        return Signal(s.kind, s.epoch, timer, output, s.error, s.cause, s.failed, s.worker)
    epoch, _, text = rest.decode().partition(":")
    if kind == b"T":
        return Signal("timer", int(epoch), TimerKind(text))
    if kind == b"K":
        return Signal("taken", int(epoch), worker=text)
    return Signal("joined" if kind == b"J" else "nudge", int(epoch))
