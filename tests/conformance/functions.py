"""AWS Lambda: the functions that the cases call, as the recordings' own `functions.py` has re-made them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from statewright import TaskContext, TaskError

__all__ = ["functions"]


@cache
def functions(source: Path) -> dict[str, Callable[..., Any]]:
    """Handlers by function name, from a module with `FUNCTIONS` and `FunctionError`."""
    specification = importlib.util.spec_from_file_location("conformance_functions", source)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    handlers = {name: _handler(module, name) for name in module.FUNCTIONS}
    return handlers | {"wait_60_seconds": _wait_60_seconds}


def _handler(module: Any, name: str) -> Callable[..., Any]:
    def call(event: Any) -> Any:
        try:
            return module.FUNCTIONS[name](event)
        except module.FunctionError as error:
            raise TaskError(error.document["errorType"], json.dumps(error.document)) from None

    return call


async def _wait_60_seconds(event: Any, context: TaskContext) -> Any:
    await context.sleep(60)
    return {}
