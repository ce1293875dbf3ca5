"""Query languages whose expressions stand between `{%` and `%}`: everything but the expressions themselves.

The fields are Arguments, Output, Assign, Items, ItemSelector and Condition, and any other that takes an expression for
its value (Seconds, Timestamp, TimeoutSeconds, Error …).  Text inside objects and arrays is evaluated at any depth,
member names never are (AWS documentation, "Transforming data with JSONata").

The words of all errors are AWS's, as far as they have been recorded: map_state_items_eval_jsonata_fail,
map_state_items_input_types, undefined_reference, wait_timestamp_jsonata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from statewright.errors import EvaluationError
from statewright.lang.dataflow import Catch, Dataflow, Items, Rule, Value, takes_object, whole_text
from statewright.lang.expression import Expression, ExpressionError, source
from statewright.lang.scope import MISSING, Scope, as_text
from statewright.lang.template import MANY, bounded
from statewright.lang.timestamps import parse_instant
from statewright.values import Json, json_type

__all__ = ["ExpressionLanguage"]

_Evaluate: TypeAlias = Callable[[Scope, Mapping[str, Json]], Json]
"""(scope, further members of `states`) to a value."""

_WITH_RESULT: Final = frozenset({"Task", "Parallel", "Map"})
"""The state types whose Output and Assign see `states.result` (AWS documentation, "Reserved variable: $states")."""

_LARGEST: Final = 2**31 - 1
"""Counts and seconds beyond this are not taken for integers (they are Java integers at AWS)."""

_ABSENT: Final = object()
_NOTHING: Final[Mapping[str, Json]] = {}


@dataclass(frozen=True, slots=True)
class _Field:
    """A value in a definition: its place in the state as AWS writes it, what it evaluates to, how to speak of it."""

    place: str
    evaluate: _Evaluate
    about: str

    def of_type(self, expected: str, fits: Callable[[Json], bool]) -> _Evaluate:
        """The same, refusing values that do not fit."""

        def value(scope: Scope, more: Mapping[str, Json]) -> Json:
            found = self.evaluate(scope, more)
            if not fits(found):
                was = f"was '{json_type(found)}' for value: {as_text(found)}"
                kind = f"returned an unexpected result type. Expected '{expected}', but {was}"
                raise EvaluationError(f"{self.about} {kind}", self.place)
            return found

        return value

    def number(self) -> _Field:
        """The same, refusing what is not a number at all: the expected type is a JSON type, as the recorded ones are
        (AWS documentation, "Transforming data with JSONata": TimeoutSeconds requires a numeric input)."""
        return replace(self, evaluate=self.of_type("number", _is_number))


def _is_whole(value: Json) -> bool:
    return _is_number(value) and value == int(value) and abs(value) <= _LARGEST


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class ExpressionLanguage:
    """A query language made from the compiler of its expressions.

    Arguments:
        name: as `QueryLanguage` has it.
        compile_expression: text without braces to an expression; raises PathSyntaxError.
    """

    def __init__(self, name: str, compile_expression: Callable[[str], Expression]) -> None:
        self.name = name
        self._compile = compile_expression

    # -- values ---------------------------------------------------------------------------------------------------
    def _field(self, spec: Mapping[str, Any], name: str, within: str = "") -> _Field | None:
        """A field of a state (or of the catcher or rule that is `within`); None where it is absent."""
        value = spec.get(name, _ABSENT)
        if value is _ABSENT:
            return None
        place = f"{within}/{name}" if within else name
        text = source(value)
        if text is not None:
            return _Field(place, self._value(value, place), self._about(text, place))
        evaluate, about = self._value(value, place), f"The value specified for the field '{place}'"
        return _Field(place, _bounded(evaluate) if _expressions(value) > MANY else evaluate, about)

    def _about(self, text: str, place: str) -> str:
        return f"The {self.name} expression '{text}' specified for the field '{place}'"

    def _value(self, value: Json, place: str) -> _Evaluate:
        """A value with expressions in it as a function; places inside are written ``Output/a[0]/b``."""
        if isinstance(value, dict):
            members = {name: self._value(member, f"{place}/{name}") for name, member in value.items()}
            return lambda scope, more: {name: member(scope, more) for name, member in members.items()}
        if isinstance(value, list):
            items = [self._value(item, f"{place}[{index}]") for index, item in enumerate(value)]
            return lambda scope, more: [item(scope, more) for item in items]
        text = source(value)
        return (lambda _scope, _more: value) if text is None else self._expression(text, place)

    def _expression(self, text: str, place: str) -> _Evaluate:
        compiled = self._compile(text)
        about = self._about(text, place)

        def value(scope: Scope, more: Mapping[str, Json]) -> Json:
            try:
                found = compiled.evaluate(scope, more)
            except ExpressionError as error:
                raise EvaluationError(f"{about} {error}", place) from None
            if found is MISSING:
                raise EvaluationError(f"{about} returned nothing (undefined).", place)
            return found

        return value

    # -- what every state, catcher and rule has -------------------------------------------------------------------
    def dataflow(self, spec: Mapping[str, Any]) -> Dataflow:
        """See `Language.dataflow`."""
        arguments, output, assign = (self._field(spec, name) for name in ("Arguments", "Output", "Assign"))
        member = "result" if spec.get("Type") in _WITH_RESULT else None
        return Dataflow(
            lambda scope: scope.input,
            lambda scope, effective: effective if arguments is None else arguments.evaluate(scope, _NOTHING),
            _evaluated(output, member) or (lambda _, result: result),
            _evaluated(assign, member),
        )

    def catcher(self, spec: Mapping[str, Any], place: str) -> Catch:
        """See `Language.catcher`; without Output the Error Output is passed on."""
        output, assign = (self._field(spec, name, place) for name in ("Output", "Assign"))
        return Catch(_evaluated(output, "errorOutput") or (lambda _, error: error), _evaluated(assign, "errorOutput"))

    def rule(self, spec: Mapping[str, Any], place: str) -> Rule:
        """See `Language.rule`; the state's own Output is for Default only."""
        condition, output, assign = (self._field(spec, name, place) for name in ("Condition", "Output", "Assign"))
        if condition is None:
            raise KeyError("Condition")
        holds = condition.of_type("boolean", lambda value: isinstance(value, bool))
        passed = _evaluated(output, None) or (lambda _, effective: effective)
        return Rule(lambda scope, _: holds(scope, _NOTHING), passed, _evaluated(assign, None))

    # -- single fields --------------------------------------------------------------------------------------------
    def integer(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """See `Language.integer`."""
        read = self._field(spec, field)
        if read is None:
            return None
        whole = read.number().of_type("integer", _is_whole)

        def value(scope: Scope, _: Json) -> int:
            number = int(whole(scope, _NOTHING))
            if number < 0:
                raise EvaluationError(f"{field} cannot be negative.", field)
            return number

        return value

    def percentage(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """See `Language.percentage`."""
        read = self._field(spec, field)
        if read is None:
            return None
        number = read.number()

        def value(scope: Scope, _: Json) -> float:
            found: float = number.evaluate(scope, _NOTHING)
            if not 0 <= found <= 100:
                raise EvaluationError(f"{field} must be between 0 and 100.", field)
            return found

        return value

    def seconds(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.seconds`."""
        return self.integer(spec, "Seconds")

    def timestamp(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.timestamp`."""
        read = self._field(spec, "Timestamp")
        if read is None:
            return None
        text = read.of_type("string", lambda value: isinstance(value, str))

        def value(scope: Scope, _: Json) -> int:
            found = text(scope, _NOTHING)
            moment = parse_instant(found)
            if moment is None:
                expected = "an ISO-8601 extended offset date-time format string"
                cause = f"The Timestamp field cannot be parsed as {expected}: {found}"
                raise EvaluationError(cause, "Timestamp", begun=True)
            return moment // 1_000_000

        return value

    def text(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """See `Language.text`."""
        read = self._field(spec, field)
        if read is None:
            return None
        text = read.of_type("string", lambda value: isinstance(value, str))
        return lambda scope, _: text(scope, _NOTHING)

    def credentials(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.credentials`."""
        if "Credentials" not in spec:
            return None
        read = self._field(spec["Credentials"], "RoleArn", "Credentials")
        if read is None:
            raise KeyError("RoleArn")
        text = read.of_type("string", lambda value: isinstance(value, str))
        return lambda scope, _: text(scope, _NOTHING)

    def items(self, spec: Mapping[str, Any]) -> Items:
        """See `Language.items` (recorded: map_state_items_eval_jsonata_fail, map_state_items_input_types)."""
        read = self._field(spec, "Items")
        objects = takes_object(spec)
        given = (
            None
            if read is None
            else read.of_type("array", lambda value: isinstance(value, list | dict if objects else list))
        )

        def items(scope: Scope, effective: Json) -> tuple[list[Json], list[str] | None]:
            found = effective if given is None else given(scope, _NOTHING)
            if objects and isinstance(found, dict):
                return list(found.values()), list(found)
            if not isinstance(found, list):
                raise EvaluationError(f"Map state input must be an array but was: {as_text(found)}")
            return found, None

        return items

    def selector(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.selector`."""
        return _evaluated(self._field(spec, "ItemSelector"))

    def count(self, spec: Mapping[str, Any], field: str, within: str) -> Value | None:
        """See `Language.count`."""
        read = self._field(spec, field, within)
        if read is None:
            return None
        whole = read.of_type("integer", lambda found: _is_whole(found) or _writes_whole(found))
        return lambda scope, _: int(whole(scope, _NOTHING))

    def parameters(self, spec: Mapping[str, Any], within: str) -> Value | None:
        """See `Language.parameters`."""
        return _evaluated(self._field(spec, "Arguments", within))

    def batch_input(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.batch_input`."""
        return _evaluated(self._field(spec, "BatchInput", "ItemBatcher"))


def _writes_whole(value: Json) -> bool:
    return isinstance(value, str) and whole_text(value) is not None


def _expressions(value: Json) -> int:
    """How many expressions there are in a value."""
    if isinstance(value, dict | list):
        return sum(map(_expressions, value.values() if isinstance(value, dict) else value))
    return int(source(value) is not None)


def _bounded(evaluate: _Evaluate) -> _Evaluate:
    def value(scope: Scope, more: Mapping[str, Json]) -> Json:
        return bounded(evaluate(scope, more))

    return value


def _evaluated(field: _Field | None, member: str | None = None) -> Callable[[Scope, Json], Json] | None:
    """The value of a field; of one that is evaluated when work is done, the outcome is the `member` of `states`."""
    if field is None:
        return None
    if member is None:
        return lambda scope, _: field.evaluate(scope, _NOTHING)
    return lambda scope, outcome: field.evaluate(scope, {member: outcome})
