"""What the languages of `{% … %}` expressions share: what an expression is, and what it can see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from statewright.lang.scope import MISSING, Missing, Scope
from statewright.values import Json

__all__ = ["Expression", "ExpressionError", "follow", "source", "visible"]


class ExpressionError(ValueError):
    """An evaluation that fails; the message completes the sentence "The … expression … specified for the field …".

    Example: ``raise ExpressionError("returned an unsupported result type.")``
    """


class Expression(Protocol):
    """A compiled expression."""

    def evaluate(self, scope: Scope, more: Mapping[str, Json]) -> Json | Missing:
        """The value, or MISSING where there is none; `more` are members of `states` besides input and context.

        Raises ExpressionError.
        """


def source(text: Json) -> str | None:
    """The expression in a text, without braces and outer blanks; None if it is a literal.

    Only what begins with exactly ``{%`` and ends with exactly ``%}`` is an expression (recorded: BASE_LAMBDA_LITERALS).

    Example: ``source("{% $x %}") == "$x"``, ``source(" {% $x %}") is None``
    """
    if isinstance(text, str) and len(text) >= 4 and text.startswith("{%") and text.endswith("%}"):
        return text[2:-2].strip()
    return None


def visible(
    scope: Scope, more: Mapping[str, Json], names: Collection[str] | None = None, *, context: bool = True
) -> dict[str, Json]:
    """The names an expression can use: `states` and the variables; only those in `names`, if given.

    The context object is made when it is asked for, so an expression that cannot look at it is spared it.

    Example: ``visible(Scope(1, {}, {"x": 2}, Entropy(0)), {}, {"x"}) == {"x": 2}``
    """
    if names is None:
        seen = dict(scope.variables)
    else:
        seen = {name: scope.variables[name] for name in names if name in scope.variables}
    if names is None or "states" in names:
        seen["states"] = {"input": scope.input, **({"context": scope.context} if context else {}), **more}
    return seen


def follow(path: Sequence[str], scope: Scope, more: Mapping[str, Json]) -> Json | Missing:
    """The value at the end of a path of names, e.g. ``["states", "input", "a"]``; MISSING where there is none.

    Raises LookupError for a variable that does not exist and where a list is on the way: what that means is a matter
    of the language.
    """
    value: Json
    rest = path[1:]
    if path[0] != "states":
        value = scope.variables[path[0]]
    elif not rest:
        value = {"input": scope.input, "context": scope.context, **more}
    else:
        member, rest = rest[0], rest[1:]
        if member == "input":
            value = scope.input
        elif member == "context":
            value = scope.context
        elif member in more:
            value = more[member]
        else:
            return MISSING
    for name in rest:
        if isinstance(value, dict):
            value = value.get(name, MISSING)
        elif isinstance(value, list):
            raise LookupError(name)
        else:
            return MISSING
    return value
