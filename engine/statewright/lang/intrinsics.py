"""Calls of intrinsic functions: compiled once, evaluated against a scope."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from statewright.errors import runtime_error
from statewright.lang.intrinsic_functions import FUNCTIONS, TEMPLATE, Function
from statewright.lang.intrinsic_parser import (
    Argument,
    Invocation,
    Literal,
    Quoted,
    parse_invocation,
    unescape,
)
from statewright.lang.jsonpath import Path, PathSyntaxError
from statewright.lang.scope import MISSING, Scope, as_text
from statewright.values import Json

__all__ = ["FUNCTIONS", "Function", "Intrinsic", "PathSyntaxError", "compile_intrinsic"]


@dataclass(frozen=True, slots=True)
class _Call:
    function: Function
    arguments: tuple[_Node, ...]


_Node: TypeAlias = _Call | Path | Literal


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A compiled call.

    Arguments:
        text: as it was written.
        paths: the paths among its arguments, also of the calls within it.
        functions: the names of the functions called, the outermost first.

    Example: ``compile_intrinsic("States.ArrayLength($.a)").evaluate(scope)``
    """

    text: str
    paths: tuple[Path, ...]
    functions: tuple[str, ...]
    _call: _Call

    def evaluate(self, scope: Scope) -> Json:
        """The value of the call.

        Raises States.Runtime ``The function '…' had the following error: …`` where a path leads to nothing or an
        argument is not right (measured on AWS).
        """
        try:
            return _evaluate(self._call, scope)
        except ValueError as error:
            reason = str(error)
        except RecursionError:
            reason = "the values are nested too deeply"
        raise runtime_error(f"The function '{self.text}' had the following error: {reason}")


def _evaluate(node: _Node, scope: Scope) -> Json:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Path):
        value = node.resolve(scope)
        if value is MISSING:
            shown = as_text(scope.input)
            raise ValueError(
                f"The JsonPath argument for the field '{node.text}' could not be found in the input '{shown}'"
            )
        return value
    arguments = [_evaluate(argument, scope) for argument in node.arguments]
    value = node.function.apply(arguments, scope.entropy)
    if not scope.budget.spend(node.function.cost(arguments)):
        raise ValueError("the functions of the state have too much to do")
    return value


@lru_cache(maxsize=512)
def compile_intrinsic(text: str) -> Intrinsic:
    """The intrinsic function call that `text` is.

    Raises PathSyntaxError with a position: for what is not a call, a function there is not, a number of arguments it
    does not take, more than ten calls within each other.

    Example: ``compile_intrinsic("States.Format('{}-{}', $.a, $$.Execution.Name)").functions == ("States.Format",)``
    """
    paths: list[Path] = []
    functions: list[str] = []
    call = _compile(parse_invocation(text), paths, functions)
    return Intrinsic(text, tuple(paths), tuple(functions), call)


def _compile(invocation: Invocation, paths: list[Path], functions: list[str]) -> _Call:
    function = FUNCTIONS.get(invocation.name)
    if function is None:
        raise PathSyntaxError(f"there is no intrinsic function '{invocation.name}'", invocation.position)
    count = len(invocation.arguments)
    if not function.takes(count):
        raise PathSyntaxError(f"{function.name} does not take {count} argument(s)", invocation.position)
    functions.append(function.name)
    parameters = (*function.parameters, *(None,) * count)
    arguments = [
        _argument(argument, parameter is TEMPLATE, paths, functions)
        for argument, parameter in zip(invocation.arguments, parameters, strict=False)
    ]
    return _Call(function, tuple(arguments))


def _argument(argument: Argument, template: bool, paths: list[Path], functions: list[str]) -> _Node:
    if isinstance(argument, Invocation):
        return _compile(argument, paths, functions)
    if isinstance(argument, Quoted):
        return Literal(argument.raw if template else unescape(argument.raw))
    if isinstance(argument, Path):
        paths.append(argument)
    return argument
