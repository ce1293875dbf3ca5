"""Upkeep of a store: what it has lost, what is put aside, and what was noticed."""

from __future__ import annotations

from collections.abc import Callable

from statewright.api.executions import Executions
from statewright.store.records import DeadLetter, Incident

__all__ = ["Upkeep"]


class Upkeep(Executions):
    """What operators ask for; workers do most of it by themselves."""

    async def sweep(self, tell: Callable[[int, int], None] | None = None) -> dict[str, int]:
        """Go through everything in the store now, and put right what cannot be by itself, e.g. a frame that should run
        and is in no queue.  Workers do so all the time, slowly, and at once after a roll-back.

        Arguments:
            tell: is called now and then with how many keys were looked at and how many repairs were made.

        Returns how many repairs were made, by what was put right; nothing is the rule.

        Example: ``assert not await engine.sweep()``
        """
        store, worker = self._open.store, self.new_worker()
        before = await store.repairs()
        try:
            await worker.sweeper.sweep(tell=tell)
        finally:
            await worker.stop(0)
        return {what: n - before.get(what, 0) for what, n in (await store.repairs()).items() if n > before.get(what, 0)}

    async def repairs(self) -> dict[str, int]:
        """How many repairs all sweeps have made since the store was made, by what was put right.

        Example: ``print(await engine.repairs())``
        """
        return await self._open.store.repairs()

    async def incidents(self) -> tuple[Incident, ...]:
        """The last 100 incidents of the store, oldest first: shards that were rolled back (kind ``rollback``) and jumps
        of a server's clock by more than a minute (``clock``), as the workers noticed them.

        Example: ``[incident.evidence for incident in await engine.incidents()]``
        """
        return await self._open.store.incidents()

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Parts of running executions that are put aside, as the engine could not get on with them in several attempts;
        oldest first.  Time-outs and `stop` work on them as always.

        Example: ``[letter.reason for letter in await engine.dead_letters()]``
        """
        return await self._open.store.dead_letters()

    async def revive(self, execution: str | None = None) -> int:
        """Try dead letters again, as if they never had been tried; how many there were.

        Arguments:
            execution: whose: an ARN, or ``<state machine>:<name>``; None: all.

        Raises StatewrightError ExecutionDoesNotExist.

        Example: ``await engine.revive("orders:4711")``
        """
        wanted = None if execution is None else await self._id((await self.describe(execution)).execution.arn)
        letters = [letter for letter in await self.dead_letters() if wanted in (None, letter.execution)]
        return sum([await self._open.store.revive(letter) for letter in letters])
