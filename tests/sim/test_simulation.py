"""The engine survives what a seed can do to it; the command for more: ``python -m tests.sim``."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import statewright
from tests.sim.checker import violations
from tests.sim.mutants import MUTANTS, Mutant, hunt
from tests.sim.plan import FAULTS, ROLL_BACK, ROLL_BACK_A_SHARD, Plan, plan_of
from tests.sim.reference import trails
from tests.sim.run import Run
from tests.sim.search import enumerate_faults, try_plans, try_seeds
from tests.sim.sources import SOURCES
from tests.sim.workloads import WORKLOADS

SEEDS = int(os.environ.get("STATEWRIGHT_SEEDS", "1500"))
ROOT = Path(__file__).parents[2]


def told(wrong: list[tuple[Plan, list[str]]]) -> str:
    return "\n".join(f"{plan}\n    {'; '.join(each[:3])}" for plan, each in wrong)


def test_random_faults() -> None:
    found = try_seeds(range(SEEDS))
    print(found)
    assert not found.wrong, told(found.wrong)
    # Otherwise nothing was proved: commits were repeated, and some came too late.
    assert found.outcomes["DUP"] > SEEDS / 50
    assert found.outcomes["STALE"] > SEEDS / 10


@pytest.mark.parametrize(
    ("workload", "kind"),
    [
        *[("saga", kind) for kind in FAULTS],
        ("map", "busy"),  # the call that brings the items may be refused, and the commit behind it not
        ("nested", "out of memory"),  # a store that refuses a call fails no task
        ("spread-express", "crash"),
    ],
)
def test_every_single_fault(workload: str, kind: str) -> None:
    found = try_plans(enumerate_faults([workload], kinds=[kind]))
    print(found)
    assert found.runs > 50
    assert not found.wrong, told(found.wrong)


def test_a_notice_that_cannot_be_obeyed_is_not_lost_with_a_connection() -> None:
    """What puts it off must be safe to repeat, as every call is."""
    nested = next(workload for workload in WORKLOADS if workload.name == "nested")
    faults = [((step, "out of memory"), (step + gap, "cut")) for step in range(25, 70) for gap in range(2, 7)]
    found = try_plans(Plan(seed, ((nested, 0),), workers=1, faults=each) for seed in range(4) for each in faults)
    print(found)
    assert not found.wrong, told(found.wrong)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_engine_is_noticed(mutant: Mutant) -> None:
    found = hunt(mutant, 1000)
    assert found.wrong, f"{found.runs} runs went well all the same"


def test_a_mutant_says_what_is_there() -> None:
    with pytest.raises(ValueError, match="the scripts do not say"):
        hunt(Mutant("mistaken", "no such line", ""), 1)


@pytest.mark.parametrize("seed", [3, 14, 100, 231])
def test_a_seed_is_one_schedule(seed: int) -> None:
    traces = [Run(plan_of(seed), tracing=True).carry_out().world.trace for _ in range(2)]
    assert traces[0] == traces[1]


def test_a_seed_is_the_same_schedule_in_another_process() -> None:
    command = [sys.executable, "-m", "tests.sim", "--seed", "11"]
    path = os.pathsep.join([str(ROOT / "engine"), str(ROOT)])
    outputs = [
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": salt}, capture_output=True
        ).stdout
        for salt in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].decode().endswith("all is well\n")


def test_roll_back() -> None:
    found = try_seeds(range(2 * SEEDS), roll_back=True)
    print(found)
    assert not found.wrong, told(found.wrong)


def test_every_roll_back() -> None:
    names = ["saga", "loop", "map", "spread", "nested", "express"]
    found = try_plans(enumerate_faults(names, kinds=[ROLL_BACK, ROLL_BACK_A_SHARD]))
    assert not found.wrong, told(found.wrong)


def test_a_child_whose_fork_is_lost_does_not_begin() -> None:
    """Between its claim and the reading of its fork: it would not know where in the definition it stands."""
    twice = next(workload for workload in WORKLOADS if workload.name == "twice")
    plans = [Plan(seed, ((twice, 0),), faults=((step, ROLL_BACK),)) for seed in range(40) for step in range(31, 38)]
    found = try_plans(plans)
    assert not found.wrong, told(found.wrong)


def test_a_roll_back_is_noticed() -> None:
    saga = next(workload for workload in WORKLOADS if workload.name == "saga")
    runs = [Run(Plan(seed, ((saga, 0),), faults=((40, ROLL_BACK),))).carry_out() for seed in range(30)]
    noticed = [run for run in runs if b"sw:{meta}:incidents" in run.world.server.space.keys]
    assert len(noticed) > len(runs) / 3


def test_what_an_execution_orders_is_known_by_its_place() -> None:
    """Chance has no part in the ids of map runs and child executions, so they are the same after a roll-back."""
    spread = next(workload for workload in WORKLOADS if workload.name == "spread")
    children = [set(trails(Run(Plan(seed, ((spread, 0),))).carry_out())) for seed in (1, 2)]
    assert len(children[0]) == 4
    assert children[0] == children[1]


def test_an_undisturbed_run_goes_well_on_any_number_of_workers() -> None:
    for workload in WORKLOADS:
        for workers in (1, 3):
            assert not violations(Run(Plan(1, ((workload, 0),), workers=workers)).carry_out())


def test_time_and_chance_come_from_the_world() -> None:
    """Whatever of the drive or the store asks a clock or draws lots is listed in `SOURCES`, or never runs here."""
    elsewhere = {"store.embedded", "store.restarts", "store.records", "drive.threads"}
    known = {name: {module.__name__ for module in modules} for name, modules in SOURCES.items()}
    package = Path(statewright.__file__).parent
    for room in ("drive", "store"):
        for path in (package / room).rglob("*.py"):
            name = ".".join(path.relative_to(package).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                for source in set(names) & set(known):
                    assert f"statewright.{name}" in known[source] or name in elsewhere, f"{name} imports {source}"
