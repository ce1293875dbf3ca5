"""The engine as a library: deploy definitions, start executions, run workers, answer tasks.

`AsyncEngine` is the whole API, one module here for each noun of it; `Engine` is the same for code without an event
loop.
"""

from statewright.api.blocking import Engine
from statewright.api.engine import AsyncEngine
from statewright.api.executions import Started
from statewright.api.mapruns import MapRunDescription
from statewright.api.metrics import Metric, Metrics
from statewright.api.tasks import ActivityTask

__all__ = ["ActivityTask", "AsyncEngine", "Engine", "MapRunDescription", "Metric", "Metrics", "Started"]
