"""Chaos C1: orders are filled while workers are killed and stopped, replies are lost and the power fails.

First each kind of order is filled undisturbed; then comes the storm, and every order has to end as if nothing had
happened: `Findings.violations` says what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest.mock import patch

from statewright import AsyncEngine
from statewright.arn import execution_id
from statewright.errors import StatewrightError
from statewright.history import render
from statewright.store.embedded import stop_embedded
from tests.chaos.checker import Written, flaws, lateness, shape
from tests.chaos.crew import Crew
from tests.chaos.power import Power, Tail
from tests.chaos.sagas import KINDS, MACHINE, PAUSE_MS, SAGA, Ledger, input_of, kind_of, name_of, tasks
from tests.chaos.worker import Perils, lost_replies, mutated

__all__ = ["Findings", "Storm", "survive"]

_log = logging.getLogger("tests.chaos")

_TAILS: tuple[Tail, ...] = ("clean", "torn", "nul")


@dataclass(frozen=True, slots=True)
class Storm:
    """How bad it is.

    Arguments:
        orders: how many are started, evenly over `seconds`.
        seconds: how long it lasts.
        workers: how many processes.
        kills: how many of them are killed, besides those that meet their fates.
        stops: how many are stopped for 1.8 leases.
        cuts: how often the power of the server fails.
        patience: seconds afterwards without another order's end, after which those that are left are stuck.
        late: how many seconds late at most 99 % of the timers are, outside outages.
        void_below: the storm proves nothing if fewer commits than that were answered STALE or DUP.
    """

    orders: int = 10_000
    seconds: float = 75
    workers: int = 4
    kills: int = 320
    stops: int = 20
    cuts: int = 20
    patience: float = 60
    late: float = 1.0
    void_below: int = 100


@dataclass(slots=True)
class Findings:
    """What was seen."""

    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    outages: list[tuple[float, float]] = field(default_factory=list)
    started: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By order: when it was asked for and when that was acknowledged (s since 1970)."""
    stuck: set[int] = field(default_factory=set)
    """Orders that had not ended when patience did; nothing else is asked of them."""
    timers: list[float] = field(default_factory=list)
    """Seconds each was late outside outages."""

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        late = sorted(self.timers)
        timers = f"p50 {late[len(late) // 2]:.3f} s, p99 {late[len(late) * 99 // 100]:.3f} s" if late else "none"
        wrong = "\n  ".join([f"{len(self.violations)} violations", *self.violations[:20]])
        return f"{figures}; timers late by {timers}\n  {wrong}"


def survive(storm: Storm, perils: Perils, power: Power) -> Findings:
    """Go through a storm in `perils.site`, which must be empty; what was found."""
    (perils.site / "fates").mkdir(parents=True)
    with patch.dict(os.environ, STATEWRIGHT_SERVER=str(power.program)), mutated(perils.mutant):
        return asyncio.run(_survive(storm, replace(perils, server=str(power.program)), power))


async def _survive(storm: Storm, perils: Perils, power: Power) -> Findings:
    findings = Findings()
    shapes, effects = await _undisturbed(perils)
    begun = time.monotonic()
    try:
        async with AsyncEngine(data_dir=perils.site / "store") as engine:
            await engine.deploy(SAGA, name=MACHINE)
            await _Weather(storm, perils, power, engine, findings).pass_over()
            findings.counts["seconds"] = round(time.monotonic() - begun)
            await _judge_histories(engine, findings, shapes)
            await _judge_store(engine, findings)
    finally:
        await stop_embedded(perils.site / "store")
    _judge_effects(perils, findings, effects)
    _judge_timers(storm, findings)
    outcomes = Counter(words[0] for words in Ledger(perils.site / "outcomes").lines())
    findings.counts.update({f"{outcome} answers": count for outcome, count in outcomes.items()})
    findings.counts["fates met"] = len(list((perils.site / "fates").iterdir()))
    if findings.counts["killed"] < 0.95 * storm.kills:
        findings.violations.append(f"void: only {findings.counts['killed']} workers were killed")
    seen = outcomes["STALE"] + outcomes["DUP"]
    if seen < storm.void_below:
        findings.violations.append(f"void: only {seen} commits were answered STALE or DUP")
    return findings


