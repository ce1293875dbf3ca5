"""Ways to break the protocol, each of which the simulation has to notice: a test of the tests.

A mutant is a replacement in one of the scripts, or in a Python module of the engine.
"""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain

from statewright.store.scripts import LIBRARY
from tests.sim.plan import ROLL_BACK, Plan, plan_of
from tests.sim.search import Findings, enumerate_faults, try_plans
from tests.sim.server import Libraries

__all__ = ["MUTANTS", "Mutant", "hunt", "report"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break the engine.

    Arguments:
        name: what is broken.
        old, new: the text that is replaced, everywhere it occurs, and by what.
        also: what else is replaced, and by what: a line that would stand in for the one that is gone.
        module: of Python; "" for the scripts.
        where: a workload and a kind of fault; it is tried at every step, before the plans of seeds are.

    Example: ``hunt(Mutant("no commit id", "revision < rev and", "false and"), 100)``
    """

    name: str
    old: str
    new: str
    module: str = ""
    where: tuple[str, str] | None = None
    also: tuple[tuple[str, str], ...] = ()

    def edit(self, text: str) -> str:
        """The text, broken; ValueError if what is to be replaced is not there (any more)."""
        for old, new in ((self.old, self.new), *self.also):
            if old not in text:
                raise ValueError(f"{self.name}: {self.module or 'the scripts'} do not say {old!r}")
            text = text.replace(old, new)
        return text


_BUILDS_ON = ("if ARGV[13] ~= '' and ARGV[13] ~= f[2] then return stale end", "")

MUTANTS = (
    Mutant(  # what a commit builds on tells of a refusal before it, too
        "no revision compare",
        "if ended or rev ~= revision or not",
        "if ended or not",
        where=("wait", "busy"),
        also=(_BUILDS_ON,),
    ),
    Mutant("no owner compare", "if not rev or f[3] ~= owner then", "if not rev then", where=("draw", "pause")),
    Mutant(
        "no commit id",
        "if revision < rev and revision >= tonumber(f[4]) and (",
        "if false and (",
        where=("saga", "cut"),
    ),
    Mutant(
        "timers are early",
        "call('ZRANGEBYSCORE', TIMERS, '-inf', since,",
        "call('ZRANGEBYSCORE', TIMERS, '-inf', since + 400,",
    ),
    Mutant(
        "timers are 1 ms early",
        "call('ZRANGEBYSCORE', TIMERS, '-inf', since,",
        "call('ZRANGEBYSCORE', TIMERS, '-inf', since + 1,",
        where=("waits", "cut"),
    ),
    Mutant("a timer is forgotten when it is due", "call('RPUSH', inbox_key(exec, frame), 'T'", "local _ = ('T'"),
    Mutant(
        "lineage is not checked",
        "local function lineage_open(exec, frame)",
        "local function lineage_open(exec, frame)\n  if true then return true end",
    ),
    Mutant(
        "the inbox is trimmed too far",
        "call('LTRIM', inbox, consumed, -1)",
        "call('LTRIM', inbox, consumed + 1, -1)",
        where=("activity", "deaf"),
    ),
    Mutant("the inbox is not trimmed", "if consumed > 0 then call('LTRIM', inbox, consumed, -1) end", ""),
    Mutant(
        "leases never lapse", "call('ZRANGEBYSCORE', LEASES, '-inf', since,", "call('ZRANGEBYSCORE', LEASES, '-inf', 0,"
    ),
    Mutant("leases lapse at once", "local deadline, moved = now + tonumber(ARGV[3])", "local deadline, moved = now"),
    Mutant(
        "a claim does not take the frame from the queue",
        "  dequeue(exec, frame)\n  local f = call('HMGET', key, 'rev', 'prev'",
        "  local f = call('HMGET', key, 'rev', 'prev'",
    ),
    Mutant(
        "a claim does not fence",
        "call('HSET', key, 'own', owner, 'cr', f[1], 'del', deliveries)",
        "call('HSET', key, 'cr', f[1], 'del', deliveries)",
    ),
    Mutant("a claim takes no lease", "  call('ZADD', LEASES, deadline, member)\n  return told", "  return told"),
    Mutant("a signal is accepted twice", "if answered == epoch then return {kind", "if false then return {kind"),
    Mutant(
        "signals do not wake",
        "call('RPUSH', inbox_key(exec, frame), ARGV[6])\nready(exec, frame, now)",
        "call('RPUSH', inbox_key(exec, frame), ARGV[6])",
    ),
    Mutant("a join counts twice", "tonumber(j[2]) - 1, tonumber(j[3])", "tonumber(j[2]) - 2, tonumber(j[3])"),
    Mutant("a join forgets a child", "tonumber(j[2]) - 1, tonumber(j[3])", "tonumber(j[2]), tonumber(j[3])"),
    Mutant("a join does not tell its parent", "  call('RPUSH', inbox_key(exec, parent), 'J' .. epoch)\n", ""),
    Mutant(
        "a closed join stays open", "'failed', failures, 'open', 0, 'index'", "'failed', failures, 'open', 1, 'index'"
    ),
    Mutant(
        "the next children are not begun",
        "spawn(exec, parent, epoch, upcoming, stop,",
        "spawn(exec, parent, epoch, stop, stop,",
        where=("map", "cut"),
    ),
    Mutant(
        "children for whom there is no room are forgotten",
        "'prev', origin)\n  enqueue(exec, child, now)\n",
        "'prev', origin)\n",
    ),
    Mutant(
        "a child that is handed over has no lease",
        "    call('ZADD', LEASES, TAKER.deadline, exec .. ':' .. child)\n",
        "",
        where=("map", "crash"),
    ),
    Mutant("timers of an ended order stay", "    disarm(exec, frame, timers)\n    if activity", "    if activity"),
    Mutant(
        "items may be missing", "if ARGV[11] ~= '' and call('HLEN'", "if false and call('HLEN'", where=("map", "busy")
    ),
    Mutant(
        "a child execution is begun twice",
        "if tonumber(index) < tonumber(r[2]) or call",
        "if false and call",
        where=("spread-express", "crash"),
    ),
    Mutant(
        "mail may be gone",
        "if consumed > 0 and call('LLEN', inbox) < consumed then return stale end",
        "",
        where=("parallel", ROLL_BACK),
    ),
    Mutant(
        "the cursor passes children that are not there",
        " and tonumber(r[3]) >= tonumber(ARGV[7])",
        "",
        where=("spread", ROLL_BACK),
    ),
    Mutant("a sweep wakes what waits", "if mail(exec, frame) or not f.ph or", "if true or", where=("wait", "sweep")),
    Mutant("the end of a child execution is not counted", "  call('HINCRBY', key, 'running', -1)\n", ""),
    Mutant("a parent is not told of the end", "    notice('E' .. exec)\n", ""),
    Mutant("the end leaves frames behind", "  drop_frames(exec, {''}, now, known)\n  if child then", "  if child then"),
    Mutant("an execution is created twice", "if known[1] then\n", "if false then\n"),
    Mutant(
        "a lost reply is not asked for again",
        'b"".join(call.packed for call in self._pending)',
        'b""',
        "statewright.store.connection",
    ),
    Mutant(
        "calls are sent again in another order",
        "for call in self._pending)",
        "for call in reversed(self._pending))",
        "statewright.store.connection",
    ),
    Mutant(
        "a refused commit is taken for applied",
        'committed.outcome not in ("OK", "DUP")',
        "False",
        "statewright.drive.runner",
        where=("draw", "pause"),
        also=(("if self.fenced():", "if False:"),),  # a worker that was away for so long begins nothing
    ),
    Mutant("a commit is not counted", "if keep == 0 then witness(owner) end", ""),
    Mutant("a new execution is not counted", "if owner ~= '' then witness(owner) end", ""),
    Mutant("a claim is not counted", "#answer > 4 and witness(owner) or", "#answer > 4 and 0 or"),
    Mutant(
        "a state machine is not known to have work",
        "  call('ZADD', queue(machine), 'NX', now, exec .. ':' .. frame)\n  call('SADD', P .. 'q', machine)",
        "  call('ZADD', queue(machine), 'NX', now, exec .. ':' .. frame)",
    ),
    Mutant(
        "events go back with the clock",
        "math.max(latest, time ~= '' and",
        "(time ~= '' and",
        where=("wait", "clock back"),
        also=(("if latest > now and latest - now <= 60000 then now = latest end", ""),),
    ),
    Mutant(
        "a sweep wakes what is leased",
        "return not leased(exec, frame) and not queued",
        "return not queued",
        where=("saga", "sweep"),
    ),
    Mutant(
        "a look does not tell what is due",
        "due(LEASES)\ndue(TIMERS)",
        "",
        where=("wait", "crash"),
    ),
    Mutant(
        "a patient look takes nothing",
        "local since = now - tonumber(ARGV[5])",
        "local since = ARGV[5] == '0' and now or 0",
    ),
    Mutant(
        "a frame goes on before its commit is acknowledged",
        "await self._settle()\n        else:",
        "pass\n        else:",
        "statewright.drive.runner",
    ),
    Mutant("what ended is not remembered", "    call('ZADD', P .. 'done', ended, exec)\n", ""),
    Mutant("an archive keeps what it replaces", "call('UNLINK', x, h, p) -- a hash", "call('UNLINK', x, p) -- a hash"),
    Mutant(
        "an archive has no payloads",
        "self.fields, self.payloads))",
        "self.fields, {}))",
        "statewright.store.upkeep.archive",
    ),
    Mutant("nobody goes on with a successor", "  ready(c.exec, '', now)\n  if awaited", "  if awaited"),
    Mutant("there is no successor", "  elseif successor then\n", "  elseif false then\n"),
    Mutant("a successor has no payloads", "  if c.payload ~= '' then\n", "  if false then\n"),
)


def hunt(mutant: Mutant, seeds: int) -> Findings:
    """Break the engine, and try the plans of seeds until one goes wrong.

    Raises ValueError if the text to be replaced is not there (any more).
    """
    plans: Iterable[Plan] = map(plan_of, range(seeds))
    if mutant.where is not None:
        workload, kind = mutant.where
        plans = chain(*[enumerate_faults([workload], kinds=[kind], seed=seed) for seed in range(3)], plans)
    if mutant.module:
        with _mutated(mutant):
            return try_plans(plans, enough=1)
    mutant.edit(LIBRARY)
    libraries = Libraries(lambda text: mutant.edit(text.decode()).encode())
    return try_plans(plans, libraries=libraries, enough=1)


@contextmanager
def _mutated(mutant: Mutant) -> Iterator[None]:
    """A block in which a module, and all that has imported something from it, is another."""
    module = importlib.import_module(mutant.module)
    source = inspect.getsource(module)
    broken = mutant.edit(source)
    before = dict(vars(module))
    users = [user for name, user in sys.modules.items() if name.startswith(("statewright.", "tests.sim"))]
    names = [(user, name, value) for user in users for name, value in vars(user).items()]
    exec(compile(broken, str(module.__file__), "exec"), vars(module))
    now = {id(old): vars(module)[name] for name, old in before.items() if vars(module)[name] is not old}
    try:
        for user, name, value in names:
            if user is not module and id(value) in now:
                setattr(user, name, now[id(value)])
        yield
    finally:
        for user, name, value in names:
            setattr(user, name, value)


def report(seeds: int, jobs: int) -> int:
    """Hunt all mutants and say after how many schedules each was noticed; 1 if one was not."""
    missed = 0
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for mutant, found in zip(MUTANTS, pool.imap(partial(hunt, seeds=seeds), MUTANTS), strict=True):
            missed += not found.wrong
            what = found.wrong[0][1][0][:100] if found.wrong else "NOT NOTICED"
            print(f"{mutant.name:50} {found.runs:6}  {found.seconds:5.1f} s  {what}", flush=True)
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} noticed")
    return 1 if missed else 0
