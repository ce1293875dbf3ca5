"""Names of everything the store keeps: one place, so that a shard's keys always share one hash tag.

    sw:{meta}:meta                     hash: schema, store id, shards, secret; library:<name>, when the store
                                       was last opened with it
    sw:{meta}:machines, :m:<name>      set of names; hash per state machine
    sw:{meta}:d:<hash>                 definition text
    sw:{meta}:sweep                    hash: how far the workers have come in going through all keys
    sw:{meta}:workers, :said           zset of workers (until when they count as there); hash: what each says of itself
    sw:{meta}:old                      zset of definitions a state machine had before (until when)
    sw:{meta}:incidents                list: roll-backs and jumps of the clock that were noticed
    sw:{7}:x:<exec>                    header hash: execution, status, result
    sw:{7}:h:<exec>                    history list, chained; the id of an event is its place
    sw:{7}:p:<exec>                    hash of the payloads of 2 KiB and more: text by SHA-256; as long as the execution
    sw:{7}:z:<exec>                    archive: the history, the payloads and the large fields of the header of an
                                       execution that ended, compressed (see upkeep/archive.py)
    sw:{7}:done, :z                    zsets of ended executions (when), as they are and archived; the children of map
                                       runs are in the first only
    sw:{7}:f:<exec>:<frame>            frame hash: revision, owner, body ...
    sw:{7}:b:<exec>:<frame>            inbox list
    sw:{7}:j|r|i|o:<exec>:<frame>:<e>  a fork: join record, results, items, set of open children
    sw:{7}:u:<exec>:<frame>:<e>        hash: a map run's limits, counts and cursor; its results and open children are in
                                       r and o
    sw:{7}:runs                        hash: map run id to <exec>:<frame>:<e>
    sw:{7}:k:<exec>                    list of an execution's map run ids
    sw:{7}:n                           list of notices: what is to be done about other executions
    sw:{7}:l, :t                       zsets: leases (deadline), timers (due)
    sw:{7}:q:<machine>                 zset of ready frames (since), by state machine
    sw:{7}:q                           set of the state machines that have ready frames
    sw:{7}:s                           hash: how often a sweep has put something right, by what it was
    sw:{7}:w                           hash: how much each worker was told is done (see upkeep/serials.py)
    sw:{7}:dl                          zset of dead letters (since): frames that are put aside
    sw:{7}:a:<activity>                zset of waiting activity tasks (since)
    sw:{7}:a                           set of the activities that had waiting tasks
    sw:{7}:-                           never there (see `guard`)
    sw:{7}:e:<machine>:<status>        zset of executions (start time); <machine> empty: of all machines; child
                                       executions are listed under their map run's id instead

The scripts build the same names from the prefix (``lua/common.lua``).
"""

from __future__ import annotations

from zlib import crc32

__all__ = [
    "BELL", "END", "META", "OLD", "SCHEMA", "SHARDS", "SHARDS_EMBEDDED", "WORKERS", "definition", "guard", "machine",
    "prefix", "shard_of",
]  # fmt: skip

SHARDS = 256
"""Number of shards of a new store; fixed in its meta hash.  So many are spread evenly over a dozen nodes (reliability
notes, 3.1)."""

SHARDS_EMBEDDED = 16
"""The same for an embedded store, which is on one server."""

SCHEMA = 2
"""Version of this layout; a store of another version is refused.  In 1 timers were listed without their times, records
had no checksums, histories no chain, and nothing was archived."""

META = "sw:{meta}:meta"
MACHINES = "sw:{meta}:machines"
SWEEP = "sw:{meta}:sweep"
WORKERS = "sw:{meta}:workers"
OLD = "sw:{meta}:old"
INCIDENTS = "sw:{meta}:incidents"
BELL = "sw:bell"
"""Channel: something became ready in the shard named by the message; if that is empty, a worker has gone."""
END = "sw:end"
"""Channel: the execution named by the message ended."""


def shard_of(execution: str, shards: int) -> int:
    """Shard of an execution id; stable across processes and versions.  An id that ends in ``.<shard>`` says it itself:
    child executions of a map run are where their parent is.

    Example: ``shard_of("01ABC", 16)``
    """
    _, placed, shard = execution.rpartition(".")
    return int(shard) if placed else crc32(execution.encode()) % shards


def prefix(shard: int) -> str:
    """Prefix of a shard's keys: ``prefix(7) == "sw:{7}:"``."""
    return f"sw:{{{shard}}}:"


def machine(name: str) -> str:
    """Key of a state machine's record."""
    return f"sw:{{meta}}:m:{name}"


def guard(key: str) -> str:
    """A key that never exists, in the slot of `key`: a call that names both is refused as a whole while a slot moves
    from one node to another key by key.

    Example: ``guard("sw:{7}:q") == "sw:{7}:-"``
    """
    return f"{key[: key.index('}') + 1]}:-"


def definition(content_hash: str) -> str:
    """Key of a definition text."""
    return f"sw:{{meta}}:d:{content_hash}"