async def _undisturbed(perils: Perils) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, int]]]:
    """By kind of order: the shape of its history, and how many keys each of its effects has."""
    site = perils.site / "undisturbed"
    site.mkdir()
    ledger, tokens = Ledger(site / "effects"), Ledger(site / "tokens")
    numbers = {kind: KINDS.index(kind) for kind in KINDS}
    shapes = {}
    async with AsyncEngine(data_dir=site / "store", tasks=tasks(ledger, tokens, lambda place, order: None)) as engine:
        await engine.deploy(SAGA, name=MACHINE)
        async with engine.worker():
            warehouse = asyncio.create_task(_answer_all(engine, tokens, Counter()))
            for number in numbers.values():
                await engine.start(MACHINE, input_of(number), name=name_of(number))
            for kind, number in numbers.items():
                await engine.wait(f"{MACHINE}:{name_of(number)}", timeout=30)
                shapes[kind] = shape(await engine.history(f"{MACHINE}:{name_of(number)}"))
            warehouse.cancel()
    effects = {
        kind: {effect: len(keys) for effect, keys in ledger.effects()[name_of(number)].items()}
        for kind, number in numbers.items()
    }
    return shapes, effects


async def _answer_all(engine: AsyncEngine, tokens: Ledger, counts: Counter[str]) -> None:
    """Answer each task that waits for somebody, once, until that is acknowledged."""
    known: set[str] = set()
    answering: set[asyncio.Task[None]] = set()

    async def answer(token: str) -> None:
        try:
            await engine.send_task_success(token, {"by": "van 7"})
            counts["answers acknowledged"] += 1
        except StatewrightError as error:
            counts[f"answers refused ({error.code})"] += 1

    while True:
        for _, token in tokens.lines():
            if token not in known:
                known.add(token)
                answering.add(task := asyncio.create_task(answer(token)))
                task.add_done_callback(answering.discard)
        await asyncio.sleep(0.05)


class _Weather:
    """All that goes on at once during the storm."""

    def __init__(self, storm: Storm, perils: Perils, power: Power, engine: AsyncEngine, findings: Findings) -> None:
        self._storm, self._perils, self._power = storm, perils, power
        self._engine, self._findings = engine, findings
        self._chance = Random(perils.seed)
        self._crew = Crew(perils, storm.workers)

    async def pass_over(self) -> None:
        """From the first order to the end of the last one."""
        storm, crew = self._storm, self._crew
        tokens = Ledger(self._perils.site / "tokens")
        stops: set[asyncio.Task[None]] = set()

        async def kill() -> None:
            crew.kill(self._chance.randrange(storm.workers))

        async def stop() -> None:
            pausing = crew.stop(self._chance.randrange(storm.workers), 1.8 * self._perils.lease)
            stops.add(around.create_task(pausing))

        try:
            async with asyncio.TaskGroup() as around:
                stops.add(around.create_task(crew.tend()))
                stops.add(around.create_task(self._tell()))
                stops.add(around.create_task(_answer_all(self._engine, tokens, self._findings.counts)))
                with lost_replies(self._perils.lost, self._chance):
                    await asyncio.gather(
                        self._start_orders(),
                        self._again_and_again(kill, storm.kills),
                        self._again_and_again(stop, storm.stops),
                        self._again_and_again(self._cut, storm.cuts),
                    )
                await self._all_ended()
                for task in stops:
                    task.cancel()
        finally:
            crew.end()
        self._findings.counts.update(crew.lost)

    async def _again_and_again(self, what: Any, times: int) -> None:
        begun = time.monotonic()
        for number in range(times):
            await asyncio.sleep(begun + (number + 0.5) * self._storm.seconds / times - time.monotonic())
            await what()

    async def _start_orders(self) -> None:
        begun, storm = time.monotonic(), self._storm
        async with asyncio.TaskGroup() as starting:
            for number in range(storm.orders):
                wait = begun + number * storm.seconds / storm.orders - time.monotonic()
                await asyncio.sleep(max(0, wait))
                starting.create_task(self._start(number))

    async def _start(self, number: int) -> None:
        asked = time.time()
        await self._engine.start(MACHINE, input_of(number), name=name_of(number))
        self._findings.started[number] = (asked, time.time())

    async def _cut(self) -> None:
        tail = _TAILS[self._findings.counts["power cuts"] % len(_TAILS)]
        begun = time.time()
        lost = await asyncio.to_thread(self._power.cut, self._perils.site / "store", tail, self._chance)
        await self._engine.store.now()
        self._findings.outages.append((begun, time.time()))
        self._findings.counts["power cuts"] += 1
        self._findings.counts["bytes lost in them"] += lost

    async def _all_ended(self) -> None:
        left, until = self._storm.orders, time.monotonic() + self._storm.patience
        while running := await self._running():
            if running < left:
                left, until = running, time.monotonic() + self._storm.patience
            if time.monotonic() > until:
                stuck = await self._engine.list(MACHINE, "RUNNING", limit=self._storm.orders)
                numbers = {int(each.execution.name.rpartition("-")[2]) for each in stuck}
                self._findings.stuck |= numbers
                self._findings.violations += [f"{name_of(number)} is stuck" for number in sorted(numbers)]
                return
            await asyncio.sleep(0.2)

    async def _running(self) -> int:
        """How many orders have not ended."""
        return round((await self._engine.metrics()).value("running_executions", machine=MACHINE))

    async def _tell(self) -> None:
        """Every five seconds, how far it is."""
        begun, counts = time.monotonic(), self._findings.counts
        while True:
            await asyncio.sleep(5)
            running = await self._running()
            _log.info(
                "%3.0f s: %d of %d orders started, %d have not ended; %d workers killed, %d power cuts",
                *(time.monotonic() - begun, len(self._findings.started), self._storm.orders, running),
                *(self._crew.lost["killed"], counts["power cuts"]),
            )


