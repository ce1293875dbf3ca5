"""ResultWriter: what the children of a distributed Map did, in files of an object store or as the state's own output.

The layout is AWS's (documentation of ResultWriter): ``<Prefix>/<id of the map run>/`` with ``SUCCEEDED_n.json``,
``FAILED_n.json`` (also for children that timed out or were stopped), ``PENDING_n.json`` and ``manifest.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from statewright.errors import StatesError
from statewright.items.objects import ObjectError, Objects, ObjectWriter, Unfinished
from statewright.values import Json, NotJsonError, decode, encode

__all__ = ["ChildResult", "Results", "Status", "WriterConfig", "open_results", "transform"]

Status: TypeAlias = Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING"]

_GROUPS: Final = {
    "SUCCEEDED": "SUCCEEDED",
    "FAILED": "FAILED",
    "TIMED_OUT": "FAILED",
    "ABORTED": "FAILED",
    "PENDING": "PENDING",
}
_PART_BYTES: Final = 5_000_000_000
"""A file that would grow beyond this goes on in the next (AWS documentation: 5 GB)."""


@dataclass(frozen=True, slots=True)
class ChildResult:
    """What became of a child execution of a distributed Map.

    Arguments:
        status: PENDING means that it was never started.
        input: JSON text.
        execution_arn, name, state_machine_arn: of the child; the state machine has the map's label.
        output: JSON text if it succeeded, else None.
        error, cause: if it did not, as far as there are any.
        started_at, stopped_at: ms since the epoch, None for what has not happened.
    """

    status: Status
    input: str
    execution_arn: str
    name: str
    state_machine_arn: str
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None

    def record(self) -> dict[str, Json]:
        """The child with all its data: what Transformation NONE gives; members that have no value are left out.

        Example: ``result.record()["Status"] == "SUCCEEDED"``
        """
        redrive = _REDRIVE[_GROUPS[self.status]]
        members: dict[str, Json] = {
            "Cause": self.cause,
            "Error": self.error,
            "ExecutionArn": self.execution_arn,
            "Input": self.input,
            "InputDetails": {"Included": True},
            "Name": self.name,
            "Output": self.output,
            "OutputDetails": None if self.output is None else {"Included": True},
            "RedriveCount": 0,
            "RedriveStatus": redrive[0],
            "RedriveStatusReason": redrive[1],
            "StartDate": _date(self.started_at),
            "StateMachineArn": self.state_machine_arn,
            "Status": self.status,
            "StopDate": _date(self.stopped_at),
        }
        return {name: value for name, value in members.items() if value is not None}


_REDRIVE: Final[dict[str, tuple[str, str | None]]] = {
    "SUCCEEDED": ("NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"),
    "FAILED": ("REDRIVABLE_BY_MAP_RUN", None),
    "PENDING": ("REDRIVABLE_BY_MAP_RUN", None),
}


def _date(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class WriterConfig:
    """A checked WriterConfig.

    Arguments:
        transformation: NONE (records), COMPACT (outputs) or FLATTEN (outputs, with arrays taken apart).
        output_type: JSON (an array) or JSONL (a line each).
    """

    transformation: str = "NONE"
    output_type: str = "JSON"

    @classmethod
    def parse(cls, config: Mapping[str, Json] | None) -> WriterConfig:
        """Check an evaluated WriterConfig; without one results are written as they are (AWS documentation).

        Raises StatesError: States.ResultWriterFailed.

        Example: ``WriterConfig.parse({"Transformation": "COMPACT", "OutputType": "JSONL"})``
        """
        config = config or {}
        transformation, output_type = config.get("Transformation", "NONE"), config.get("OutputType", "JSON")
        if transformation not in ("NONE", "COMPACT", "FLATTEN"):
            raise _unwritable("field Transformation must be one of COMPACT, FLATTEN, NONE")
        if output_type not in ("JSON", "JSONL"):
            raise _unwritable("field OutputType must be one of JSON, JSONL")
        return cls(transformation, output_type)

    def entries(self, result: ChildResult) -> Iterator[str]:
        """The JSON texts that stand for a child: its record, its output, or the elements of its output.

        A child that did not succeed is always given as its record.

        Example: ``list(WriterConfig("FLATTEN").entries(result)) == ["1", "2"]`` for the output ``[1,2]``
        """
        if self.transformation == "NONE" or result.status != "SUCCEEDED" or result.output is None:
            yield encode(result.record())
            return
        output = decode(result.output)
        if self.transformation == "FLATTEN" and isinstance(output, list):
            yield from map(encode, output)
        else:
            yield encode(output)


def transform(results: Iterable[ChildResult], config: Mapping[str, Json] | None) -> Json:
    """The output of a Map whose ResultWriter has a WriterConfig and no Resource.

    Returns an array of the entries; with OutputType JSONL the text of their lines.

    Raises StatesError: States.ResultWriterFailed for a configuration that makes no sense.

    Example: ``transform(results, {"Transformation": "COMPACT"}) == [{"a": 1}, {"a": 2}]``
    """
    writer = WriterConfig.parse(config)
    entries = (entry for result in results for entry in writer.entries(result))
    if writer.output_type == "JSONL":
        return "".join(f"{entry}\n" for entry in entries)
    return [decode(entry) for entry in entries]


def open_results(
    objects: Objects | None,
    arguments: Mapping[str, Json],
    config: Mapping[str, Json] | None,
    map_run_arn: str,
    *,
    part_bytes: int = _PART_BYTES,
) -> Results:
    """Begin to write the results of a map run.

    Arguments:
        objects: where to; None if no place for objects was configured.
        arguments: Parameters or Arguments: Bucket and, if wanted, Prefix.
        config: WriterConfig, or None.
        map_run_arn: its last part names the folder, so that writing the same results again replaces the same files.
        part_bytes: how long a file may become before another is begun.

    Raises StatesError: States.ResultWriterFailed.

    Example: ``with open_results(objects, {"Bucket": "b"}, None, arn) as results: results.add(child)``
    """
    writer = WriterConfig.parse(config)
    if objects is None:
        raise _unwritable("No object store is configured to write results to.")
    bucket, prefix = arguments.get("Bucket"), arguments.get("Prefix") or ""
    if not isinstance(bucket, str) or not bucket:
        raise _unwritable("field Bucket must be a non-empty string")
    if not isinstance(prefix, str):
        raise _unwritable("field Prefix must be a string")
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    folder = f"{prefix}{map_run_arn.rpartition(':')[2]}/"
    try:
        objects.create(bucket, f"{folder}manifest.json").abort()  # whether that is possible, as far as it can be known
    except (ObjectError, OSError) as error:
        raise _unwritable(str(error)) from None
    return Results(objects, bucket, folder, writer, map_run_arn, part_bytes)


class Results(Unfinished):
    """The files of a map run's results, from `open_results`.  Close them; as a context manager they are closed unless
    the block raises: then what is unfinished is forgotten.
    """

    def __init__(
        self, objects: Objects, bucket: str, folder: str, config: WriterConfig, map_run_arn: str, part_bytes: int
    ) -> None:
        self._objects = objects
        self._bucket = bucket
        self._folder = folder
        self._config = config
        self._map_run_arn = map_run_arn
        self._groups = {
            group: _Parts(objects, bucket, f"{folder}{group}", config.output_type, part_bytes)
            for group in ("FAILED", "PENDING", "SUCCEEDED")
        }

    def add(self, result: ChildResult) -> None:
        """Write a child's result; children are added in their order.

        Raises StatesError: States.ResultWriterFailed.
        """
        group = self._groups[_GROUPS[result.status]]
        try:
            for entry in self._config.entries(result):
                group.add(entry.encode())
        except (ObjectError, NotJsonError, OSError) as error:
            raise _unwritable(str(error)) from None

    def close(self) -> dict[str, Json]:
        """Finish the files, write the manifest, and return the result of the Map state.

        Raises StatesError: States.ResultWriterFailed.
        """
        key = f"{self._folder}manifest.json"
        try:
            for group in self._groups.values():
                group.close()
            manifest = {
                "DestinationBucket": self._bucket,
                "MapRunArn": self._map_run_arn,
                "ResultFiles": {name: group.files for name, group in self._groups.items()},
            }
            with self._objects.create(self._bucket, key) as stream:
                stream.write(encode(manifest).encode())
        except (ObjectError, OSError) as error:
            self.abort()
            raise _unwritable(str(error)) from None
        return {"MapRunArn": self._map_run_arn, "ResultWriterDetails": {"Bucket": self._bucket, "Key": key}}

    def abort(self) -> None:
        """Forget the files that are not finished."""
        for group in self._groups.values():
            group.abort()


class _Parts:
    """The files of one group of results; `files` are the manifest's entries for those that are finished."""

    def __init__(self, objects: Objects, bucket: str, stem: str, output_type: str, part_bytes: int) -> None:
        self.files: list[dict[str, Json]] = []
        self._objects = objects
        self._bucket = bucket
        self._stem = stem
        self._suffix = output_type.lower()
        self._begin, self._between, self._end = (b"[", b",", b"]") if output_type == "JSON" else (b"", b"\n", b"\n")
        self._part_bytes = part_bytes
        self._stream: ObjectWriter | None = None
        self._size = 0

    def add(self, entry: bytes) -> None:
        """Append an entry, to another file if this one would become too long."""
        if self._stream is not None and self._size + len(self._between + entry + self._end) > self._part_bytes:
            self.close()
        before = self._between
        if self._stream is None:
            self._stream = self._objects.create(self._bucket, self._key)
            self._size, before = 0, self._begin
        self._size += self._stream.write(before + entry)

    @property
    def _key(self) -> str:
        return f"{self._stem}_{len(self.files)}.{self._suffix}"

    def close(self) -> None:
        """Finish the file that is open, if one is."""
        if self._stream is not None:
            self._size += self._stream.write(self._end)
            self._stream.close()
            self._stream = None
            self.files.append({"Key": self._key, "Size": self._size})

    def abort(self) -> None:
        """Forget the file that is open, if one is."""
        if self._stream is not None:
            with suppress(ObjectError, OSError):
                self._stream.abort()
            self._stream = None


def _unwritable(cause: str) -> StatesError:
    return StatesError("States.ResultWriterFailed", cause, in_state=False)
