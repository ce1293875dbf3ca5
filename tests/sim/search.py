"""Going through many seeds, or through every place at which one fault can strike."""

from __future__ import annotations

import gc
import math
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.sim.checker import violations
from tests.sim.plan import FAULTS, Plan, plan_of
from tests.sim.reference import prepare
from tests.sim.run import Run
from tests.sim.server import Libraries
from tests.sim.workloads import WORKLOADS

__all__ = ["Findings", "chunks_of", "enumerate_faults", "in_parallel", "try_plans", "try_seeds"]

T = TypeVar("T")

_COLLECT_EVERY = 8
"""Runs after which what they left is collected: what is small stays in the cache of the processor."""


@dataclass(slots=True)
class Findings:
    """What came out.

    Arguments:
        runs: how many.
        seconds: how long they took.
        busy: seconds of processor time they took, all processes together: what counts where the machine is shared.
        wrong: plans that went wrong, with the violations.
        outcomes: how often the scripts gave which outcome.
        struck: how many runs had a fault.
        steps: that all runs took together.
    """

    runs: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    wrong: list[tuple[Plan, list[str]]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    steps: int = 0

    def add(self, other: Findings) -> None:
        """Take in what another process has found at the same time."""
        self.runs += other.runs
        self.seconds = max(self.seconds, other.seconds)
        self.busy += other.busy
        self.wrong += other.wrong
        self.outcomes += other.outcomes
        self.struck += other.struck
        self.steps += other.steps

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        rate = 60 * self.runs / max(self.seconds, 0.001)
        return (
            f"{self.runs} schedules in {self.seconds:.1f} s, {rate:,.0f} a minute; "
            f"{1000 * self.busy / max(self.runs, 1):.2f} ms of processor time each; {len(self.wrong)} violations; "
            f"{self.struck / max(self.runs, 1):.0%} had faults; {self.steps / max(self.runs, 1):.0f} steps each; "
            f"commits and signals: {outcomes}"
        )


def try_plans(plans: Iterable[Plan], *, libraries: Libraries | None = None, enough: int = 10) -> Findings:
    """Carry out plans and check what they left, until `enough` of them have gone wrong."""
    prepare()
    libraries = libraries or Libraries()
    gc.collect()
    gc.freeze()  # what is there already need not be looked at again and again
    found, began, busy = Findings(), time.perf_counter(), time.process_time()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for plan in plans:
            run = Run(plan, libraries=libraries).carry_out()
            found.runs += 1
            found.outcomes.update(run.world.answered)
            found.struck += run.struck > 0
            found.steps += run.world.steps
            if wrong := violations(run):
                found.wrong.append((plan, wrong))
                if len(found.wrong) >= enough:
                    break
            if found.runs % _COLLECT_EVERY == 0:
                gc.collect()
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()
    found.seconds, found.busy = time.perf_counter() - began, time.process_time() - busy
    return found


def try_seeds(seeds: Iterable[int], *, roll_back: bool = False, enough: int = 10) -> Findings:
    """Carry out the plans of seeds (see `plan_of`, `try_plans`)."""
    return try_plans((plan_of(seed, roll_back=roll_back) for seed in seeds), enough=enough)


def enumerate_faults(names: Iterable[str], *, seed: int = 1, kinds: Iterable[str] = FAULTS) -> Iterator[Plan]:
    """Every kind of fault at every step of an execution of each workload and input."""
    for workload in WORKLOADS:
        if workload.name not in names:
            continue
        for choice in range(len(workload.inputs)):
            plan = Plan(seed, ((workload, choice),))
            steps = Run(plan).carry_out().world.steps
            for kind in kinds:
                for step in range(1, steps):
                    yield Plan(seed, plan.orders, faults=((step, kind),))


def in_parallel(
    work: Callable[[T], Findings], chunks: Sequence[T], jobs: int, *, most_seconds: float = math.inf, enough: int = 10
) -> Findings:
    """Have `work` done on all chunks by so many processes; says how far it is, and ends when `enough` plans have gone
    wrong or the time is over.

    Example: ``in_parallel(try_seeds, chunks_of(range(200_000)), 2)``
    """
    found, began, said = Findings(), time.perf_counter(), 0.0
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for done, part in enumerate(pool.imap_unordered(work, chunks), 1):
            found.add(part)
            found.seconds = time.perf_counter() - began
            if (found.seconds - said > 1 and sys.stderr.isatty()) or found.seconds - said > 20:
                said = found.seconds
                print(f"{done / len(chunks):4.0%}  {found}", file=sys.stderr, flush=True)
            if found.seconds > most_seconds or len(found.wrong) >= enough:
                pool.terminate()
                break
    return found


def chunks_of(what: Sequence[T], size: int = 250) -> list[Sequence[T]]:
    """The same in pieces."""
    return [what[start : start + size] for start in range(0, len(what), size)]
