"""The world of one run: time, a server, processes and their connections; what happens next is drawn by lot."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.sim.keyspace import RedisError
from tests.sim.loop import SimLoop
from tests.sim.network import Link
from tests.sim.server import Libraries, Server, decode

__all__ = ["EPOCH", "Refusal", "World"]

_OUTCOMES = {
    b"$%d\r\n%b" % (len(name), name): name.decode()
    for name in (b"OK", b"DUP", b"STALE", b"BASE", b"NEED", b"CLOCK", b"EXISTS", b"CLOSED", b"MISSING")
}
"""What answers of scripts begin with, as it is sent."""

_LATE = 60.0
"""Seconds for which a message may be on its way."""

_ALWAYS = (b"SUBSCRIBE", b"SELECT")
_WRITES = (b"FCALL", b"RPUSH", b"LREM", b"FUNCTION")

EPOCH = 1_700_000_000
"""What the server's clock shows at virtual time 0, s."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error reply instead of what a command would do; `reads`: to those that only read, too."""

    error: RedisError
    reads: bool = False


class World:
    """Everything that is shared.

    Arguments:
        seed: of every choice.
        libraries: see `Server`.
        tracing: keep a readable account in `trace`.

    Example: ``world = World(1); world.spawn("worker", work); world.step()``
    """

    def __init__(
        self,
        seed: int,
        *,
        libraries: Libraries | None = None,
        tracing: bool = False,
    ) -> None:
        self.chance = random.Random(seed)
        self.now = 1.0
        self.clock_skew = 0.0
        self.server = Server(self.micros, self.chance.randrange(1, 1 << 31), libraries)
        self.loops: list[SimLoop] = []
        self.links: list[Link] = []
        self.steps = 0
        self.latency = 0.3
        """Share of steps that take up to 2 ms."""
        self.late = 0.0
        """Share of steps in which the time of the next timer comes though messages are on their way."""
        self.down_until = 0.0
        self.standstill_until = 0.0
        """The server takes nothing before."""
        self.over: Callable[[], bool] = lambda: False
        """Asked whether all is done whenever nothing is on its way."""
        self.refusals: list[Refusal] = []
        """What the next commands are answered with, instead of being executed; the last one first."""
        self.answered: Counter[str] = Counter()
        """How often the scripts gave which outcome: a run in which nothing was refused has proved little."""
        self.refused: list[str] = []
        """Names of processes that were told that their commit came too late."""
        self.usurped: list[str] = []
        """Names of processes whose commit was taken though the frame was another one's."""
        self.trace: list[str] | None = [] if tracing else None
        self.record: list[tuple[list[bytes], Any]] | None = None
        """What the server executed, and its answers."""
        self._links_made = 0

    def micros(self) -> int:
        """The server's clock."""
        return int((EPOCH + self.now + self.clock_skew) * 1_000_000)

    def note(self, text: str) -> None:
        """A line of the account."""
        if self.trace is not None:
            self.trace.append(f"{self.now:10.4f} #{self.steps:<5} {text}")

    # -- processes and connections ------------------------------------------------------------------------------------
    def spawn(self, name: str, main: Callable[[SimLoop], Any], belongings: object = None) -> SimLoop:
        """Start a process: a loop that runs the coroutine `main` makes, and has these `belongings`."""
        loop = SimLoop(self, name)
        loop.belongings = belongings
        self.loops.append(loop)
        loop.call_soon(lambda: loop.create_task(main(loop)))
        return loop

    def kill(self, loop: SimLoop) -> None:
        """End a process at once.  What it sent may still arrive, up to some point."""
        self.loops.remove(loop)
        loop.dead = True
        for link in [link for link in self.links if link.loop is loop]:
            link.cut(self.chance.randint(0, len(link.up)))
        loop.kill()

    def connect(self, loop: SimLoop, protocol: asyncio.Protocol, path: str) -> asyncio.Transport:
        """See `Host`."""
        if self.now < self.down_until:
            raise ConnectionRefusedError("no server")
        self._links_made += 1
        link = Link(loop, protocol, self._links_made)
        self.links.append(link)
        protocol.connection_made(link)
        return link

    def restart(self, seconds: float) -> None:
        """The server's process ends, and another one with the same data answers after so long."""
        self.down_until = self.now + seconds
        for link in self.links:
            link.reset()
        self.links.clear()

    def repeat(self, link: Link) -> None:
        """What was sent last over a connection arrives a second time, later, and nobody is there to be answered."""
        if link.last:
            self._links_made += 1
            ghost = link.ghost(self._links_made)
            self.links.append(ghost)

    # -- what happens next --------------------------------------------------------------------------------------------
    def step(self) -> bool:
        """Let one thing happen; False if all is done, or nothing ever will happen."""
        self.steps += 1
        chance = self.chance.random
        if chance() < self.latency:
            self.now += chance() * 0.002
            self._fire()
        choices: list[Any] = []
        for loop in self.loops:
            if loop.ready and loop.paused_until <= self.now:
                choices.append(loop)
        finished = False
        for link in self.links:
            if link.up or link.commands:
                if link.loop.mute_until <= self.now and self.standstill_until <= self.now:
                    choices.append(link)
            elif link.lost:
                finished = True
            if link.down and link.loop.paused_until <= self.now and link.loop.deaf_until <= self.now:
                choices.append(link.down)
        if finished:
            self.links = [link for link in self.links if not link.lost or link.waiting]
        if not choices:
            return not self.over() and self._pass_time()
        if self.late and chance() < self.late and self._pass_time(_LATE):
            return True
        chosen = choices[int(chance() * len(choices))]
        if type(chosen) is SimLoop:
            chosen.run_ready()
        elif type(chosen) is Link:
            self._serve(chosen)
        else:
            link = next(link for link in self.links if link.down is chosen)
            count = len(chosen) if chance() < 0.8 else 1
            link.answer(count)
            link.loop.run_ready()
        return True

    def _fire(self) -> None:
        for loop in self.loops:
            if loop.paused_until <= self.now:
                loop.fire()

    def _pass_time(self, most: float = math.inf) -> bool:
        """Go on to the next moment at which something is due, if it comes within so many seconds."""
        now, moments = self.now, []
        for loop in self.loops:
            moments += [until for until in (loop.paused_until, loop.mute_until, loop.deaf_until) if until > now]
            if loop.paused_until <= now and (due := loop.next_timer) is not None:
                moments.append(due)
        if self.standstill_until > now:
            moments.append(self.standstill_until)
        if not moments or min(moments) > now + most:
            return False
        self.now = max(now + 1e-6, min(moments))  # some time passes, whatever is due
        self._fire()
        return True

    def _serve(self, link: Link) -> None:
        """The server takes the commands that came, or the first of them."""
        count = 0
        several = self.chance.random() < 0.7
        while (several or not count) and (command := link.receive()) is not None:
            count += 1
            refused = self._refused(command[0])
            commits = refused is None and command[0] == b"FCALL" and command[1].endswith(b"_commit")
            owner = self._owner(command) if commits else None
            reply = link.reply(self.server, command, refused)
            if self.record is not None and refused is None and command[0] != b"SUBSCRIBE":
                self.record.append((command, decode(reply)))
            if self.trace is not None:
                self.note(_account(link, command, decode(reply)))
            if reply[:1] == b"*" and (outcome := _OUTCOMES.get(reply[4 : reply.find(b"\r\n", 8)])):
                self.answered[outcome] += 1
                if outcome == "STALE" and not link.lost and commits:
                    self.refused.append(link.loop.name)
                elif outcome == "OK" and owner is not None and owner != command[8]:
                    self.usurped.append(link.loop.name)
            if self.server.published:
                for channel, message in self.server.published:
                    for other in self.links:
                        if channel in other.channels:
                            other.push(channel, message)
                self.server.published.clear()

    def _owner(self, command: list[bytes]) -> bytes | None:
        """Whose frame a commit is about."""
        frame = b"%bf:%b:%b" % (command[3][: command[3].index(b"}") + 2], command[4], command[5])
        return self.server.space.field(frame, b"own")

    def _refused(self, name: bytes) -> RedisError | None:
        if not self.refusals or name in _ALWAYS or not (self.refusals[-1].reads or name in _WRITES):
            return None
        return self.refusals.pop().error


def _account(link: Link, command: list[bytes], answer: Any) -> str:
    """A command and its answer in one line."""
    name = command[0].decode()
    arguments = [each.decode(errors="replace") for each in command[1:]]
    if name == "FCALL":
        name, arguments = arguments[0].rpartition("_")[0][-40:].split("_", 2)[-1] or arguments[0], arguments[3:]
        name = command[1].decode().split("_", 2)[2]
    words = " ".join(each if len(each) <= 40 else f"{each[:37]}..." for each in arguments[:24])
    gone = " (client gone)" if link.lost else ""
    shown = repr(answer)
    return (
        f"{link.loop.name}/{link.number}{gone}: {name} {words} -> {shown if len(shown) < 160 else shown[:157] + '...'}"
    )
