"""What an EXPRESS execution has done since it was last written down.

An EXPRESS frame is persisted where it parks for something outside (a timer, children, an answer by token) and at its
end.  In between its steps stay in memory, and a worker that dies in between repeats them from what is stored: handlers
run at least once, under the same idempotency keys (AWS: "at-least-once workflow execution", asynchronous Express).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from statewright.model import Execution, Frame, HistoryEvent, Phase, StartTask, Step, TaskKind
from statewright.values import Payload

__all__ = ["TURN", "Unsaved"]

_STEPS = 256
_BYTES = 1_000_000
"""So much is kept in memory of one frame before it is written down all the same."""

TURN = 16
"""Steps of one frame before others get their turn."""


class Unsaved:
    """The steps of one frame that no commit has taken yet, merged into one.

    Arguments:
        room: at most so many steps; 0: every step is committed.

    Example: ``if unsaved.takes(step): frame = await unsaved.keep(step, event.at)``
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self.steps = 0
        self._history: list[HistoryEvent] = []
        self._entered: int | None = None
        self._bytes = 0

    @classmethod
    def of(cls, execution: Execution, deliveries: int) -> Unsaved:
        """What a frame of the execution may keep, delivered so often without a commit: where workers have died before,
        it is persisted step by step, so that it gets ahead whatever kills them.

        Example: ``Unsaved.of(execution, claimed.deliveries)``
        """
        return cls(_STEPS if execution.type == "EXPRESS" and deliveries <= 1 else 0)

    @property
    def length(self) -> int:
        """Number of events that are kept."""
        return len(self._history)

    def takes(self, taken: Step) -> bool:
        """Whether a step may stay in memory: it ends nothing, and orders nothing but a handler's call."""
        if self.steps >= self._room or self._bytes >= _BYTES:
            return False
        if taken.keep_timers or taken.drop or taken.closed or taken.map_run:
            return False
        if taken.frame.phase is Phase.ENTER:
            return not taken.commands
        return taken.frame.phase is Phase.TASK and all(
            isinstance(command, StartTask) and command.order.kind is TaskKind.CALL for command in taken.commands
        )

    async def keep(self, taken: Step, at: int) -> Frame:
        """Keep a step of the time `at` (ms); the frame to go on with, whose Entered event has no id yet."""
        if taken.entered is not None:
            self._entered = len(self._history) + taken.entered
        self._history += [replace(event, at=at) for event in taken.history]
        self._bytes += sum(_size(event.details) for event in taken.history)
        self.steps += 1
        if self.steps % TURN == 0:
            await asyncio.sleep(0)
        return taken.frame if self._entered is None else replace(taken.frame, entered_id=0)

    def release(self, taken: Step) -> Step:
        """`taken` and all that was kept, as one step; nothing is kept after that."""
        if not self.steps:
            return taken
        entered = self._entered if taken.entered is None else len(self._history) + taken.entered
        merged = replace(taken, history=(*self._history, *taken.history), entered=entered, keep_timers=False)
        self.steps, self._history, self._entered, self._bytes = 0, [], None, 0
        return merged


def _size(details: Mapping[str, Any] | None) -> int:
    """Bytes of an event's details, about."""
    size = 64
    for value in (details or {}).values():
        if isinstance(value, Payload):
            size += len(value.text)
        elif isinstance(value, str):
            size += len(value)
        elif isinstance(value, dict):
            size += _size(value)
    return size
