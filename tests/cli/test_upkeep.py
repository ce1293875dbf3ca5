"""The commands for the upkeep of a store: where all is well, where something is to be done, and told what makes no
sense."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from statewright import AsyncEngine
from statewright.store import keys
from tests.cli.conftest import Shell

WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
REASON = "it cannot\x1b[2J be got on with"


async def _spoil(data_dir: Path) -> None:
    """A store with two executions that wait, both put aside, an incident, and a timer that is lost."""
    async with AsyncEngine(data_dir=data_dir) as engine:
        await engine.deploy(WAIT, name="wait")
        for name in ("one", "two"):
            await engine.start("wait", name=name)
        worker = engine.new_worker()
        going = asyncio.create_task(worker.run())
        while sum(each.length for each in await engine.list()) < 2 * 2:
            await asyncio.sleep(0.01)
        await worker.stop(1)
        await going
        for each in await engine.list():
            id_ = each.execution.id
            claimed = await engine.store.claim_frame(id_, "", "someone", 10_000)
            assert claimed is not None
            assert await engine.store.bury(claimed, "someone", REASON)
        shard = engine.store.shard_of(id_)
        await engine.store._scripts.call("DEL", f"{keys.prefix(shard)}t")  # type: ignore[attr-defined]
        assert await engine.store.report("rollback", 3, 0, "something was lost")


@pytest.fixture
def spoilt(shell: Shell) -> Shell:
    """A shell on such a store."""
    asyncio.run(_spoil(shell.home / ".statewright"))
    return shell


def test_where_all_is_well(shell: Shell) -> None:
    assert (swept := shell("sweep")).code == 0
    assert swept.out == "nothing to repair\n"
    assert shell("sweep", "--json").document == {"repairs": {}}
    assert shell("dead-letters").out == "no dead letters\n"
    assert shell("dead-letters", "--json").document == []
    assert (none := shell("revive", "--all")).code == 1
    assert none.out == "no dead letters\n"
    assert shell("verify").err.endswith("0 executions with 0 events: no problems\n")
    assert "noticed" not in shell("doctor").out


def test_where_something_is_to_be_done(spoilt: Shell) -> None:
    told = spoilt("doctor", "--json").document["findings"]
    assert {each["name"] for each in told if each["verdict"] == "noticed"} == {"rollback", "dead letters"}
    wrong = spoilt("verify", "--json")
    assert wrong.code == 1
    assert wrong.lines[0]["code"] == "WrongTimer"
    swept = spoilt("sweep")
    assert swept.code == 0
    assert swept.out.startswith("repaired: timers (")
    assert "keys, " in swept.err
    assert spoilt("sweep").out == "nothing to repair\n"
    assert spoilt("verify").code == 0
    shown = spoilt("dead-letters").out
    assert shown.count("after 1 attempts: it cannot\\x1b[2J be got on with") == 2
    assert [each["reason"] for each in spoilt("dead-letters", "--json").document] == [REASON] * 2
    metrics = {each["name"]: each["value"] for each in spoilt("metrics", "--json").document}
    assert metrics["statewright_dead_letters"] == 2
    assert metrics["statewright_repairs_total"] >= 1
    assert "repairs" in spoilt("doctor").out
    assert spoilt("revive", "wait:one").out == "revived: 1\n"
    assert spoilt("revive", "--all", "--json").document == {"revived": 1}
    assert spoilt("dead-letters").out == "no dead letters\n"


NOWHERE = ("--store", "unix:///nowhere.sock")
WRONG = {
    "doctor": [("--fix",), ("here",), NOWHERE],
    "metrics": [("--prometheus", "--json"), ("wait",), NOWHERE],
    "verify": [("nobody:there",), ("--status", "ENDED"), ("--machine", "no name"), NOWHERE],
    "sweep": [("--dry-run",), ("everything",), NOWHERE],
    "repair": [("--data-dir", "nothing"), ("now",), ("--force",)],
    "dead-letters": [("wait:one",), ("--all",), NOWHERE],
    "revive": [(), ("wait:one", "--all"), ("wait:nobody",), NOWHERE],
    "gc": [("--retention", "30"), ("--keep", "never"), ("--keep", "1d", "--dry-run"), ("all",), NOWHERE],
}


@pytest.mark.parametrize(
    "words", [(name, *words) for name, wrong in WRONG.items() for words in wrong], ids=lambda words: " ".join(words)
)
def test_what_makes_no_sense_is_explained(words: tuple[str, ...], shell: Shell) -> None:
    refused = shell(*words)
    assert refused.code == 2
    assert refused.out == ""
    assert refused.err.startswith("error: ")
    assert len(refused.err.splitlines()[0]) > 20
