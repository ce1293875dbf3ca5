"""What the simulated executions do: small state machines that between them use every part of the protocol.

A handler has its effect in a ledger outside the store, under the idempotency key; inputs say which handlers fail.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from statewright.values import Json

__all__ = ["ACTIVITY", "WORKLOADS", "Workload"]

ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:review"
_TOKEN = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
_NESTED = "arn:aws:states:::states:startExecution.sync:2"
_CATCH_ALL = "States.ALL"


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A state machine and what is known about its executions.

    Arguments:
        name: of the state machine.
        definition: in ASL.
        inputs: one of them is given.
        determined: faults do not change what the history says (but perhaps the order of parallel branches).
        ordered: there are no parallel branches, so that not even the order changes.
        pauses: Wait states, by name, with their ms: no exit may come earlier.
        intervals: states with a retrier, with its ms: no second attempt may come earlier.
        fails_fast: a failure of one branch ends the others at once.
        answered: a task is answered from outside.
        polled: an activity worker polls for its task.
        stopped: somebody stops the execution along the way.
        type: STANDARD or EXPRESS.
        calls: workloads that it starts.
        share: how often it is drawn.
    """

    name: str
    definition: dict[str, Any]
    inputs: tuple[Json, ...] = ({},)
    determined: bool = True
    ordered: bool = True
    pauses: Mapping[str, int] = field(default_factory=dict)
    intervals: Mapping[str, int] = field(default_factory=dict)
    fails_fast: bool = False
    answered: bool = False
    polled: bool = False
    stopped: bool = False
    type: str = "STANDARD"
    calls: tuple[str, ...] = ()
    share: int = 3


def _machine(**states: dict[str, Any]) -> dict[str, Any]:
    """States that follow each other in the order given, unless they say otherwise."""
    names = list(states)
    for name, following in zip(names, [*names[1:], None], strict=True):
        state = states[name]
        if state["Type"] not in ("Succeed", "Fail", "Choice") and "Next" not in state and "End" not in state:
            state |= {"Next": following} if following else {"End": True}
    return {"StartAt": names[0], "States": states}


def _work(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "work", **fields}


_RETRY = [{"ErrorEquals": ["Unavailable"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}]


def _step(undo: str, **fields: Any) -> dict[str, Any]:
    """A step of a saga: when it fails for good, `undo` is where compensation begins."""
    caught = [{"ErrorEquals": [_CATCH_ALL], "ResultPath": "$.failure", "Next": undo}]
    return _work(ResultPath="$.last", Retry=_RETRY, Catch=caught, **fields)


def _undo(next_: str) -> dict[str, Any]:
    return _work(ResultPath="$.last", Retry=_RETRY, Next=next_)


_SAGA = _machine(
    Charge=_step("Failed", TimeoutSeconds=600),
    Reserve=_step("Refund"),
    Ship=_step("Release", End=True),
    Release=_undo("Refund"),
    Refund=_undo("Failed"),
    Failed={"Type": "Fail", "Error": "OrderFailed"},
)

_LOOP = {
    "QueryLanguage": "JSONata",
    **_machine(
        Begin={"Type": "Pass", "Assign": {"n": 0}},
        Count={"Type": "Pass", "Assign": {"n": "{% $n + 1 %}"}},
        Enough={"Type": "Choice", "Choices": [{"Condition": "{% $n < 3 %}", "Next": "Count"}], "Default": "End"},
        End={"Type": "Succeed", "Output": "{% $n %}"},
    ),
}
_LOOP["States"]["Count"]["Next"] = "Enough"

_PARALLEL = _machine(
    Both={
        "Type": "Parallel",
        "Branches": [_machine(Left=_work(Retry=_RETRY)), _machine(Pause={"Type": "Wait", "Seconds": 2}, Right=_work())],
        "ResultPath": "$.both",
    },
    After=_work(),
)

_WAITS = _machine(
    All={
        "Type": "Parallel",
        "Branches": [_machine(**{f"Wait{n}": {"Type": "Wait", "Seconds": 2}}) for n in range(6)],
    },
)

_TEXT = {"Type": "Pass", "Result": {"text": "y" * 3000}}

_TWICE = _machine(
    Both={
        "Type": "Parallel",
        "Branches": [
            _machine(Left=_work(), Early=dict(_TEXT), After=_work()),
            _machine(Right=_work(), Late=dict(_TEXT), Last=_work()),
        ],
    },
)
"""A large payload that is known already when it is made a second time."""

_BRANCH_FAILS = _machine(
    Both={
        "Type": "Parallel",
        "Branches": [_machine(Slow={"Type": "Wait", "Seconds": 3600}), _machine(Bad=_work())],
        "Catch": [{"ErrorEquals": [_CATCH_ALL], "ResultPath": "$.failure", "Next": "After"}],
    },
    After=_work(),
)

_HURRY = _machine(
    Both={
        "Type": "Parallel",
        "Branches": [_machine(A=_work(), B=_work(), C=_work(), D=_work()), _machine(Bad=_work())],
        "Catch": [{"ErrorEquals": [_CATCH_ALL], "ResultPath": "$.failure", "Next": "After"}],
    },
    After=_work(),
)

_MAP = _machine(
    Each={
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 2,
        "ItemProcessor": _machine(Item=_work(Retry=_RETRY)),
    },
    After={"Type": "Succeed"},
)

_DISTRIBUTED = _machine(
    Each={
        "Type": "Map",
        "Label": "Each",
        "ItemsPath": "$.items",
        "MaxConcurrency": 2,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **_machine(Item=_work(Retry=_RETRY)),
        },
    },
)

