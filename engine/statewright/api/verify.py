"""Checking that everything kept is as it was written, and that every state follows from its history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from statewright.api.executions import Executions
from statewright.store.records import Verified

__all__ = ["Verification"]

_AT_ONCE = 64
"""Executions that are read at the same time."""


class Verification(Executions):
    """The check of the whole store."""

    async def verify(
        self, executions: Sequence[str] = (), *, machine: str | None = None, status: str | None = None
    ) -> AsyncGenerator[Verified, None]:
        """Check executions one by one, as they are found; workers may go on meanwhile.

        Of each: ids without gaps, the chain through the history, payloads and records by their checksums; every event
        follows one that it can follow, every Entered event has its Exited one, every task its one end; no timer came
        early; the end in the header is that of the history; each frame is where the history says.  Without
        `executions`, `machine` and `status`: also keys that belong to no execution, and definitions.

        Arguments:
            executions: ARNs or ``machine:name``; none: all there are.
            machine: name or ARN of the state machine whose executions are checked; None: any.
            status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None: any.

        Raises StatewrightError ExecutionDoesNotExist.

        Example: ``wrong = [finding async for each in engine.verify() for finding in each.findings]``
        """
        name = None if machine is None else self.arns.machine_name(machine)
        if executions:
            for execution in executions:
                verified = await self._open.store.verify_execution(await self._id(execution), name, status)
                if verified is None:
                    await self.describe(execution)  # there is one, but not of this state machine or status
                else:
                    yield verified
            return
        store, whole = self._open.store, name is None and status is None
        if whole:
            yield Verified("", 0, tuple(await store.verify_scripts()))
        async for keys in store.keys_of(None):
            ids = [key.partition(b"}:x:")[2].decode(errors="backslashreplace") for key in keys if b"}:x:" in key]
            async for verified in self._verified(ids, name, status):
                yield verified
            if whole:
                yield Verified("", 0, tuple(await store.verify_keys(keys)))

    async def _verified(self, ids: Sequence[str], name: str | None, status: str | None) -> AsyncIterator[Verified]:
        store = self._open.store
        for start in range(0, len(ids), _AT_ONCE):
            some = [store.verify_execution(id_, name, status) for id_ in ids[start : start + _AT_ONCE]]
            for verified in await asyncio.gather(*some):
                if verified is not None:
                    yield verified
