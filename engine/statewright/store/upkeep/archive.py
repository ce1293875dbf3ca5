"""The archive of an execution that ended: what takes room, as one compressed value.

What the scripts ask for about ended executions (status, times, digest, link, the last commit) stays in the header.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Final

import msgspec

from statewright.errors import StatewrightError

__all__ = ["LARGEST", "Archive"]

LARGEST: Final = 2 * 1024 * 1024
"""Executions with more bytes of history and payloads are not archived: a page of their history would need all of it."""

_VERSION: Final = b"\x01"
_LEVEL: Final = 6
"""Measured on the executions of the simulation: 1 is 7 % larger, 9 the same; without the dictionary 34 % larger."""

_DICTIONARY: Final = "".join(
    (
        # Rare words first: what is nearest to the end is referred to in the fewest bits.
        "MapRunStartedMapRunSucceededMapRunFailedmapRunArnActivityScheduledActivityStartedActivitySucceededworkerName",
        "TaskSubmittedTaskSubmitFailedTaskStartFailedTaskTimedOutTaskFailedLambdaFunctionTimedOutHeartbeatTimeout",
        "ExecutionTimedOutExecutionAbortedEvaluationFailedlocationstateassignedVariablestaskCredentialsroleArn",
        "ParallelStateStartedParallelStateSucceededParallelStateFailedParallelStateAborted",
        "MapStateStartedMapStateSucceededMapStateFailedMapIterationStartedMapIterationSucceededMapIterationFailed",
        "MapStateEnteredMapStateExitedParallelStateEnteredParallelStateExitedindexlengthtrue,false,null,",
        "WaitStateEnteredWaitStateExitedFailStateEnteredSucceedStateEnteredSucceedStateExited",
        '{"ExecutionArn":"arn:aws:states:us-east-1:000000000000:stateMachine:execution:activity:express:lambda:function:',
        '{"Error":"States.TaskFailed","Cause":"States.Timeout"States.Runtime"States.ALL"errorMessage":"errorType":"',
        '{"id":{"name":{"status":{"type":{"amount":{"items":[{"order":{"orderId":{"customer":{"result":"Payload":{',
        '"StatusCode":200,"SdkHttpMetadata":{"AllHttpHeaders":{"HttpStatusCode":200,"ExecutedVersion":"$LATEST",',
        "SUCCEEDEDFAILEDoutput=headerrorcauseSTANDARDEXPRESSregion\xa9us-east-1timeoutInSecondsheartbeatInSeconds",
        "\x92\xacTaskTimedOut\x92\xaaTaskFailed\x84\xa5error\xa5cause\xb3LambdaFunctionFailed\x82\xa5error\xa5cause",
        "\x92\xb0ExecutionStarted\x82\xa5input\xa7roleArn\x92\xb2ExecutionSucceeded\x81\xa6output\xafExecutionFailed",
        "\x92\xb2ChoiceStateEntered\x82\xa4name\xa5input\x92\xb1ChoiceStateExited\x82\xa4name\xa6output",
        "\x92\xb0PassStateEntered\x82\xa4name\xa5input\x92\xafPassStateExited\x82\xa4name\xa6output",
        "\x92\xadTaskScheduled\x84\xaaparameters\xa6region\xa8resource\xacresourceType\x92\xabTaskStarted\x82\xa8resource",
        "\xacresourceType\x92\xadTaskSucceeded\x83\xa6output\xa8resource\xa6invoke\xacresourceType\xa6lambda",
        "\x92\xb0TaskStateEntered\x82\xa4name\xa5input\x92\xb7LambdaFunctionScheduled\x82\xa5input\xa8resource",
        "\x92\xb5LambdaFunctionStarted\x80\x92\xb7LambdaFunctionSucceeded\x81\xa6output",
        "\x92\xafTaskStateExited\x82\xa4name\xa6output",
    )
).encode("latin-1")
"""Texts that histories are full of.  What is archived needs it to be read: it never changes; a better one is a new
version."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What was moved out of an execution's header, history and payloads.

    Example: ``Archive.unpack(archive.pack()) == archive``
    """

    fields: dict[bytes, bytes] = field(default_factory=dict)
    records: list[bytes] = field(default_factory=list)
    payloads: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all that is in it."""
        parts = (*self.fields.values(), *self.records, *self.payloads.values())
        return sum(map(len, parts))

    def pack(self) -> bytes:
        """As it is stored."""
        whole = _encode(_Packed(*_split(self.records), self.fields, self.payloads))
        packer = zlib.compressobj(_LEVEL, zdict=_DICTIONARY)
        return _VERSION + packer.compress(whole) + packer.flush()

    @classmethod
    def unpack(cls, stored: bytes) -> Archive:
        """From what is stored; StatewrightError StoreBroken if it cannot be read."""
        try:
            if stored[:1] != _VERSION:
                raise ValueError(f"version {stored[:1]!r} is not known")
            unpacker = zlib.decompressobj(zdict=_DICTIONARY)
            p = _decode(unpacker.decompress(stored[1:]))
            if not unpacker.eof:  # then its checksum has not been seen
                raise ValueError("its end is missing")
            return cls(p.fields, _joined(p), p.payloads)
        except (ValueError, zlib.error, msgspec.DecodeError) as error:
            raise StatewrightError("StoreBroken", f"an archived execution cannot be read: {error}") from None


class _Packed(msgspec.Struct, array_like=True):
    """The columns of the records, ``<previous>,<ms>,<body>``: numbers as differences, which are small.  A record that
    is not of that form stands in the bodies as it is, and in the columns as None."""

    previous: list[int | None]
    times: list[int]
    bodies: list[bytes]
    fields: dict[bytes, bytes]
    payloads: dict[bytes, bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


def _split(records: list[bytes]) -> tuple[list[int | None], list[int], list[bytes]]:
    previous, times, bodies, last = list[int | None](), list[int](), list[bytes](), 0
    for place, record in enumerate(records):
        parts = record.split(b",", 2)
        if len(parts) == 3 and b"%d,%d," % (before := _int(parts[0]), at := _int(parts[1])) == record[: -len(parts[2])]:
            previous.append(place - before)
            times.append(at - last)
            bodies.append(parts[2])
            last = at
        else:
            previous.append(None)
            times.append(0)
            bodies.append(record)
    return previous, times, bodies


def _int(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 18 else -1


def _joined(packed: _Packed) -> list[bytes]:
    records, last = [], 0
    for place, (back, later, body) in enumerate(zip(packed.previous, packed.times, packed.bodies, strict=True)):
        last += later
        records.append(body if back is None else b"%d,%d,%b" % (place - back, last, body))
    return records
