"""Payload templates and the expressions within them: `Parameters`, `ResultSelector`, `ItemSelector`, `Assign`, ….

A member whose name ends in ``.$`` holds a path or an intrinsic function call; its value goes under the name without
the ``.$`` (States Language, "Payload Template").  What has no expression in it is taken over as it is, not copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from statewright.errors import StatesError, runtime_error
from statewright.lang.intrinsics import Intrinsic, compile_intrinsic
from statewright.lang.jsonpath import Path, PathSyntaxError, compile_path
from statewright.lang.scope import MISSING, Scope, as_text
from statewright.values import Json, weight

__all__ = ["MANY", "Expression", "Template", "TemplateError", "bounded", "compile_expression", "compile_template"]

MANY: Final = 32
"""A template with more paths or expressions than this has its value weighed before it is made into text."""

_TEXT: Final = 16 * 1024 * 1024
"""Largest text, in characters, that such a template may stand for; the limit of a payload is far below."""

_DEPTH: Final = 100
_SUFFIX: Final = ".$"


class TemplateError(PathSyntaxError):
    """An expression or a template that cannot be compiled.

    Arguments:
        message: in AWS's words where they are recorded.
        position: 0-based offset in the expression.
        field: the name of the member at fault, e.g. ``"value.$"``.
        pointer: the names and indexes that lead from the template to the object with that member.
        detail: what exactly is wrong with the expression.

    Example: ``raise TemplateError("… must be a valid JSONPath …", 0, "value.$")``
    """

    def __init__(
        self, message: str, position: int, field: str, pointer: tuple[str | int, ...] = (), detail: str = ""
    ) -> None:
        super().__init__(message, position)
        self.field = field
        self.pointer = pointer
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Expression:
    """A path or an intrinsic function call in a field.

    Arguments:
        text: as it was written.
        field: the name of the field, for messages.
        source: the compiled path or call.

    Example: ``compile_expression("$.cause", "CausePath").evaluate(scope)``
    """

    text: str
    field: str
    source: Path | Intrinsic

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths that are used."""
        return (self.source,) if isinstance(self.source, Path) else self.source.paths

    def evaluate(self, scope: Scope) -> Json:
        """The value.

        Raises States.Runtime where a path leads to nothing (recorded: INVALID_JSONPATH_IN_STRING_EXPR_JSONPATH,
        INVALID_JSONPATH_IN_ERRORPATH) or a function fails.
        """
        if isinstance(self.source, Intrinsic):
            return self.source.evaluate(scope)
        value = self.source.resolve(scope)
        if value is MISSING:
            raise runtime_error(
                f"The JSONPath '{self.text}' specified for the field '{self.field}' "
                f"could not be found in the input '{as_text(scope.input)}'"
            )
        return value


@dataclass(frozen=True, slots=True)
class _Static:
    value: Json

    def evaluate(self, _scope: Scope) -> Json:
        return self.value


@dataclass(frozen=True, slots=True)
class _Object:
    members: tuple[tuple[str, _Node], ...]

    def evaluate(self, scope: Scope) -> Json:
        return {name: node.evaluate(scope) for name, node in self.members}


@dataclass(frozen=True, slots=True)
class _Array:
    items: tuple[_Node, ...]

    def evaluate(self, scope: Scope) -> Json:
        return [node.evaluate(scope) for node in self.items]


_Node: TypeAlias = _Static | Expression | _Object | _Array


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled payload template.

    Arguments:
        expressions: all expressions in it, in the order they are written.

    Example: ``compile_template({"x.$": "$.a", "y": 1}, "Parameters").evaluate(scope)``
    """

    expressions: tuple[Expression, ...]
    _root: _Node
    _many: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths that are used."""
        return tuple(path for expression in self.expressions for path in expression.paths)

    def evaluate(self, scope: Scope) -> Json:
        """The value of the template; raises States.Runtime as the expressions in it do.

        Raises States.DataLimitExceeded where many uses of one large value would make a text beyond all bounds.
        """
        value = self._root.evaluate(scope)
        return bounded(value) if self._many else value


def bounded(value: Json) -> Json:
    """`value`; States.DataLimitExceeded if its text would be beyond all bounds: one large value can be used many times.

    Example: ``bounded([1]) == [1]``
    """
    if weight(value) > _TEXT:
        raise StatesError("States.DataLimitExceeded", "The value of a payload template is too large.")
    return value


def compile_expression(text: Json, field: str) -> Expression:
    """The path or intrinsic function call that `text` is.

    Raises TemplateError in the words AWS has for it when a definition is created (recorded: illegal_escapes).

    Example: ``compile_expression("States.UUID()", "id.$").field == "id.$"``
    """
    if not isinstance(text, str):
        raise _invalid(field, "it must be text")
    try:
        return Expression(text, field, compile_path(text) if text.startswith("$") else compile_intrinsic(text))
    except PathSyntaxError as error:
        raise _invalid(field, error.message, error.position) from None


def _invalid(field: str, detail: str, position: int = 0) -> TemplateError:
    message = f"The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"
    return TemplateError(message, position, field, detail=detail)


def compile_template(node: Json, field: str) -> Template:
    """The payload template that `node` is.

    Arguments:
        node: any JSON value.
        field: the name of the field that holds it, e.g. ``"Parameters"``, for errors about the whole of it.

    Raises TemplateError: for an expression that is not one, two members with the same name once ``.$`` is taken
    off, and nesting over 100 levels.

    Example: ``compile_template({"a.$": "$$.Execution.Id"}, "Parameters").paths[0].text == "$$.Execution.Id"``
    """
    expressions: list[Expression] = []
    root = _compile(node, field, (), expressions)
    uses = sum(len(expression.paths) for expression in expressions)
    return Template(tuple(expressions), root, uses > MANY)


def _compile(node: Json, field: str, pointer: tuple[str | int, ...], found: list[Expression]) -> _Node:
    if len(pointer) > _DEPTH:
        raise TemplateError(f"The field '{field}' is nested more than {_DEPTH} levels deep", 0, field, pointer)
    if isinstance(node, list):
        items = tuple(_compile(item, field, (*pointer, index), found) for index, item in enumerate(node))
        return _Static(node) if all(isinstance(item, _Static) for item in items) else _Array(items)
    if not isinstance(node, dict):
        return _Static(node)
    members: dict[str, _Node] = {}
    for key, value in node.items():
        name = key.removesuffix(_SUFFIX)
        if name in members:
            raise TemplateError(f"The field '{name}' is there twice, with and without '.$'", 0, key, pointer)
        if name == key:
            members[name] = _compile(value, field, (*pointer, key), found)
        else:
            members[name] = _expression(value, key, pointer, found)
    if all(isinstance(member, _Static) for member in members.values()):
        return _Static(node)
    return _Object(tuple(members.items()))


def _expression(text: Json, key: str, pointer: tuple[str | int, ...], found: list[Expression]) -> Expression:
    try:
        found.append(compile_expression(text, key))
    except TemplateError as error:
        error.pointer = pointer
        raise
    return found[-1]
