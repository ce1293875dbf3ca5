"""After any workload, and whatever happened to it, nothing is left that would stay for ever; chains stay small."""

from __future__ import annotations

import re

import pytest

from statewright.drive.retention import SETTLED_MS, collect
from tests.sim.checker import violations
from tests.sim.loop import SimLoop
from tests.sim.plan import Plan, plan_of
from tests.sim.reference import trails
from tests.sim.run import Run
from tests.sim.sources import simulated_sources
from tests.sim.workloads import WORKLOADS

_STAYS = re.compile(rb"^sw:\{meta\}:(meta$|machines$|m:|d:|workers$|said$|sweep$|incidents$)|^sw:\{\d+\}:(w$|a$|s$)")
"""What is about the store, its workers and the names of activities, and does not grow with executions."""


def collected(run: Run) -> int:
    """How many executions a process deletes that comes when all is over, and keeps none."""
    world, counts = run.world, list[int]()
    world.refusals.clear()
    world.late = 0.0
    world.clock_skew = 0.0  # what ended by a clock that went ahead ended in the future
    world.now += 7200 + SETTLED_MS / 1000
    world.over = lambda: bool(counts)

    async def work(loop: SimLoop) -> None:
        store = run.open_store()
        counts.append([done.executions async for done in collect(store, 0)][-1])
        await store.close()

    with simulated_sources(world):
        loop = world.spawn("collector", work)
        while world.step():
            pass
        assert not loop.problems, loop.problems
        loop.kill()
    return counts[0]


def leaked(run: Run) -> list[bytes]:
    return [key for key in run.world.server.space.keys if not _STAYS.match(key)]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_every_workload_can_be_deleted(workload: object) -> None:
    for archive in (None, 0.5):
        chosen = next(each for each in WORKLOADS if each is workload)
        run = Run(Plan(5, ((chosen, 0),), archive=archive)).carry_out()
        executions = len(trails(run))
        assert collected(run) == executions > 0
        assert leaked(run) == []


def test_nothing_leaks_whatever_happens() -> None:
    wrong = {}
    for seed in range(250):
        run = Run(plan_of(seed)).carry_out()
        if not run.stuck:
            collected(run)
            if keys := leaked(run):
                wrong[seed] = keys
    assert not wrong


@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_successors(seed: int) -> None:
    """Workers die all along the way: there is one execution that goes on, each has a short history, and what was
    archived stays readable."""
    again = next(each for each in WORKLOADS if each.name == "again")
    order = {"round": 1, "rounds": 200, "text": "x" * (3000 * (seed % 2))}
    long = type(again)(again.name, again.definition, (order,), determined=False)
    faults = tuple((step, "cut" if step % 3 else "crash") for step in range(50, 4000, 101))
    run = Run(Plan(seed, ((long, 0),), faults=faults, archive=0.2)).carry_out()
    assert not run.stuck
    found = trails(run)
    assert len(found) == 200
    assert {trail.status for trail in found.values()} == {"SUCCEEDED"}
    assert max(len(trail.events) for trail in found.values()) < 20
    assert sum(b"nx" in trail.header for trail in found.values()) == 199
    assert not any(trail.lost for trail in found.values())
    started = [trail.header for trail in found.values() if b"nx" not in trail.header]
    assert len(started) == 1, "only the last has no successor"
    rounds = [len(keys) for (_, state), keys in run.ledger.keys.items() if state == "Work"]
    assert sum(rounds) == 200, "each has worked once"
    assert collected(run) == 200
    assert leaked(run) == []


def test_a_chain_ends_like_an_execution() -> None:
    again = next(each for each in WORKLOADS if each.name == "again")
    for choice in range(len(again.inputs)):
        assert not violations(Run(Plan(3, ((again, choice),), archive=0.1)).carry_out())
