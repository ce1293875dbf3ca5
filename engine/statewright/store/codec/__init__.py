"""How frames, forks, signals and history are written down: compact msgpack, with every payload as the text it
is, or as a reference to where a large one is kept (``payloads.py``).

Records are arrays whose last members may be missing: a newer version appends members with defaults and still reads
what an older one wrote.  Variables are one JSON text, so that numbers keep all their digits.
"""

from statewright.store.codec.frames import (
    awaited_epochs,
    decode_execution,
    decode_fork,
    decode_frame,
    encode_execution,
    encode_fork,
    encode_frame,
    first_frame,
    input_digest,
    item_calls,
)
from statewright.store.codec.integrity import BrokenRecordError, Chain, checksum, seal, unseal
from statewright.store.codec.payloads import OFFLOADED, Incoming, LostPayloadError, Outgoing, Resolve
from statewright.store.codec.runs import decode_link, decode_map_run, encode_link
from statewright.store.codec.signals import decode_signal, encode_signal
from statewright.store.codec.steps import decode_events, encode_commit, encode_step, optional

__all__ = [
    "OFFLOADED",
    "BrokenRecordError",
    "Chain",
    "Incoming",
    "LostPayloadError",
    "Outgoing",
    "Resolve",
    "awaited_epochs",
    "checksum",
    "decode_events",
    "decode_execution",
    "decode_fork",
    "decode_frame",
    "decode_link",
    "decode_map_run",
    "decode_signal",
    "encode_commit",
    "encode_execution",
    "encode_fork",
    "encode_frame",
    "encode_link",
    "encode_signal",
    "encode_step",
    "first_frame",
    "input_digest",
    "item_calls",
    "optional",
    "seal",
    "unseal",
]
