"""JMESPath expressions over `{"states": {…}, <variables>}`, by the official library, with functions and limits.

JMESPath cannot tell what is missing from null: an expression over nothing gives null, never an error.  States that
need the difference are for JSONata or JSONPath.

Functions besides the standard ones: those AWS adds to JSONata (`partition`, `range`, `hash`, `random`, `uuid`,
`parse`), and `now()` and `millis()`, the time of the event that is reacted to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jmespath.exceptions import JMESPathError, ParseError
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter

from statewright.lang.expression import ExpressionError, follow, visible
from statewright.lang.expression_functions import FUNCTIONS, Function
from statewright.lang.scope import MISSING, Scope
from statewright.lang.syntax import PathSyntaxError
from statewright.lang.timestamps import iso_time
from statewright.values import Json, check, weight

if TYPE_CHECKING:
    from jmespath.visitor import _TreeNode

__all__ = ["JmespathExpression", "compile_expression"]

_LONGEST: Final = 4096
"""Characters of an expression, so that reading it takes no time to speak of."""

_BUDGET: Final = 200_000
"""Steps of one evaluation, a few tenths of a second; what compares, joins or sorts values costs more the larger they
are."""

_LARGEST: Final = 2**20
"""Characters of JSON text a value made on the way may stand for.  Values share their parts, so without this limit a
short expression could make one that no machine can write down or compare."""

_STEP: Final = 100
"""Characters that are handled in the time of one step."""

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_MAKING: Final = frozenset({"function_expression", "flatten", "multi_select_list", "multi_select_dict"})
"""Nodes that make a new value of any size."""

_FAULTS: Final = (JMESPathError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)

_OURS: Final = {
    **FUNCTIONS,
    "now": Function("now", lambda scope: iso_time(scope.now), 0, 0),
    "millis": Function("millis", lambda scope: scope.now, 0, 0),
}


class _Functions(Functions):
    """The library's functions and ours, in one evaluation."""

    def __init__(self, scope: Scope, meter: _Meter) -> None:
        self._scope = scope
        self._meter = meter

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Json:
        """The value of a call; ValueError where the arguments are not right."""
        arguments = list(resolved_args)
        for argument in arguments:
            self._meter.look_through(argument)
        if function_name in _OURS:
            return _OURS[function_name].call(self._scope, *arguments)
        return super().call_function(function_name, arguments)


class _Meter:
    """What an evaluation has left of its budget, and how large the values are that it has made."""

    def __init__(self) -> None:
        self._left = _BUDGET
        self._weights: dict[int, int] = {}
        self._kept: list[Json] = []  # what has a weight is kept, so that its identity stays its own

    def spend(self, steps: int) -> None:
        """Take steps off the budget; ValueError when it is used up."""
        self._left -= steps
        if self._left < 0:
            raise ValueError("The evaluation takes too many steps")

    @property
    def seconds(self) -> float:
        """What was spent, for `Budget`: one evaluation may spend a third of it."""
        return (1 - self._left / _BUDGET) / 3

    def look_through(self, value: Json) -> None:
        """Pay for something that handles all of a value; ValueError if it is too large."""
        if isinstance(value, dict | list | str):
            self._kept.append(value)
            size = weight(value, self._weights)
            if size > _LARGEST:
                raise ValueError("A value is too large")
            self.spend(size // _STEP)


class _Interpreter(TreeInterpreter):
    """The library's interpreter, which counts what it does."""

    def __init__(self, scope: Scope) -> None:
        self.meter = _Meter()
        super().__init__(Options(custom_functions=_Functions(scope, self.meter)))

    def visit(self, node: _TreeNode, *args: Any, **kwargs: Any) -> Any:
        """The value of a node; ValueError where the evaluation takes too long or makes too large a value."""
        self.meter.spend(1)
        value = super().visit(node, *args, **kwargs)
        if node["type"] in _MAKING:
            self.meter.look_through(value)
        elif isinstance(value, list):
            self.meter.spend(len(value) // _STEP)
        return value

    def visit_comparator(self, node: _TreeNode, value: Any) -> Any:
        """A comparison, whose sides are paid for before it looks through them."""
        sides = [self.visit(child, value) for child in node["children"]]
        for side in sides:
            self.meter.look_through(side)
        literals: list[_TreeNode] = [{"type": "literal", "value": side, "children": []} for side in sides]
        return super().visit_comparator({**node, "children": literals}, value)


class JmespathExpression:
    """A compiled expression; see `compile_expression`.

    Arguments:
        text: without the braces and outer blanks.
    """

    __slots__ = ("_names", "_plain", "_tree")

    def __init__(self, text: str) -> None:
        self._tree = Parser().parse(text).parsed
        self._plain = text.split(".") if _PLAIN.fullmatch(text) else None
        for node in _nodes(self._tree):
            if node["type"] == "function_expression":
                name = node["value"]
                if name not in _OURS and name not in Functions.FUNCTION_TABLE:
                    raise PathSyntaxError(f"there is no function {name}()", max(text.find(f"{name}("), 0))

    def evaluate(self, scope: Scope, more: Mapping[str, Json]) -> Json:
        """The value; null also where there is none.

        Arguments:
            scope: its `input` and `context` are members of `states`, its variables are the expression's.
            more: further members of `states`: ``result`` or ``errorOutput``.

        Raises ExpressionError where the evaluation fails or uses too much.
        """
        if self._plain is not None:
            try:
                value = follow(self._plain, scope, more)
            except LookupError:  # a name has no meaning in a list, and a missing variable is null
                return None
            return None if value is MISSING else value
        interpreter = _Interpreter(scope)
        try:
            value = interpreter.visit(self._tree, visible(scope, more))
            interpreter.meter.look_through(value)
            check(value)
            if not scope.budget.spend(interpreter.meter.seconds):
                raise ValueError("The expressions of the state take too many steps")
        except _FAULTS as error:
            raise ExpressionError(f"threw an error during evaluation. {_reason(error)}") from None
        return value


def compile_expression(text: str) -> JmespathExpression:
    """The expression that `text` is, without its braces.

    Raises PathSyntaxError with the position of what cannot be read.

    Example: ``compile_expression("max(states.input)").evaluate(Scope([1, 3], {}, {}, Entropy(0)), {}) == 3``
    """
    if len(text) > _LONGEST:
        raise PathSyntaxError(f"an expression has at most {_LONGEST} characters")
    try:
        return JmespathExpression(text)
    except PathSyntaxError:
        raise
    except ParseError as error:
        message = str(error).partition(": Parse error at")[0].partition("\n")[0]
        raise PathSyntaxError(message.rstrip(":"), min(error.lex_position or 0, len(text))) from None
    except _FAULTS as error:
        raise PathSyntaxError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return "The expression is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _nodes(tree: _TreeNode) -> Iterator[_TreeNode]:
    """All nodes of a syntax tree (the children of a slice are numbers)."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(child for child in node["children"] if isinstance(child, dict))
