"""How problems are shown."""

from __future__ import annotations

import json

from statewright.definition.problem import (
    Problem,
    diagnostics,
    location,
    refusal,
    render_github,
    render_json,
    render_sarif,
    render_text,
    visible,
)

HOSTILE = "\x1b[2J\u202e%0A::error::\r\nx,y:z"
PROBLEM = Problem(
    "UNKNOWN_FIELD",
    "error",
    "Field 'Nxt' is not supported",
    "/States/A",
    "a.yaml",
    3,
    5,
    3,
    "did you mean 'Next'?",
    "X",
)


def test_text() -> None:
    assert render_text(PROBLEM, "StartAt: A\r\nStates:\r\n  A: Nxt\r\n") == (
        "a.yaml:3:5: error UNKNOWN_FIELD Field 'Nxt' is not supported [/States/A]\n"
        "      A: Nxt\n"
        "        ^^^\n"
        "  hint: did you mean 'Next'?"
    )


def test_text_without_a_line() -> None:
    problem = Problem("EMPTY", "error", "there is no document", "", "a.yaml", 1, 1)
    assert render_text(problem, "") == "a.yaml:1:1: error EMPTY there is no document"
    assert render_text(PROBLEM, "one line").count("\n") == 1


def test_the_caret_is_under_wide_characters_and_escapes() -> None:
    problem = Problem("X", "warning", "m", "", "a", 1, 4, 2)
    head, line, caret = render_text(problem, "日\x1b\te\u0301").split("\n")
    assert head == "a:1:4: warning X m"
    assert line == "    日\\x1b\\x09e\u0301"
    assert caret == "    " + " " * (2 + 4 + 4) + "^"


def test_long_lines_are_cut_around_the_caret() -> None:
    problem = Problem("X", "error", "m", "", "a", 1, 5001, 9)
    _, line, caret = render_text(problem, "x" * 5000 + "y" * 9 + "z" * 5000).split("\n")
    assert len(line) < 130
    assert line[caret.index("^") : caret.rindex("^") + 1] == "y" * 9


def test_nothing_of_the_user_steers_a_terminal() -> None:
    problem = Problem("X", "error", HOSTILE, f"/{HOSTILE}", HOSTILE, 1, 1, 1, HOSTILE)
    text = render_text(problem, HOSTILE)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\u202e" not in text
    assert visible("a\x7f\x9b\u2066\U000e0001\ud800") == "a\\x7f\\x9b\\u2066\\U000e0001\\ud800"


def test_github_commands_cannot_be_forged() -> None:
    rows = render_github([Problem("X", "info", HOSTILE, "", HOSTILE, 1, 2, 3)]).split("\n")
    assert rows == [
        "::notice file=\\x1b[2J\\u202e%250A%3A%3Aerror%3A%3A%0D%0Ax%2Cy%3Az,line=1,col=2,endColumn=5,title=X::"
        "\\x1b[2J\\u202e%250A::error::%0D%0Ax,y:z"
    ]
    assert render_github([]) == ""


def test_json() -> None:
    assert json.loads(render_json([PROBLEM])) == [
        {
            "code": "UNKNOWN_FIELD",
            "severity": "error",
            "message": "Field 'Nxt' is not supported",
            "location": "/States/A",
            "source": "a.yaml",
            "line": 3,
            "column": 5,
            "width": 3,
            "hint": "did you mean 'Next'?",
            "aws_code": "X",
        }
    ]
    assert render_json([Problem("X", "error", HOSTILE + "\x7f", "", HOSTILE, 1, 1)]).isascii()


def test_sarif() -> None:
    second = Problem("B", "info", "m", "", "dir\\ä b.yaml", 1, 1)
    log = json.loads(render_sarif([PROBLEM, second, PROBLEM], {"B": "about B"}))
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    assert run["tool"]["driver"]["rules"] == [
        {"id": "B", "shortDescription": {"text": "about B"}},
        {"id": "UNKNOWN_FIELD"},
    ]
    assert [result["ruleIndex"] for result in run["results"]] == [1, 0, 1]
    assert [result["level"] for result in run["results"]] == ["error", "note", "error"]
    place = run["results"][0]["locations"][0]
    assert place["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 8}
    assert place["logicalLocations"] == [{"fullyQualifiedName": "/States/A"}]
    assert run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "dir/%C3%A4%20b.yaml"


def test_locations() -> None:
    assert location(()) == "/"
    assert location(("States", "S", "Branches", 0, "States", "T")) == "/States/S/Branches[0]/States/T"


def test_what_has_no_location_comes_last_for_aws() -> None:
    problems = [
        Problem("MISSING_END_STATE", "error", "no end", "", "a", 1, 1, aws_code="MISSING_END_STATE"),
        Problem("OURS", "warning", "advice", "/", "a", 1, 1),
        Problem("X", "error", "wrong ", "/States/A", "a", 2, 1, aws_code="SCHEMA_VALIDATION_FAILED"),
    ]
    assert [row["code"] for row in diagnostics(problems)] == ["SCHEMA_VALIDATION_FAILED", "MISSING_END_STATE"]
    assert refusal(problems) == (
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: wrong at /States/A, "
        "MISSING_END_STATE: no end at null'"
    )
    assert refusal(problems[1:2]) is None
