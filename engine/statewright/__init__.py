"""Statewright: a durable state-machine engine that speaks Amazon States Language, on Redis or Valkey.

The names here are the public API; each is imported when it is first asked for, so that small programs start fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from statewright.api import ActivityTask, AsyncEngine, Engine, MapRunDescription, Metric, Metrics, Started
    from statewright.audit import Finding
    from statewright.deployment import InvalidDefinitionError
    from statewright.drive import Collected, VirtualClock
    from statewright.errors import DefinitionError, StatesError, StatewrightError
    from statewright.model import Limits
    from statewright.store.records import Description, MachineRecord, Verified
    from statewright.tasks import TaskCancelled, TaskContext, TaskError, load_functions, task

__version__ = "0.1.0"

__all__ = [
    "ActivityTask",
    "AsyncEngine",
    "Collected",
    "DeadLetter",
    "DefinitionError",
    "Description",
    "Engine",
    "Finding",
    "Incident",
    "InvalidDefinitionError",
    "Limits",
    "MachineRecord",
    "MapRunDescription",
    "Metric",
    "Metrics",
    "Started",
    "StatesError",
    "StatewrightError",
    "TaskCancelled",
    "TaskContext",
    "TaskError",
    "Verified",
    "VirtualClock",
    "load_functions",
    "task",
]

_HOME = {
    "api": ("ActivityTask", "AsyncEngine", "Engine", "MapRunDescription", "Metric", "Metrics", "Started"),
    "audit": ("Finding",),
    "deployment": ("InvalidDefinitionError",),
    "drive": ("Collected", "VirtualClock"),
    "errors": ("DefinitionError", "StatesError", "StatewrightError"),
    "model": ("Limits",),
    "store.records": ("DeadLetter", "Description", "Incident", "MachineRecord", "Verified"),
    "tasks": ("TaskCancelled", "TaskContext", "TaskError", "load_functions", "task"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return value
