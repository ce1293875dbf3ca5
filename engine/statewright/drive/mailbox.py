"""What a held frame knows of its inbox: the entries still to be reacted to, and what has to be told to the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from statewright.drive.events import is_stale
from statewright.model import Frame
from statewright.store.records import Signal

__all__ = ["Mailbox"]

_REMEMBERED = 64
"""As many commits as may be under way at once."""


class Mailbox:
    """The inbox of one held frame.

    Arguments:
        signals: its entries, oldest first, when the frame was claimed.

    Example: ``while mailbox.skip_stale(frame): event = event_of(mailbox.take(), …)``
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._signals = deque(signals)
        self._spent = 0  # entries that are used up and not yet told to the store
        self._removed: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)  # (revision, entries its commit removes)

    def __bool__(self) -> bool:
        return bool(self._signals)

    def renew(self, signals: Sequence[Signal], revision: int) -> None:
        """The entries as the store has them at a revision of the frame: what later commits remove is left out."""
        removed = sum(count for made, count in self._removed if made > revision)
        self._signals = deque(signals[removed + self._spent :])

    def skip_stale(self, frame: Frame) -> bool:
        """Pass over entries that have nothing to say to the frame as it is; whether there is one that has."""
        while self._signals and is_stale(self._signals[0], frame):
            self.take()
        return bool(self._signals)

    def take(self) -> Signal:
        """The next entry, which is used up with that."""
        self._spent += 1
        return self._signals.popleft()

    def interrupts(self, frame: Frame) -> bool:
        """Whether an entry ends a running handler.  An answer by token does not: whoever sent it was told the token by
        this very handler, which is about to return."""
        return any(signal.kind != "answer" and not is_stale(signal, frame) for signal in self._signals)

    def tell(self, revision: int) -> int:
        """How many entries the commit that makes `revision` removes: all that are used up."""
        spent, self._spent = self._spent, 0
        if spent:
            self._removed.append((revision, spent))
        return spent

    def copy(self) -> Mailbox:
        """The same, to go back to if a commit does not fit."""
        copied = Mailbox(self._signals)
        copied._spent, copied._removed = self._spent, self._removed.copy()
        return copied
