"""``python -m bench.peers``: Statewright, DBOS and Restate in turn on this machine, each persisting every step.

Needs ``pip install 'statewright[peers]'``; for DBOS a PostgreSQL server (Debian: ``apt-get install postgresql``), for
Restate its server (``npm install @restatedev/restate-server``, and RESTATE_SERVER=path).  What is missing is left out,
and said so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

PEERS = ("statewright", "dbos", "restate")


def measured(peer: str, alone: int, together: int) -> dict[str, float] | str:
    """The figures of one engine in a process of its own, or why there are none."""
    command = [sys.executable, "-m", f"bench.peers.{peer}", str(alone), str(together)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1]
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    """Parse the command line, measure in turn, print medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each has its turn (default: 3)")
    parser.add_argument("--alone", type=int, default=50, help="executions one after the other (default: 50)")
    parser.add_argument("--together", type=int, default=500, help="executions at once (default: 500)")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {peer: [] for peer in PEERS}
    for number in range(options.rounds):
        for peer in PEERS:
            figures = measured(peer, options.alone, options.together)
            if isinstance(figures, str):
                print(f"round {number + 1}  {peer:12} left out: {figures}", flush=True)
                continue
            found[peer].append(figures)
            cells = f"{figures['alone_ms']:>8.2f} ms alone  {figures['steps_per_second']:>7.0f} steps/s"
            print(f"round {number + 1}  {peer:12} {cells}", flush=True)
    ours = found["statewright"]
    for peer, rounds in found.items():
        if rounds and ours:
            alone, rate = (statistics.median(each[key] for each in rounds) for key in ("alone_ms", "steps_per_second"))
            alone_ratio = alone / statistics.median(each["alone_ms"] for each in ours)
            rate_ratio = rate / statistics.median(each["steps_per_second"] for each in ours)
            cells = f"{alone:>8.2f} ms alone ({alone_ratio:.2f})  {rate:>7.0f} steps/s ({rate_ratio:.3f})"
            print(f"median   {peer:12} {cells}", flush=True)


if __name__ == "__main__":
    main()
