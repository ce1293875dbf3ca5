"""What is wrong with a definition, where, and how to say so: to a terminal, a program, a code host or an AWS client.

Whatever comes from the user (names, text of the definition) is escaped before it reaches a terminal.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote

from statewright.values import Json

__all__ = [
    "Pointer",
    "Problem",
    "Severity",
    "diagnostics",
    "location",
    "refusal",
    "render_github",
    "render_json",
    "render_sarif",
    "render_text",
    "visible",
]

Pointer: TypeAlias = tuple[str | int, ...]
"""The place of a value in a document: member names and array indexes from the root."""

Severity: TypeAlias = Literal["error", "warning", "info"]

_SHOWN = 120
"""The most characters of a source line, or of one name in a location, that are shown."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition.

    Arguments:
        code: stable name of the rule, e.g. ``"UNKNOWN_FIELD"``; AWS's own name where AWS has a specific one.
        severity: ``"error"`` (refused), ``"warning"`` (probably a mistake) or ``"info"`` (worth knowing).
        message: one sentence; AWS's wording where it has been recorded.
        location: the place as AWS writes it, e.g. ``/States/Pay/Choices[0]/Next``, ``/`` for the root, empty for none.
        source: name of the file.
        line, column: 1-based, in characters.
        width: how many characters of the line are meant, at least 1.
        hint: what to do about it, or None.
        aws_code: the diagnostic code of AWS, or None for advice that AWS does not give.

    Example: ``Problem("EMPTY", "error", "the file is empty", "", "a.yaml", 1, 1)``
    """

    code: str
    severity: Severity
    message: str
    location: str
    source: str
    line: int
    column: int
    width: int = 1
    hint: str | None = None
    aws_code: str | None = None


def location(pointer: Pointer) -> str:
    """A pointer in AWS's notation.

    Example: ``location(("States", "S", "Choices", 0, "Next")) == "/States/S/Choices[0]/Next"``, ``location(()) == "/"``
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f"/{_cut(step)}" for step in pointer) or "/"


def _cut(name: str) -> str:
    """No name that is valid is that long; one that is huge would be repeated in every problem inside it."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


def visible(text: str) -> str:
    """`text` with everything escaped that could steer a terminal or hide: controls, bidirectional marks, surrogates.

    Example: ``visible("a\\x1b[2J") == "a\\\\x1b[2J"``
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def render_text(problem: Problem, source_text: str) -> str:
    """The problem for people: one headline, the offending line with a caret under it, and the hint.

    Arguments: the problem; the text of the file it was found in (needed to show the line).

    Example::

        pay.yaml:4:11: error MISSING_TRANSITION_TARGET Missing 'Next' target: Chrage [/States/Pay/Next]
            Next: Chrage
                  ^^^^^^
          hint: did you mean 'Charge'?
    """
    place = f" [{visible(problem.location)}]" if problem.location else ""
    head = f"{visible(problem.source)}:{problem.line}:{problem.column}: {problem.severity} {problem.code}"
    rows = [f"{head} {visible(problem.message.strip())}{place}", *_excerpt(problem, source_text)]
    if problem.hint:
        rows.append(f"  hint: {visible(problem.hint)}")
    return "\n".join(rows)


