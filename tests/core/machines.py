"""Random state machines of all types and languages, inputs that are hostile, and what becomes of their tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

DEEP = "[" * 400 + "]" * 400
_HOSTILE: list[Any] = [
    "", '"\\ud800"', "\x00\x7f\u2028", DEEP, '{"":{"":[1e400]}}', "9" * 400, "__class__", 10**300, -(2**63) - 1, 1e308,
    -0.0, 5e-324, [[]] * 50, {"": {"": None}}, {"a": {"a": {"a": {"a": {}}}}},
]  # fmt: skip


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


def values(*hostile: Any) -> st.SearchStrategy[Any]:
    """JSON values, some of them known to make trouble."""
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.integers(-1, 4) | _TEXT
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from([*_HOSTILE, *hostile]),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c", ""]), inner, max_size=3),
        max_leaves=8,
    )  # fmt: skip


_ANY = values("$.a", "{% $states %}", "${x}", "States.UUID()", "\ud800", json.loads(DEEP), [[[[]]] * 9] * 9)
_LIST = st.lists(_ANY, max_size=3)
INPUT = _ANY | _LIST | _LIST | st.fixed_dictionaries(
    {"a": _LIST | st.integers(0, 9), "b": st.integers(0, 9), "c": _LIST}
)  # fmt: skip
LITERAL = values()


# -- values in the three languages ------------------------------------------------------------------------------------
def mostly(good: list[Any], bad: list[Any]) -> st.SearchStrategy[Any]:
    """One of the good ones, nine times out of ten or more."""
    return st.sampled_from(good * (1 + 10 * len(bad) // len(good)) + bad)


PATH = mostly(
    ["$", "$$", "$$.State.Name", "$..a", "$['a','b']", "$$.Execution.Input"],
    ["$.a", "$.b", "$.a.b", "$.c[0]", "$[*]", "$.a[?(@.b>1)]", "$$.Map.Item.Value", "$$.Task.Token", "$.b[-1]", "$v",
     "$w.a", "$['']"],
)  # fmt: skip
REFERENCE = mostly(["$"], ["$.a", "$.b", "$.a.b", "$.c[0]", None])
RESULT = mostly(["$", "$.a", "$.d", None], ["$.b.c", "$.c[0]"])
INTRINSIC = PATH | mostly(
    ["States.Array($, 1)", "States.UUID()", "States.JsonToString($)", "States.MathRandom(0, 9)",
     "States.Format('{}', $)"],
    ["States.MathAdd($.a, 1)", "States.JsonMerge($, $.a, false)", "States.ArrayRange(0, 10, $.a)",
     "States.StringToJson($.a)", "States.ArrayPartition($, 2)"],
)  # fmt: skip
TEMPLATE = st.dictionaries(st.sampled_from(["a.$", "b.$", "c.$"]), INTRINSIC, min_size=1, max_size=3) | LITERAL.filter(
    lambda value: isinstance(value, dict)
)
EXPRESSIONS = {
    "JSONata": mostly(
        ["$states.input", "{'a': $states.input}", "[1..3]", "$uuid()", "$now()", "$random()", "3", "$states.context",
         "$string($states.input)", "[$v]", "null", "$exists($v)", "true"],
        ["$states.input.a", "$states.result", "$states.errorOutput", "$v", "$nope", "1+'a'", "$parse('[1]')",
         "$parse($states.input)", "$sum", "$range(0,9,$states.input.a)", "$partition($states.input,2)",
         "$states.input.a>1", "$states.input[0]", "($f:=function($n){$f($n+1)};$f(1))"]),
    "JMESPath": mostly(
        ["states.input", "{a: states.input}", "states.input.a", "states.result", "states.errorOutput", "v", "uuid()",
         "now()", "random()", "[v,v]", "`3`", "`[1,2]`", "states.context", "to_string(@)", "`true`", "`null`"],
        ["abs('a')", "parse('[1]')", "parse(states.input)", '`"\\ud800"`', "range(`0`,`9`,states.input.a)", "`1e400`",
         "partition(states.input,`2`)", "states.input.a>`1`", "&a", "states.input[0]", "[@,@]|[@,@]|[@,@]"]),
}  # fmt: skip
ITEMS = {
    "JSONPath": mostly(["$", "$..a", "$[*]", "$['a','c']"], ["$.a", "$.b"]),
    "JSONata": mostly(["[1..3]", "[$states.input]", "[]"], ["$states.input", "'a'"]),
    "JMESPath": mostly(["`[1,2,3]`", "[states.input]", "`[]`"], ["states.input", "'a'"]),
}
COUNTS = {
    "JSONata": mostly(["3", "0"], ["-1", "1.5", "'2'"]),
    "JMESPath": mostly(["`3`", "`0`"], ["`-1`", "`1.5`", "v"]),
}
CONDITIONS = {
    "JSONata": mostly(["true", "false", "$exists($v)"], ["$states.input", "$v"]),
    "JMESPath": mostly(["`true`", "`false`", "v == `3`"], ["states.input", "v"]),
}
ERRORS = st.lists(
    st.sampled_from(["Boom", "States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout", "States.BranchFailed",
                     "States.QueryEvaluationError", "States.DataLimitExceeded"]), min_size=1, max_size=2,
) | st.just(["States.ALL"])  # fmt: skip
VARIABLES = st.sampled_from(["v", "w", "own"])

OUTCOMES = st.sampled_from(
    [{"echo": True}, {"echo": True, "after": 2}, {"echo": True, "early": True}, {"return": [1, {"a": 2}]},
     {"return": 10**40}, {"return": "x" * 600}, {"fail": ["Boom", "why"]}, {"fail": [None, None]}, {"hang": True},
     {"fail": ["States.Timeout", ""], "after": 1}, {"echo": True, "after": 7, "beats": [1, 3, 5]},
     {"hang": True, "beats": [2, 4]}, {"echo": True, "taken": 2}, {"hang": True, "taken": None}]
)  # fmt: skip
RESOURCES = {
    "call": "call", "call2": "call2",
    "token": "arn:aws:states:::sqs:token.waitForTaskToken", "plain": "plain.waitForTaskToken",
    "dig": "arn:aws:states:us-east-1:000000000000:activity:dig",
}  # fmt: skip
TASKS = st.fixed_dictionaries({name: st.lists(OUTCOMES, min_size=1, max_size=3) for name in RESOURCES})


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


class Writer:
    """Writes one random definition.

    Arguments:
        draw: hypothesis's.
        language: of the machine; below JSONPath each state may have its own.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], language: str) -> None:
        self.draw = draw
        self.language = language
        self.count = 0

    def machine(self, depth: int = 0, *, onward: bool = False) -> dict[str, Any]:
        """A (sub-)machine; `onward`: no state leads back, since nothing would end a loop."""
        names = [f"S{self.count + index}" for index in range(self.draw(st.integers(1, 4)))]
        self.count += len(names)
        kinds = ["Pass", "Task", "Task", "Wait", "Choice", "Succeed", "Fail"] + (["Parallel", "Map"] * (depth < 2))
        states = {}
        for place, name in enumerate(names):
            targets = names[place + 1 :] if onward else names
            kind = self.draw(st.sampled_from(kinds if targets else [k for k in kinds if k != "Choice"]))
            states[name] = self.state(kind, targets, depth, onward)
        return {"StartAt": names[0], "States": states}

    def state(self, kind: str, targets: list[str], depth: int, onward: bool) -> dict[str, Any]:
        language = self.language
        if language == "JSONPath":
            language = self.draw(st.sampled_from(["JSONPath", "JSONPath", "JSONata", "JMESPath"]))
        base: dict[str, Any] = {"Type": kind} | ({} if language == self.language else {"QueryLanguage": language})
        if kind == "Parallel":
            count = self.draw(st.integers(1, 3))
            base["Branches"] = [self.machine(depth + 1, onward=onward) for _ in range(count)]
        if kind == "Map":
            distributed = self.draw(st.booleans())
            base["ItemProcessor"] = self.machine(depth + 1, onward=onward or distributed)
            if distributed:
                base["ItemProcessor"]["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        base |= self.paths(kind, targets) if language == "JSONPath" else self.expressions(language, kind, targets)
        if kind in ("Task", "Parallel", "Map"):
            base |= self.draw(optional(Retry=st.lists(self.retrier(), max_size=2)))
            base["Catch"] = [
                self.catcher(language, targets) for _ in range(self.draw(st.integers(0, 2)) if targets else 0)
            ]
        if kind in ("Succeed", "Fail", "Choice"):
            return base
        return base | self.draw(st.sampled_from([{"End": True}] + [{"Next": name} for name in targets]))

    @staticmethod
    def retrier() -> st.SearchStrategy[dict[str, Any]]:
        more = {"MaxDelaySeconds": st.integers(3, 5), "JitterStrategy": st.sampled_from(["FULL", "NONE"])}
        return st.fixed_dictionaries({"ErrorEquals": ERRORS, "MaxAttempts": st.integers(0, 2)}, optional=more)

    def catcher(self, language: str, targets: list[str]) -> dict[str, Any]:
        fields = {"ErrorEquals": self.draw(ERRORS), "Next": self.draw(st.sampled_from(targets))}
        if language == "JSONPath":
            more = optional(ResultPath=RESULT, Assign=st.dictionaries(VARIABLES.map("{}.$".format), PATH, max_size=1))
            return fields | self.draw(more)
        any_ = self.any_(language)
        return fields | self.draw(optional(Output=any_, Assign=st.dictionaries(VARIABLES, any_, max_size=1)))

    # -- JSONPath -----------------------------------------------------------------------------------------------------
    def paths(self, kind: str, targets: list[str]) -> dict[str, Any]:
        """The fields of a state in JSONPath."""
        draw = self.draw
        if kind == "Fail":
            return draw(optional(Error=st.just("Boom"), CausePath=INTRINSIC))
        fields: dict[str, st.SearchStrategy[Any]] = {"InputPath": REFERENCE, "OutputPath": REFERENCE}
        if kind != "Succeed":
            fields["Assign"] = st.dictionaries(VARIABLES.map("{}.$".format), INTRINSIC, max_size=2)
        if kind in ("Pass", "Task", "Parallel"):
            fields["Parameters"] = TEMPLATE
        if kind in ("Pass", "Task", "Parallel", "Map"):
            fields["ResultPath"] = RESULT
        if kind in ("Task", "Parallel", "Map"):
            fields["ResultSelector"] = TEMPLATE
        if kind == "Pass":
            fields["Result"] = LITERAL
        base = draw(optional(**fields))
        if kind == "Task":
            seconds = [{}, {"TimeoutSeconds": 5}, {"TimeoutSecondsPath": "$.a"}]
            beats = [{}, {"HeartbeatSeconds": 2}, {"HeartbeatSecondsPath": "$.b"}]
            base |= {"Resource": RESOURCES[draw(st.sampled_from(sorted(RESOURCES)))]}
            base |= draw(st.sampled_from(seconds)) | draw(st.sampled_from(beats))
        elif kind == "Wait":
            base |= draw(st.sampled_from([{"Seconds": 3}, {"SecondsPath": "$.a"}, {"TimestampPath": "$.b"}]))
        elif kind == "Choice":
            base |= self.choice(targets)
        elif kind == "Map":
            counts = st.integers(0, 3)
            base |= {"ItemsPath": draw(ITEMS["JSONPath"])}
            base |= draw(optional(ItemSelector=TEMPLATE, MaxConcurrency=counts,
                                  ToleratedFailureCount=counts, ToleratedFailurePercentagePath=PATH))  # fmt: skip
        return base

    def choice(self, targets: list[str]) -> dict[str, Any]:
        test = self.draw(st.sampled_from(["NumericEquals", "StringEquals", "IsPresent", "StringMatches", "IsNull"]))
        operand: Any = {"NumericEquals": 1, "StringEquals": "a", "StringMatches": "*a*"}.get(test, True)
        rule = {"Variable": self.draw(PATH), test: operand, "Next": self.draw(st.sampled_from(targets))}
        return {"Choices": [rule]} | self.draw(st.sampled_from([{}] + [{"Default": name} for name in targets]))

    # -- JSONata and JMESPath -----------------------------------------------------------------------------------------
    @staticmethod
    def any_(language: str) -> st.SearchStrategy[Any]:
        """An expression, a value with expressions in it, or a literal."""
        one = EXPRESSIONS[language].map("{{% {} %}}".format)
        return one | one | st.lists(one, max_size=2) | st.dictionaries(st.sampled_from("ab"), one, max_size=2) | LITERAL

    def expressions(self, language: str, kind: str, targets: list[str]) -> dict[str, Any]:
        """The fields of a state in a language of expressions."""
        draw, any_ = self.draw, self.any_(language)
        one, count, items, condition = (
            found[language].map("{{% {} %}}".format) for found in (EXPRESSIONS, COUNTS, ITEMS, CONDITIONS)
        )
        if kind == "Fail":
            return draw(optional(Error=one, Cause=one))
        assign = st.dictionaries(VARIABLES, any_, max_size=2)
        base = draw(optional(Output=any_) if kind == "Succeed" else optional(Output=any_, Assign=assign))
        if kind == "Task":
            base |= {"Resource": RESOURCES[draw(st.sampled_from(sorted(RESOURCES)))]}
            base |= draw(
                optional(Arguments=any_, TimeoutSeconds=count | st.just(5), HeartbeatSeconds=count | st.just(2))
            )
        elif kind == "Parallel":
            base |= draw(optional(Arguments=any_))
        elif kind == "Wait":
            base |= draw(st.fixed_dictionaries({"Seconds": count}) | st.fixed_dictionaries({"Timestamp": one}))
        elif kind == "Choice":
            rule = {"Condition": draw(condition), "Next": draw(st.sampled_from(targets))}
            base |= {"Choices": [rule | draw(optional(Output=any_, Assign=assign))]}
            base |= draw(st.sampled_from([{}] + [{"Default": name} for name in targets]))
        elif kind == "Map":
            base |= {"Items": draw(items)}
            base |= draw(optional(ItemSelector=any_, MaxConcurrency=count | st.integers(0, 3),
                                  ToleratedFailurePercentage=count, ToleratedFailureCount=count))  # fmt: skip
        return base


@st.composite
def machines(draw: Any) -> dict[str, Any]:
    """A definition, in one of the languages, which is out of time at some moment."""
    language = draw(st.sampled_from(["JSONPath", "JSONPath", "JSONata", "JMESPath"]))
    limit = {"QueryLanguage": language, "TimeoutSeconds": draw(st.sampled_from([1, 7, 30, 1000]))}
    return Writer(draw, language).machine() | limit