_SPREAD_EXPRESS = copy.deepcopy(_DISTRIBUTED)
_SPREAD_EXPRESS["States"]["Each"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "EXPRESS"

_DRAW = {
    "QueryLanguage": "JSONata",
    **_machine(
        Draw={"Type": "Pass", "Assign": {"drawn": "{% $random() %}"}},
        Between={"Type": "Pass"},
        Again={"Type": "Pass", "Assign": {"drawn": "{% $drawn + $random() %}"}},
        Use=_work(Arguments="{% {'drawn': $drawn} %}"),
        Wait={"Type": "Pass", "Assign": {"drawn": "{% $drawn + $random() %}"}},
        Reuse=_work(Arguments="{% {'drawn': $drawn} %}"),
    ),
}

_ACTIVITY = _machine(
    Review={
        "Type": "Task",
        "Resource": ACTIVITY,
        # An offer whose poller never heard of it is lost, as on AWS, until the task times out.
        "HeartbeatSeconds": 100,
        "Retry": [{"ErrorEquals": ["States.HeartbeatTimeout"], "MaxAttempts": 3, "IntervalSeconds": 1}],
        "ResultPath": "$.review",
    },
    After=_work(),
)

_WAIT = _machine(Before={"Type": "Pass"}, Pause={"Type": "Wait", "Seconds": 3}, After={"Type": "Pass"})

_CALLBACK = _machine(
    Ask={
        "Type": "Task",
        "Resource": _TOKEN,
        "Parameters": {"token.$": "$$.Task.Token"},
        "ResultPath": "$.answer",
    },
    After=_work(),
)

_NESTING = _machine(
    Order={
        "Type": "Task",
        "Resource": _NESTED,
        "Parameters": {
            "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:inner",
            "Input.$": "$",
            "Name": "ordered",
        },
        "ResultSelector": {"output.$": "$.Output"},
    },
)

_SLOW = _machine(
    Hang=_work(
        TimeoutSeconds=3,
        Retry=[{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}],
    ),
)

_LARGE = _machine(
    First=_work(ResultPath="$.first"),
    Second={"Type": "Pass", "Result": {"text": "x" * 3000}, "ResultPath": "$.second"},
    Third={"Type": "Task", "Resource": "work", "InputPath": "$.second", "ResultPath": "$.third"},
)

_AGAIN = {
    "QueryLanguage": "JSONata",
    **_machine(
        Work=_work(Arguments="{% {'round': $states.input.round} %}", Output="{% $states.input %}"),
        Enough={
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.round < $states.input.rounds %}", "Next": "Again"}],
            "Default": "Done",
        },
        Again={
            "Type": "Task",
            "Resource": "arn:aws:states:::statewright:continueAsNew",
            "Arguments": {
                "Input": {
                    "round": "{% $states.input.round + 1 %}",
                    "rounds": "{% $states.input.rounds %}",
                    "text": "{% $states.input.text %}",
                }
            },
            "End": True,
        },
        Done={"Type": "Succeed"},
    ),
}

