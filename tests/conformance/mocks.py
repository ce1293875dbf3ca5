"""Mocked responses, as the configuration file of Step Functions Local gives them: they take the place of every service.

A test case names, for each state, a response; a response says for the first call ("0"), the second ("1"), or a range of
them ("2-4") what the service would `Return` or `Throw`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from statewright import AsyncEngine, StatewrightError, TaskContext, TaskError, VirtualClock

__all__ = ["Mocks"]


class Mocks:
    """The responses of one test case.

    Arguments:
        config: the configuration file.
        machine, test_case: which part of it.
        engine: gets the answers of tasks with a token.
        clock: of the engine.
        spawn: starts what answers a token.
    """

    def __init__(
        self,
        config: dict[str, Any],
        machine: str,
        test_case: str,
        engine: AsyncEngine,
        clock: VirtualClock,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._names: dict[str, str] = config["StateMachines"][machine]["TestCases"][test_case]
        self._responses = config["MockedResponses"]
        self._calls: Counter[str] = Counter()
        self._engine = engine
        self._clock = clock
        self._spawn = spawn

    def handlers(self) -> dict[str, Any]:
        """One for all resources, also for the one that the engine does itself."""
        return {"*": self.call, "arn:aws:states:::states:startExecution.sync": self.call}

    async def call(self, arguments: Any, context: TaskContext) -> Any:
        """The response to this call; a task with a token is submitted, and answered later."""
        response = self._next(context.state)
        if context.task_token is not None:
            self._spawn(self._answer(context.task_token, response))
            return {}
        if "Throw" in response:
            raise TaskError(response["Throw"].get("Error", ""), response["Throw"].get("Cause"))
        # The mock of a function is what Invoke replies; a function as the Resource itself gives its payload.
        is_function = context.resource.split(":")[2:3] == ["lambda"]
        return response["Return"]["Payload"] if is_function else response["Return"]

    def _next(self, state: str) -> dict[str, Any]:
        if state not in self._names:
            raise TaskError("States.TaskFailed", f"no response is mocked for the state {state}")
        number = self._calls[state]
        self._calls[state] += 1
        for calls, response in self._responses[self._names[state]].items():
            first, _, last = calls.partition("-")
            if int(first) <= number <= int(last or first):
                found: dict[str, Any] = response
                return found
        raise TaskError("States.TaskFailed", f"no response is mocked for call {number} of the state {state}")

    async def _answer(self, token: str, response: dict[str, Any]) -> None:
        await self._clock.sleep(1)
        with suppress(StatewrightError):
            if "Throw" in response:
                thrown = response["Throw"]
                await self._engine.send_task_failure(token, thrown.get("Error"), thrown.get("Cause"))
            else:
                await self._engine.send_task_success(token, response["Return"])
