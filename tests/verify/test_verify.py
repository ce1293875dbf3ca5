"""`verify` on a real server: nothing wrong with what the engine wrote, everything wrong with what was changed since."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis

from statewright import AsyncEngine, StatewrightError
from statewright.store import keys
from statewright.store.embedded import start_embedded, stop_embedded
from statewright.store.upkeep.archive import Archive
from statewright.store.upkeep.inspecting import _owner
from tests.cli.conftest import Shell
from tests.verify.filling import TASKS, fill
from tests.verify.flips import flip_bits

FLIPS = 60


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a store with executions that run and that have ended; tests put back what they change."""
    data_dir = tmp_path_factory.mktemp("filled") / "store"
    asyncio.run(fill(data_dir))
    asyncio.run(start_embedded(data_dir))
    yield data_dir
    asyncio.run(stop_embedded(data_dir))


async def _found(data_dir: Path, *executions: str, **filters: str) -> list[tuple[str, str]]:
    url = await start_embedded(data_dir)
    async with AsyncEngine(url) as engine:
        return [
            (finding.code, finding.execution)
            async for each in engine.verify(executions, **filters)
            for finding in each.findings
        ]


async def test_what_the_engine_wrote_is_sound(filled: Path) -> None:
    assert await _found(filled) == []


async def test_each_execution_is_counted(filled: Path) -> None:
    async with AsyncEngine(await start_embedded(filled)) as engine:
        looked = [each async for each in engine.verify() if each.execution]
        assert len(looked) == len({each.execution for each in looked}) == 16 + 4  # four are children of map runs
        assert sum(each.events for each in looked) > 80
        assert len([each async for each in engine.verify(machine="line")]) == 2
        running = [each.execution async for each in engine.verify(machine="map", status="RUNNING")]
        assert [name.rpartition(":")[2] for name in running] == ["map-0"]
        assert [each.execution async for each in engine.verify(running)] == running
        with pytest.raises(StatewrightError, match="ExecutionDoesNotExist"):
            [each async for each in engine.verify(["line:nobody"])]


def _key(server: redis.Redis, pattern: str) -> bytes:
    found = sorted(server.scan_iter(pattern))
    assert found, pattern
    return found[0]


def _header(server: redis.Redis, machine: str, status: str) -> bytes:
    return next(
        key
        for key in sorted(server.scan_iter("sw:*:x:*"))
        if server.hmget(key, "mn", "st") == [machine.encode(), status.encode()]
    )


def _of(header: bytes, kind: str, rest: str = "") -> bytes:
    return header.replace(b":x:", f":{kind}:".encode()) + rest.encode()


def _flipped(value: bytes, place: int = -3) -> bytes:
    changed = bytearray(value)
    changed[place] ^= 4
    return bytes(changed)


Damage: TypeAlias = tuple[str, set[str], Callable[[], Any], list[bytes]]


