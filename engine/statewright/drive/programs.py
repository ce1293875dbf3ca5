"""Compiled definitions and the constant facts of executions, remembered because they never change."""

from __future__ import annotations

from typing import Final

from statewright.definition.compile import compile_definition
from statewright.definition.source import load
from statewright.errors import StatewrightError
from statewright.model import Execution
from statewright.states.base import Program
from statewright.store.recent import IDLE, Recent
from statewright.store.verbs import Store

__all__ = ["Programs"]

_INPUTS: Final = 64 * 1024 * 1024
"""Characters of all inputs of the executions that are remembered."""


class Programs:
    """What a store's executions run.

    Arguments:
        store: asked for what is not known yet.
        definitions, executions: how many of each are remembered.

    Example: ``program = await Programs(store).program(execution)``
    """

    def __init__(self, store: Store, *, definitions: int = 256, executions: int = 4096) -> None:
        self._store = store
        self._programs: Recent[str, Program] = Recent(definitions)
        self._executions: Recent[str, Execution] = Recent(executions, _INPUTS, idle=IDLE)

    def add(self, execution: Execution) -> None:
        """Remember an execution."""
        self._executions.put(execution.id, execution, len(execution.input.text))

    def forget(self, execution: str) -> None:
        """An execution has ended: nobody will ask for it again."""
        self._executions.forget(execution)

    def forget_all(self) -> None:
        """The store was rolled back: an execution may be started again, and differently."""
        self._executions.clear()

    def learn(self, hash_: str, type_: str, program: Program) -> None:
        """Remember a definition that was just compiled here."""
        self._programs.put(f"{type_}:{hash_}", program)

    async def execution(self, id_: str) -> Execution:
        """The execution of an internal id; StatewrightError ExecutionDoesNotExist if there is none."""
        execution = self._executions.get(id_)
        if execution is None:
            description = await self._store.describe(id_)
            if description is None:
                raise StatewrightError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{id_}'")
            execution = description.execution
            self.add(execution)
        return execution

    async def program(self, execution: Execution) -> Program:
        """The compiled definition that an execution is pinned to.

        Raises DefinitionError if it cannot be compiled, StatewrightError StateMachineDoesNotExist if it is not stored.
        """
        return await self.compiled(execution.definition, execution.type)

    async def compiled(self, hash_: str, type_: str) -> Program:
        """The compiled definition of a content hash, as a machine of type STANDARD or EXPRESS."""
        key = f"{type_}:{hash_}"
        program = self._programs.get(key)
        if program is None:
            text = await self._store.definition(hash_)
            if text is None:
                raise StatewrightError("StateMachineDoesNotExist", f"definition {hash_} is not in the store")
            program = compile_definition(load(text).value, type=type_)
            self._programs.put(key, program)
        return program
