"""The orders that are filled during a storm, what each of their tasks does to the world, and the world's memory of it.

Every tenth order is of the same kind: most are plain, some are retried, undone, answered from outside, or fan out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

from statewright import TaskContext, TaskError

__all__ = ["KINDS", "MACHINE", "SAGA", "Ledger", "input_of", "kind_of", "name_of", "tasks"]

Json: TypeAlias = dict[str, Any]
Reach: TypeAlias = Callable[[str, str], None]
"""Is told of a place in the program that is reached, and of the order it is reached for."""

MACHINE = "orders"
PAUSE_MS = 1000

KINDS = ("plain", "plain", "plain", "plain", "retried", "undone", "undone", "answered", "answered", "lines")


def _task(resource: str, **more: Any) -> Json:
    return {"Type": "Task", "Resource": resource, "ResultPath": f"$.{resource}", **more}


def _one(resource: str) -> Json:
    return {"StartAt": resource, "States": {resource: {"Type": "Task", "Resource": resource, "End": True}}}


SAGA: Json = {
    "StartAt": "Charge",
    "States": {
        "Charge": _task(
            "charge", Retry=[{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 3}], Next="Reserve"
        ),
        "Reserve": _task("reserve", Next="Route"),
        "Route": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.kind", "StringEquals": "lines", "Next": "Lines"},
                {"Variable": "$.kind", "StringEquals": "answered", "Next": "Pickup"},
            ],
            "Default": "Pause",
        },
        "Lines": {
            "Type": "Map",
            "ItemsPath": "$.lines",
            "ItemProcessor": _one("pack"),
            "ResultPath": "$.packed",
            "Next": "Papers",
        },
        "Papers": {
            "Type": "Parallel",
            "Branches": [_one("insure"), _one("declare")],
            "ResultPath": "$.papers",
            "Next": "Pause",
        },
        "Pickup": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "pickup", "Payload": {"order.$": "$.order", "token.$": "$$.Task.Token"}},
            "ResultPath": "$.pickup",
            "Next": "Pause",
        },
        "Pause": {"Type": "Wait", "Seconds": PAUSE_MS // 1000, "Next": "Ship"},
        "Ship": _task(
            "ship",
            Catch=[{"ErrorEquals": ["Undeliverable"], "ResultPath": "$.failure", "Next": "Release"}],
            Next="Done",
        ),
        "Release": _task("release", Next="Refund"),
        "Refund": _task("refund", Next="Cancelled"),
        "Cancelled": {"Type": "Fail", "Error": "OrderCancelled", "Cause": "undeliverable"},
        "Done": {"Type": "Succeed"},
    },
}


def kind_of(number: int) -> str:
    """What kind of order this is."""
    return KINDS[number % len(KINDS)]


def name_of(number: int) -> str:
    """Name of the order's execution."""
    return f"order-{number:06d}"


def input_of(number: int) -> Json:
    """Input of the order's execution."""
    return {"order": name_of(number), "kind": kind_of(number), "lines": [{"order": name_of(number)}] * 3}


class Ledger:
    """What tasks have done, from any process: a file with a line for each attempt, which outlives them all.

    The world outside does what it is asked once per idempotency key, so an effect is a key, however often it was tried.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *words: str) -> None:
        """Add a line; one write, so that no process can die half-way or come between."""
        os.write(self._file, (" ".join(words) + "\n").encode())

    def lines(self) -> list[list[str]]:
        """All lines, as words."""
        return [line.split(" ") for line in self._path.read_text().splitlines()]

    def effects(self) -> dict[str, dict[str, dict[str, int]]]:
        """By order and effect: how often each key was tried."""
        found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        for order, effect, key, *_ in self.lines():
            found[order][effect][key] += 1
        return found


def tasks(ledger: Ledger, tokens: Ledger, reach: Reach) -> dict[str, Callable[..., Coroutine[Any, Any, Any]]]:
    """The handlers, by resource.  `tokens` has the tokens of those who wait for an answer."""

    def effect(name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def handle(value: Json, context: TaskContext) -> Json:
            order = value["order"]
            reach("effect.before", order)
            if name == "charge" and value["kind"] == "retried" and context.attempt == 0:
                raise TaskError("Busy", "ask again")
            if name == "ship" and value["kind"] == "undone":
                raise TaskError("Undeliverable", "nobody lives there")
            if name == "pickup":
                tokens.write(order, value["token"])
            ledger.write(order, name, context.idempotency_key, str(os.getpid()))
            reach("effect.after", order)
            return {name: f"KEY-{context.idempotency_key[:12]}"}

        return handle

    return {
        name: effect(name)
        for name in ("charge", "reserve", "pack", "insure", "declare", "pickup", "ship", "release", "refund")
    }
