"""``python -m tests.chaos c1 … c5``: chaos for as long as the reliability notes (5, C) ask; all of it by default.

C1: orders under kills, stops, fates, lost replies and power cuts. C2: Sentinels. C3: a cluster. C4: C1 on Redis 7.0.
C5: disk, memory, functions.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from tests.chaos.filling import Filled
from tests.chaos.power import Power
from tests.chaos.resources import SCENARIOS
from tests.chaos.storm import Storm, survive
from tests.chaos.test_storm import MUTANTS
from tests.chaos.topologies import WAYS, failovers, primaries_die, slots_move
from tests.chaos.worker import Perils
from tests.store.servers import binary

__all__ = ["main"]

_STALL = 5.0  # seconds a start may take while slots move


def main() -> int:
    """Run the command; 1 if anything went wrong."""
    usual, perils = Storm(), Perils(Path())
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("chapters", nargs="*", metavar="c1 c2 c3 c4 c5", help="which of them (default: all)")
    parser.add_argument("--orders", type=int, default=usual.orders, help="C1, C4: how many (%(default)s)")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="in which they are started (%(default)s)")
    parser.add_argument("--kills", type=int, default=usual.kills, help="workers killed (%(default)s)")
    parser.add_argument("--stops", type=int, default=usual.stops, help="workers stopped for a while (%(default)s)")
    parser.add_argument("--cuts", type=int, default=usual.cuts, help="power cuts (%(default)s)")
    parser.add_argument("--late", type=float, default=usual.late, help="p99 of timers, seconds (%(default)s)")
    parser.add_argument("--lease", type=float, default=perils.lease, help="seconds (%(default)s)")
    parser.add_argument("--seed", type=int, default=perils.seed, help="of all chance (%(default)s)")
    parser.add_argument(
        "--mutant", choices=MUTANTS, action="append", default=[], help="break the store in this way: to be found out"
    )
    parser.add_argument(
        "--appendfsync", default="always", help="anything else loses what was acknowledged (%(default)s)"
    )
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.CRITICAL)  # what is warned of is what is done here
    logging.getLogger("tests.chaos").setLevel(logging.INFO)
    wrong = 0
    for chapter in options.chapters or ["c1", "c2", "c3", "c4", "c5"]:
        with tempfile.TemporaryDirectory(prefix=f"chaos-{chapter}-") as folder:
            if chapter in ("c1", "c4"):
                wrong += _storm(options, Path(folder), "valkey" if chapter == "c1" else "redis")
            elif chapter in _CHAPTERS:
                wrong += _CHAPTERS[chapter](Path(folder))
            else:
                parser.error(f"there is no {chapter}")
    return 1 if wrong else 0


def _storm(options: argparse.Namespace, folder: Path, kind: str) -> int:
    names = ("orders", "seconds", "kills", "stops", "cuts", "late")
    storm = Storm(**{name: getattr(options, name) for name in names})
    mutant = tuple(MUTANTS[name] for name in options.mutant)
    perils = Perils(folder / "site", seed=options.seed, lease=options.lease, mutant=mutant)
    begun = time.monotonic()
    findings = survive(storm, perils, Power(folder / "power", binary(kind), appendfsync=options.appendfsync))
    print(f"a storm on {kind}, {time.monotonic() - begun:.0f} s in all: {findings}", flush=True)
    return len(findings.violations)


def _sentinels(folder: Path) -> int:
    kept = asyncio.run(failovers(folder / "replicated", 5, replicated=True))
    lost = asyncio.run(failovers(folder / "not", 5, replicated=False))
    return _tell("5 failovers, replicas=2", kept) + _tell("5 failovers", lost, may_lose=True)


def _cluster(folder: Path) -> int:
    wrong = 0
    for way in WAYS:
        filled = asyncio.run(slots_move(folder / way.replace(" ", "-"), way, 64))
        wrong += _tell(f"64 slots moved {way}", filled) + (filled.longest > _STALL)
    return wrong + _tell("3 primaries killed", asyncio.run(primaries_die(folder / "killed", 3)))


def _resources(folder: Path) -> int:
    wrong = 0
    with patch.dict(os.environ, STATEWRIGHT_SERVER=str(Power(folder / "power").program)):
        for number, (trouble, scenario) in enumerate(SCENARIOS.items()):
            wrong += _tell(trouble, asyncio.run(scenario(folder / str(number), True)))
    return wrong


_CHAPTERS = {"c2": _sentinels, "c3": _cluster, "c5": _resources}


def _tell(what: str, filled: Filled, *, may_lose: bool = False) -> int:
    print(
        f"{what}: {len(filled.acknowledged)} orders, {len(filled.lost)} lost, {len(filled.stuck)} stuck, "
        f"{len(filled.wrong)} wrong, {sum(filled.attempts.values())} attempts at {len(filled.attempts)} effects, "
        f"{filled.refused} starts refused, the longest took {filled.longest:.2f} s, {filled.removed} members removed, "
        f"repaired: {dict(filled.repaired) or 'nothing'}, {len(filled.incidents)} roll-backs noticed",
        *filled.wrong[:5],
        sep="\n  ",
        flush=True,
    )
    if may_lose:  # then that has to be noticed
        return len(filled.stuck) + len(filled.wrong) + (bool(filled.lost) and not filled.incidents)
    unasked = bool(filled.repaired) != (filled.removed > 0)
    return sum(map(len, (filled.lost, filled.stuck, filled.wrong, filled.incidents))) + unasked


if __name__ == "__main__":
    sys.exit(main())
