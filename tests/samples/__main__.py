"""``python -m tests.samples``: how every published definition ends with stand-ins for its tasks, as a table."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from statewright.store import start_embedded, stop_embedded
from tests.samples.runner import Outcome, run
from tests.samples.sample import Sample, samples


async def main(words: list[str]) -> int:
    """Run the samples in whose names one of the words occurs; without words, all."""
    rows: list[tuple[Sample, Outcome]] = []
    with tempfile.TemporaryDirectory(prefix="statewright-samples-") as folder:
        url = await start_embedded(Path(folder))
        try:
            for sample in samples():
                if not words or any(word in sample.name for word in words):
                    rows.append((sample, await run(sample, url, Path(folder) / "objects" / str(len(rows)))))
        finally:
            await stop_embedded(Path(folder))
    width = max((len(sample.name) for sample, _ in rows), default=0)
    print(f"{'sample':{width}}  status     states  events  why")
    for sample, outcome in rows:
        why = sample.why or outcome.why
        states = f"{outcome.visited}/{outcome.states}"
        print(f"{sample.name:{width}}  {outcome.status:9}  {states:>6}  {outcome.events:6}  {why[:160]}".rstrip())
    print(f"{sum(outcome.status == 'SUCCEEDED' for _, outcome in rows)} of {len(rows)} succeeded")
    return int(any(outcome.status != sample.ends for sample, outcome in rows))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