def _damages(server: redis.Redis) -> Iterator[Damage]:
    """What is done, the codes it must be found with, how, and the keys that are changed by it."""
    line, wait = _header(server, "line", "SUCCEEDED"), _header(server, "wait", "RUNNING")
    mapped, failed, token = (
        _header(server, "map", "RUNNING"),
        _header(server, "fails", "FAILED"),
        _header(server, "token", "RUNNING"),
    )
    large = next(key for key in server.scan_iter("sw:*:p:*"))
    history, child = _of(line, "h"), _key(server, _of(mapped, "f", ":/*").decode())

    def flip(key: bytes, field: str) -> Callable[[], Any]:
        return lambda: server.hset(key, field, _flipped(server.hget(key, field)))

    def set_(key: bytes, field: str, value: str) -> Callable[[], Any]:
        return lambda: server.hset(key, field, value)

    yield (
        "a record is changed",
        {"BrokenChain"},
        lambda: server.lset(history, 2, _flipped(server.lindex(history, 2))),
        [history],
    )
    yield (
        "a record is lost",
        {"BrokenChain", "WrongOrder"},
        lambda: server.lset(history, 1, server.lindex(history, 2)),
        [history],
    )
    yield "the last records are lost", {"WrongEnd"}, lambda: server.ltrim(history, 0, -3), [history]
    yield "the history is lost", {"BrokenChain"}, lambda: server.delete(history), [history]
    yield "a payload is changed", {"BrokenPayload"}, flip(large, server.hkeys(large)[0].decode()), [large]
    yield "the constants are changed", {"BrokenHeader"}, flip(line, "head"), [line]
    yield "an output is changed", {"WrongEnd"}, flip(line, "output"), [line]
    yield "an error is changed", {"WrongEnd"}, set_(failed, "error", "=Other"), [failed]
    yield "the status is changed", {"WrongEnd"}, set_(failed, "st", "SUCCEEDED"), [failed]
    yield "an end is lost", {"WrongEnd"}, set_(line, "st", "RUNNING"), [line]
    yield "the start is changed", {"WrongIndex"}, set_(line, "t0", "1700000000000"), [line]
    yield "a frame's body is changed", {"BrokenRecord"}, flip(_of(wait, "f", ":"), "body"), [_of(wait, "f", ":")]
    yield "a frame is lost", {"WrongFrame"}, lambda: server.delete(_of(wait, "f", ":")), [_of(wait, "f", ":")]
    yield "an iteration is lost", {"WrongFrame"}, lambda: server.delete(child), [child]
    yield "a phase is changed", {"WrongFrame"}, set_(_of(wait, "f", ":"), "ph", "enter"), [_of(wait, "f", ":")]
    yield "what a frame follows is changed", {"WrongFrame"}, set_(child, "prev", "2"), [child]
    yield "an order is changed", {"WrongFrame"}, set_(_of(token, "f", ":"), "ep", "7"), [_of(token, "f", ":")]
    items = _key(server, _of(mapped, "i", ":*").decode())
    yield "an item is changed", {"BrokenRecord"}, flip(items, "1"), [items]
    results = _key(server, _of(mapped, "r", ":*").decode())
    yield "a result is changed", {"BrokenRecord"}, flip(results, "1"), [results]
    yield "a result is lost", {"WrongFrame"}, lambda: server.hdel(results, "1"), [results]
    text = _key(server, "sw:{meta}:d:*")
    yield "a definition is changed", {"BrokenDefinition"}, lambda: server.set(text, server.get(text) + b" "), [text]
    yield "a definition is lost", {"BrokenDefinition"}, lambda: server.delete(text), [text]
    left = _of(line, "f", ":/1.0")
    yield "a frame is left over", {"ForeignKey"}, lambda: server.hset(left, "rev", "1"), [left]
    yield "a key is none of ours", {"ForeignKey"}, lambda: server.set("sw:{99}:x:other", "1"), [b"sw:{99}:x:other"]
    index = b"%b:e::FAILED" % line.partition(b":x:")[0]
    yield "it is listed twice", {"WrongIndex"}, lambda: server.zadd(index, {line.rpartition(b":")[2]: 1}), [index]
    timers = b"%b:t" % wait.partition(b":x:")[0]
    yield "a timer is lost", {"WrongTimer"}, lambda: server.delete(timers), [timers]
    due = {member: score - 1000 for member, score in server.zrange(timers, 0, -1, withscores=True)}
    yield "timers are put forward", {"WrongTimer"}, lambda: server.zadd(timers, due), [timers]
    yield from _damages_of_what_ended(server, line)


def _damages_of_what_ended(server: redis.Redis, line: bytes) -> Iterator[Damage]:
    kept = _header(server, "kept", "SUCCEEDED")
    archive, shard, id_ = _of(kept, "z"), kept.partition(b":x:")[0], kept.rpartition(b":")[2]
    stored = server.get(archive)
    assert stored is not None
    whole = Archive.unpack(stored)

    def change(**parts: Any) -> Callable[[], Any]:
        return lambda: server.set(archive, replace(whole, **parts).pack())

    yield "an archive is damaged", {"BrokenRecord"}, lambda: server.set(archive, _flipped(stored)), [archive]
    yield "an archive is lost", {"BrokenChain"}, lambda: server.delete(archive), [archive]
    yield "an archive lacks events", {"BrokenChain"}, change(records=whole.records[:-1]), [archive]
    yield "an archive has another output", {"WrongEnd"}, change(fields=whole.fields | {b"output": b"=1"}), [archive]
    yield "an archive has another input", {"BrokenHeader"}, change(fields=whole.fields | {b"head": b"?"}), [archive]
    for place in (_of(line, "z"), shard + b":z:nobody"):
        yield "an archive is nobody's", {"ForeignKey"}, lambda place=place: server.set(place, stored), [place]  # type: ignore[misc]
    archived, fresh = shard + b":z", line.partition(b":x:")[0] + b":done"
    yield "it is never deleted", {"WrongIndex"}, lambda: server.zrem(archived, id_), [archived]
    yield "it is never archived", {"WrongIndex"}, lambda: server.zrem(fresh, line.rpartition(b":")[2]), [fresh]
    yield "nobody is to be deleted", {"WrongIndex"}, lambda: server.zadd(archived, {"nobody": 1}), [archived]
    letters = _key(server, "sw:*:dl")
    (letter,) = server.zrange(letters, 0, -1)
    header = letters[:-2] + b"x:" + letter.partition(b":")[0]
    yield "a dead letter is not listed", {"WrongFrame"}, lambda: server.zrem(letters, letter), [letters]
    yield "one is listed that is none", {"WrongIndex"}, lambda: server.zadd(letters, {"nobody:": 1}), [letters]
    yield "dead letters are not counted", {"BrokenHeader"}, lambda: server.hdel(header, "dn"), [header]
    runs = _key(server, "sw:*:runs")
    yield "a map run is nowhere", {"WrongIndex"}, lambda: server.hset(runs, "r", "nobody::1"), [runs]
    yield "a key of a shard is none of ours", {"ForeignKey"}, lambda: server.set("sw:{1}:sweep", 1), [b"sw:{1}:sweep"]


