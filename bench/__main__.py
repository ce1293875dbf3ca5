"""``python -m bench``: throughput and latency of the engine, with the store's own limit beside them."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from bench import scenarios
from bench.languages import compile_and_evaluate, language_cost
from bench.large_file import large_file
from bench.limit import commits_per_second, set_fsync
from bench.load import idle_share, live_executions, noop, start_latency
from bench.memory import memory
from bench.restart import restart
from bench.timers import timers
from statewright import AsyncEngine, Limits
from statewright.store.embedded import stop_embedded

LIMITS = Limits(history_events=1_000_000)
"""A Map over 10,000 items writes more events than AWS allows."""


def quantile(values: list[float], share: float) -> float | None:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else None


Figures: TypeAlias = dict[str, Any]


async def measure(data_dir: Path, only: str | None, quick: bool) -> Figures:
    """All scenarios on one embedded store, with `appendfsync always`."""
    report: Figures = {}

    def wanted(name: str) -> bool:
        return only is None or only in name

    for name, section in sections(data_dir, quick).items():
        if wanted(name):
            report[name] = figures = await section()
            print(f"{name:24} " + "  ".join(f"{what} {shown(figure)}" for what, figure in figures.items()), flush=True)
    async with AsyncEngine(data_dir=data_dir, tasks={"noop": noop}, limits=LIMITS) as engine, engine.worker():
        for name, run in runs(engine, quick).items():
            if wanted(name):
                report[name] = await measure_run(data_dir, name, run, 2000 if quick else 20_000)
                print(line(name, report[name]), flush=True)
    await stop_embedded(data_dir)
    report["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(f"{'peak memory':24} {report['peak_memory_mb']} MB")
    return report


def sections(data_dir: Path, quick: bool) -> dict[str, Callable[[], Awaitable[Figures]]]:
    """What has figures of its own, by name."""
    scale = 10 if quick else 1

    def on_engine(act: Callable[[AsyncEngine], Awaitable[Figures]]) -> Callable[[], Awaitable[Figures]]:
        async def section() -> Figures:
            async with AsyncEngine(data_dir=data_dir, tasks={"noop": noop}, limits=LIMITS) as engine, engine.worker():
                return await act(engine)

        return section

    async def languages() -> Figures:
        return language_cost(5000 // scale)

    async def expressions() -> Figures:
        return compile_and_evaluate(1000 // scale)

    live = [10, 100, 1000] if quick else [100, 10_000, 100_000]
    named: dict[str, Callable[[], Awaitable[Figures]]] = {
        "languages": languages,
        "expressions": expressions,
        "large-file": lambda: large_file(data_dir, data_dir.parent / "objects", 20 if quick else 1000),
        "commit cost": on_engine(scenarios.commit_cost),
        "express": on_engine(lambda engine: scenarios.express(engine, 1000 // scale)),
        "timers": on_engine(lambda engine: timers(engine, 100_000 // (scale * scale))),
        "start latency": lambda: start_latency(data_dir.parent / "latency", 100, 10 / scale),
        "idle": lambda: idle_share(data_dir.parent / "idle", 10_000 // scale, 10 / scale),
        "memory": lambda: memory(data_dir.parent / "memory", 1000 if quick else 10_000),
        "restart": lambda: restart(data_dir.parent / "restart", *((1000, 1) if quick else (200_000, 5))),
        "live executions": lambda: live_executions(data_dir.parent / "live", live, 1000 // scale),
    }
    if quick:
        del named["commit cost"]
    return named


def runs(engine: AsyncEngine, quick: bool) -> dict[str, Callable[[], Awaitable[scenarios.Result]]]:
    """What is shown beside the store's own limit, by name."""
    scale = 10 if quick else 1
    return {
        "chain, one at a time": lambda: scenarios.chain_alone(engine, 100 // scale),
        "chain, 1000 at once": lambda: scenarios.chain_concurrent(engine, 1000 // scale),
        "chain, fast": lambda: scenarios.chain_concurrent(engine, 1000 // scale),
        "choice loop": lambda: scenarios.choice_loop(engine, scenarios.LOOPS // scale),
        "map": lambda: scenarios.map_items(engine, scenarios.ITEMS // scale),
        "map, 10000 items": lambda: scenarios.map_items(engine, 10_000 // scale),
    }


async def measure_run(
    data_dir: Path, name: str, run: Callable[[], Awaitable[scenarios.Result]], commits: int
) -> Figures:
    """A scenario and, right after it, the store's own limit; a ``fast`` one with fsync once a second."""
    if "fast" in name:
        await set_fsync(data_dir, "everysec")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await run()
    lanes = 1 if "one at a time" in name else 100
    limit = await commits_per_second(data_dir, lanes, commits if lanes > 1 else commits // 10)
    await set_fsync(data_dir, "always")
    rate = result.transitions / result.seconds
    return {
        "transitions_per_second": round(rate),
        "store_commits_per_second": round(limit),
        "ratio": round(rate / limit, 3),
        "p50_ms": quantile(result.latencies, 0.5),
        "p99_ms": quantile(result.latencies, 0.99),
        "execution_p50_ms": statistics.median(result.per_execution) if result.per_execution else None,
        "memory_grown_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
    }


def shown(figure: Any) -> str:
    """A figure of a section, short."""
    if isinstance(figure, dict):
        return "(" + ", ".join(f"{name} {shown(value)}" for name, value in figure.items()) + ")"
    return f"{figure:.2f}" if isinstance(figure, float) else str(figure)


def line(name: str, row: dict[str, Any]) -> str:
    """One scenario in words."""

    def ms(key: str) -> str:
        return "" if row[key] is None else f"  {key.removesuffix('_ms').replace('_', ' ')} {row[key]:.2f} ms"

    rate, limit = row["transitions_per_second"], row["store_commits_per_second"]
    head = f"{name:24} {rate:>7}/s  (store {limit}/s, ratio {row['ratio']})"
    return head + ms("p50_ms") + ms("p99_ms") + ms("execution_p50_ms") + f"  +{row['memory_grown_mb']} MB"


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to FILE")
    parser.add_argument("--only", metavar="NAME", help="only scenarios whose name contains NAME")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to see that it runs")
    options = parser.parse_args()
    gc.freeze()  # these two as in `statewright worker`
    gc.set_threshold(20_000, 20, 100)
    with tempfile.TemporaryDirectory(prefix="statewright-bench-") as folder:
        report = asyncio.run(measure(Path(folder) / "store", options.only, options.quick))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
