"""Tasks answered from outside: by token, and by the workers of activities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from statewright.api.connected import Connected
from statewright.drive import callbacks
from statewright.store.records import Signal
from statewright.values import Json

__all__ = ["ActivityTask", "Tasks"]


@dataclass(frozen=True, slots=True)
class ActivityTask:
    """A task of an activity: the token to answer it with, and its input."""

    token: str
    input: Json


class Tasks(Connected):
    """Answering tasks, and polling for those of activities."""

    async def send_task_success(self, token: str, output: Json) -> None:
        """Answer a task with its result; the same answer again changes nothing.

        Raises StatewrightError InvalidToken, InvalidOutput, TaskDoesNotExist, TaskTimedOut (it is over).
        """
        text = self._payload(output, "InvalidOutput").text
        await self._answer(token, output=text)

    async def send_task_failure(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """Answer a task with a failure; StatewrightError as for `send_task_success`."""
        await self._answer(token, error=error, cause=cause, failed=True)

    async def send_task_heartbeat(self, token: str) -> None:
        """Start the task's HeartbeatSeconds anew; StatewrightError as for `send_task_success`."""
        await callbacks.beat(self._open.store, self._open.tokens, token)

    async def _answer(self, token: str, **members: Any) -> None:
        target = self._open.tokens.check(token)
        await callbacks.answer(self._open.store, target, Signal("answer", epoch=target.epoch, **members))

    async def get_activity_task(
        self, activity: str, worker_name: str | None = None, timeout: float = 60.0
    ) -> ActivityTask | None:
        """The next task of an activity, each handed out once; None if there is none within `timeout` seconds.

        Arguments:
            activity: its name or ARN.
            worker_name: shown in the history.
        """
        arn, opened = self.arns.activity(activity), self._open
        offer = await callbacks.poll(opened.store, opened.doorbell, arn, worker_name or "", timeout)
        if offer is None:
            return None
        token = opened.tokens.sign(offer.execution, offer.frame_id, offer.epoch)
        return ActivityTask(token, offer.order.arguments.value)