def test_every_kind_of_key_is_known() -> None:
    """All that `keys` lists, and no others."""
    names = re.findall(r"^    sw:([^\s,]+(?:, :[^\s,]+)*)", keys.__doc__ or "", re.MULTILINE)
    listed = set()
    for line in names:
        first, *others = line.split(", :")
        prefix = first[: first.index("}:") + 2]
        for name in (first, *[prefix + other for other in others]):
            head, _, kind = name.partition("}:")
            listed |= {f"sw:{head}}}:{kind.replace('j|r|i|o', letter)}" for letter in "jrio"}
    assert len(listed) > 30
    for name in listed:
        key = name.replace("<exec>", "ab.7").replace("<frame>", "").replace("<e>", "1").replace("<name>", "n")
        assert (_owner(key, 16) != ("", "")) == (not key.endswith(":-")), key


def test_every_damage_is_found(filled: Path) -> None:
    url = asyncio.run(start_embedded(filled))
    with redis.Redis.from_url(url) as server:
        for what, codes, damage, places in _damages(server):
            before = {key: server.dump(key) for key in places}
            damage()
            found = {code for code, _ in asyncio.run(_found(filled))}
            for key, dump in before.items():
                server.delete(key)
                if dump is not None:
                    server.restore(key, 0, dump)
            assert codes <= found, (what, found)
        assert asyncio.run(_found(filled)) == []


async def test_executions_may_go_on_meanwhile(tmp_path: Path) -> None:
    machine = {
        "StartAt": "M",
        "States": {
            "M": {
                "Type": "Map",
                "ItemProcessor": {
                    "StartAt": "T",
                    "States": {
                        "T": {"Type": "Task", "Resource": "echo", "Next": "E"},
                        "E": {"Type": "Pass", "End": True},
                    },
                },
                "End": True,
            }
        },
    }
    async with AsyncEngine(data_dir=tmp_path / "store", tasks=TASKS, archive_after=timedelta(0)) as engine:
        await engine.deploy(machine, name="busy")
        async with engine.worker():
            started = [(await engine.start("busy", list(range(60)))).arn for _ in range(12)]
            ending = asyncio.gather(*[engine.wait(arn, 25) for arn in started])
            lengths = set()
            while not ending.done():
                async for each in engine.verify():
                    assert not each.findings, each
                    lengths.add(each.events)
            await ending
        assert lengths - {0, 3, 543}, "none was seen under way"


def test_flipped_bits_are_found(tmp_path: Path) -> None:
    outcomes = flip_bits(FLIPS, 4, tmp_path)
    kinds = {outcome.kind for outcome in outcomes}
    assert kinds <= {"refused", "cut", "found", "same", "unchecked"}, [
        each for each in outcomes if each.kind in ("missed", "false alarm")
    ]
    assert sum(outcome.kind == "found" for outcome in outcomes) > FLIPS / 10


def test_the_command(tmp_path: Path, filled: Path) -> None:
    shell = Shell(tmp_path)
    said = shell("verify", "--data-dir", filled)
    assert (said.code, said.out) == (0, "")
    assert "20 executions with" in said.err
    assert "no problems" in said.err
    url = asyncio.run(start_embedded(filled))
    with redis.Redis.from_url(url) as server:
        header = _header(server, "fails", "FAILED")
        server.hset(header, "error", "=\x1b[2JOther")
        said = shell("--store", url, "verify", "--machine", "fails", "--json")
        plain = shell("--store", url, "verify")
        server.hset(header, "error", "=")
        server.hdel(header, "error")
    assert said.code == plain.code == 1
    assert said.lines[0]["code"] == "WrongEnd"
    assert said.lines[1] == {"executions": 1, "events": said.lines[1]["events"], "problems": 1}
    assert json.dumps(said.lines[0]["execution"]) in said.out
    assert "WrongEnd" in plain.out
    assert "hint: WrongEnd:" in plain.err
    assert "\x1b" not in plain.out
    assert shell("verify", "nobody:there").code == 2
