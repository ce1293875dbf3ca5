"""What a check has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["HINTS", "Finding"]

HINTS: Final = {
    "BrokenChain": "the server's files are damaged, or histories were mixed: restore them from a copy or a replica",
    "BrokenDefinition": "deploy the same definition again: its executions find it by its content",
    "BrokenHeader": "the server's files are damaged: restore them from a copy or a replica",
    "BrokenPayload": "the server's files are damaged: restore them from a copy or a replica",
    "BrokenRecord": "the server's files are damaged: restore them from a copy or a replica",
    "BrokenScripts": "FUNCTION DELETE it on the server; it is loaded again with the next call",
    "EarlyTimer": "the server's clock was set back, or its files are damaged",
    "ForeignKey": "no execution owns this key: another program writes under sw:, or the server's files are damaged",
    "WrongEnd": "the end that is stored is not the one in the history: one of the two is damaged",
    "WrongFrame": "the state does not follow from the history: stop the execution, and start it again",
    "WrongIndex": "statewright list may not show the execution, or show it twice",
    "WrongOrder": "please report this history: no execution can have it",
    "WrongTimer": "something may happen too early, too late or never: stop the execution, and start it again",
}
"""What to do about it, by code."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be.

    Arguments:
        code: one of `HINTS`.
        message: what is wrong, in words.
        event: id of the history event it is about; None: of none.
        execution: whose it is; "" where that goes without saying.

    Example: ``Finding("WrongOrder", "event 3 follows event 7", 3).hint``
    """

    code: str
    message: str
    event: int | None = None
    execution: str = ""

    @property
    def hint(self) -> str:
        """What to do about it."""
        return HINTS[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
