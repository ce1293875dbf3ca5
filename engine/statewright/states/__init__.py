"""The state types, in one table.  To add one: its file, its row here, its schema, a case."""

from __future__ import annotations

from typing import Final

from statewright.states.base import State
from statewright.states.choice import Choice
from statewright.states.containers import Map, Parallel
from statewright.states.simple import Fail, Pass, Succeed
from statewright.states.task import Task
from statewright.states.wait import Wait

__all__ = ["TYPES"]

TYPES: Final[dict[str, type[State]]] = {
    state.type: state for state in (Choice, Fail, Map, Parallel, Pass, Succeed, Task, Wait)
}
"""`Type` of the definition to the class that compiles and runs it."""
