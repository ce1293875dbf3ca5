"""From a checked definition to a `Program`: every expression is parsed once, here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from statewright.definition.problem import location
from statewright.definition.scopes import has_placeholder, strings
from statewright.errors import DefinitionError
from statewright.lang.dataflow import Language
from statewright.lang.jmespath_mode import JMESPATH
from statewright.lang.jsonata_mode import JSONATA
from statewright.lang.jsonpath import PathSyntaxError
from statewright.lang.jsonpath_mode import JSONPATH
from statewright.states import TYPES
from statewright.states.base import Machine, Program, State

__all__ = ["LANGUAGES", "compile_definition"]

LANGUAGES: Final[dict[str, Language]] = {language.name: language for language in (JSONPATH, JSONATA, JMESPATH)}
"""`QueryLanguage` to the language that makes a state's dataflow."""

_DEPTH: Final = 30
_TEXTS: Final = frozenset(
    "Comment Result Parameters ResultSelector ItemSelector Arguments Output Assign Credentials Error Cause Variable "
    "Branches ItemProcessor Iterator".split()
)
"""Fields in which ``${`` may be meant as it is, that are compiled (paths), or that are looked at on their own."""


def compile_definition(definition: Mapping[str, Any], *, type: str = "STANDARD") -> Program:  # noqa: A002
    """Compile a definition that has passed `lint`.

    Arguments:
        definition: the state machine as JSON values.
        type: STANDARD or EXPRESS.

    Raises DefinitionError for what cannot be compiled, with the place.

    Example: ``compile_definition({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}).machines[""].start_at == "A"``
    """
    machines: dict[str, Machine] = {}
    _Compiler(machines).machine(definition, "", None, "JSONPath", 0)
    return Program(machines, definition.get("TimeoutSeconds"), type)


class _Compiler:
    def __init__(self, machines: dict[str, Machine]) -> None:
        self.machines = machines

    def machine(
        self,
        spec: Mapping[str, Any],
        key: str,
        owner: tuple[str, str] | None,
        language: str,
        depth: int,
    ) -> str:
        """Compile one (sub-)machine and, through its states, those inside it; `language` is the one around it."""
        if depth > _DEPTH:
            raise DefinitionError(f"States are nested more than {_DEPTH} levels deep", key)
        try:
            _refuse_placeholders({name: value for name, value in spec.items() if name != "States"}, key)
            states = dict(spec["States"])
            # AWS takes a QueryLanguage that was put among the states for the machine's own (real definitions do that).
            misplaced = states.pop("QueryLanguage") if isinstance(states.get("QueryLanguage"), str) else None
            language = spec.get("QueryLanguage") or misplaced or language
            compiled = {name: self.state(name, state, key, language, depth) for name, state in states.items()}
            self.machines[key] = Machine(key, spec["StartAt"], compiled, owner)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise DefinitionError(f"The definition is malformed ({error!r}); lint says what is wrong", key) from None
        return key

    def state(self, name: str, spec: Mapping[str, Any], key: str, language: str, depth: int) -> State:
        """Compile one state with the language it is written in."""
        where = f"{key}/States/{name}"
        if not isinstance(spec, Mapping):
            raise DefinitionError("A state must be an object", where)
        wanted = spec.get("QueryLanguage", language)
        if wanted not in LANGUAGES:
            raise DefinitionError(f"There is no QueryLanguage {wanted!r} (there are: {', '.join(LANGUAGES)})", where)
        _refuse_placeholders(spec, where)
        if spec.get("Type") not in TYPES:
            raise DefinitionError(f"There is no state type {spec.get('Type')!r}", where)

        def sub(inner: Mapping[str, Any], field: str) -> str:
            return self.machine(inner, f"{where}/{field}", (key, name), language, depth + 1)

        try:
            return TYPES[spec["Type"]].compile(name, spec, LANGUAGES[wanted], sub)
        except PathSyntaxError as error:
            raise DefinitionError(str(error), where) from None


def _refuse_placeholders(spec: Mapping[str, Any], where: str) -> None:
    """Lint lets ``${placeholders}`` pass, as a deployment tool may fill them in later; to run, there must be none."""
    for name, value in spec.items():
        for pointer, text in strings(value, (name,)):
            names = [step for step in pointer if isinstance(step, str)]
            literal = any(step in _TEXTS or step.startswith("String") or step.endswith("Path") for step in names)
            if has_placeholder(text) and not literal:
                raise DefinitionError(f"The placeholder {text} has not been filled in", where + location(pointer))