async def _judge_store(engine: AsyncEngine, findings: Findings) -> None:
    """Nothing in the store is damaged or left over, nothing had to be repaired, and nothing acknowledged was lost."""
    async for verified in engine.verify():
        findings.counts["verified events"] += verified.events
        findings.violations += [f"verify: {verified.execution}: {finding}" for finding in verified.findings]
    findings.violations += [f"swept: {what}" for what in (await engine.sweep()).items()]
    findings.violations += [f"repaired meanwhile: {what}" for what in (await engine.store.repairs()).items() if what[1]]
    findings.violations += [f"dead letter: {letter}" for letter in await engine.dead_letters()]
    for incident in await engine.incidents():
        if incident.kind == "rollback":
            findings.violations.append(f"a roll-back was noticed, though there was none: {incident.evidence}")


async def _judge_histories(engine: AsyncEngine, findings: Findings, shapes: dict[str, tuple[str, ...]]) -> None:
    waits, intervals = {"Pause": PAUSE_MS}, {"Charge": 1000}

    async def read(number: int) -> list[Written]:
        return [*(await engine.store.history(execution_id(MACHINE, name_of(number)), 0, 1000)).events]

    numbers = sorted(findings.started)
    for first in range(0, len(numbers), 50):
        chunk = numbers[first : first + 50]
        for number, written in zip(chunk, await asyncio.gather(*map(read, chunk)), strict=True):
            events = [render(event) for event in written]
            name = f"{name_of(number)} ({kind_of(number)})"
            if not events:
                findings.violations.append(f"{name} is lost")
                continue
            if number in findings.stuck:
                continue
            findings.counts["events"] += len(events)
            findings.violations += [f"{name}: {flaw}" for flaw in flaws(written, waits)]
            if shape(events) != shapes[kind_of(number)]:
                findings.violations.append(f"{name} is not as an undisturbed one: {[e['type'] for e in events]}")
            asked, acknowledged = findings.started[number]
            began = events[0]["timestamp"].timestamp()
            if not asked - 0.1 <= began <= acknowledged + 0.001:
                findings.violations.append(f"{name} began {began - asked:+.3f} s after it was asked for")
            for due, late in lateness(events, waits, intervals):
                if late < -0.0005:
                    findings.violations.append(f"{name}: a timer was {-late:.3f} s early")
                if not any(begun - 0.1 < due + late and due < ended + 1 for begun, ended in findings.outages):
                    findings.timers.append(late)


def _judge_effects(perils: Perils, findings: Findings, expected: dict[str, dict[str, int]]) -> None:
    effects = Ledger(perils.site / "effects").effects()
    for number in findings.started.keys() - findings.stuck:
        order = effects.get(name_of(number), {})
        keys = {effect: len(tried) for effect, tried in order.items()}
        if keys != expected[kind_of(number)]:
            findings.violations.append(f"{name_of(number)} ({kind_of(number)}): effects {keys}")
        findings.counts["effects"] += sum(keys.values())
        findings.counts["attempts"] += sum(sum(tried.values()) for tried in order.values())


def _judge_timers(storm: Storm, findings: Findings) -> None:
    late = sorted(findings.timers)
    if late and (worst := late[len(late) * 99 // 100]) > storm.late:
        findings.violations.append(f"p99 of the timers is {worst:.3f} s late")
