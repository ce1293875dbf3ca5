"""`AsyncEngine`: all parts of the API in one class."""

from __future__ import annotations

from statewright.api.mapruns import MapRuns
from statewright.api.tasks import Tasks
from statewright.api.upkeep import Upkeep

__all__ = ["AsyncEngine"]


class AsyncEngine(Upkeep, MapRuns, Tasks):
    """Durable state machines on a store.

    Arguments:
        store: URL of a Redis or Valkey server (``redis://``, ``rediss://``, ``unix://``); None: an embedded one.
        data_dir: where the embedded server keeps its data.
        tasks: handlers by resource, name or pattern (see `Registry`).
        profile: ``aws``, or ``statewright`` with larger limits; `limits`: instead of the profile's.
        concurrency: how many handlers a worker runs at once; `threads`: how many of them may be synchronous.
        lease_seconds: after so long without a sign of life a worker's work goes to another.
        region, account: in ARNs.
        clock: a VirtualClock, for tests.
        objects: where distributed Maps read items from and write results to: a directory, whose directories are the
            buckets, or the URL of an S3-compatible store (see `items.open_objects`); None: nowhere.

    Example::

        async with AsyncEngine(data_dir=".statewright", tasks={"greet": greet}) as engine:
            await engine.deploy(Path("hello.asl.yaml"), name="hello")
            print((await engine.run("hello", {"name": "you"})).output)
    """
