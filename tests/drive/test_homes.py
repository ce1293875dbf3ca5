"""Rendezvous hashing: balance, agreement, and how little changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from statewright.drive.homes import ranks

OWNERS = st.lists(st.text("0123456789abcdef", min_size=16, max_size=16), min_size=1, max_size=12, unique=True)


def homes(owners: list[str], shards: int) -> list[str]:
    """The home of each shard."""
    found = {owner: ranks(owner, owners, shards) for owner in owners}
    return [next(owner for owner in owners if found[owner][shard] == 0) for shard in range(shards)]


@given(OWNERS)
def test_every_shard_has_one_order_of_workers_on_which_all_agree(owners: list[str]) -> None:
    found = [ranks(owner, owners, 16) for owner in owners]
    for shard in range(16):
        assert sorted(each[shard] for each in found) == list(range(len(owners)))


@given(OWNERS, st.data())
def test_only_the_shards_of_a_worker_that_goes_move_and_each_to_its_first_substitute(
    owners: list[str], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(owners))
    left = [owner for owner in owners if owner != gone]
    if not left:
        return
    before, after = homes(owners, 64), homes(left, 64)
    for shard in range(64):
        if before[shard] != gone:
            assert after[shard] == before[shard]
        else:
            assert ranks(after[shard], owners, 64)[shard] == 1


@given(st.integers(2, 8), st.integers())
def test_shards_are_spread(count: int, salt: int) -> None:
    owners = [f"{salt}-{number}" for number in range(count)]
    found = homes(owners, 4096)
    for owner in owners:
        # The share of each is binomial: six standard deviations either way are never reached by chance.
        share, deviation = 4096 / count, (4096 / count * (1 - 1 / count)) ** 0.5
        assert abs(found.count(owner) - share) < 6 * deviation


def test_a_worker_alone_is_at_home_everywhere() -> None:
    assert ranks("w", ["w"], 256) == [0] * 256
