"""Variables, and expressions between {% and %}."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from statewright.definition.problem import Pointer
from statewright.definition.rules.fields import NUMBERS, parts
from statewright.definition.rules.rule import Finding, rule
from statewright.definition.scopes import Definition, Scope, State, has_placeholder, strings
from statewright.lang import jmespath, jsonata
from statewright.lang.expression import source
from statewright.lang.syntax import PathSyntaxError

_MAX_NAME = 80
_INPUT = re.compile(r"\$\$?(?![\w$(])|(?!(?:true|false|null|function)\b)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
"""What begins at the input of a JSONata expression: ``$``, ``$$``, or a name without a dollar sign and nothing else."""
_TEST = re.compile(r"[<>=$A-Za-z]")
_COMPILERS: Final[dict[str, Callable[[str], object]]] = {
    "JSONata": jsonata.compile_expression,
    "JMESPath": jmespath.compile_expression,
}
_FIELDS = (
    "Arguments",
    "Output",
    "Assign",
    "Items",
    "ItemSelector",
    "Condition",
    "BatchInput",
    "Error",
    "Cause",
    "Timestamp",
    "Credentials",
    *sorted(NUMBERS),
)
"""The fields that may be or hold expressions."""
_VALUES = ("Arguments", "Output", "Assign", "ItemSelector", "BatchInput")
"""Those of them that make an object."""
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign", "Result", "Error", "Cause")
"""The fields of a state in JSONPath in which somebody may have put an expression."""


def _assigned(state: State) -> Iterator[tuple[Pointer, str]]:
    """Pointer and name of every variable that a state, its rules and its catchers set."""
    for pointer, value in parts(state):
        assign = value.get("Assign")
        for name in assign if isinstance(assign, dict) else ():
            plain = name.removesuffix(".$") if state.language == "JSONPath" else name
            yield (*pointer, "Assign", name), plain


def _is_name(text: str) -> bool:
    return text.isidentifier() and len(text) <= _MAX_NAME and unicodedata.is_normalized("NFKC", text)


@rule("VARIABLE_NAME", "error", "a variable cannot be called like that")
def variable_name(definition: Definition) -> Iterator[Finding]:
    """Names are Unicode identifiers of up to 80 characters; ``states`` is reserved (AWS documentation, variables)."""
    for state in definition.states:
        for pointer, name in _assigned(state):
            if name == "states":
                yield Finding(pointer, "The variable name 'states' is reserved", key=True)
            elif not _is_name(name):
                hint = "a name has letters, digits and _, and no digit in front; only whole variables can be set"
                yield Finding(pointer, f"The variable name '{name}' is not valid", hint, key=True)


@rule("VARIABLE_OF_OUTER_SCOPE", "warning", "a scope sets a variable of a scope around it")
def variable_of_outer_scope(definition: Definition) -> Iterator[Finding]:
    """Inner scopes read the variables of outer ones; they can neither set nor hide them.

    What the state around the scope itself assigns does not count: it is set after the scope has ended (recorded:
    PARALLEL_CATCH_ERROR_VARIABLE_SAMPLING).
    """
    setters: dict[Pointer, dict[str, set[str]]] = {}
    for state in definition.states:
        for _, name in _assigned(state):
            setters.setdefault(state.scope.pointer, {}).setdefault(name, set()).add(state.name)
    for state in definition.states:
        for pointer, name in _assigned(state):
            for owner in _around(state.scope):
                if setters.get(owner.scope.pointer, {}).get(name, set()) - {owner.name}:
                    message = f"The variable '{name}' belongs to an outer scope and cannot be set here"
                    yield Finding(pointer, message, "give it another name", key=True)
                    break


def _around(scope: Scope) -> Iterator[State]:
    """The states around a scope, innermost first, up to a distributed Map: its children see no variables."""
    while scope.owner is not None and not scope.owner.distributed:
        yield scope.owner
        scope = scope.owner.scope


def _texts(state: State, fields: Iterable[str] = _FIELDS) -> Iterator[tuple[Pointer, str]]:
    """Pointer and text of every string in these fields of a state, its rules, its catchers and its data sets."""
    for pointer, value in parts(state):
        for field in fields:
            yield from strings(value.get(field), (*pointer, field))


@rule("UNCLOSED_EXPRESSION", "warning", "text begins or ends like an expression, but is none")
def unclosed_expression(definition: Definition) -> Iterator[Finding]:
    """Only text that begins with exactly {% and ends with exactly %} is evaluated; anything else is taken as it is."""
    for state in definition.states:
        for place, text in _texts(state) if state.language != "JSONPath" else ():
            stripped = text.strip()
            almost = stripped.startswith("{%") or stripped.endswith("%}")
            if almost and source(text) is None:
                yield Finding(place, "This is taken as text: an expression begins with {% and ends with %}")


@rule("EXPRESSION_SYNTAX", "error", "an expression cannot be read")
def expression_syntax(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        compile_expression = _COMPILERS.get(state.language)
        if compile_expression is None:
            continue
        for place, text in _texts(state):
            expression = None if has_placeholder(text) else source(text)
            if expression is None:
                continue
            try:
                compile_expression(expression)
            except PathSyntaxError as error:
                offset = 2 + len(text[2:]) - len(text[2:].lstrip()) + error.position
                message = f"This is not a {state.language} expression"
                yield Finding(place, message, error.message, offset=offset)


@rule("EXPRESSION_IN_JSONPATH", "warning", "a state in JSONPath has an expression, which it does not evaluate")
def expression_in_jsonpath(definition: Definition) -> Iterator[Finding]:
    for state in definition.states:
        for place, text in _texts(state, _TEMPLATES) if state.language == "JSONPath" else ():
            if source(text) is not None:
                hint = 'set "QueryLanguage": "JSONata" for the state'
                yield Finding(place, "This is taken as text: the state's query language is JSONPath", hint)


@rule("TEMPLATE_NAME_IN_EXPRESSIONS", "warning", "a name ends in .$ where paths are not evaluated")
def template_name_in_expressions(definition: Definition) -> Iterator[Finding]:
    """Payload templates belong to JSONPath; elsewhere the two characters become part of the name."""
    for state in definition.states:
        for place, _ in _texts(state, _VALUES) if state.language != "JSONPath" else ():
            name = place[-1]
            if isinstance(name, str) and name.endswith(".$"):
                message = f"'{name}' is not evaluated: the state's query language is {state.language}"
                yield Finding(place, message, f'write "{name[:-2]}": "{{% … %}}"', key=True)


@rule("NO_JSONATA_INPUT", "warning", "a JSONata expression begins with $, $$ or a bare name")
def no_jsonata_input(definition: Definition) -> Iterator[Finding]:
    """There is no document that these could stand for, only $states and variables (AWS documentation, JSONata)."""
    for pointer, text, expression in _jsonata(definition):
        start = _INPUT.match(expression)
        if start and (expression.startswith("$") or start.end() == len(expression)):
            message = f"{start.group()} has no value here, so that the expression fails"
            yield Finding(pointer, message, "begin with $states.input or a variable", offset=text.index(expression))


@rule("SINGLE_ITEM", "warning", "the items of a Map come from a filter, which may give one item that is no array")
def single_item(definition: Definition) -> Iterator[Finding]:
    """JSONata makes a sequence of one value the value itself, and one of none undefined."""
    for pointer, _, expression in _jsonata(definition):
        if pointer[-1] == "Items" and _filters(expression):
            message = "A filter that finds one item gives that item, not an array; one that finds none gives nothing"
            yield Finding(pointer, message, f"put it into an array: {{% [{expression}] %}}")


def _filters(expression: str) -> bool:
    """Whether an expression ends with a filter, rather than an index, and is not an array that holds what it finds."""
    opening = expression.rfind("[")
    return opening > 0 and expression[0] != "[" and expression[-1] == "]" and bool(_TEST.search(expression, opening))


def _jsonata(definition: Definition) -> Iterator[tuple[Pointer, str, str]]:
    """Pointer, text and expression of every JSONata expression."""
    for state in definition.states:
        for place, text in _texts(state) if state.language == "JSONata" else ():
            expression = source(text)
            if expression and not has_placeholder(text):
                yield place, text, expression
