"""JSONata expressions as the States Language has them: `$states` and variables, AWS's functions, and limits.

The work is done by jlens.  It converts bindings whole but reads its input only where an expression asks, so what an
expression can see is given as the input, from which a preamble takes the names it uses; the cost of a path does not
depend on the size of the data then.  An expression that looks at the input itself (`$`, `$$`, a name without a dollar
sign) finds nothing there, as at AWS.  The result is wrapped in an object, in which undefined is an absent member and
null a present one.

jlens knows numbers as doubles, as JSONata does.  A plain path (`$states.input.a.b`) computes nothing and is followed
here, so that integers of any size pass through exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, Final

import jlens

from statewright.lang.expression import ExpressionError, follow, visible
from statewright.lang.expression_functions import FUNCTIONS
from statewright.lang.scope import MISSING, Missing, Scope
from statewright.lang.syntax import PathSyntaxError
from statewright.values import Json, weight

__all__ = ["LIMITS", "JsonataExpression", "compile_expression"]

LIMITS: Final[dict[str, Any]] = {
    "timeout": 0.25,
    "max_depth": 500,
    "max_steps": 1_000_000,
    "max_string_length": 2**20,
    "max_array_length": 50_000,
    "max_result_size": 2**20,
}
"""What one evaluation may use.  A million steps take about 50 ms and end most attacks the same way on every machine;
the time, in seconds, is for those that spend it within one step (regular expressions, products of arrays): it is what
other executions of the worker wait at most.  A text or result may be four times
the largest payload: what is larger could not be passed on."""

_PLAIN: Final = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_OPERATORS: Final = frozenset({"and", "or", "in", "true", "false", "null", "function"})
_NAME: Final = re.compile(r"\$(\w+)")
_WRAPPED: Final = {
    "distinct": '($items) {($statewright_allow("distinct", $items); $statewright_distinct($items))}',
    "keys": '($value)<x-:x> {($statewright_allow("keys", $value); $statewright_keys($value))}',
    "toMillis": '($text, $picture)<s-s?:n> {($statewright_allow("toMillis", $picture); '
    "$statewright_toMillis($text, $picture))}",
    "parse": "($text) {$statewright_parse($text).value}",
}
"""Functions that an expression gets in a form of their own, unless a variable has their name.  Three can take long in
one step of jlens, during which it does not look at the time, and ask first: `$distinct` compares every pair of items,
`$keys` every name with all different ones, `$toMillis` reads its whole picture.  What `$parse` gives is wrapped, since
null from a Python function would be taken for undefined."""

_WORK: Final = 1_000_000_000
"""What these three may do in one evaluation, in a unit of about a third of a nanosecond."""

_CHARACTERS: Final = 5_000_000
"""Characters of JSON text that go into and come out of AWS's functions in one evaluation, about a fifth of a second;
jlens looks at the time only now and then."""

_EVALUATIONS: Final = 400
"""Evaluations in one reaction to an event, plain paths not counted.  Each may take less time and fewer steps than the
one before, down to `_LEAST` of the first."""

_LEAST: Final = 0.1

_RESULTS: Final = 10_000_000
"""Characters, items and members of all results in one reaction."""

_FAULTS: Final = (jlens.JlensError, ArithmeticError, TypeError, ValueError, RecursionError)


@cache
def _limits_after(evaluations: int) -> dict[str, Any]:
    """What an evaluation may use after so many others in the same reaction (never many more than `_EVALUATIONS`)."""
    patience = max(0.8**evaluations, _LEAST)
    return LIMITS | {"timeout": LIMITS["timeout"] * patience, "max_steps": int(LIMITS["max_steps"] * patience)}


def _no_eval(*_: Any) -> Any:
    raise ValueError("The function $eval is not available")  # AWS documentation: text is never run as an expression


class _Functions:
    """The functions that jlens calls, in one evaluation."""

    __slots__ = ("_characters", "_scope", "_work")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._characters = _CHARACTERS
        self._work = _WORK

    def call(self, name: str, *arguments: Json) -> Json:
        """One of AWS's functions; ValueError where its arguments are not right or all calls together are too much."""
        value = FUNCTIONS[name].call(self._scope, *arguments)
        self._characters -= weight(value) + sum(map(weight, arguments))
        if self._characters < 0:
            raise ValueError("The arguments and results of functions are too large")
        return {"value": value} if name == "parse" else value

    @property
    def seconds(self) -> float:
        """What was used, for `Budget`: each of the two kinds of work may take a third of it."""
        return (2 - self._work / _WORK - self._characters / _CHARACTERS) / 3

    def allow(self, name: str, value: Json) -> None:
        """ValueError where a function of `_WRAPPED` has too much to do."""
        if name == "toMillis":
            self._work -= 1500 * len(value or "")
        elif isinstance(value, list) and name == "distinct":
            self._work -= len(value) * weight(value)
        elif isinstance(value, list):
            names = [member for item in value if isinstance(item, dict) for member in item]
            self._work -= 2 * len(names) * len(set(names))
        if self._work < 0:
            raise ValueError(f"${name} would take too long")


