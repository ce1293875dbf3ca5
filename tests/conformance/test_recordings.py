"""The recordings of AWS, judged by the checker that comes with them (skipped where they are not there)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.adapter import SHARED

ROOT = Path(__file__).parents[2]

KNOWN = {
    # The recorder replaced the function's name in some places of the case only, so that no input matches its history.
    "error_handling.task_lambda.no_such_function_catch": "history",
    "error_handling.task_service_lambda.no_such_function": "output",
    "error_handling.task_service_lambda.no_such_function_catch": "output",
    # Recorded before the context object had RedriveCount, which every later recording has.
    "scenarios.base_scenarios.lambda_service_invoke_with_retry_extended_input": "history",
}
"""Cases that do not agree, and the first level at which they do not."""


@pytest.mark.skipif(not (SHARED / "check.py").exists(), reason="the recordings are not here")
def test_recordings(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [
        sys.executable, str(SHARED / "check.py"), str(SHARED / "cases"), "--adapter",
        "tests.conformance.adapter:run_case", "--kind", "execution", "--needs", "none,lambda",
        "-j", "1", "--json", str(report),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "engine"), str(ROOT)])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    cases = json.loads(report.read_text())["cases"]
    assert len(cases) > 600
    differ = {
        name: next(level for level in ("status", "output", "history") if isinstance(case[level], str))
        for name, case in cases.items()
        if any(isinstance(case[level], str) for level in ("status", "output", "history"))
    }
    assert differ == KNOWN, done.stdout
