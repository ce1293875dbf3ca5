"""``python -m tests.samples``: how every published definition ends with stand-ins for its tasks, as a table.

The first columns are about the run that is meant to go well; then how many other ways there are out of its Choices and
catchers, how many of these end as the definition says (at its end or in a Fail state), and the states visited by all.
The children of a distributed Map have histories of their own, so that their states are not counted as visited.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from statewright.store import start_embedded, stop_embedded
from tests.samples.runner import run
from tests.samples.sample import samples, states, variants


async def main(words: list[str]) -> int:
    """Run the samples in whose names one of the words occurs; without words, all."""
    chosen = [sample for sample in samples() if not words or any(word in sample.name for word in words)]
    width = max((len(sample.name) for sample in chosen), default=0)
    print(f"{'sample':{width}}  status     events  states  other ways  states  why")
    count = wrong = 0
    with tempfile.TemporaryDirectory(prefix="statewright-samples-") as folder:
        url = await start_embedded(Path(folder))
        try:
            for sample in chosen:
                objects = Path(folder) / "objects" / sample.name
                outcome = await run(sample, url, objects)
                others = [await run(other, url, objects) for other in variants(sample)]
                well = sum(other.status == "SUCCEEDED" or other.declared for other in others)
                everywhere = outcome.visited.union(*(other.visited for other in others))
                total = len(states(sample.definition))
                row = f"{outcome.status:9}  {outcome.events:6}  {f'{len(outcome.visited)}/{total}':>6}"
                row += f"  {f'{well}/{len(others)}':>10}  {f'{len(everywhere)}/{total}':>6}  "
                print(f"{sample.name:{width}}  {row}{(sample.why or outcome.why)[:120]}".rstrip())
                count += outcome.status == "SUCCEEDED"
                wrong += outcome.status != sample.ends
        finally:
            await stop_embedded(Path(folder))
    print(f"{count} of {len(chosen)} succeeded")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