def _excerpt(problem: Problem, source_text: str) -> list[str]:
    lines = re.split(r"\r\n|\n|\r", source_text)
    if not 0 < problem.line <= len(lines):
        return []
    line = lines[problem.line - 1]
    column = problem.column - 1
    start = 0 if len(line) <= _SHOWN else max(0, min(column - _SHOWN // 2, len(line) - _SHOWN))
    shown = line[start : start + _SHOWN]
    before, meant = shown[: column - start], shown[column - start :][: problem.width]
    if not shown.strip():
        return []
    caret = " " * _columns(visible(before)) + "^" * max(1, _columns(visible(meant)))
    return [f"    {visible(shown)}", f"    {caret}"]


def _columns(text: str) -> int:
    """How many columns of a terminal `text` fills: East Asian wide characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def render_json(problems: Iterable[Problem]) -> str:
    """The problems as a JSON array of objects whose members are the fields of `Problem`; ASCII only.

    Example: ``render_json([]) == "[]"``
    """
    return json.dumps([asdict(problem) for problem in problems], indent=2).replace("\x7f", "\\u007f")


def render_github(problems: Iterable[Problem]) -> str:
    """The problems as GitHub workflow commands, which show them beside the changed lines.

    The escapes are those of the runner: ``%``, CR and LF in text, also ``:`` and ``,`` in properties.

    Example: ``::error file=a.yaml,line=1,col=1,endColumn=2,title=EMPTY::the file is empty``
    """
    rows = []
    for problem in problems:
        command = {"error": "error", "warning": "warning", "info": "notice"}[problem.severity]
        text = problem.message.strip() + (f" ({problem.hint})" if problem.hint else "")
        rows.append(
            f"::{command} file={_property(problem.source)},line={problem.line},col={problem.column},"
            f"endColumn={problem.column + problem.width},title={_property(problem.code)}::{_data(text)}"
        )
    return "\n".join(rows)


def _data(text: str) -> str:
    plain = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return "".join(character if character.startswith("%") else visible(character) for character in plain)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render_sarif(problems: Iterable[Problem], descriptions: Mapping[str, str] | None = None) -> str:
    """The problems as a SARIF 2.1.0 log (OASIS), which code hosts and editors read.

    Arguments: the problems; one line about each code, where known.

    Example: ``json.loads(render_sarif([]))["version"] == "2.1.0"``
    """
    found = list(problems)
    codes = sorted({problem.code for problem in found})
    rules = [
        {
            "id": code,
            **({"shortDescription": {"text": descriptions[code]}} if descriptions and code in descriptions else {}),
        }
        for code in codes
    ]
    log = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "statewright", "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(problem, codes.index(problem.code)) for problem in found],
            }
        ],
    }
    return json.dumps(log, indent=2)


def _sarif_result(problem: Problem, rule_index: int) -> Json:
    region = {
        "startLine": problem.line,
        "startColumn": problem.column,
        "endLine": problem.line,
        "endColumn": problem.column + problem.width,
    }
    place: dict[str, Json] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(problem.source.encode("utf-8", "replace").replace(b"\\", b"/"))},
            "region": region,
        }
    }
    if problem.location:
        place["logicalLocations"] = [{"fullyQualifiedName": visible(problem.location)}]
    return {
        "ruleId": problem.code,
        "ruleIndex": rule_index,
        "level": {"error": "error", "warning": "warning", "info": "note"}[problem.severity],
        "message": {"text": visible(problem.message.strip() + (f" Hint: {problem.hint}" if problem.hint else ""))},
        "locations": [place],
    }


def diagnostics(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """The problems AWS would report too, as ValidateStateMachineDefinition lists them.

    What has no location comes last, as AWS puts it (a missing end state after a missing target).

    Example: ``diagnostics(lint(source))[0]["code"] == "SCHEMA_VALIDATION_FAILED"``
    """
    rows = []
    for problem in sorted(problems, key=lambda problem: not problem.location):
        if problem.aws_code is not None:
            row = {"severity": problem.severity.upper(), "code": problem.aws_code, "message": problem.message}
            rows.append({**row, "location": problem.location} if problem.location else row)
    return rows


def refusal(problems: Iterable[Problem]) -> str | None:
    """The message with which CreateStateMachine refuses a definition; None when there is no error.

    Example: ``"Invalid State Machine Definition: 'MISSING_END_STATE: Workflow has no terminal state at null'"``
    """
    errors = [row for row in diagnostics(problems) if row["severity"] == "ERROR"]
    if not errors:
        return None
    texts = [f"{row['code']}: {row['message'].strip()} at {row.get('location', 'null')}" for row in errors]
    return f"Invalid State Machine Definition: '{', '.join(texts)}'"
