"""The nouns of the engine: frames, events, history, commands.  Frozen data without behaviour.

They are msgspec structs, whose changed copies (`msgspec.structs.replace`) are made at the speed of C: every step needs
several.

A **frame** is one running (sub-)machine: the root, a Parallel branch or a Map iteration.  It is the unit of state, of
claiming and of commit.  `step(program, frame, event)` answers with a `Step`: the next frame, the history it wrote and
the commands to be applied in the same atomic commit.

Times are integers in milliseconds since 1970-01-01 UTC, by the clock of the store; durations say their unit.
"""

from statewright.model.events import Continue, Event, Joined, Stopped, TaskAnswer, TaskSubmitted, TimerFired
from statewright.model.frames import (
    Execution,
    Fork,
    Frame,
    Item,
    Link,
    LinkKind,
    MachineType,
    MapRun,
    Phase,
    TaskKind,
    TaskOrder,
    TimerKind,
)
from statewright.model.limits import PROFILES, Limits
from statewright.model.steps import (
    Command,
    EndExecution,
    Finish,
    HistoryEvent,
    StartMapRun,
    StartTask,
    StartTimer,
    Step,
    Successor,
)

__all__ = [
    "PROFILES",
    "Command", "Continue", "EndExecution", "Event", "Execution", "Finish", "Fork", "Frame", "HistoryEvent", "Item",
    "Joined", "Limits", "Link", "LinkKind", "MachineType", "MapRun", "Phase", "StartMapRun", "StartTask", "StartTimer",
    "Step", "Stopped", "Successor", "TaskAnswer", "TaskKind", "TaskOrder", "TaskSubmitted", "TimerFired", "TimerKind",
]  # fmt: skip
