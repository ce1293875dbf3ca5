"""Every definition's own cases (`definitions/*/cases/*.yaml`), on a real store, in virtual time.

The cases' format is described in `definitions/order-fulfilment/README.md`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from statewright import AsyncEngine, TaskContext, TaskError, VirtualClock, load_functions
from statewright.definition.lint import lint
from statewright.definition.source import load_file
from statewright.store.embedded import stop_embedded
from statewright_cli.arguments import machine_name

DEFINITIONS = Path(__file__).resolve().parents[2] / "definitions"
HOMES = sorted(path.parent for path in DEFINITIONS.glob("*/workflow.asl.yaml"))
CASES = sorted(DEFINITIONS.glob("*/cases/*.yaml"))
KEYS = {"status", "error", "cause", "output", "contains", "states", "visited", "effects", "items", "seconds"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a private server, which is stopped at the end."""
    path = tmp_path_factory.mktemp("store")
    yield path
    asyncio.run(stop_embedded(path))


class Script:
    """Handlers that behave as a case's script says, call by call, and then as they really are."""

    def __init__(self, handlers: dict[str, Any], script: dict[str, list[dict[str, Any]]]) -> None:
        self.handlers = handlers
        self.entries = {name: [e for e in rows for _ in range(e.get("times", 1))] for name, rows in script.items()}
        self.engine: AsyncEngine | None = None
        assert set(script) <= set(handlers)

    def tasks(self) -> dict[str, Any]:
        """The scripted handlers, by name."""
        return {name: self._scripted(name) for name in self.handlers}

    def _scripted(self, name: str) -> Any:
        async def handler(request: Any, context: TaskContext) -> Any:
            entries = self.entries.get(name)
            entry = entries.pop(0) if entries else {}
            if "fail" in entry:
                raise TaskError(**entry["fail"])
            real = self.handlers[name]
            result = real(request, context) if len(inspect.signature(real).parameters) > 1 else real(request)
            if "lose" in entry:
                raise TaskError(**entry["lose"])
            if "answer" in entry:
                await self._answer(context, entry["answer"])
            return result

        return handler

    async def _answer(self, context: TaskContext, answer: dict[str, Any]) -> None:
        assert self.engine is not None
        assert context.task_token is not None
        if "output" in answer:
            await self.engine.send_task_success(context.task_token, answer["output"])
        else:
            await self.engine.send_task_failure(context.task_token, **answer)


async def run_case(path: Path, data_dir: Path, objects: Path | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What became of a case's execution (status, output, error, cause, seconds, items of its last map run), and its
    history."""
    case = yaml.safe_load(path.read_text())
    home = path.parent.parent
    script = Script(load_functions(home / "handlers.py"), case.get("script", {}))
    clock = VirtualClock()
    name = f"{home.name}-{path.stem}"
    async with AsyncEngine(data_dir=data_dir, tasks=script.tasks(), clock=clock, objects=objects) as engine:
        script.engine = engine
        for file in home.glob("*.asl.yaml"):
            await engine.deploy(file, name=machine_name(file))
        begun = clock()
        arn = (await engine.start(home.name, case["input"], name=name)).arn
        worker = engine.new_worker()
        await worker.run_until_idle()
        await worker.stop()
        ended = await engine.describe(arn)
        result = {name: getattr(ended, name) for name in ("status", "error", "cause", "output")}
        result["items"] = [run.items for run in await engine.map_runs(arn)][-1:]
        return {**result, "seconds": (clock() - begun) / 1000}, await engine.history(arn)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_case(path: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = yaml.safe_load(path.read_text())["expect"]
    assert set(expected) <= KEYS
    objects = path.parent.parent / "objects"
    if objects.exists():
        shutil.copytree(objects, tmp_path / "objects", ignore=shutil.ignore_patterns("results"))
    result, history = asyncio.run(run_case(path, data_dir, tmp_path / "objects" if objects.exists() else None))
    states = [e["stateEnteredEventDetails"]["name"] for e in history if e["type"].endswith("StateEntered")]
    assert {name: result[name] for name in ("status", "error", "cause") if name in expected} == {
        name: expected[name] for name in ("status", "error", "cause") if name in expected
    }, result
    output = json.loads(result["output"] or "null")
    if "output" in expected:
        assert output == expected["output"]
    for name, value in expected.get("contains", {}).items():
        assert output[name] == value
    if "states" in expected:
        assert states == expected["states"]
    if "visited" in expected:
        assert Counter(states) == expected["visited"]
    if "effects" in expected:
        assert effects(tmp_path) == expected["effects"]
    if "items" in expected:
        [items] = result["items"]
        assert {status: items[status] for status in expected["items"]} == expected["items"]
    if "seconds" in expected:
        assert expected["seconds"] <= result["seconds"] <= expected["seconds"] * 1.01 + 1


def effects(home: Path) -> list[str]:
    """The effects in the ledger of the order's handlers, in order."""
    path = home / ".statewright" / "order-ledger.sqlite"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as ledger:
        return [row[0] for row in ledger.execute("select effect from effects order by number")]


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_definition_is_clean_and_has_cases(home: Path) -> None:
    for file in home.glob("*.asl.yaml"):
        assert lint(load_file(file)) == []
    assert len(list((home / "cases").glob("*.yaml"))) >= 3
    assert {path.name for path in home.iterdir()} >= {"README.md", "handlers.py", "input.json", "cases"}
    first = (home / "workflow.asl.yaml").read_text().splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (home / schema).resolve().is_file()
