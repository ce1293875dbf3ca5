"""Drawings: every state and transition is there, and nothing of the user gets out of its label."""

from __future__ import annotations

import re

import pytest

from statewright.definition.draw import dot, mermaid
from statewright.definition.schema import STATE_TYPES
from statewright.values import Json

HOSTILE = '"]; end\n%%{init}%% --> s0 \\" <script> \x1b[2J \u202e'
MACHINE: Json = {
    "StartAt": "Pay",
    "States": {
        "Pay": {
            "Type": "Task",
            "Resource": "pay",
            "Catch": [{"ErrorEquals": ["Declined", "States.Timeout"], "Next": "Sorry"}],
            "Next": "Big?",
        },
        "Big?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.total", "NumericGreaterThanEquals": 100, "Next": "Each"},
                {"Not": {"Variable": "$.a", "IsPresent": True}, "Next": "Wait"},
                {"And": [{"Variable": "$.a", "StringEqualsPath": "$.b"}, {"Or": []}], "Next": "Wait"},
            ],
            "Default": "Done",
        },
        "Each": {
            "Type": "Map",
            "ItemProcessor": {"StartAt": "Pack", "States": {"Pack": {"Type": "Pass", "End": True}}},
            "Next": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Left", "States": {"Left": {"Type": "Succeed"}}},
                {"StartAt": "Right", "States": {"Right": {"Type": "Succeed"}}},
            ],
            "End": True,
        },
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
        "Done": {"Type": "Succeed"},
        "Sorry": {"Type": "Fail"},
    },
}


def test_mermaid() -> None:
    text = mermaid(MACHINE, {"Pay": "CAUGHT", "Sorry": "FAILED", "Done": "whatever"})
    assert text.splitlines() == [
        "flowchart TD",
        "  c0start(( ))",
        '  s0["Pay"]',
        '  s1{"Big#63;"}',
        '  subgraph s2["Each (Map)"]',
        '    subgraph c1[" "]',
        "      c1start(( ))",
        '      s7("Pack")',
        "      c1end((( )))",
        "      c1start --> s7",
        "      s7 --> c1end",
        "    end",
        "  end",
        '  subgraph s3["Both (Parallel)"]',
        '    subgraph c2[" "]',
        "      c2start(( ))",
        '      s8(("Left"))',
        "      c2start --> s8",
        "    end",
        '    subgraph c3[" "]',
        "      c3start(( ))",
        '      s9(("Right"))',
        "      c3start --> s9",
        "    end",
        "  end",
        '  s4(["Wait"])',
        '  s5(("Done"))',
        '  s6(("Sorry"))',
        "  c0end((( )))",
        "  c0start --> s0",
        "  s0 --> s1",
        '  s0 -.->|"Declined, States.Timeout"| s6',
        '  s1 -->|"otherwise"| s5',
        '  s1 -->|"#36;.total #62;= 100"| s2',
        '  s1 -->|"not #36;.a is present"| s4',
        '  s1 -->|"#36;.a == #36;.b and #40;#8230;#41;"| s4',
        "  s2 --> s3",
        "  s3 --> c0end",
        "  s4 --> s5",
        "  classDef failed fill:#f6c9c9",
        "  class s6 failed",
        "  classDef caught fill:#fbe3bd",
        "  class s0 caught",
    ]


def test_dot() -> None:
    text = dot(MACHINE, {"Pay": "RUNNING"})
    assert text.count("{") == text.count("}")
    for row in (
        's0 [shape=box, label="Pay", style=filled, fillcolor="#cfe3ff"];',
        's1 [shape=diamond, label="Big?"];',
        "subgraph cluster_s2 {",
        's0 -> s6 [label="Declined, States.Timeout", style=dashed];',
        's1 -> s2 [label="$.total >= 100"];',
        's1 -> s5 [label="otherwise"];',
    ):
        assert f" {row}\n" in text


def hostile() -> Json:
    rule = {"Variable": HOSTILE, "StringEquals": HOSTILE, "Next": HOSTILE}
    catch = [{"ErrorEquals": [HOSTILE], "Next": HOSTILE}]
    processor = {"StartAt": "in", "States": {"in": {"Type": "Pass", "Next": "in"}}}
    return {
        "StartAt": HOSTILE,
        "States": {
            HOSTILE: {"Type": "Choice", "Choices": [rule]},
            "b": {"Type": HOSTILE, "Catch": catch, "ItemProcessor": processor},
        },
    }


def test_labels_are_escaped() -> None:
    for text in (mermaid(hostile(), {HOSTILE: HOSTILE}), dot(hostile(), {HOSTILE: HOSTILE})):
        assert all(line.isprintable() for line in text.splitlines())
        unquoted = re.sub(r'"(\\.|[^"\\])*"', '""', text)
        assert "script" not in unquoted
        assert "init" not in unquoted
    assert "<" not in mermaid(hostile())


@pytest.mark.parametrize("kind", STATE_TYPES)
def test_every_type_has_a_shape(kind: str) -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}
    state = (
        {"Type": kind, "Branches": [inner], "ItemProcessor": inner} if kind in ("Map", "Parallel") else {"Type": kind}
    )
    machine = {"StartAt": "A", "States": {"A": state}}
    assert '"A' in mermaid(machine)
    assert 'label="A' in dot(machine)


@pytest.mark.parametrize("value", [None, [], {}, {"States": []}, {"StartAt": 1, "States": {"A": 1, "B": {}}}])
def test_what_makes_no_sense_is_left_out(value: Json) -> None:
    assert mermaid(value).startswith("flowchart TD\n")
    assert dot(value).endswith("}\n")
