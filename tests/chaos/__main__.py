"""``python -m tests.chaos``: the long forms, with the numbers of the reliability notes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.power import Power
from tests.chaos.storm import Storm, survive
from tests.chaos.worker import Perils

__all__ = ["main"]

def main() -> int:
    """Run the command; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--orders", type=int, default=Storm().orders)
    parser.add_argument("--seconds", type=float, default=Storm().seconds)
    parser.add_argument("--kills", type=int, default=Storm().kills)
    parser.add_argument("--stops", type=int, default=Storm().stops)
    parser.add_argument("--cuts", type=int, default=Storm().cuts)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    site = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(site)
    power = Power(site / "power")
    storm = Storm(orders=options.orders, seconds=options.seconds, kills=options.kills, stops=options.stops, cuts=options.cuts)
    findings = survive(storm, Perils(site / "site", str(power.program), seed=options.seed), power)
    print(findings)
    return 1 if findings.violations else 0

if __name__ == "__main__":
    sys.exit(main())
