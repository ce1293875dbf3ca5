"""What is said of an execution that has ended, and the exit code that follows."""

from __future__ import annotations

import json
from typing import Any

from statewright_cli import output
from statewright_cli.show import Row

__all__ = ["INTERRUPTED", "TIMED_OUT", "tell"]

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

TIMED_OUT = 124
"""Exit code where a command waits no longer; the execution goes on."""


def tell(row: Row, *, as_json: bool, **more: Any) -> int:
    """Print an execution's output, or why there is none: 0 if it SUCCEEDED, else 1.

    Arguments: the execution; one JSON document instead, with the members of `more` too.

    Example: ``return tell(execution_row(description), as_json=settings.json)``
    """
    if as_json:
        output.document({**row, **more})
    elif row["status"] == "SUCCEEDED":
        output.note(f"SUCCEEDED {row['name']}")
        output.block(json.dumps(row["output"], indent=2, ensure_ascii=False))
    else:
        reason = ": ".join(row[name] for name in ("error", "cause") if row.get(name))
        output.complain(row["status"], reason or "no reason was given", _advice(row))
    return 0 if row["status"] == "SUCCEEDED" else 1


def _advice(row: Row) -> str | None:
    if row.get("error") in ("Statewright.TaskNotFound", "Lambda.ResourceNotFoundException"):
        return "--functions FILE gives the task handlers"
    if "StateMachineDoesNotExist" in str(row.get("error")):
        return "--with FILE deploys a definition whose executions this one starts, and works on it"
    if "No object store is configured" in str(row.get("cause")):
        return "--objects DIR|URL says where items are read from and results written to"
    return None
