"""What a worker does while the store cannot be used: try again, ever more rarely, and say why once (F10)."""

from __future__ import annotations

import logging
import random
from typing import Final

from statewright.errors import StatewrightError
from statewright.store.replies import TROUBLE

__all__ = ["Outage"]

_log = logging.getLogger("statewright")

_FIRST: Final = 0.2
_LONGEST: Final = 5.0
"""Seconds between two attempts, before chance makes them up to half shorter."""


class Outage:
    """The time during which no work can be claimed, if there is any.

    Nothing is claimed meanwhile; what was claimed before keeps its lease as long as that can be renewed.

    Example: ``await asyncio.sleep(outage.pause(error, now))`` after a failure, ``outage.over()`` after a success.
    """

    def __init__(self) -> None:
        self._pause = _FIRST
        self._until = 0.0
        self._told = ""

    def pause(self, error: Exception, now: float) -> float:
        """How long to wait, in seconds, after another failure at `now` (s, monotonic); those of many shards at about
        the same time count once."""
        known = isinstance(error, StatewrightError) and error.code in TROUBLE
        kind = error.code if isinstance(error, StatewrightError) else repr(error)
        if kind != self._told:
            _log.warning("no work can be claimed, trying again: %s", error, exc_info=None if known else error)
            self._told = kind
        wait = self._pause
        if now >= self._until:
            self._until, self._pause = now + wait / 2, min(self._pause * 2, _LONGEST)
        return wait * random.uniform(0.5, 1)  # noqa: S311  not a secret

    def over(self) -> None:
        """Work can be claimed (again)."""
        if self._told:
            _log.warning("work can be claimed again")
            self._pause, self._until, self._told = _FIRST, 0.0, ""
