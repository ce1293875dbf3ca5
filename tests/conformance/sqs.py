"""Amazon SQS: queues that hand out what was sent."""

from __future__ import annotations

import hashlib
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from statewright import TaskError
from statewright.values import encode

__all__ = ["Message", "Queues"]

_HOST = ".amazonaws.com"


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a queue: its id and its text."""

    id: str
    body: str

    @property
    def md5(self) -> str:
        """Digest of the text, hexadecimal."""
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest()


Receiver = Callable[[Message], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Queue:
    messages: deque[Message] = field(default_factory=deque)
    receivers: deque[Receiver] = field(default_factory=deque)


class Queues:
    """All queues of one case.

    Arguments:
        spawn: starts what a receiver does with its message.
        region, account: in queue URLs.
    """

    def __init__(self, spawn: Callable[[Coroutine[Any, Any, None]], None], region: str, account: str) -> None:
        self._spawn = spawn
        self._base = f"https://sqs.{region}{_HOST}/{account}/"
        self._queues: dict[str, _Queue] = {}

    def handlers(self) -> dict[str, Any]:
        """By resource."""
        resources = ("arn:aws:states:::sqs:sendMessage", "arn:aws:states:::sqs:sendMessage.waitForTaskToken")
        return dict.fromkeys(resources, self.send)

    def prepare(self, op: str, params: dict[str, Any]) -> None:
        """What a case's setup did: create queues."""
        if op == "create_queue":
            self._queues[self._base + params["QueueName"]] = _Queue()

    async def send(self, arguments: dict[str, Any]) -> dict[str, str]:
        """SendMessage; a body that is no text is sent as JSON."""
        body = arguments["MessageBody"]
        message = Message(str(uuid.uuid4()), body if isinstance(body, str) else encode(body))
        queue = self._queue(arguments["QueueUrl"])
        queue.messages.append(message)
        self._hand_out(queue)
        return {"MD5OfMessageBody": message.md5, "MessageId": message.id}

    def receive(self, url: str, receiver: Receiver) -> None:
        """Have the next message that nobody else waits for handed to `receiver`, once."""
        queue = self._queue(url)
        queue.receivers.append(receiver)
        self._hand_out(queue)

    def _queue(self, url: str) -> _Queue:
        if url in self._queues:
            return self._queues[url]
        host = urlsplit(url).hostname or ""
        if not host.endswith(_HOST):  # recorded: error_handling.task_service_sqs.send_message_no_such_queue_no_catch
            raise TaskError(
                "SQS.SdkClientException", f"Unable to execute HTTP request: {host}: Name or service not known"
            )
        raise TaskError("SQS.QueueDoesNotExistException", "The specified queue does not exist.")

    def _hand_out(self, queue: _Queue) -> None:
        while queue.messages and queue.receivers:
            self._spawn(queue.receivers.popleft()(queue.messages.popleft()))
