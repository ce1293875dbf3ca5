"""How large, long and many things may be."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

__all__ = ["PROFILES", "Limits"]


class Limits(Struct, frozen=True):
    """Every limit of the interpreter; the defaults are those of AWS Step Functions (reference, section 1.14).

    Arguments:
        payload_bytes: largest input, output or result, in bytes of UTF-8.
        history_events: an execution fails when its history would grow past this many events.
        map_concurrency: iterations of an inline Map that run at once where MaxConcurrency is 0 or larger.
        wait_seconds: the longest wait a timestamp may ask for.
        variable_bytes: largest single variable or Assign, in bytes of UTF-8.
        variables_bytes: all variables of a scope together, in bytes of UTF-8.
        express_seconds: how long an EXPRESS execution may take, whatever its TimeoutSeconds.
        express_history_events: as `history_events`, for an EXPRESS execution.  AWS has no such limit, as it keeps no
            history of them; here they have one, and a loop must not fill the store.
    """

    payload_bytes: int = 262_144
    history_events: int = 25_000
    map_concurrency: int = 40
    wait_seconds: int = 2_147_483_647
    variable_bytes: int = 262_144
    variables_bytes: int = 10 * 1024 * 1024
    express_seconds: int = 300
    express_history_events: int = 250_000


PROFILES: Mapping[str, Limits] = {
    "aws": Limits(),
    "statewright": Limits(
        payload_bytes=64 * 1024 * 1024,
        history_events=1_000_000,
        map_concurrency=1000,
        variable_bytes=10 * 1024 * 1024,
    ),
}
"""Limits by profile: as AWS has them, and as far as this engine can well go.  Variables stay within 10 MiB, as all of
them are part of every commit.  Example: ``PROFILES["aws"] == Limits()``
"""
