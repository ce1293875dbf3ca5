"""Chaos C2 and C3, a few mishaps each: ``python -m tests.chaos c2 c3`` is the whole of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.topologies import WAYS, failovers, primaries_die, slots_move


def test_nothing_is_lost_in_a_failover_that_replicas_were_waited_for(tmp_path: Path) -> None:
    asyncio.run(failovers(tmp_path / "s", 1, replicated=True)).assert_whole()


def test_a_failover_that_loses_what_was_acknowledged_is_reported_and_leaves_nothing_stuck_or_forked(
    tmp_path: Path,
) -> None:
    """T4."""
    filled = asyncio.run(failovers(tmp_path / "s", 1, replicated=False))
    assert (filled.stuck, filled.wrong) == ([], [])
    assert filled.incidents
    assert filled.lost, "the test did not do what it says: nothing was lost"


@pytest.mark.parametrize("way", WAYS)
def test_slots_move_while_orders_are_filled(way: str, tmp_path: Path) -> None:
    asyncio.run(slots_move(tmp_path / "c", way, 6)).assert_whole()


def test_primaries_of_a_cluster_die_while_orders_are_filled(tmp_path: Path) -> None:
    asyncio.run(primaries_die(tmp_path / "c", 1)).assert_whole()
