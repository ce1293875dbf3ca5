"""Handlers from a Python file or module, as ``--functions`` names them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from statewright.errors import StatewrightError
from statewright.tasks.registry import Handler

__all__ = ["load_functions", "task"]

F = TypeVar("F", bound=Handler)
_MARK = "__statewright_task__"


def task(name: str) -> Callable[[F], F]:
    """Mark a function as the handler of the resource `name`; `load_functions` finds it.

    Example::

        @task("charge-card")
        def charge(order, context): ...
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, name)
        return function

    return mark


def load_functions(source: str | Path) -> dict[str, Handler]:
    """The handlers of a module, by resource name.

    They are the members of a dict called TASKS, and the functions marked with `task`; where there is neither, every
    public function that is defined in the module itself, under its own name.

    Arguments:
        source: path of a ``.py`` file, or the dotted name of a module.  A file's folder is put on the import path, as
            Python does with a script's, so that files beside it can be imported.

    Raises StatewrightError InvalidFunctions if it cannot be found or imported, or holds no function.

    Example: ``Engine(tasks=load_functions("handlers.py"))``
    """
    module = _load(source)
    functions: dict[str, Handler] = {}
    listed = getattr(module, "TASKS", None)
    if isinstance(listed, dict):
        functions |= {str(name): handler for name, handler in listed.items() if callable(handler)}
    members = {name: value for name, value in vars(module).items() if callable(value)}
    functions |= {
        getattr(value, _MARK): value for value in members.values() if isinstance(getattr(value, _MARK, None), str)
    }
    if not functions:
        functions = {
            name: value
            for name, value in members.items()
            if inspect.isfunction(value) and not name.startswith("_") and value.__module__ == module.__name__
        }
    if not functions:
        raise StatewrightError("InvalidFunctions", f"{source} defines no function that could do a task")
    return functions


def _load(source: str | Path) -> ModuleType:
    try:
        if isinstance(source, Path) or source.endswith(".py"):
            return _load_file(Path(source))
        return importlib.import_module(source)
    except Exception as error:  # the user's code runs here: whatever it raises is about that code
        raise StatewrightError(
            "InvalidFunctions", f"cannot import {source}: {type(error).__name__}: {error}"
        ) from error


def _load_file(path: Path) -> ModuleType:
    path = path.resolve(strict=True)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = f"statewright_functions.{path.stem}"  # apart from what `import` finds, so that nothing is shadowed
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look modules up there
    spec.loader.exec_module(module)
    return module
