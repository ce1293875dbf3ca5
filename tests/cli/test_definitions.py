"""lint and graph: formats, exit codes, harmless output."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import HELLO, Shell

BROKEN = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    Nxt: B\n    End: true\n"


def test_a_clean_definition(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    result = shell("lint", "hello.yaml")
    assert (result.code, result.out) == (0, "")
    assert result.err == "1 file, 0 errors, 0 remarks\n"


def test_an_error_is_shown_in_its_line(shell: Shell) -> None:
    shell.write("broken.yaml", BROKEN)
    result = shell("lint", "broken.yaml")
    assert result.code == 1
    assert result.out.startswith("broken.yaml:5:5: error ")
    assert "    Nxt: B\n" in result.out


def test_a_definition_for_aws_has_none_of_our_additions(shell: Shell) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "charge-card", "End": True}}}
    shell.write("a.json", json.dumps(definition))
    assert shell("lint", "a.json", "--target", "statewright").code == 0
    result = shell("lint", "a.json", "--target", "aws", "--json")
    assert result.code == 1
    assert [problem["code"] for problem in result.document] == ["AWS_RESOURCE"]


def test_stdin_and_several_files(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    result = shell("lint", "hello.yaml", "-", "--json", stdin=BROKEN)
    assert result.code == 1
    assert {problem["source"] for problem in result.document} == {"<stdin>"}


def test_a_file_that_is_no_yaml_has_a_problem_not_a_crash(shell: Shell) -> None:
    shell.write("bad.yaml", "a: [1")
    result = shell("lint", "bad.yaml", "--format", "json")
    assert result.code == 1
    assert result.document[0]["severity"] == "error"


def test_sarif(shell: Shell) -> None:
    shell.write("broken.yaml", BROKEN)
    log = shell("lint", "broken.yaml", "--format", "sarif").document
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 5


def test_github(shell: Shell) -> None:
    shell.write("broken.yaml", BROKEN)
    assert shell("lint", "broken.yaml", "--format", "github").out.startswith("::error file=broken.yaml,line=5,col=5,")


def test_express_has_its_own_rules(shell: Shell) -> None:
    definition = {
        "StartAt": "A",
        "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True}},
    }
    shell.write("a.json", json.dumps(definition))
    assert shell("lint", "a.json").code == 0
    assert shell("lint", "a.json", "--type", "EXPRESS").code == 1


def test_hostile_text_is_made_visible(shell: Shell) -> None:
    name = "\x1b]0;x\x07\x9b\u202e"
    shell.write("evil.json", json.dumps({"StartAt": name, "States": {name: {"Type": "Pass", "Next": "\x1b[2J"}}}))
    for arguments in (["lint", "evil.json"], ["graph", "evil.json"], ["graph", "evil.json", "--format", "dot"]):
        result = shell(*arguments)
        for text in (result.out, result.err):
            assert not any(character in text for character in "\x1b\x07\x9b\u202e"), arguments


@pytest.mark.parametrize(("format_", "begins"), [("mermaid", ("stateDiagram", "flowchart")), ("dot", ("digraph",))])
def test_graph(format_: str, begins: tuple[str, ...], shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    result = shell("graph", "hello.yaml", "--format", format_)
    assert result.code == 0
    assert any(word in result.out for word in begins)
    assert "Hello" in result.out
    assert shell("graph", "hello.yaml", "--format", format_, "--json").document["text"] + "\n" == result.out


def test_graph_of_an_execution_differs(shell: Shell) -> None:
    shell.write("hello.yaml", HELLO)
    assert shell("run", "hello.yaml", "--name", "one", "--input", '{"who": "x"}').code == 0
    plain, coloured = shell("graph", "hello.yaml"), shell("graph", "hello.yaml", "--execution", "hello:one")
    assert coloured.code == 0
    assert coloured.out != plain.out
