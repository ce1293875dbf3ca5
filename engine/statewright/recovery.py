"""Retry and Catch: which error names match, how often, and after how long (States Language, "Errors")."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from statewright.errors import StatesError

__all__ = ["Retrier", "error_output", "find_retrier", "matches", "retry_delay"]

TERMINAL: Final = frozenset({"States.Runtime"})
"""Errors that always end the execution: no retrier or catcher gets them (AWS documentation, error names)."""

TIMEOUTS: Final = frozenset({"States.Timeout", "States.HeartbeatTimeout"})


@dataclass(frozen=True, slots=True)
class Retrier:
    """One member of `Retry`; defaults are those of the States Language.

    Arguments:
        error_equals: error names.
        interval_seconds: before the first retry.
        max_attempts: 0 means never.
        backoff_rate: factor by which the interval grows.
        max_delay_seconds: cap of the interval, None for no cap.
        full_jitter: JitterStrategy FULL: a random time between 0 and the capped interval.
    """

    error_equals: tuple[str, ...]
    interval_seconds: float = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_seconds: float | None = None
    full_jitter: bool = False

    @classmethod
    def of(cls, spec: dict[str, Any]) -> Retrier:
        """The retrier of a definition.  Example: ``Retrier.of({"ErrorEquals": ["States.ALL"]}).max_attempts == 3``"""
        return cls(
            tuple(spec["ErrorEquals"]),
            spec.get("IntervalSeconds", 1),
            spec.get("MaxAttempts", 3),
            spec.get("BackoffRate", 2.0),
            spec.get("MaxDelaySeconds"),
            spec.get("JitterStrategy") == "FULL",
        )


def matches(error_equals: Sequence[str], error: str | None, aliases: Sequence[str] = ()) -> bool:
    """Does one of the names match the error?

    `States.ALL` matches everything that can be caught, `States.TaskFailed` everything but time-outs, `States.Timeout`
    also a heartbeat's.  A failure without a name (a Fail state without Error) is matched by the wildcards only.

    Example: ``matches(["States.TaskFailed"], "Boom") and not matches(["States.ALL"], "States.Runtime")``
    """
    if error in TERMINAL:
        return False
    for name in error_equals:
        if name in (error, "States.ALL") or name in aliases:
            return True
        if name == "States.TaskFailed" and error not in TIMEOUTS:
            return True
        if name == "States.Timeout" and error in TIMEOUTS:
            return True
    return False


def find_retrier(retriers: Sequence[Retrier], used: Sequence[int], error: StatesError) -> int | None:
    """Index of the first retrier that matches, or None if there is none or its attempts are used up.

    Each retrier counts for itself; the first that matches decides (States Language, "Retrying after error").

    Example: ``find_retrier([Retrier(("A",), max_attempts=1)], (1,), StatesError("A")) is None``
    """
    for index, retrier in enumerate(retriers):
        if matches(retrier.error_equals, error.error, error.aliases):
            attempts = used[index] if index < len(used) else 0
            return index if attempts < retrier.max_attempts else None
    return None


def retry_delay(retrier: Retrier, used: int, uniform: Callable[[float, float], float]) -> int:
    """Milliseconds to wait before retry number `used` + 1; jitter is applied after the cap.

    Example: ``retry_delay(Retrier(("A",), interval_seconds=3), 1, uniform) == 6000``
    """
    longest = 31_622_400.0  # a year and a day: MaxDelaySeconds' own upper bound, so the power cannot overflow
    try:
        seconds = min(retrier.interval_seconds * retrier.backoff_rate**used, longest)
    except OverflowError:
        seconds = longest
    if retrier.max_delay_seconds is not None:
        seconds = min(seconds, retrier.max_delay_seconds)
    if retrier.full_jitter:
        seconds = uniform(0, seconds)
    return math.ceil(seconds * 1000)


def error_output(error: StatesError) -> dict[str, Any]:
    """The Error Output that a catcher gets.  A time-out's Cause is the empty text, other missing ones null (recorded).

    Example: ``error_output(StatesError("Boom", "why")) == {"Error": "Boom", "Cause": "why"}``
    """
    cause = error.cause
    if cause is None and error.error in TIMEOUTS:
        cause = ""
    return {"Error": error.error, "Cause": cause}
