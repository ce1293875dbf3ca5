"""An execution as ``lua/inspect.lua`` found it, and what in it contradicts itself or its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from statewright.arn import execution_id_of
from statewright.audit import ENDS, Finding, StoredFrame, Trail
from statewright.model import Execution, Fork, Frame, LinkKind, Phase, TaskKind
from statewright.store import codec
from statewright.store.codec import Resolve

__all__ = ["FrameParts", "Inspected", "differences_of_end", "differences_of_header", "stored_frame"]

_HEADER_FIELDS = frozenset("head mn dg st t0 t1 nonce n0 up ix ex output error cause rev cid own cr cb".split())
_FRAME_FIELDS = frozenset("rev prev own cr del body ph ep cid cb tm hb aq fk jb mr entered sn tk ans".split())
_FORK_FIELDS = frozenset("next left failed length window tolerance map origin body open index error cause".split())
"""What the scripts write; a name that is none of these was another."""

_EARLY_MS, _LATE_MS = 1000, 60_000
"""An execution's start, which its creator reads, is so close to the server's time at most (``lua/create.lua``)."""


def _hash(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class FrameParts:
    """What is kept of a frame: its id, its hash, when its timers are due (None: they are not there), entries in its
    inbox, and of its forks by epoch: join records, children with results, open children."""

    id: str
    fields: Mapping[str, bytes]
    timers: tuple[bytes | None, ...]
    waits: int
    records: Mapping[int, Mapping[bytes, bytes]]
    ended: Mapping[int, set[bytes]]
    open: Mapping[int, set[bytes]]

    @classmethod
    def of(cls, answer: list[Any]) -> FrameParts:
        id_, flat, timers, waits, forks = answer
        fields = {name.decode(errors="replace"): value for name, value in _hash(flat).items()}
        by = [{int(fork[0]): fork[part] for fork in forks} for part in (1, 2, 3)]
        return cls(
            id_.decode(),
            fields,
            tuple(timers),
            waits,
            {epoch: _hash(record) for epoch, record in by[0].items()},
            {epoch: set(results) for epoch, results in by[1].items()},
            {epoch: set(children) for epoch, children in by[2].items()},
        )

    def frame(self, resolve: Resolve) -> Frame | None:
        """The frame, without its item, fork and map run; None if it never ran.  BrokenRecordError."""
        body = self.fields.get("body")
        return None if body is None else codec.decode_frame(self.id, body, resolve)

    def differences(self, frame: Frame | None) -> Iterator[Finding]:
        """What is kept beside the frame's body and does not fit it."""
        for wrong in self._wrong(frame):
            yield Finding("WrongFrame", f"frame {self.id!r} {wrong}")
        if not all(self.timers) and self.waits == 0:
            yield Finding("WrongTimer", f"frame {self.id!r} has a timer that will never fire")

    def differs_from(self, fork: Fork) -> bool:
        """Whether a fork's record does not fit what was ordered."""
        record = self.records[fork.epoch]
        names = {name.decode(errors="replace") for name in record}
        numbers = [record.get(name) for name in (b"length", b"window", b"tolerance")]
        ordered = [b"%d" % number for number in (fork.length, max(1, fork.window), fork.tolerance)]
        return not names <= _FORK_FIELDS or numbers != ordered

    def _wrong(self, frame: Frame | None) -> Iterator[str]:
        if not {"rev", "prev"} <= self.fields.keys() or not self.fields.keys() <= _FRAME_FIELDS:
            yield "is not there, or not as it was written"
            return
        for epoch, record in self.records.items():
            if record and record.get(b"open") == b"1":
                length, following, left = (int(record[name]) for name in (b"length", b"next", b"left"))
                ended, open_ = self.ended[epoch], self.open[epoch]
                if len(ended) != length - left or ended & open_ or len(ended | open_) != following:
                    yield f"has a fork {epoch} that counts {left} of {length} children left, {following} begun"
        if frame is None:
            return
        stored = self.fields.get("ph", b"").decode(), self.fields.get("ep", b"").decode()
        if stored != (frame.phase, str(frame.epoch)):
            yield f"is in phase {frame.phase} {frame.epoch}, but beside that in {' '.join(stored)}"
        forked, run = codec.awaited_epochs(self.fields["body"])
        if f"{run}," not in self.fields.get("mr", b"").decode() and run is not None:
            yield f"waits for map run {run}, but beside that is {self.fields.get('mr')!r}"
        if forked is not None and forked not in self.records:
            yield f"waits for fork {forked}, which is not there"
        order = frame.task if frame.phase is Phase.TASK else None
        activity = order.resource if order is not None and order.kind is TaskKind.ACTIVITY else ""
        if self.fields.get("aq", b"").decode() not in ("", activity):  # it is "" when one has taken it
            yield "is offered to other activity workers than it wants"
        job = execution_id_of(order.execution) if order is not None and order.execution else ""
        if self.fields.get("jb", b"").decode() not in ("", job):
            yield "waits for another execution than it started"