_STOPPED = _machine(
    Both={
        "Type": "Parallel",
        "Branches": [_machine(A=_work(), B={"Type": "Wait", "Seconds": 2}, C=_work()), _machine(D=_work(), E=_work())],
    },
)

_EXPRESS = _machine(
    One={"Type": "Pass"}, Two=_work(ResultPath="$.two"), Pause={"Type": "Wait", "Seconds": 1}, Three=_work()
)

_ITEMS = [{"item": 0}, {"item": 1, "fails": {"Item": 1}}, {"item": 2}]

WORKLOADS = (
    Workload(
        "saga",
        _SAGA,
        ({}, {"fails": {"Reserve": 1}}, {"fails": {"Ship": 9}}, {"fails": {"Reserve": 9, "Refund": 1}}),
        intervals={"Reserve": 1000, "Ship": 1000, "Refund": 1000},
        share=6,
    ),
    Workload("loop", _LOOP, share=2),
    Workload("parallel", _PARALLEL, ({}, {"fails": {"Left": 1}}), ordered=False, pauses={"Pause": 2000}, share=1),
    Workload("waits", _WAITS, ordered=False, pauses={f"Wait{n}": 2000 for n in range(6)}, share=1),
    Workload("branch", _BRANCH_FAILS, ({"fails": {"Bad": 9}},), determined=False, fails_fast=True, share=1),
    Workload("hurry", _HURRY, ({"fails": {"Bad": 9}},), determined=False, fails_fast=True, share=1),
    Workload("map", _MAP, ({"items": _ITEMS}, {"items": _ITEMS[:2]}, {"items": []}), ordered=False),
    Workload("spread", _DISTRIBUTED, ({"items": _ITEMS}, {"items": _ITEMS[1:2]}), ordered=False, share=2),
    Workload("spread-express", _SPREAD_EXPRESS, ({"items": _ITEMS}, {"items": _ITEMS[:1]}), ordered=False, share=1),
    Workload("draw", _DRAW, determined=False),
    Workload("activity", _ACTIVITY, determined=False, answered=True, polled=True),
    Workload("wait", _WAIT, pauses={"Pause": 3000}),
    Workload("callback", _CALLBACK, answered=True),
    Workload("nested", _NESTING, calls=("inner",)),
    Workload(
        "inner",
        _machine(Inside=_work(Retry=_RETRY)),
        ({}, {"fails": {"Inside": 2}}),
        intervals={"Inside": 1000},
        share=6,
    ),
    Workload("slow", _SLOW, ({"hangs": {"Hang": 1}},), determined=False, intervals={"Hang": 1000}),
    Workload("large", _LARGE, share=2),
    Workload("twice", _TWICE, ordered=False, share=1),
    Workload(
        "again",
        _AGAIN,
        ({"round": 1, "rounds": 2, "text": ""}, {"round": 1, "rounds": 3, "text": "x" * 3000}),
        share=2,
    ),
    Workload("stopped", _STOPPED, determined=False, ordered=False, stopped=True),
    Workload("express", _EXPRESS, type="EXPRESS", pauses={"Pause": 1000}),
)
"""All of them; a name is a state machine's name."""
