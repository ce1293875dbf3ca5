"""The distributed Map: its items are worked on by child executions, which a worker starts as there is room for them.

Here is what that means for data: what the state evaluates when it is entered (`Distributed.order`), and the input of
each child execution (`Feeding`).  Reading files, starting children and keeping count is done above, in `drive`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from msgspec.structs import replace

from statewright.arn import arn_within, uuid_of
from statewright.errors import StatesError, runtime_error
from statewright.lang.dataflow import Dataflow, Language, Value
from statewright.lang.scope import Entropy
from statewright.model import Item, MapRun
from statewright.states.base import Turn
from statewright.values import Json, NotJsonError, Payload

__all__ = ["Distributed", "Feeding", "Selecting", "label_of"]

_CONCURRENCY: Final = 1_000
"""Children that run at once where MaxConcurrency is absent or 0."""

_MOST_CHILDREN: Final = 10_000
"""MaxConcurrency beyond this means this (AWS documentation, quotas)."""

_BATCH_BYTES: Final = 262_144
"""Largest MaxInputBytesPerBatch (AWS documentation)."""


def label_of(definition: str, name: str) -> str:
    """The label of a Map state without `Label`: it follows from the definition (its content hash) and the state's name.

    Example: ``len(label_of("ab12", "Ship")) == 36``
    """
    return uuid_of(definition, name)


@dataclass(frozen=True, slots=True)
class _Part:
    """ItemReader or ResultWriter: Resource, arguments and configuration."""

    resource: str | None
    arguments: Value | None
    config: Mapping[str, Json]
    max_items: Value | None = None

    @classmethod
    def of(cls, spec: Mapping[str, Any] | None, field: str, config: str, language: Language) -> _Part | None:
        if spec is None:
            return None
        settings = spec.get(config, {})
        fixed = {name: value for name, value in settings.items() if name not in ("MaxItems", "MaxItemsPath")}
        max_items = language.count(settings, "MaxItems", f"{field}/{config}")
        return cls(spec.get("Resource"), language.parameters(spec, field), fixed, max_items)

    def evaluate(self, turn: Turn, effective: Json, config: str) -> Payload:
        scope = turn.scope()
        settings = dict(self.config)
        if self.max_items is not None:
            settings["MaxItems"] = self.max_items(scope, effective)
        arguments = self.arguments(scope, effective) if self.arguments else {}
        return turn.payload({"Resource": self.resource, "Arguments": arguments, config: settings})


@dataclass(frozen=True, slots=True)
class _Batcher:
    """ItemBatcher: how many items one child execution works on."""

    items: Value | None
    size: Value | None
    input: Value | None

    @classmethod
    def of(cls, spec: Mapping[str, Any] | None, language: Language) -> _Batcher | None:
        if spec is None:
            return None
        return cls(
            language.count(spec, "MaxItemsPerBatch", "ItemBatcher"),
            language.count(spec, "MaxInputBytesPerBatch", "ItemBatcher"),
            language.batch_input(spec),
        )

    def evaluate(self, turn: Turn, effective: Json) -> tuple[int, int, Payload | None]:
        """How many items and bytes a batch has at most (0: any number), and BatchInput."""
        scope = turn.scope()
        items = _positive(self.items and self.items(scope, effective), "MaxItemsPerBatch")
        size = _positive(self.size and self.size(scope, effective), "MaxInputBytesPerBatch")
        return (
            items,
            min(size, _BATCH_BYTES),
            None if self.input is None else turn.payload(self.input(scope, effective)),
        )


def _positive(number: int | None, field: str) -> int:
    if number is not None and number <= 0:
        raise runtime_error(f"{field} must be a positive integer but was: {number}")
    return number or 0


@dataclass(frozen=True, slots=True)
class Distributed:
    """What a Map state has besides where its Mode is DISTRIBUTED."""

    execution_type: str
    label: str | None
    reader: _Part | None
    batcher: _Batcher | None
    writer: _Part | None

    @classmethod
    def compile(cls, spec: Mapping[str, Any], processor: str, language: Language) -> Distributed | None:
        """The compiled fields; None where the Map is an inline one."""
        config = spec[processor].get("ProcessorConfig", {})
        if config.get("Mode") != "DISTRIBUTED":
            return None
        return cls(
            config.get("ExecutionType", "STANDARD"),
            spec.get("Label"),
            _Part.of(spec.get("ItemReader"), "ItemReader", "ReaderConfig", language),
            _Batcher.of(spec.get("ItemBatcher"), language),
            _Part.of(spec.get("ResultWriter"), "ResultWriter", "WriterConfig", language),
        )

    def order(
        self,
        turn: Turn,
        effective: Json,
        *,
        machine: str,
        concurrency: int,
        items: Payload | None,
        keys: tuple[str, ...],
        tolerated_count: int | None,
        tolerated_percentage: float | None,
    ) -> MapRun:
        """The map run that the state starts.

        Arguments:
            turn, effective: of the Map state, and its effective input.
            concurrency: its MaxConcurrency, 0 where it has none.
            machine, items, keys, tolerated_count, tolerated_percentage: see `MapRun`.
        """
        label = self.label or label_of(turn.execution.definition, turn.frame.state)
        reader = None if self.reader is None else self.reader.evaluate(turn, effective, "ReaderConfig")
        writer = None if self.writer is None else self.writer.evaluate(turn, effective, "WriterConfig")
        batch_items, batch_bytes, batch_input = (
            (0, 0, None) if self.batcher is None else self.batcher.evaluate(turn, effective)
        )
        return MapRun(
            epoch=turn.frame.epoch + 1,
            arn=arn_within(f"{turn.execution.machine_arn}/{label}", "mapRun", turn.order_id()),
            machine=machine,
            execution_type=self.execution_type,
            concurrency=min(concurrency or _CONCURRENCY, _MOST_CHILDREN),
            items=items,
            keys=keys,
            reader=reader,
            batched=self.batcher is not None,
            batch_items=batch_items,
            batch_bytes=batch_bytes,
            batch_input=batch_input,
            writer=writer,
            tolerated_count=tolerated_count,
            tolerated_percentage=tolerated_percentage,
            result_bytes=turn.limits.payload_bytes if self.writer is None or self.writer.resource is None else None,
        )


class Selecting(Protocol):
    """The Map state, as far as the inputs of its children go."""

    @property
    def flow(self) -> Dataflow:
        """What it does with data."""

    def select(self, turn: Turn, effective: Json) -> Payload:
        """What a child gets of the item of `turn.frame`: the item itself, or what ItemSelector makes of it."""


class Feeding:
    """Makes the inputs of child executions, for a worker that feeds a map run.

    Arguments:
        turn: with the Map state's frame.
        state: the Map state.
        run: the map run.
        located: adds to an error where it happened.

    Example: ``feeding.input([feeding.select(Item(0, payload))])``
    """

    def __init__(
        self, turn: Turn, state: Selecting, run: MapRun, located: Callable[[StatesError | NotJsonError], StatesError]
    ) -> None:
        self._turn = turn
        self._state = state
        self._run = run
        self._located = located
        self._effective = state.flow.effective(turn.scope())
        self._head = 2 + len('"Items":[]')
        if run.batch_input is not None:
            self._head += len('"BatchInput":,') + len(run.batch_input.text.encode())

    def select(self, item: Item) -> Payload:
        """What a child gets of one item; StatesError, located, where ItemSelector fails."""
        frame = self._turn.frame
        self._turn.frame = replace(frame, item=item)
        # Whoever selects an item again after a crash gets the same: batches are cut where they were.
        self._turn.entropy = Entropy(f"{self._run.arn}/{item.index}")
        try:
            return self._state.select(self._turn, self._effective)
        except (StatesError, NotJsonError) as error:
            raise self._located(error) from None
        finally:
            self._turn.frame = frame

    def batch(self, waiting: Sequence[Payload], more: bool) -> int:
        """How many of the items that wait make up the next child's input; 0: that depends on those to come."""
        run = self._run
        if not waiting or not run.batched:
            return min(len(waiting), 1)
        most = run.batch_items or len(waiting) + 1
        size = self._head
        for count, item in enumerate(islice(waiting, most if run.batch_bytes else 0)):
            size += len(item.text.encode()) + 1
            if size > run.batch_bytes:
                return max(count, 1)
        return min(len(waiting), most) if len(waiting) >= most or not more else 0

    def input(self, items: Sequence[Payload]) -> Payload:
        """The input of a child that works on these items (AWS documentation, "ItemBatcher").

        Raises States.DataLimitExceeded where it is too large.
        """
        run = self._run
        if not run.batched:
            [payload] = items
        else:
            head = "" if run.batch_input is None else f'"BatchInput":{run.batch_input.text},'
            payload = Payload.parse(f'{{{head}"Items":[{",".join(item.text for item in items)}]}}')
        if len(payload.text.encode()) > self._turn.limits.payload_bytes:
            raise StatesError(
                "States.DataLimitExceeded",
                f"The input of a child execution of '{self._turn.frame.state}' exceeds the maximum number of bytes "
                "service limit.",
                in_state=False,
            )
        return payload
