"""Whoever answers task tokens: the helper state machines of the recordings, and the calls of a case's `script`."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from statewright import AsyncEngine, StatewrightError, VirtualClock
from tests.conformance.sqs import Message, Queues

__all__ = ["QueueHelpers", "Script"]

_PACE = 1
"""Seconds between a message's arrival and the first call, and from call to call."""


class QueueHelpers:
    """State machines that read a queue and answer the token in each message.  The cases name them only; what they send
    is known from the recordings: the message's `Message`, or one constant failure.

    Arguments:
        engine: gets the answers.
        clock: of the engine.
        queues: of the case.
    """

    def __init__(self, engine: AsyncEngine, clock: VirtualClock, queues: Queues) -> None:
        self._engine = engine
        self._clock = clock
        self._queues = queues
        self._answers: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "sqs_send_task_success_state_machine": self._succeed,
            "sqs_send_task_failure_state_machine": self._fail,
            "sqs_send_heartbeat_and_task_success_state_machine": self._beat_and_succeed,
        }

    def prepare(self, op: str, params: dict[str, Any]) -> None:
        """Have the helper `op` read the queue that its parameters name."""
        answer = self._answers.get(op)
        if answer is not None:
            self._serve(params["queue"], answer)

    def _serve(self, url: str, answer: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        async def read(message: Message) -> None:
            await self._clock.sleep(_PACE)
            with suppress(StatewrightError):  # a refused answer is the helper's own failure
                await answer(json.loads(message.body))
            self._queues.receive(url, read)

        self._queues.receive(url, read)

    async def _succeed(self, body: dict[str, Any]) -> None:
        await self._engine.send_task_success(body["TaskToken"], body["Message"])

    async def _fail(self, body: dict[str, Any]) -> None:
        await self._engine.send_task_failure(body["TaskToken"], "Failure error", "Failure cause")

    async def _beat_and_succeed(self, body: dict[str, Any]) -> None:
        await self._engine.send_task_heartbeat(body["TaskToken"])
        await self._clock.sleep(_PACE)
        await self._succeed(body)


class Script:
    """The calls that the recorded test made while the execution ran, one after the other, each as soon as there is what
    it refers to: ``${ops1.Messages.0.Body}`` is in the reply to the second entry of `setup`, ReceiveMessage.

    Arguments:
        calls: the case's `script`.
        engine: gets the calls.
        clock: of the engine.
    """

    def __init__(self, calls: list[dict[str, Any]], engine: AsyncEngine, clock: VirtualClock) -> None:
        self._calls = deque(calls)
        self._engine = engine
        self._clock = clock
        self._replies: dict[int, Any] = {}
        self._playing = False

    def prepare(self, number: int, op: str, params: dict[str, Any], queues: Queues) -> None:
        """Entry `number` of the setup, if it is one that replies to the script."""

        async def receive(message: Message) -> None:
            self._replies[number] = {"Messages": [{"MessageId": message.id, "Body": message.body}]}
            await self.play()

        if op == "receive_message" and self._calls:
            queues.receive(params["QueueUrl"], receive)

    async def play(self) -> None:
        """Make the calls whose turn it is."""
        if self._playing:
            return
        self._playing = True
        while self._calls and _references(self._calls[0]["params"]) <= self._replies.keys():
            call = self._calls.popleft()
            await self._clock.sleep(_PACE)
            with suppress(StatewrightError):  # the recorded test went on, too
                await self._call(call["op"], _resolved(call["params"], self._replies))
        self._playing = False

    async def _call(self, op: str, params: dict[str, Any]) -> None:
        token = params["taskToken"]
        match op:
            case "send_task_success":
                await self._engine.send_task_success(token, json.loads(params["output"]))
            case "send_task_failure":
                await self._engine.send_task_failure(token, params.get("error"), params.get("cause"))
            case "send_task_heartbeat":
                await self._engine.send_task_heartbeat(token)
            case _:
                raise ValueError(f"no call of a script: {op}")


_REFERENCE = re.compile(r"\$\{ops(\d+)\.([^}]+)\}")


def _references(params: dict[str, str]) -> set[int]:
    return {int(match[1]) for text in params.values() for match in _REFERENCE.finditer(text)}


def _resolved(params: dict[str, str], replies: dict[int, Any]) -> dict[str, str]:
    return {
        name: _REFERENCE.sub(lambda match: _member(replies[int(match[1])], match[2]), text)
        for name, text in params.items()
    }


def _member(value: Any, path: str) -> Any:
    """What a path leads to: names, indices, and ``json`` for the document in a text."""
    for part in path.split("."):
        value = json.loads(value) if part == "json" else value[int(part) if isinstance(value, list) else part]
    return value
