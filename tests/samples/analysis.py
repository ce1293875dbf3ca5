"""Reads from a definition what its input and the results of its tasks have to look like, so that all its paths lead
somewhere: the needs of a state's output are followed back to where the data comes from."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from statewright.definition.scopes import strings
from statewright.lang.intrinsic_parser import Argument, Invocation, parse_invocation
from statewright.lang.jsonpath import Path, compile_path
from statewright.lang.scope import MISSING
from statewright.lang.segments import Member
from statewright.values import Json
from tests.samples.decisions import ABSENT, Way, conditions, decide
from tests.samples.need import Need

_ROUNDS = 3
_FIRST_IS_ARRAY = ("ArrayPartition", "ArrayContains", "ArrayGetItem", "ArrayLength", "ArrayUnique")
_VALUES = {
    "Base64Decode": base64.b64encode(b"text").decode(),
    "JsonMerge": {},
    "MathAdd": 1,
    "MathRandom": 1,
    "ArrayRange": 1,
}
_STATES = re.compile(r"\$states\.(input|result|context\.Execution\.Input)((?:\.[A-Za-z_]\w*|\[\d+\])*)")
_SETTINGS = {
    "SecondsPath": 5,
    "TimestampPath": "2030-01-01T00:00:00Z",
    "TimeoutSecondsPath": 60,
    "HeartbeatSecondsPath": 5,
    "MaxConcurrencyPath": 5,
}


@dataclass
class Findings:
    """What a definition needs: of its input, variables, results of Tasks, items read by Maps."""

    input: Need = field(default_factory=Need)
    variables: dict[str, Need] = field(default_factory=dict)
    results: dict[str, Need] = field(default_factory=dict)
    datasets: dict[str, Need] = field(default_factory=dict)
    way: Way | None = None
    language: str = "JSONPath"

    def place(self, path: Path, dollar: Need, item: Need) -> Need:
        """Where a path leads: `dollar` is what $ stands for, `item` the item of the Map around."""
        if path.root == "$":
            return dollar.at(path.segments)
        if path.root != "$$":
            return self.variables.setdefault(path.root[1:], Need()).at(path.segments)
        names = [segment.name if isinstance(segment, Member) else "" for segment in path.segments]
        if names[:2] == ["Execution", "Input"]:
            return self.input.at(path.segments[2:])
        return item.at(path.segments[3:]) if names[:3] == ["Map", "Item", "Value"] else Need()


def analyse(definition: dict[str, Any], way: Way | None = None) -> Findings:
    """The needs of a definition; of one in JSONPath so that it goes a certain way.

    Example: ``analyse(definition).input.make()``
    """
    findings = Findings(way=way, language=definition.get("QueryLanguage", "JSONPath"))
    for _ in range(_ROUNDS):
        findings.input.merge(_Scope(findings, definition, Need(), Need()).needs)
    return findings


class _Scope:
    """One machine: `needs` of the data between its states, which also is its input; `out`: what is made of its end."""

    def __init__(self, findings: Findings, machine: dict[str, Any], out: Need, item: Need) -> None:
        self.findings, self.item = findings, item
        self.needs = Need()
        self.states: dict[str, Any] = {
            name: state for name, state in machine["States"].items() if isinstance(state, dict)
        }
        language = machine.get("QueryLanguage", machine["States"].get("QueryLanguage", findings.language))
        paths = {name for name, state in self.states.items() if state.get("QueryLanguage", language) == "JSONPath"}
        for _ in range(_ROUNDS):
            for name, state in self.states.items():
                if state["Type"] == "Choice" and name in paths:
                    self._choose(name)
            for name, state in self.states.items():
                (self._state if name in paths else self._expressions)(name, state, out)

    def _state(self, name: str, state: dict[str, Any], out: Need) -> None:
        ends = state["Type"] == "Succeed" or state.get("End")
        effective = self._seen(self.needs, state.get("InputPath", "$"))
        document = Need()
        _put(document, state.get("OutputPath", "$"), out if ends else self.needs)
        wanted = self._seen(document, state.get("ResultPath", "$"))
        if ends:
            self.needs.merge(self._seen(document, "$"))
        for name_, value in _SETTINGS.items():
            if name_ in state:
                self._set(self._find(state[name_], effective), value)
        for name_ in ("ErrorPath", "CausePath"):
            if name_ in state:
                self._read(state[name_], effective, Need())
        if state["Type"] in ("Wait", "Choice") and "OutputPath" in state:
            effective.merge(document)
        kind = {"Pass": self._pass, "Task": self._task, "Parallel": self._parallel, "Map": self._map}.get(state["Type"])
        if kind:
            kind(name, state, effective, wanted)
        for path, expression in _template(state.get("Assign")):
            want = self.findings.variables.setdefault(path[0].name, Need()).at(path[1:])
            self._read(expression, self.findings.results.get(name, effective), want)

    def _expressions(self, name: str, state: dict[str, Any], _out: Need) -> None:
        """What plain paths in the JSONata expressions of a state ask for."""
        own = {key: value for key, value in state.items() if key not in ("Branches", "ItemProcessor", "Iterator")}
        for _, text in strings(own, ()):
            for root, steps in _STATES.findall(text) if text.startswith("{%") else ():
                start = self.findings.results.setdefault(name, Need()) if root == "result" else self.needs
                (start if root != "context.Execution.Input" else self.findings.input).at(
                    compile_path(f"${steps}").segments
                )

    # -- the types ----------------------------------------------------------------------------------------------------
    def _pass(self, name: str, state: dict[str, Any], effective: Need, wanted: Need) -> None:
        if "Parameters" in state:
            self._fill(state["Parameters"], effective, wanted)
        elif "Result" not in state:
            effective.merge(wanted)

    def _task(self, name: str, state: dict[str, Any], effective: Need, wanted: Need) -> None:
        self._fill(state.get("Parameters"), effective, Need())
        raw = self.findings.results.setdefault(name, Need())
        self._select(state, raw, wanted)

    def _parallel(self, name: str, state: dict[str, Any], effective: Need, wanted: Need) -> None:
        raw = Need()
        self._select(state, raw, wanted)
        for branch in state["Branches"]:
            inner = _Scope(self.findings, branch, raw.each(), self.item).needs
            self._hand_in(state.get("Parameters"), effective, inner, effective, self.item)

    def _map(self, name: str, state: dict[str, Any], effective: Need, wanted: Need) -> None:
        raw = Need()
        self._select(state, raw, wanted)
        if "ItemReader" in state:
            self._fill(state["ItemReader"].get("Parameters"), effective, Need())
            items = self.findings.datasets.setdefault(name, Need())
        else:
            items = self._find(state.get("ItemsPath", "$"), effective).each()
        selector = state.get("ItemSelector", state.get("Parameters"))
        machine = state.get("ItemProcessor") or state["Iterator"]
        inner = _Scope(self.findings, machine, raw.each(), items).needs
        if "ItemBatcher" in state:
            batch, inner = inner, Need()
            inner.merge(batch.members.get("Items", Need()).each())
        self._hand_in(selector, effective, inner, items, items)

    def _hand_in(self, template: Json, effective: Need, inner: Need, whole: Need, item: Need) -> None:
        """Follow the needs of an inner machine through the template that makes its input; without one, to `whole`."""
        if template is None:
            whole.merge(inner)
            return
        outer, self.item = self.item, item
        self._fill(template, effective, inner)
        self.item = outer

    def _select(self, state: dict[str, Any], raw: Need, wanted: Need) -> None:
        if "ResultSelector" in state:
            self._fill(state["ResultSelector"], raw, wanted)
        else:
            raw.merge(wanted)

    # -- the expressions ----------------------------------------------------------------------------------------------
    def _seen(self, need: Need, path: str | None) -> Need:
        """The part of `need` at a path; null is a place of its own."""
        return Need() if path is None else self._find(path, need)

    def _find(self, text: str, dollar: Need) -> Need:
        return self.findings.place(compile_path(text), dollar, self.item)

    def _fill(self, template: Json, dollar: Need, wanted: Need) -> None:
        """Follow what is wanted of a template's result back to the paths in it."""
        for path, expression in _template(template):
            self._read(expression, dollar, wanted.at(path))

    def _read(self, expression: str, dollar: Need, wanted: Need) -> None:
        if expression.startswith("States."):
            call = parse_invocation(expression)
            self._argument(call, dollar, MISSING)
            if call.name == "States.StringToJson" and isinstance(call.arguments[0], Path):
                self.findings.place(call.arguments[0], dollar, self.item).text().merge(wanted)
        else:
            self._find(expression, dollar).merge(wanted)

    def _argument(self, argument: Argument, dollar: Need, value: Json) -> None:
        if isinstance(argument, Path):
            self._set(self.findings.place(argument, dollar, self.item), value)
        elif isinstance(argument, Invocation):
            function = argument.name.removeprefix("States.")
            for place, inner in enumerate(argument.arguments):
                if place == 0 and function in _FIRST_IS_ARRAY and isinstance(inner, Path):
                    self.findings.place(inner, dollar, self.item).each()
                else:
                    self._argument(inner, dollar, 1 if function == "ArrayGetItem" else _VALUES.get(function, MISSING))

    @staticmethod
    def _set(place: Need, value: Json) -> None:
        if place.value is MISSING and not place.members and place.element is None:
            place.value = value

    def _choose(self, name: str) -> None:
        """Let the data be such that the Choice goes where it should: the rules before that do not hold."""
        chosen = decide(name, self.states, self.findings.way)
        effective = self._seen(self.needs, self.states[name].get("InputPath", "$"))
        for rule in self.states[name]["Choices"]:
            for path, value in conditions(rule, truth=rule is chosen):
                place = self.findings.place(path, effective, self.item)
                place.absent = value is ABSENT
                if rule is chosen:
                    place.value = MISSING if value is ABSENT else value
                elif value is not ABSENT:
                    place.fallback = value
            if rule is chosen:
                break


def _put(need: Need, path: str | None, part: Need) -> None:
    """Let `part` be what is found at a path of names."""
    segments = compile_path(path).segments if path is not None else ()
    if path is not None and all(isinstance(segment, Member) for segment in segments):
        need.at(segments).merge(part)


def _template(template: Json, path: tuple[Member, ...] = ()) -> Iterator[tuple[tuple[Member, ...], str]]:
    """Where in the result, and which expression, for every field of a payload template that has one."""
    if isinstance(template, list):
        for member in template:
            yield from _template(member, path)
    for name, value in template.items() if isinstance(template, dict) else ():
        if name.endswith(".$") and isinstance(value, str):
            yield (*path, Member(name[:-2])), value
        else:
            yield from _template(value, (*path, Member(name)))
