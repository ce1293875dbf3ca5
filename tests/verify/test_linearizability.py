"""StartExecution by name, SendTask* and StopExecution under concurrency are as one register each: some order of the
calls explains all answers that clients of a real server were given."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from statewright import AsyncEngine, StatewrightError
from tests.verify.linearizability import UNBORN, Call, linearizable, next_states

WINDOWS = 25
CLIENTS = 4
TOKEN = "arn:aws:states:::lambda:invoke.waitForTaskToken"
MACHINE = {
    "StartAt": "T",
    "States": {
        "T": {
            "Type": "Task",
            "Resource": TOKEN,
            "Parameters": {
                "FunctionName": "keep",
                "Payload": {"token.$": "$$.Task.Token", "name.$": "$$.Execution.Name"},
            },
            "End": True,
        }
    },
}


class Clients:
    """Clients that call at once, each on a connection of its own, and what they were told."""

    def __init__(self, engines: list[AsyncEngine], tokens: dict[str, str], name: str, chance: random.Random) -> None:
        self.engines, self.tokens, self.name, self.chance = engines, tokens, name, chance
        self.calls: list[Call] = []

    async def call(self, name: str, argument: str) -> None:
        engine, made = self.chance.choice(self.engines), time.monotonic()
        work: Coroutine[Any, Any, str] = getattr(self, f"_{name}")(engine, argument)
        answer = await work
        self.calls.append(Call(name, argument, answer, made, time.monotonic()))

    async def _start(self, engine: AsyncEngine, given: str) -> str:
        try:
            started = await engine.start("ask", {"given": given}, name=self.name)
        except StatewrightError as error:
            return {"ExecutionAlreadyExists": "exists"}[error.code]
        return "same" if started.duplicate else "new"

    async def _answer(self, engine: AsyncEngine, output: str) -> str:
        try:
            await engine.send_task_success(self.tokens[self.name], output)
        except StatewrightError as error:
            return {"TaskTimedOut": "refused", "TaskDoesNotExist": "refused"}[error.code]
        return "taken"

    async def _stop(self, engine: AsyncEngine, error: str) -> str:
        try:
            stopped = await engine.stop(f"ask:{self.name}", error)
        except StatewrightError as refused:
            return {"ExecutionDoesNotExist": "missing"}[refused.code]
        return f"{stopped.status} {stopped.error or ''}".strip()

    async def _describe(self, engine: AsyncEngine, _: str) -> str:
        try:
            described = await engine.describe(f"ask:{self.name}")
        except StatewrightError:
            return "missing"
        return f"{described.status} {described.error or ''}".strip()

    async def window(self, choices: list[tuple[str, str]]) -> None:
        """Eight calls at most, all at once."""
        await asyncio.gather(*[self.call(*self.chance.choice(choices)) for _ in range(self.chance.randint(4, 8))])


async def test_answers_of_a_real_server_have_an_order(tmp_path: Path) -> None:
    tokens: dict[str, str] = {}

    asked = asyncio.Event()

    async def keep(request: dict[str, str]) -> None:
        tokens[request["name"]] = request["token"]
        asked.set()

    engines = [AsyncEngine(data_dir=tmp_path / "store", tasks={"keep": keep}) for _ in range(CLIENTS)]
    answers = set()
    try:
        for engine in engines:
            await engine.open()
        await engines[0].deploy(MACHINE, name="ask")
        async with engines[0].worker(), engines[1].worker():
            for seed in range(WINDOWS):
                clients = Clients(engines, tokens, f"e{seed}", random.Random(seed))
                await clients.window([("start", "a"), ("start", "a"), ("start", "b"), ("describe", "")])
                await clients.call("start", "a")
                while clients.name not in tokens:
                    await asked.wait()
                    asked.clear()
                late = [
                    ("answer", "x"),
                    ("answer", "y"),
                    ("stop", "E1"),
                    ("stop", "E2"),
                    ("describe", ""),
                    ("start", "a"),
                ]
                await clients.window(late)
                assert linearizable(clients.calls, UNBORN, next_states), sorted(clients.calls, key=lambda c: c.made)
                answers |= {(call.name, call.answer.split()[0]) for call in clients.calls}
    finally:
        for engine in engines:
            await engine.close()
    assert {
        ("start", "new"),
        ("start", "same"),
        ("start", "exists"),
        ("answer", "taken"),
        ("answer", "refused"),
    } <= answers
    assert {("stop", "ABORTED"), ("stop", "SUCCEEDED"), ("describe", "RUNNING")} <= answers


def _at(name: str, argument: str, answer: str, made: float, answered: float) -> Call:
    return Call(name, argument, answer, made, answered)


@pytest.mark.parametrize(
    "calls",
    [
        [_at("start", "a", "new", 0, 1), _at("start", "a", "new", 0, 1)],
        [_at("start", "a", "new", 0, 1), _at("start", "b", "same", 2, 3)],
        [_at("start", "a", "same", 0, 1), _at("start", "a", "new", 2, 3)],
        [_at("start", "a", "new", 0, 1), _at("describe", "", "missing", 2, 3)],
        [_at("start", "a", "new", 0, 1), _at("answer", "x", "taken", 2, 3), _at("answer", "y", "taken", 2, 3)],
        [_at("start", "a", "new", 0, 1), _at("stop", "E", "ABORTED E", 2, 3), _at("describe", "", "RUNNING", 4, 5)],
        [_at("start", "a", "new", 0, 1), _at("stop", "E", "ABORTED F", 2, 3), _at("stop", "F", "ABORTED E", 4, 5)],
        [_at("start", "a", "new", 0, 1), _at("stop", "E", "ABORTED E", 2, 3), _at("answer", "x", "taken", 4, 5)],
    ],
)
def test_answers_without_an_order_are_found(calls: list[Call]) -> None:
    assert not linearizable(calls, UNBORN, next_states)


def test_calls_at_once_may_be_in_any_order() -> None:
    at_once = [_at("start", "a", "same", 0, 9), _at("describe", "", "missing", 1, 8), _at("start", "a", "new", 2, 7)]
    assert linearizable(at_once, UNBORN, next_states)
