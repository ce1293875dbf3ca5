"""Append-only files, damaged in every way: never a crash, and never more lost than is said."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from statewright.errors import StatewrightError
from statewright.store import open_store, stop_embedded
from statewright.store.embedded import examined, repaired
from statewright.store.upkeep import aof
from tests.store.scene import LEASE, Scene, events

EVENTS = 12
SEED = 7
ANNOTATIONS = [b"#TS:%d\r\n" % (1_700_000_000 + number) for number in range(1000)]


def units_of(text: bytes) -> list[int]:
    """Where the transactions, and the commands outside of them, of a whole file end."""
    ends, at, opened = [0], 0, False
    while at < len(text):
        line = text[at : text.index(b"\n", at) + 1]
        at += len(line)
        if line.startswith(b"#"):
            continue
        words = []
        for _ in range(int(line[1:])):
            head = text[at : text.index(b"\n", at) + 1]
            at += len(head)
            words.append(text[at : at + int(head[1:])])
            at += int(head[1:]) + 2
        opened = words[:1] == [b"MULTI"] or (opened and words[:1] != [b"EXEC"])
        if not opened:
            ends.append(at)
    return ends


@dataclass(frozen=True)
class Sample:
    """What a real server wrote."""

    text: bytes
    ends: list[int]

    def before(self, offset: int) -> int:
        """The last end at or before an offset."""
        return max(end for end in self.ends if end <= offset)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    data_dir = tmp_path_factory.mktemp("sample")
    asyncio.run(fill(data_dir))
    whole = increment(data_dir).read_bytes()
    ends = units_of(whole)
    # The server notes the time once a second at most.
    units = [whole[first:last] for first, last in itertools.pairwise(ends)]
    text = b"".join(annotation + unit for annotation, unit in zip(ANNOTATIONS, units, strict=False))
    assert text.count(b"MULTI") > EVENTS
    return Sample(text, units_of(text))


async def fill(data_dir: Path) -> None:
    """An execution with `EVENTS` commits of one event each."""
    store = await open_store(None, data_dir)
    scene = Scene(store)
    await scene.create()
    for index in range(EVENTS):
        await scene.commit(history=events(f"e{index}"), keep_ms=LEASE)
    await store.close()


async def kinds(data_dir: Path) -> list[str]:
    """Types of the events that the store has."""
    store = await open_store(None, data_dir)
    try:
        return [kind for _, _, kind in await Scene(store).links()]
    finally:
        await store.close()


def increment(data_dir: Path) -> Path:
    return next((data_dir / "appendonlydir").glob("*.incr.aof"))


@dataclass
class Folder:
    """A data directory made by hand."""

    path: Path
    increment: Path | None = None

    def write(self, *texts: bytes) -> list[Path]:
        folder = self.path / "appendonlydir"
        folder.mkdir(exist_ok=True)
        names = [f"appendonly.aof.{n}.{'base' if n == 1 else 'incr'}.aof" for n in range(1, len(texts) + 1)]
        lines = [f"file {name} seq {n + 1} type {'b' if n == 0 else 'i'}\n" for n, name in enumerate(names)]
        (folder / "appendonly.aof.manifest").write_text("".join(lines))
        for name, text in zip(names, texts, strict=True):
            (folder / name).write_bytes(text)
        return [folder / name for name in names]

    def examine(self, text: bytes) -> aof.Damage | None:
        if self.increment is None:
            self.increment = self.write(b"", b"")[1]
        self.increment.write_bytes(text)
        return aof.examine(self.path)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_whole_file(folder: Folder, sample: Sample) -> None:
    assert folder.examine(sample.text) is None
    assert folder.examine(b"") is None
    assert aof.examine(folder.path / "nothing") is None


def offsets(sample: Sample, count: int) -> Iterator[int]:
    """Everywhere near the end, here and there before it."""
    yield from range(len(sample.text) - 300, len(sample.text))
    yield from random.Random(SEED).sample(range(1, len(sample.text)), count)


def test_cut_anywhere(folder: Folder, sample: Sample) -> None:
    for offset in offsets(sample, 60):
        damage = folder.examine(sample.text[:offset])
        if offset in sample.ends or sample.text[sample.before(offset) : offset] in ANNOTATIONS:
            assert damage is None, offset
        else:
            assert damage is not None, offset
            assert (damage.kind, damage.keep, damage.harmless) == ("torn", sample.before(offset), True), offset


@pytest.mark.parametrize("count", [1, 3, 4096])
def test_zeros_behind_a_cut(folder: Folder, sample: Sample, count: int) -> None:
    for offset in offsets(sample, 30):
        damage = folder.examine(sample.text[:offset] + bytes(count))
        assert damage is not None, offset
        assert (damage.keep, damage.harmless, damage.after) == (sample.before(offset), True, 0), (offset, damage)


def test_a_changed_byte(folder: Folder, sample: Sample) -> None:
    """It is found where it is, unless it is inside a value; what is whole before it is kept, what is behind counted."""
    chance = random.Random(SEED)
    units = list(itertools.pairwise(sample.ends))  # one of them, the library, is longer than all others together
    found = 0
    for _ in range(500):
        offset = chance.randrange(*chance.choice(units))
        changed = bytearray(sample.text)
        changed[offset] = (changed[offset] + chance.randrange(1, 256)) % 256
        damage = folder.examine(bytes(changed))
        if damage is None:
            continue
        found += 1
        assert damage.keep == sample.before(offset), (offset, damage)
        behind = sum(end > damage.at for end in sample.ends)
        assert damage.harmless <= (behind <= 1), (offset, damage)  # the last unit alone may pass for a torn write
    assert found > 15


def test_zeros_in_the_middle(folder: Folder, sample: Sample) -> None:
    """A block that was never written, with whole commands behind it, is not cut off without a word."""
    for first in (1000, len(sample.text) - 3000):
        damage = folder.examine(sample.text[:first] + bytes(512) + sample.text[first + 512 :])
        if damage is not None:
            assert not damage.harmless
            assert damage.keep == sample.before(first)
    length = 0
    for end in sample.ends[1:-1]:
        damage = folder.examine(sample.text[:end] + bytes(100) + sample.text[end:])
        assert damage is not None
        assert (damage.kind, damage.keep, damage.at) == ("broken", end, end)
        length += damage.after
    assert length > 100


def test_garbage_is_no_crash(folder: Folder) -> None:
    chance = random.Random(SEED)
    alphabet = [
        b"*",
        b"$",
        b"\r\n",
        b"\r",
        b"\n",
        b"1",
        b"3",
        b"SET",
        b"MULTI",
        b"EXEC",
        b"\0",
        b"#TS:1",
        b"-",
        b"99999999999",
    ]
    for turn in range(600):
        text = b"".join(chance.choices(alphabet, k=chance.randrange(30)))
        damage = folder.examine(text)
        if damage is not None:
            assert 0 <= damage.keep <= damage.at <= damage.size == len(text)
            if turn % 30 == 0:
                (kept,) = aof.cut(folder.path, damage, str(turn))
                assert aof.examine(folder.path) is None
                assert kept.read_bytes() == text[damage.keep :]


def test_a_value_that_looks_like_commands(folder: Folder) -> None:
    inside = b"*1\r\n$4\r\nEXEC\r\n"
    text = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16\r\n\r\n%b\r\n" % inside
    assert folder.examine(text) is None
    damage = folder.examine(text[:-1])
    assert damage is not None
    assert not damage.harmless  # it might be whole commands that a wrong length has swallowed


def test_damage_before_later_files(folder: Folder) -> None:
    """What follows the damage cannot be loaded onto a gap: it is put aside, too."""
    command = b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
    files = folder.write(command, command + b"*2\r\n$4\r\nINC", command, command)
    damage = aof.examine(folder.path)
    assert damage is not None
    assert (damage.file, damage.keep, damage.later) == (files[1], len(command), tuple(files[2:]))
    assert not damage.harmless
    assert "appendonly.aof.3.incr.aof" in str(damage)
    kept = aof.cut(folder.path, damage, "now")
    assert [path.read_bytes() for path in kept] == [b"*2\r\n$4\r\nINC", command, command]
    assert aof.examine(folder.path) is None
    manifest = aof.Manifest.of(folder.path)
    assert manifest is not None
    assert manifest.files == tuple(files[:2])


@pytest.mark.parametrize("line", ["file x seq", "nonsense", "file ../x seq 1 type i", "file x seq 1 type q"])
def test_a_manifest_that_cannot_be_read(folder: Folder, line: str) -> None:
    folder.write(b"")
    (folder.path / "appendonlydir" / "appendonly.aof.manifest").write_text(line)
    with pytest.raises(ValueError, match="cannot be read"):
        aof.examine(folder.path)


def test_a_missing_file(folder: Folder) -> None:
    folder.write(b"", b"")[1].unlink()
    with pytest.raises(ValueError, match="not there"):
        aof.examine(folder.path)


# -- on a real server -------------------------------------------------------------------------------------------------
@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    asyncio.run(stop_embedded(tmp_path / "data"))


@pytest.mark.parametrize("zeros", [0, 4096])
async def test_what_a_power_failure_leaves_is_cut_off(
    data_dir: Path, zeros: int, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(data_dir)
    whole = increment(data_dir).read_bytes()
    ends = units_of(whole)
    expected = ["ExecutionStarted", *[f"e{i}" for i in range(EVENTS)]]
    for offset in random.Random(SEED).sample(range(ends[-4], len(whole)), 4):
        increment(data_dir).write_bytes(whole[:offset] + bytes(zeros))
        caplog.clear()
        found = await kinds(data_dir)
        assert found == expected[: len(found)]
        assert len(found) >= EVENTS - 3
        assert "cut off, and kept in" in caplog.text
    kept = list(data_dir.glob("*.incr.aof.from-*"))
    assert kept
    assert all(file.stat().st_mode & 0o077 == 0 for file in kept)


async def test_damage_in_the_middle_is_repaired_by_hand_only(data_dir: Path) -> None:
    await fill(data_dir)
    log = increment(data_dir)
    whole = log.read_bytes()
    place = whole.index(b"MULTI", units_of(whole)[-6])
    log.write_bytes(whole[:place] + b"MULTJ" + whole[place + 5 :])
    with pytest.raises(StatewrightError, match="statewright repair") as broken:
        await kinds(data_dir)
    assert broken.value.code == "StoreBroken"
    assert "whole commands behind" in broken.value.message
    assert log.stat().st_size == len(whole)
    damage = examined(data_dir)
    assert damage is not None
    assert damage.after > 5
    (kept,) = repaired(data_dir, damage)
    assert log.read_bytes() + kept.read_bytes() == whole[:place] + b"MULTJ" + whole[place + 5 :]
    assert (await kinds(data_dir))[0] == "ExecutionStarted"


async def test_a_length_that_swallows_the_rest_is_no_torn_write(data_dir: Path) -> None:
    """By itself a server would take the whole rest of the file for an incomplete command, and cut it off."""
    await fill(data_dir)
    log = increment(data_dir)
    whole = log.read_bytes()
    place = whole.index(b"\r\n$", whole.index(b"ExecutionStarted") - 60) + 3
    log.write_bytes(whole[:place] + b"99999" + whole[place:])
    with pytest.raises(StatewrightError, match="statewright repair"):
        await kinds(data_dir)


async def test_a_server_that_runs_is_left_alone(data_dir: Path) -> None:
    store = await open_store(None, data_dir)
    with pytest.raises(StatewrightError, match="server stop"):
        examined(data_dir)
    await store.close()
    assert examined(data_dir) is None
    with pytest.raises(StatewrightError, match="no directory"):
        examined(data_dir / "none")
