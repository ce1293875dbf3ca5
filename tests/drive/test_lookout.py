"""Where a worker looks, and when: no wish is forgotten, nothing is polled, strangers' shards get their time."""

from __future__ import annotations

from statewright.drive.clock import VirtualClock
from statewright.drive.lookout import Lookout

NOW = 1_000_000


class Alarms(VirtualClock):
    """A clock that goes when told, and then rings the alarm."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.alarms: dict[int, object] = {}
        self.set = 0

    def alarm(self, due, ring):  # type: ignore[no-untyped-def]
        self.set += 1
        number = self.set
        self.alarms[number] = (due, ring)
        return lambda: self.alarms.pop(number, None)

    def go(self, moment: int) -> None:
        """Let time pass until then."""
        while due := [(when, number) for number, (when, _) in self.alarms.items() if when <= moment]:  # type: ignore[misc]
            when, number = min(due)
            self.advance_to(when)
            self.alarms.pop(number)[1]()  # type: ignore[index]
        self.advance_to(moment)


def fresh(shards: int = 4, ranks: list[int] | None = None) -> tuple[Lookout, Alarms]:
    """A lookout that has looked everywhere once, and found nothing."""
    clock = Alarms()
    lookout = Lookout(clock, shards)
    if ranks is not None:
        lookout.settle(ranks)
    look(lookout, clock)
    lookout.wake.clear()
    return lookout, clock


def look(lookout: Lookout, clock: Alarms, due: int | None = None) -> list[tuple[int, int]]:
    """Look wherever that is due; all shards answer the same."""
    taken = lookout.take(1000)
    for shard, patience in taken:
        lookout.looked(shard, patience, clock(), due)
    return taken


def test_at_first_everything_is_looked_at() -> None:
    lookout = Lookout(Alarms(), 3)
    assert lookout.take(2) == [(0, 0), (1, 0)]
    assert lookout.take(9) == [(2, 0)]
    assert lookout.take(9) == []


def test_a_ring_at_home_is_answered_at_once_and_elsewhere_later() -> None:
    lookout, clock = fresh(3, [0, 1, 2])
    lookout.ring([0, 1, 2])
    assert lookout.wake.is_set()
    assert look(lookout, clock) == [(0, 0)]
    clock.go(NOW + 999)
    assert look(lookout, clock) == []
    clock.go(NOW + 1000)
    assert look(lookout, clock) == [(1, 1000)]
    clock.go(NOW + 2000)
    assert look(lookout, clock) == [(2, 2000)]


def test_what_the_worker_has_made_itself_it_looks_for_at_once() -> None:
    lookout, clock = fresh(2, [3, 3])
    lookout.look(1)
    assert look(lookout, clock) == [(1, 0)]


def test_a_ring_while_a_shard_is_being_looked_at_is_not_lost() -> None:
    lookout, clock = fresh()
    lookout.ring([2])
    [(shard, patience)] = lookout.take(9)
    lookout.ring([2])
    assert lookout.take(9) == []
    lookout.wake.clear()
    lookout.looked(shard, patience, clock(), None)
    assert lookout.wake.is_set()
    assert lookout.take(9) == [(2, 0)]


def test_what_is_due_is_looked_at_then() -> None:
    lookout, clock = fresh(2, [0, 1])
    lookout.ring(None)
    clock.go(NOW + 1000)
    assert look(lookout, clock, NOW + 5000) == [(0, 0), (1, 1000)]
    clock.go(NOW + 4999)
    assert look(lookout, clock) == []
    clock.go(NOW + 5000)
    assert look(lookout, clock) == [(0, 0)]
    clock.go(NOW + 6000)
    assert look(lookout, clock) == [(1, 1000)]


def test_timers_of_its_own_are_looked_at_in_time_wherever_they_are() -> None:
    lookout, clock = fresh(2, [2, 2])
    lookout.look_at(1, NOW + 300)
    lookout.look_at(1, NOW + 100)
    clock.go(NOW + 100)
    assert look(lookout, clock, NOW + 300) == [(1, 0)], "the store says what is next: ours again"
    clock.go(NOW + 300)
    assert look(lookout, clock, NOW + 400) == [(1, 0)]
    clock.go(NOW + 2399)
    assert look(lookout, clock) == [], "that one is none of ours"
    clock.go(NOW + 2400)
    assert look(lookout, clock) == [(1, 2000)]


def test_what_could_not_be_taken_is_asked_for_again_at_once() -> None:
    lookout, clock = fresh(2)
    lookout.ring([0])
    look(lookout, clock, NOW)
    assert look(lookout, clock) == [(0, 0)]
    assert look(lookout, clock) == []


def test_a_shard_that_becomes_home_is_looked_at() -> None:
    lookout, clock = fresh(3, [0, 1, 2])
    lookout.settle([0, 0, 1])
    assert look(lookout, clock) == [(1, 0)]
    assert lookout.homes == 2
    lookout.settle([1, 0, 1])
    assert look(lookout, clock) == []


def test_nothing_is_polled_but_now_and_then_for_safety() -> None:
    lookout, clock = fresh(256)
    looks = []
    for second in range(3600):
        clock.go(NOW + second * 1000)
        looks += [(second, shard) for shard, _ in look(lookout, clock)]
    assert len({shard for _, shard in looks}) == 256
    assert 256 * 29 <= len(looks) <= 256 * 60
    late = [second for second, _ in looks if second >= 1800]
    assert max(late.count(second) for second in set(late)) < 64, "never all at once"


def test_a_worker_that_cannot_look_tries_again() -> None:
    lookout, clock = fresh(1)
    lookout.ring([0])
    lookout.take(1)
    lookout.failed(0, 500)
    clock.go(NOW + 500)
    assert look(lookout, clock) == [(0, 0)]


def test_a_full_worker_leaves_to_others_what_they_would_take() -> None:
    lookout, _ = fresh(2, [0, 1])
    lookout.ring([0])
    assert lookout.take(9, full=True) == [(0, 4000)]
    lookout.settle([0, 0], alone=True)
    assert lookout.take(9, full=True) == [(1, 0)]
