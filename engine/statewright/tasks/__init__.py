"""Tasks: the functions that do the work, how a Resource finds one, and the tokens that answers come back with."""

from statewright.tasks.context import TaskCancelled, TaskContext
from statewright.tasks.failure import TaskError
from statewright.tasks.functions import load_functions, task
from statewright.tasks.registry import Call, Handler, Registry
from statewright.tasks.token import Tokens, TokenTarget

__all__ = [
    "Call",
    "Handler",
    "Registry",
    "TaskCancelled",
    "TaskContext",
    "TaskError",
    "TokenTarget",
    "Tokens",
    "load_functions",
    "task",
]
