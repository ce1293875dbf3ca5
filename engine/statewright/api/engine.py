"""`AsyncEngine`: all parts of the API in one class."""

from __future__ import annotations

from statewright.api.mapruns import MapRuns
from statewright.api.metrics import Monitoring
from statewright.api.tasks import Tasks
from statewright.api.upkeep import Upkeep
from statewright.api.verify import Verification

__all__ = ["AsyncEngine"]


class AsyncEngine(Verification, Upkeep, MapRuns, Tasks, Monitoring):
    """Durable state machines on a store.

    Arguments:
        store: URL of a Redis or Valkey server (``redis://``, ``rediss://``, ``unix://``); None: an embedded one.
        data_dir: where the embedded server keeps its data.
        shards: of a new store, for good; None: 256, or 16 where it is embedded.
        tasks: handlers by resource, name or pattern (see `Registry`).
        durability: what acknowledged work survives besides its workers: ``durable``, the default, a power failure;
            ``fast`` a dead server; ``replicated`` also the loss of a node; ``volatile`` nothing, for tests.  A server
            that is not set for it is refused.  None: $STATEWRIGHT_DURABILITY; else ``replicas=N`` in the URL means
            replicated.
        profile: ``aws``, or ``statewright`` with larger limits; `limits`: instead of the profile's.
        concurrency: how many handlers a worker runs at once; `threads`: how many of them may be synchronous.
        lease_seconds: after so long without a sign of life a worker's work goes to another.
        region, account: in ARNs.
        clock: a VirtualClock, for tests.
        objects: where distributed Maps read items from and write results to: a directory, whose directories are the
            buckets, or the URL of an S3-compatible store (see `items.open_objects`); None: nowhere.
        retention: for how long executions are kept after their end, by all workers of the store: what is said here is
            written there.  ``"for ever"`` is possible; None: as the store has it, at first 90 days.
        archive_after: workers archive an execution so long after its end: it takes a quarter of the room then, and
            nothing else changes; None: they neither archive nor delete.

    Example::

        async with AsyncEngine(data_dir=".statewright", tasks={"greet": greet}) as engine:
            await engine.deploy(Path("hello.asl.yaml"), name="hello")
            print((await engine.run("hello", {"name": "you"})).output)
    """