class JsonataExpression:
    """A compiled expression; see `compile_expression`.

    Arguments:
        text: without the braces and outer blanks.
    """

    __slots__ = ("_bound", "_context", "_from_input", "_functions", "_plain", "_preamble", "_program", "_text")

    def __init__(self, text: str) -> None:
        reads = jlens.Expression(text).reads(dict.fromkeys([*FUNCTIONS, "eval"], _no_eval))
        lazy = "input" not in reads and "everyBinding" not in reads
        self._from_input = reads["bindings"].keys() - FUNCTIONS.keys() if lazy else frozenset()
        states = reads["bindings"].get("states", True)
        self._context = states is True or "context" in states
        self._bound = frozenset(_NAME.findall(text)) - self._from_input
        self._functions = [name for name in FUNCTIONS if name in self._bound]
        self._preamble = "".join(f"${name} := $$.{name}; " for name in sorted(self._from_input))
        for name in sorted(self._bound & _WRAPPED.keys()):
            own = f"$statewright_{name}"
            self._preamble += (
                f'{own} := ${name}; ${name} := $type({own}) = "function" ? function{_WRAPPED[name]} : {own}; '
            )
        self._text = text
        self._program = self._compiled(f'$statewright_value := ({text}); {{"r": $statewright_value}}')
        segments = text[1:].split(".")
        plain = _PLAIN.fullmatch(text) and not _OPERATORS & set(segments)
        self._plain = segments if plain else None

    def evaluate(self, scope: Scope, more: Mapping[str, Json], root: Json = None) -> Json | Missing:
        """The value, or MISSING where the expression gives nothing (undefined).

        Arguments:
            scope: its `input` and `context` are members of `$states`, its variables are the expression's.
            more: further members of `$states`: ``result`` or ``errorOutput``.
            root: what `$`, `$$` and names without a dollar sign look at; in a state machine that is nothing.

        Raises ExpressionError where the evaluation fails or uses more than `LIMITS`.
        """
        if self._plain is not None:
            try:
                return follow(self._plain, scope, more)
            except LookupError:
                pass  # a list on the way, over which JSONata maps, or a name that may be a function's
        found = self._run(self._program, scope, more, root)
        if "r" in found:
            return found["r"]
        if self._run(self._compiled(f'{{"t": $type(({self._text}))}}'), scope, more, root).get("t") == "function":
            raise ExpressionError("returned an unsupported result type.")
        return MISSING

    def _compiled(self, source: str) -> jlens.Expression:
        program = jlens.Expression(f"({self._preamble}{source})")
        program.register_function("eval", _no_eval)
        return program

    def _run(self, program: jlens.Expression, scope: Scope, more: Mapping[str, Json], root: Json) -> Any:
        functions = _Functions(scope)
        limits = _limits_after(scope.budget.evaluations)
        bindings: dict[str, Any] = {name: partial(functions.call, name) for name in self._functions}
        if self._bound & _WRAPPED.keys():  # binding a function is dear: its signature is looked up
            bindings["statewright_allow"] = functions.allow
        bindings |= visible(
            scope, more, self._bound, context=self._context
        )  # a variable hides the function of its name
        try:
            seen = visible(scope, more, self._from_input, context=self._context) or root
            found = program.evaluate(seen, bindings, now=scope.now, **limits)
            made = len(found["r"]) / _RESULTS if isinstance(found.get("r"), str | list | dict) else 0
            if not scope.budget.spend(functions.seconds + made + 1 / _EVALUATIONS):
                raise ValueError("The expressions of the state take too long")
            return found
        except jlens.JlensError as error:
            raise ExpressionError(f"threw an error during evaluation. {error.code}: {error}") from None
        except _FAULTS as error:
            raise ExpressionError(f"threw an error during evaluation. {error}") from None


def compile_expression(text: str) -> JsonataExpression:
    """The expression that `text` is, without its braces.

    Raises PathSyntaxError with the position of what cannot be read.

    Example: ``compile_expression("1 + $x").evaluate(Scope({}, {}, {"x": 2}, Entropy(0)), {}) == 3``
    """
    try:
        return JsonataExpression(text)
    except jlens.JlensError as error:
        raise PathSyntaxError(f"{error.code}: {error}", max(error.start or 0, 0)) from None
    except _FAULTS as error:
        raise PathSyntaxError(str(error)) from None
