"""State machines: what is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from statewright.api.connected import Connected
from statewright.arn import check_name
from statewright.deployment import prepare
from statewright.errors import StatewrightError
from statewright.store.records import MachineRecord

__all__ = ["StateMachines"]


class StateMachines(Connected):
    """Deploying definitions, and finding them again."""

    async def deploy(
        self,
        definition: dict[str, Any] | str | Path,
        *,
        name: str,
        type: Literal["STANDARD", "EXPRESS"] = "STANDARD",  # noqa: A002  the API's own word
        role_arn: str | None = None,
    ) -> MachineRecord:
        """Create a state machine, or give it a new definition; running executions keep theirs.

        Arguments:
            definition: as values, as text (JSON or YAML), or as the path of a file.
            name: of the state machine.
            role_arn: shown to executions as ``$$.Execution.RoleArn``.

        Raises InvalidDefinitionError with all problems, StatewrightError InvalidName, OSError.
        """
        check_name(name)
        ready = prepare(definition, type)
        self._open.programs.learn(ready.hash, type, ready.program)
        record = MachineRecord(name, self.arns.machine(name), ready.hash, ready.text, type, role_arn or "", 0, 0)
        return await self._open.store.put_machine(record)

    async def machine(self, machine: str) -> MachineRecord:
        """A deployed state machine by name or ARN; StatewrightError StateMachineDoesNotExist."""
        name = self.arns.machine_name(machine)
        record = await self._open.store.machine(name)
        if record is None:
            arn = self.arns.machine(name)
            raise StatewrightError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return record

    async def machines(self) -> list[MachineRecord]:
        """All deployed state machines, by name."""
        return await self._open.store.machines()
