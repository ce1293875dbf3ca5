"""Random definitions and inputs: the core never raises, never hangs, and its histories are well formed."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statewright.model import Limits
from statewright.step import step
from tests.core.memory import Memory

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
PATH = st.sampled_from(
    ["$", "$.a", "$.b", "$.a.b", "$.c[0]", "$[*]", "$..a", "$.a[?(@.b>1)]", "$$", "$$.State.Name", "$.b[-1]", "$v"]
)
REFERENCE = st.sampled_from(["$", "$.a", "$.b", "$.a.b", "$.c[0]", None])
EXPRESSION = PATH | st.sampled_from(
    ["States.Array($.a, 1)", "States.Format('{}', $.b)", "States.MathAdd($.a, 1)", "States.JsonMerge($, $.a, false)",
     "States.ArrayRange(0, 10, $.a)", "States.StringToJson($.a)", "States.UUID()"]
)  # fmt: skip
TEMPLATE = st.dictionaries(st.sampled_from(["a.$", "b.$", "c.$"]), EXPRESSION, min_size=1, max_size=3) | JSON.filter(
    lambda value: isinstance(value, dict)
)
ERRORS = st.lists(st.sampled_from(["Boom", "States.TaskFailed", "States.Timeout"]), min_size=1, max_size=2) | st.just(
    ["States.ALL"]
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def with_flow(base: dict[str, Any], draw: Any, names: list[str], *, recovers: bool, result: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"InputPath": REFERENCE, "OutputPath": REFERENCE}
    if result:
        fields |= {"Parameters": TEMPLATE, "ResultPath": REFERENCE, "Assign": st.just({"v.$": "$"})}
    if recovers:
        fields |= {"ResultSelector": TEMPLATE}
        fields["Retry"] = st.lists(
            st.fixed_dictionaries({"ErrorEquals": ERRORS, "MaxAttempts": st.integers(0, 2)}), max_size=2
        )
        fields["Catch"] = st.lists(
            st.fixed_dictionaries(
                {"ErrorEquals": ERRORS, "Next": st.sampled_from(names)}, optional={"ResultPath": REFERENCE}
            ),
            max_size=2,
        )
    return base | draw(optional(**fields)) | draw(st.sampled_from([{"End": True}] + [{"Next": n} for n in names]))


@st.composite
def machines(draw: Any, depth: int = 0) -> dict[str, Any]:
    names = [f"S{depth}{index}" for index in range(draw(st.integers(1, 4)))]
    kinds = ["Pass", "Task", "Wait", "Choice", "Succeed", "Fail"] + (["Parallel", "Map"] if depth < 2 else [])
    states = {}
    for name in names:
        kind = draw(st.sampled_from(kinds))
        states[name] = state(draw, kind, names, depth)
    return {"StartAt": names[0], "States": states}


def state(draw: Any, kind: str, names: list[str], depth: int) -> dict[str, Any]:
    base: dict[str, Any] = {"Type": kind}
    if kind == "Pass":
        return with_flow(base, draw, names, recovers=False, result=True)
    if kind == "Task":
        base |= {"Resource": draw(st.sampled_from(["echo", "boom", "hang"])), "TimeoutSeconds": 5}
        return with_flow(base, draw, names, recovers=True, result=True)
    if kind == "Wait":
        base |= draw(st.sampled_from([{"Seconds": 3}, {"SecondsPath": "$.a"}, {"TimestampPath": "$.b"}]))
        return with_flow(base, draw, names, recovers=False, result=False)
    if kind == "Choice":
        rule = {"Variable": draw(PATH), "Next": draw(st.sampled_from(names))}
        test = draw(st.sampled_from(["NumericEquals", "StringEquals", "IsPresent", "StringMatches", "IsNull"]))
        operand: Any = {"NumericEquals": 1, "StringEquals": "a", "StringMatches": "*a*"}.get(test, True)
        default = draw(st.sampled_from([{}] + [{"Default": name} for name in names]))
        return base | {"Choices": [rule | {test: operand}]} | default
    if kind == "Parallel":
        base["Branches"] = draw(st.lists(machines(depth + 1), min_size=1, max_size=3))
        return with_flow(base, draw, names, recovers=True, result=True)
    if kind == "Map":
        base |= draw(optional(ItemsPath=PATH, ItemSelector=TEMPLATE, MaxConcurrency=st.integers(0, 3),
                              ToleratedFailureCount=st.integers(0, 2)))  # fmt: skip
        base["ItemProcessor"] = draw(machines(depth + 1))
        flow = with_flow(base, draw, names, recovers=True, result=True)
        flow.pop("Parameters", None)
        return flow
    if kind == "Fail":
        return base | draw(optional(Error=st.just("Boom"), CausePath=EXPRESSION))
    return base


TASKS: dict[str, Any] = {"echo": [{"echo": True}], "boom": [{"fail": ["Boom", "why"]}], "hang": [{"hang": True}]}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines(), JSON)
def test_any_definition_comes_to_an_end(definition: dict[str, Any], input_: Any) -> None:
    memory = Memory(definition, input_, TASKS, Limits(history_events=150)).run()
    assert memory.end is not None
    assert memory.end.status in ("SUCCEEDED", "FAILED")
    for id_, previous, _, type_, _ in memory.history:
        assert 0 <= previous < id_
        assert previous or type_ in ("ExecutionStarted",) or id_ == 2
    for execution, frame, event, taken in memory.log:
        assert step(memory.program, execution, frame, event, memory.limits) == taken


EXPRESSIONS = {
    "JSONata": "$states.input $states.input.a $v $nope $uuid() $now() 1+'a' [1..3] {'a':$v} $parse('[1]') $sum "
    "$range(0,9,$states.input.a) $partition($states.input,2) $states.input.a>1 true null",
    "JMESPath": """states.input states.input.a v nope uuid() now() abs('a') [v,v] {a:v} parse('[1]') `"\\ud800"` """
    "range(`0`,`9`,states.input.a) partition(states.input,`2`) states.input.a>`1` `true` `null` `1e400` &a",
}


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(sorted(EXPRESSIONS)), JSON)
def test_any_expression_in_any_field_comes_to_an_end(data: Any, language: str, input_: Any) -> None:
    def any_() -> str:
        return "{% " + data.draw(st.sampled_from(EXPRESSIONS[language].split())) + " %}"

    catcher = {"ErrorEquals": ["States.ALL"], "Output": any_(), "Assign": {"v": any_()}, "Next": "C"}
    recovery = {"Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}], "Catch": [catcher]}
    processor = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Output": any_(), "End": True}}}
    states = {
        "A": {"Type": "Pass", "Assign": {"v": any_()}, "Output": {"a": any_()}, "Next": "T"},
        "T": {"Type": "Task", "Resource": "echo", "Arguments": any_(), "TimeoutSeconds": any_(), "Output": any_(),
              **recovery, "Next": "M"},
        "M": {"Type": "Map", "Items": any_(), "ItemSelector": any_(), "MaxConcurrency": any_(),
              "ToleratedFailurePercentage": any_(), "ItemProcessor": processor, **recovery, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Condition": any_(), "Output": any_(), "Next": "W"}], "Default": "F"},
        "W": {"Type": "Wait", data.draw(st.sampled_from(["Seconds", "Timestamp"])): any_(), "Next": "F"},
        "F": {"Type": "Fail", "Error": any_(), "Cause": any_()},
    }  # fmt: skip
    start = data.draw(st.sampled_from(sorted(states)))
    memory = Memory({"QueryLanguage": language, "StartAt": start, "States": states}, input_, TASKS).run()
    assert memory.end is not None
    assert len(memory.events) == len(memory.history)
