"""``python -m bench``: throughput and latency of the engine, with the store's own limit beside them."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench import scenarios
from bench.languages import compile_and_evaluate, language_cost
from bench.large_file import large_file
from bench.limit import commits_per_second
from bench.timers import timers
from statewright import AsyncEngine, Limits
from statewright.store.embedded import stop_embedded

LIMITS = Limits(history_events=1_000_000)
"""A Map over 10,000 items writes more events than AWS allows."""


async def noop(order: Any) -> Any:
    """The trivial task."""
    return order


def quantile(values: list[float], share: float) -> float | None:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else None


async def measure(data_dir: Path, only: str | None, quick: bool) -> dict[str, Any]:
    """All scenarios on one embedded store, with `appendfsync always`."""
    scale = 10 if quick else 1
    report: dict[str, Any] = {}
    if only is None or "languages" in only:
        report["languages"] = costs = language_cost(5000 // scale)
        ratios = "  ".join(f"{name} {cost:.1f} µs ({cost / costs['JSONPath']:.2f})" for name, cost in costs.items())
        print(f"{'languages':24} {ratios}", flush=True)
        report["expressions"] = compile_and_evaluate(1000 // scale)
        cells = (
            f"{name} first {cost['first_us']:.0f} µs, again {cost['again_us']:.0f} µs"
            for name, cost in report["expressions"].items()
        )
        print(f"{'expressions':24} {'  '.join(cells)}", flush=True)
    if only is None or "large-file" in only:
        megabytes = 20 if quick else 1000
        report["large-file"] = figures = await large_file(data_dir, data_dir.parent / "objects", megabytes)
        print(f"{'large-file':24} " + "  ".join(f"{name} {figure}" for name, figure in figures.items()), flush=True)
    async with AsyncEngine(data_dir=data_dir, tasks={"noop": noop}, limits=LIMITS) as engine, engine.worker():
        runs: dict[str, Callable[[], Awaitable[scenarios.Result]]] = {
            "chain, one at a time": lambda: scenarios.chain_alone(engine, 100 // scale),
            "chain, 1000 at once": lambda: scenarios.chain_concurrent(engine, 1000 // scale),
            "choice loop": lambda: scenarios.choice_loop(engine, scenarios.LOOPS // scale),
            "map": lambda: scenarios.map_items(engine, scenarios.ITEMS // scale),
            "map, 10000 items": lambda: scenarios.map_items(engine, 10_000 // scale),
        }
        if only is None and not quick:
            report["commit cost"] = await scenarios.commit_cost(engine)
            cost = report["commit cost"]
            print(f"{'commit cost':24} event 20000 / event 100: {cost['event_20000'] / cost['event_100']:.2f}")
        if only is None or "express" in only:
            report["express"] = figures = await scenarios.express(engine, 1000 // scale)
            print(f"{'express':24} " + "  ".join(f"{name} {figure}" for name, figure in figures.items()), flush=True)
        if only is None or "timers" in only:
            report["timers"] = figures = await timers(engine, 100_000 // (scale * scale))
            print(f"{'timers':24} " + "  ".join(f"{name} {figure}" for name, figure in figures.items()), flush=True)
        for name, run in runs.items():
            if only is not None and only not in name:
                continue
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            result = await run()
            limit = await commits_per_second(data_dir, 1 if "one at a time" in name else 100, 2000 if quick else 20_000)
            rate = result.transitions / result.seconds
            report[name] = {
                "transitions_per_second": round(rate),
                "store_commits_per_second": round(limit),
                "ratio": round(rate / limit, 3),
                "p50_ms": quantile(result.latencies, 0.5),
                "p99_ms": quantile(result.latencies, 0.99),
                "execution_p50_ms": statistics.median(result.per_execution) if result.per_execution else None,
                "memory_grown_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
            }
            print(line(name, report[name]), flush=True)
    await stop_embedded(data_dir)
    report["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(f"{'peak memory':24} {report['peak_memory_mb']} MB")
    return report


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
    with tempfile.TemporaryDirectory(prefix="statewright-bench-") as folder:
        report = asyncio.run(measure(Path(folder) / "store", options.only, options.quick))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