@dataclass(frozen=True, slots=True)
class Inspected:
    """An execution: its header, events in its history, the first of them, how many payloads it has, its times in the
    indexes, its frames."""

    id: str
    header: Mapping[str, bytes]
    length: int
    records: tuple[bytes, ...]
    payloads: int
    places: tuple[bytes | None, ...]
    frames: tuple[FrameParts, ...]

    @classmethod
    def of(cls, execution: str, answer: list[Any]) -> Inspected:
        """From the script's answer."""
        flat, length, records, payloads, places, *frames = answer
        header = {name.decode(errors="replace"): value for name, value in _hash(flat).items()}
        return cls(
            execution, header, length, tuple(records), payloads, tuple(places), tuple(map(FrameParts.of, frames))
        )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.header.get("st") == b"RUNNING"

    def text(self, name: str) -> str:
        """A field of the header as text, "" if there is none."""
        return self.header.get(name, b"").decode(errors="replace")

    def execution(self, resolve: Resolve) -> Execution:
        """Its constants."""
        return codec.decode_execution(self.id, int(self.header["t0"]), self.header["head"], resolve)


def differences_of_header(found: Inspected, head: Execution, trail: Trail) -> Iterator[Finding]:
    """What the header says that its constants, the indexes or the history do not."""
    run = head.map_run.rpartition(":")[2]
    if not found.header.keys() <= _HEADER_FIELDS:
        yield Finding("BrokenHeader", f"it has fields of other names: {sorted(found.header.keys() - _HEADER_FIELDS)}")
    wanted = {
        "mn": head.machine_name.partition("/")[0],
        "up": codec.encode_link(head.link),
        "ix": run if head.link is not None else "",
        "dg": "" if head.link is not None and head.link.kind is LinkKind.MAP_RUN else codec.input_digest(head.input),
    }
    for name, value in wanted.items():
        if found.text(name) != value:
            yield Finding("BrokenHeader", f"{name} is {found.text(name)!r}, not {value!r}")
    for score in found.places:
        if score is None or float(score) != head.started_at:
            yield Finding("WrongIndex", f"it is listed with the start {score!r}, not {head.started_at}")
    if trail.first is None:
        yield Finding("BrokenChain", "it has no history")
        return
    if execution_id_of(head.arn) != found.id.partition(".")[0]:
        yield Finding("BrokenHeader", f"{head.arn} is not its ARN")
    _, at = trail.first
    if at is not None and not -_EARLY_MS <= at - head.started_at <= _LATE_MS:
        yield Finding("BrokenHeader", f"it started at {head.started_at}, but the history begins at {at}", 1)


def differences_of_end(found: Inspected, trail: Trail) -> Iterator[Finding]:
    """What the header says of the end that the history does not."""
    if not trail.understood:
        return
    status = found.text("st")
    if trail.ended is None:
        if status != "RUNNING":
            yield Finding("WrongEnd", f"it is {status}, but its history has no end")
        return
    type_, details, at = trail.ended
    if status != ENDS[type_]:
        yield Finding("WrongEnd", f"it is {status}, but its history ends with {type_}", trail.length)
        return
    for name in ("output", "error", "cause"):
        stored = codec.optional(found.header.get(name))
        if stored != details.get(name):
            yield Finding("WrongEnd", f"its {name} is not that of its last event", trail.length)
    stopped = int(found.header.get("t1", b"-1")) if found.text("t1").isdigit() else -1
    if at is not None and not (stopped <= at if status == "TIMED_OUT" else stopped == at):
        yield Finding("WrongEnd", f"it ended at {stopped}, but its last event is of {at}", trail.length)


def stored_frame(parts: FrameParts, frame: Frame | None) -> StoredFrame:
    """What is compared of a frame with the history."""
    if frame is None:
        return StoredFrame(parts.id, Phase.ENTER, "", 0, int(parts.fields.get("prev", 0)), begun=False)
    return StoredFrame(
        parts.id,
        frame.phase,
        frame.state,
        int(parts.fields.get("entered", 0)),
        int(parts.fields["prev"]),
        submitted=frame.task is not None and frame.task.submitted,
        waits=parts.waits,
    )
