"""What can go wrong (F1 to F22 of the reliability notes), one function for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from statewright.store.scripts import NAME
from tests.sim.keyspace import RedisError
from tests.sim.world import Refusal

if TYPE_CHECKING:
    from tests.sim.run import Run

__all__ = ["INJECT"]

_BURY = f"sw_{NAME.rpartition('_')[2]}_bury".encode()


def _crash(run: Run) -> None:
    """F1: a worker dies; another one is started after a while."""
    loop = run.any_worker()
    run.problems += loop.problems
    run.world.kill(loop)
    run.workers.remove(loop)
    run.hire()


def _pause(run: Run) -> None:
    """F2: a worker stands still, perhaps for longer than its lease, and then goes on as if nothing had happened."""
    loop = run.any_worker()
    loop.paused_until = run.world.now + run.world.chance.choice((0.5, run.lease, run.lease + 1, run.lease * 2))


def _cut(run: Run) -> None:
    """F3, F4: a connection breaks; of what was on its way some arrives, and is sent again as nobody knows."""
    world = run.world
    links = [link for link in world.links if not link.lost]
    if links:
        link = world.chance.choice([link for link in links if link.waiting or link.down] or links)
        link.cut(world.chance.randint(0, len(link.up)))


def _restart(run: Run) -> None:
    """F6: the server is killed and started again; it has lost nothing."""
    run.world.restart(run.world.chance.choice((0.0, 1.0, 10.0)))


def _roll_back(run: Run) -> None:
    """F8: the server comes back with an earlier state (power loss with `fast` durability, or a failover)."""
    run.world.server.space.restore(run.earlier)
    run.rolled_back = True
    _restart(run)


def _roll_back_a_shard(run: Run) -> None:
    """F8 in a Cluster: one primary fails over to a replica that lacks what came last; the other shards lose nothing."""
    run.world.server.space.restore(run.earlier, b"sw:{%d}:" % run.world.chance.randrange(run.plan.shards))
    run.rolled_back = True
    _restart(run)


def _sweep(run: Run) -> None:
    """F19: somebody has a worker go through all keys, in the middle of everything."""
    run.sweep(run.any_worker())


def _bury(run: Run) -> None:
    """F17: frames that wait for something are put aside as if nobody could get on with them; what they wait for wakes
    them all the same."""
    keys = run.world.server.space.keys
    held = {member for key in keys if b"}:q:" in key or key.endswith(b"}:l") for member in keys[key]}
    for key in keys:
        prefix, _, member = key.partition(b"f:")
        execution, _, frame = member.partition(b":")
        if prefix.endswith(b"}:") and member not in held and (owner := keys[key].get(b"own")):
            arguments = [execution, frame, b"%d" % (run.world.micros() // 1000), owner, b"5", b"as a test"]
            _execute(run, [b"FCALL", _BURY, b"1", prefix + b"q", *arguments])


def _execute(run: Run, command: list[bytes]) -> None:
    """Somebody else has the server do something."""
    answer = run.world.server.execute(command)
    if run.world.record is not None:
        run.world.record.append((command, answer))


def _repeat(run: Run) -> None:
    """F4: what a process sent last arrives twice, as when it was sent again over a new connection."""
    world = run.world
    links = [link for link in world.links if link.last]
    if links:
        world.repeat(world.chance.choice([link for link in links if link.waiting] or links))


def _mute(run: Run) -> None:
    """F16: replies come, requests do not arrive, for some seconds."""
    run.any_process().mute_until = run.world.now + run.world.chance.choice((1, run.lease * 1.5, 40))


def _deaf(run: Run) -> None:
    """F16: requests arrive, replies do not come, for some seconds."""
    run.any_process().deaf_until = run.world.now + run.world.chance.choice((1, run.lease * 1.5, 40))


def _standstill(run: Run) -> None:
    """F10, F11: the server does nothing for some seconds, and then everything."""
    run.world.standstill_until = run.world.now + run.world.chance.choice((0.3, run.lease, 40))


def _client_crash(run: Run) -> None:
    """F1: whoever starts executions and answers tasks dies, and does it all again."""
    run.problems += run.client.loop.problems
    run.world.kill(run.client.loop)
    run.client.loop = run.world.spawn("client again", run.client.work)


def _refuse(message: str, *, reads: bool = False) -> Callable[[Run], None]:
    """F12: the next calls are refused; often it is a single one, so that calls on one connection change their order."""

    def inject(run: Run) -> None:
        run.world.refusals += [Refusal(RedisError(message), reads)] * run.world.chance.choice((1, 1, 2, 5))

    return inject


def _flush(run: Run) -> None:
    """F13: the server's functions are gone."""
    _execute(run, [b"FUNCTION", b"FLUSH"])


def _forward(run: Run) -> None:
    """F14: the server's clock jumps forward."""
    run.world.clock_skew += run.world.chance.choice((0.5, 20.0))


def _back(run: Run) -> None:
    """F14: the server's clock jumps back."""
    seconds = run.world.chance.choice((0.5, 20.0))
    run.world.clock_skew -= seconds
    run.set_back += seconds


INJECT: dict[str, Callable[[Run], None]] = {
    "crash": _crash,
    "pause": _pause,
    "cut": _cut,
    "restart": _restart,
    "roll back": _roll_back,
    "roll back a shard": _roll_back_a_shard,
    "sweep": _sweep,
    "bury": _bury,
    "duplicate": _repeat,
    "mute": _mute,
    "deaf": _deaf,
    "standstill": _standstill,
    "client crash": _client_crash,
    "busy": _refuse("BUSY the server is busy", reads=True),
    "loading": _refuse("LOADING Redis is loading the dataset in memory", reads=True),
    "cluster down": _refuse("CLUSTERDOWN The cluster is down", reads=True),
    "try again": _refuse("TRYAGAIN Multiple keys request during rehashing of slot"),
    "no replicas": _refuse("NOREPLICAS Not enough good replicas to write."),
    "not persisted": _refuse("MISCONF Errors writing to the AOF file: No space left on device"),
    "out of memory": _refuse("OOM command not allowed when used memory > 'maxmemory'."),
    "read only": _refuse("READONLY You can't write against a read only replica."),
    "flush functions": _flush,
    "clock forward": _forward,
    "clock back": _back,
}
"""By kind, as `plan.FAULTS` names them."""
