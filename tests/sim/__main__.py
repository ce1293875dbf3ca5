"""``python -m tests.sim``: simulate, enumerate faults, replay a seed."""

from __future__ import annotations

import argparse
import math
import os
import sys
from functools import partial

from tests.sim import coverage, mutants
from tests.sim.checker import violations
from tests.sim.plan import Plan, plan_of
from tests.sim.reference import prepare
from tests.sim.run import Run
from tests.sim.search import chunks_of, enumerate_faults, in_parallel, try_plans, try_seeds
from tests.sim.workloads import WORKLOADS


def main() -> int:
    """Run the command; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to try (default: 1000)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="replay one seed, and show everything that happened")
    parser.add_argument("--enumerate", metavar="WORKLOADS", help="every fault at every step, e.g. saga,map or all")
    parser.add_argument("--roll-back", action="store_true", help="in each run the store loses what came last")
    parser.add_argument("--mutants", action="store_true", help="break the engine in each known way: is it noticed?")
    parser.add_argument("--coverage", action="store_true", help="show the lines of the scripts that are not reached")
    options = parser.parse_args()
    prepare()
    if options.seed is not None:
        return replay(plan_of(options.seed, roll_back=options.roll_back))
    if options.mutants:
        return mutants.report(options.seeds, options.jobs)
    if options.coverage:
        return coverage.report(plan_of(seed, roll_back=seed % 8 == 0) for seed in range(options.seeds))
    limit = options.minutes * 60
    if options.enumerate:
        names = options.enumerate.split(",")
        names = [workload.name for workload in WORKLOADS] if names == ["all"] else names
        plans = list(enumerate_faults(names))
        found = in_parallel(try_plans, chunks_of(plans, 50), options.jobs, most_seconds=limit)
    else:
        seeds = chunks_of(range(options.first, options.first + options.seeds))
        work = partial(try_seeds, roll_back=options.roll_back)
        found = in_parallel(work, seeds, options.jobs, most_seconds=limit)
    for plan, wrong in found.wrong:
        print(plan, *wrong[:3], sep="\n    ")
        if not options.enumerate:
            print(f"    python -m tests.sim --seed {plan.seed}{' --roll-back' * options.roll_back}")
    print(found)
    return 1 if found.wrong else 0


def replay(plan: Plan) -> int:
    """Carry out a plan and tell what happened, step by step."""
    run = Run(plan, tracing=True).carry_out()
    print(*run.world.trace or [], sep="\n")
    print(plan)
    wrong = violations(run)
    print(*(wrong or ["all is well"]), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
