"""Rendezvous hashing: on which worker a shard is at home, and who comes next.

Every worker draws a number for every shard, which anybody can work out from its name; the highest is the shard's home.
Shards are spread evenly, and when a worker comes or goes only those change their home that it takes or leaves.
Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

__all__ = ["ranks"]


@lru_cache(1024)
def _weights(owner: str, shards: int) -> tuple[bytes, ...]:
    return tuple([blake2b(f"{owner}:{shard}".encode(), digest_size=8).digest() for shard in range(shards)])


def ranks(owner: str, others: Iterable[str], shards: int) -> list[int]:
    """How many of the `others` come before a worker, by shard; 0 where it is at home.

    Example: ``ranks("w1", [], 2) == [0, 0]``
    """
    found = [0] * shards
    own = _weights(owner, shards)
    for other in others:
        if other != owner:
            for shard, weight in enumerate(_weights(other, shards)):
                found[shard] += weight > own[shard]
    return found
