"""gc, and executions that hand over."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import HELLO, Shell

CHAIN = json.dumps(
    {
        "QueryLanguage": "JSONata",
        "StartAt": "More",
        "States": {
            "More": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.n > 0 %}", "Next": "Again"}],
                "Default": "Done",
            },
            "Again": {
                "Type": "Task",
                "Resource": "arn:aws:states:::statewright:continueAsNew",
                "Arguments": {"Input": {"n": "{% $states.input.n - 1 %}"}},
                "End": True,
            },
            "Done": {"Type": "Succeed"},
        },
    }
)


def test_run_follows_to_the_last(shell: Shell) -> None:
    shell.write("chain.asl.json", CHAIN)
    ran = shell("run", "chain.asl.json", "--input", '{"n": 2}', "--name", "first", "--json")
    assert (ran.code, ran.document["output"]) == (0, {"n": 0})
    assert ran.document["predecessorArn"] != ran.document["executionArn"]
    first = shell("describe", "chain:first", "--json").document
    assert first["output"]["ExecutionArn"] == first["successorArn"]
    assert "predecessorArn" not in first
    second = shell("describe", first["successorArn"], "--json").document
    assert (second["predecessorArn"], second["successorArn"]) == (first["executionArn"], ran.document["executionArn"])
    assert len(shell("list", "--json").lines) == 3


def test_gc(shell: Shell) -> None:
    shell.write("hello.asl.yaml", HELLO)
    assert shell("run", "hello.asl.yaml", "--input", '{"who": "you"}').code == 0
    for options in ((), ("--retention", "0"), ("--dry-run", "--retention", "1d"), ("--keep", "forever")):
        report = shell("gc", "--json", *options)
        assert report.document == {"executions": 0, "definitions": 0, "dryRun": "--dry-run" in options}
    assert shell("gc", "--keep", "12h").out == "0 executions and 0 definitions deleted\n"
    assert len(shell("list", "--json").lines) == 1, "it ended within the last minute"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--retention", "30"), "is not a number with a unit"),
        (("--retention", "-1d"), "is not a number with a unit"),
        (("--keep", "1d", "--dry-run"), "--dry-run changes nothing"),
    ],
)
def test_gc_is_told_nonsense(shell: Shell, options: tuple[str, ...], words: str) -> None:
    refused = shell("gc", *options)
    assert refused.code == 2
    assert words in refused.err
