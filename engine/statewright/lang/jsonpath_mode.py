"""JSONPath as a query language: InputPath, Parameters, ResultSelector, ResultPath and OutputPath made into a Dataflow.

The order is: raw input, InputPath, Parameters, the work, ResultSelector, ResultPath (merged into the *raw* input),
OutputPath (States Language, "Input and Output Processing").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from statewright.errors import runtime_error
from statewright.lang.comparison import OPERATORS
from statewright.lang.dataflow import Assign, Catch, Dataflow, Items, Rule, Value, takes_object, whole_text
from statewright.lang.jsonpath import Path, compile_path
from statewright.lang.scope import MISSING, Scope, as_text
from statewright.lang.template import TemplateError, compile_expression, compile_template
from statewright.lang.timestamps import parse_instant
from statewright.values import Json

__all__ = ["JSONPATH", "JsonPathLanguage"]

_ABSENT: Final = object()
_LARGEST: Final = 2**31 - 1
"""Counts and seconds beyond this are not taken for integers (they are Java integers at AWS)."""


def _processing_path(spec: Mapping[str, Any], field: str) -> Callable[[Scope], Json] | None:
    """InputPath or OutputPath: None for the default `$`; null means the empty object (recorded)."""
    text = spec.get(field, "$")
    if text is None:
        return lambda _: {}
    return None if text == "$" else compile_path(text).require


def _result_path(spec: Mapping[str, Any]) -> Callable[[Json, Json], Json]:
    """ResultPath: (raw input, result) to what goes on."""
    text = spec.get("ResultPath", "$")
    if text is None:
        return lambda raw, _: raw
    if text == "$":
        return lambda _, result: result
    path = compile_path(text)
    return path.replace


def _assign(spec: Mapping[str, Any]) -> Assign | None:
    if "Assign" not in spec:
        return None
    template = compile_template(spec["Assign"], "Assign")
    if not isinstance(spec["Assign"], dict):
        raise TemplateError("Assign must be an object", 0, "Assign")

    def assign(scope: Scope, dollar: Json) -> Mapping[str, Json]:
        variables: Mapping[str, Json] = template.evaluate(scope.with_input(dollar))
        return variables

    return assign


def _condition(rule: Mapping[str, Any]) -> Callable[[Scope], bool]:
    """A Choice rule as a function of a scope whose `$` is the effective input."""
    if "And" in rule:
        parts = [_condition(each) for each in rule["And"]]
        return lambda scope: all(part(scope) for part in parts)
    if "Or" in rule:
        parts = [_condition(each) for each in rule["Or"]]
        return lambda scope: any(part(scope) for part in parts)
    if "Not" in rule:
        negated = _condition(rule["Not"])
        return lambda scope: not negated(scope)
    return _comparison(rule)


def _comparison(rule: Mapping[str, Any]) -> Callable[[Scope], bool]:
    [name, *_] = [key for key in rule if key in OPERATORS]
    operator, operand = OPERATORS[name], rule[name]
    variable = compile_path(rule["Variable"])
    if name == "IsPresent":  # the only operator that may name what is not there
        return lambda scope: (variable.resolve(scope) is not MISSING) is operand
    left = _choice_value(variable)
    if not operator.takes_path:
        return lambda scope: operator.compare(left(scope), operand)
    right = _choice_value(compile_path(operand))
    return lambda scope: operator.compare(left(scope), right(scope))


def _choice_value(path: Path) -> Callable[[Scope], Json]:
    """The value a comparison looks at; AWS words its absence differently here than elsewhere."""

    def value(scope: Scope) -> Json:
        found = path.resolve(scope)
        if found is MISSING:
            raise runtime_error(
                f"Invalid path '{path.shown}': The choice state's condition path references an invalid value."
            )
        return found

    return value


def _whole(value: Json, field: str, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return value
    shown = value if isinstance(value, str) else as_text(value)
    raise runtime_error(f'The {field} field refers to value "{shown}" which is not a valid integer: {path}')


class JsonPathLanguage:
    """`QueryLanguage: JSONPath`, the default."""

    name = "JSONPath"

    def dataflow(self, spec: Mapping[str, Any]) -> Dataflow:
        """See `Language.dataflow`."""
        read = _processing_path(spec, "InputPath")
        write = _processing_path(spec, "OutputPath")
        parameters = compile_template(spec["Parameters"], "Parameters") if "Parameters" in spec else None
        selector = compile_template(spec["ResultSelector"], "ResultSelector") if "ResultSelector" in spec else None
        merge = _result_path(spec)

        def effective(scope: Scope) -> Json:
            return scope.input if read is None else read(scope)

        def arguments(scope: Scope, effective_input: Json) -> Json:
            return effective_input if parameters is None else parameters.evaluate(scope.with_input(effective_input))

        def output(scope: Scope, result: Json) -> Json:
            if selector is not None:
                result = selector.evaluate(scope.with_input(result))
            merged = merge(scope.input, result)
            return merged if write is None else write(scope.with_input(merged))

        return Dataflow(effective, arguments, output, _assign(spec))

    def catcher(self, spec: Mapping[str, Any], place: str) -> Catch:  # noqa: ARG002  paths name themselves
        """See `Language.catcher`: ResultPath puts the Error Output into the raw input; OutputPath does not apply."""
        merge = _result_path(spec)
        return Catch(lambda scope, error: merge(scope.input, error), _assign(spec))

    def rule(self, spec: Mapping[str, Any], place: str) -> Rule:  # noqa: ARG002
        """See `Language.rule`."""
        condition = _condition(spec)
        return Rule(lambda scope, effective: condition(scope.with_input(effective)), None, _assign(spec))

    def integer(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """See `Language.integer`; wordings as recorded for ToleratedFailureCountPath."""
        read = self._field(spec, field)
        if read is None:
            return None
        source, path = read

        def value(scope: Scope, effective: Json) -> int:
            number = _whole(source(scope, effective), f"{field}Path", path)
            if number < 0:
                raise runtime_error(f"{field} cannot be negative.")
            return number

        return value

    def percentage(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """See `Language.percentage`; wordings as for a count, with the type and the range that the API model gives it
        (UpdateMapRun: a Float from 0 to 100)."""
        read = self._field(spec, field)
        if read is None:
            return None
        source, path = read

        def value(scope: Scope, effective: Json) -> float:
            found = source(scope, effective)
            if isinstance(found, bool) or not isinstance(found, int | float):
                shown = found if isinstance(found, str) else as_text(found)
                raise runtime_error(
                    f'The {field}Path field refers to value "{shown}" which is not a valid float: {path}'
                )
            if not 0 <= found <= 100:
                raise runtime_error(f"{field} must be between 0 and 100.")
            return found

        return value

    def seconds(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.seconds`."""
        read = self._field(spec, "Seconds")
        if read is None:
            return None
        source, path = read

        def value(scope: Scope, effective: Json) -> int:
            found = source(scope, effective)
            if isinstance(found, bool) or not isinstance(found, int):
                raise runtime_error(
                    f"The SecondsPath parameter cannot be parsed as a long value: {path} == {as_text(found)}"
                )
            if found < 0:
                raise runtime_error(f"The SecondsPath parameter references a negative value: {path} == {found}")
            return found

        return value

    def timestamp(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.timestamp`; wording as recorded."""
        read = self._field(spec, "Timestamp")
        if read is None:
            return None
        source, path = read

        def value(scope: Scope, effective: Json) -> int:
            found = source(scope, effective)
            moment = parse_instant(found) if isinstance(found, str) else None
            if moment is None:
                raise runtime_error(
                    "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time "
                    f"format string: {path} == {_shown(found)}"
                )
            return moment // 1_000_000

        return value

    def text(self, spec: Mapping[str, Any], field: str) -> Value | None:
        """See `Language.text`: a literal, a path or an intrinsic function."""
        if field in spec:
            literal = spec[field]
            return lambda _scope, _effective: literal
        if f"{field}Path" not in spec:
            return None
        expression = compile_expression(spec[f"{field}Path"], f"{field}Path")

        def value(scope: Scope, effective: Json) -> str:
            found = expression.evaluate(scope.with_input(effective))
            if not isinstance(found, str):
                raise runtime_error(f"The {field}Path field must reference a string value but was: {_shown(found)}")
            return found

        return value

    def credentials(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.credentials`."""
        if "Credentials" not in spec:
            return None
        template = compile_template(spec["Credentials"], "Credentials")
        return lambda scope, effective: template.evaluate(scope.with_input(effective))["RoleArn"]

    def items(self, spec: Mapping[str, Any]) -> Items:
        """See `Language.items`."""
        path = compile_path(spec.get("ItemsPath", "$"))
        objects = takes_object(spec)

        def items(scope: Scope, effective: Json) -> tuple[list[Json], list[str] | None]:
            found = path.require(scope.with_input(effective))
            if objects and isinstance(found, dict):
                return list(found.values()), list(found)
            if not isinstance(found, list):
                raise runtime_error(f'Reference path "{path.shown}" must point to array.')
            return found, None

        return items

    def selector(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.selector`; `Parameters` is the legacy name."""
        return self._template(spec, "ItemSelector" if "ItemSelector" in spec else "Parameters")

    def count(self, spec: Mapping[str, Any], field: str, within: str) -> Value | None:  # noqa: ARG002
        """See `Language.count`."""
        read = self._field(spec, field)
        if read is None:
            return None
        source, path = read

        def value(scope: Scope, effective: Json) -> int:
            found = source(scope, effective)
            number = whole_text(found) if isinstance(found, str) else None
            return _whole(found, f"{field}Path", path) if number is None else number

        return value

    def parameters(self, spec: Mapping[str, Any], within: str) -> Value | None:  # noqa: ARG002
        """See `Language.parameters`."""
        return self._template(spec, "Parameters")

    def batch_input(self, spec: Mapping[str, Any]) -> Value | None:
        """See `Language.batch_input`."""
        return self._template(spec, "BatchInput")

    def _template(self, spec: Mapping[str, Any], field: str) -> Value | None:
        if field not in spec:
            return None
        template = compile_template(spec[field], field)
        return lambda scope, effective: template.evaluate(scope.with_input(effective))

    def _field(self, spec: Mapping[str, Any], field: str) -> tuple[Value, str] | None:
        """A field given as a literal or by its Path twin: how to read it, and the path's text for messages."""
        literal = spec.get(field, _ABSENT)
        if literal is not _ABSENT:
            return (lambda _scope, _effective: literal), field
        text = spec.get(f"{field}Path")
        if text is None:
            return None
        find = compile_path(text).require
        return (lambda scope, effective: find(scope.with_input(effective))), text


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else as_text(value)


JSONPATH: Final = JsonPathLanguage()
