"""The cases with which JSONata's reference implementation is tested, through our adapter.

They are published in the source archive of a package, which pip fetches when the test runs and whose digest it checks.
What differs is listed in `jsonata_suite.yaml`, with the reason; a listed case that agrees fails the test as well.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from statewright.lang.expression import ExpressionError
from statewright.lang.jsonata import compile_expression
from statewright.lang.scope import MISSING, Entropy, Scope
from statewright.lang.syntax import PathSyntaxError

PACKAGE, VERSION = "jsonata2py", "0.1.3"
SHA256 = "ae2821233f4724b9cb96320537602b23d7630c68312a3b241a53bd04f278661e"
FOLDER = f"{PACKAGE}-{VERSION}/tests/resources/jsonata-test-suite/"
CASES = 1665
DIFFERENT: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "jsonata_suite.yaml").read_text())


@pytest.fixture(scope="module")
def suite(request: pytest.FixtureRequest) -> dict[str, str]:
    """The texts of the suite's files by their path; fetched once, then kept in pytest's cache."""
    folder = request.config.cache.mkdir("jsonata-suite")
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    if not archive.exists():
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
        options = ["--quiet", "--no-deps", "--no-binary", PACKAGE, "--require-hashes", "-r", wanted, "-d", folder]
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--retries", "1", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert "THESE PACKAGES DO NOT MATCH THE HASHES" not in done.stderr, done.stderr
        if done.returncode or not archive.exists():
            pytest.skip(f"the archive cannot be fetched: {done.stderr.strip().splitlines()[-1:]}")
    with tarfile.open(archive) as opened:
        files = ((member.name.removeprefix(FOLDER), opened.extractfile(member)) for member in opened.getmembers())
        return {name: file.read().decode() for name, file in files if file is not None and "/" in name}


def cases(suite: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in sorted(suite):
        path = PurePosixPath(name)
        if path.parts[0] != "groups" or path.suffix != ".json":
            continue
        found = json.loads(suite[name])
        for index, case in enumerate(found if isinstance(found, list) else [found]):
            if "expr-file" in case:
                case["expr"] = suite[str(path.parent / case["expr-file"])]
            known_as = f"{path.parts[1]}/{path.stem}"
            yield (f"{known_as}/{index}" if isinstance(found, list) else known_as), case


def outcome(case: dict[str, Any], data: Any) -> tuple[str, Any]:
    """("value", v), ("undefined", None) or ("error", code)."""
    bindings = {name.removeprefix("$"): value for name, value in case.get("bindings", {}).items()}
    scope = Scope({}, {}, bindings, Entropy(0), 1_700_000_000_000)
    try:
        value = compile_expression(case["expr"]).evaluate(scope, {}, data)
    except PathSyntaxError as error:
        return "error", str(error)
    except ExpressionError as error:
        return "error", str(error)
    return ("undefined", None) if value is MISSING else ("value", value)


def agrees(case: dict[str, Any], found: tuple[str, Any]) -> bool:
    kind, value = found
    if "result" in case:
        return kind == "value" and equal(case["result"], value, ordered=not case.get("unordered"))
    if "undefinedResult" in case:
        return kind == "undefined"
    code = case.get("code") or case["error"].get("code", "")
    return kind == "error" and code in value


def equal(expected: Any, value: Any, *, ordered: bool = True) -> bool:
    """Equal as JSON, numbers to 15 digits, as JSONata writes them."""
    if isinstance(expected, dict) and isinstance(value, dict):
        return expected.keys() == value.keys() and all(equal(expected[name], value[name]) for name in expected)
    if isinstance(expected, list) and isinstance(value, list):
        if not ordered:
            expected, value = (sorted(items, key=json.dumps) for items in (expected, value))
        return len(expected) == len(value) and all(map(equal, expected, value))
    if isinstance(expected, bool) or isinstance(value, bool) or not isinstance(expected, int | float):
        return type(expected) is type(value) and bool(expected == value)
    return isinstance(value, int | float) and math.isclose(expected, value, rel_tol=1e-15)


def test_the_suite(suite: dict[str, str]) -> None:
    @cache
    def dataset(name: str) -> Any:
        return json.loads(suite[f"datasets/{name}.json"])

    reasons = {name: reason for reason, names in DIFFERENT.items() for name in names}
    differences, count = {}, 0
    for name, case in cases(suite):
        count += 1
        found = outcome(case, case["data"] if "data" in case else dataset(case["dataset"]) if case["dataset"] else None)
        if not agrees(case, found):
            differences[name] = (
                f"{case['expr'][:100]} gave {str(found)[:150]}, not {str(case.get('result', case))[:150]}"
            )
    assert count == CASES
    assert {name: shown for name, shown in differences.items() if name not in reasons} == {}
    assert sorted(reasons.keys() - differences.keys()) == [], "listed, but they agree"
