"""The benchmarks run and report what they promise (their figures are nobody's to test)."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_quick_run_writes_its_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "engine"), str(ROOT)])}
    command = [sys.executable, "-m", "bench", "--quick", "--json", str(report)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text())
    assert rows.pop("peak_memory_mb") > 0
    assert set(rows.pop("languages")) == {"JSONPath", "JSONata", "JMESPath"}
    for cost in rows.pop("expressions").values():
        assert min(cost["again_us"], cost["first_us"]) > 0
    file = rows.pop("large-file")
    assert file["items_per_second"] > 0
    assert 0 <= file["worker_grown_mb_at_10%"] <= file["worker_grown_mb_at_50%"] <= file["worker_grown_mb_at_100%"]
    assert rows.pop("express")["rate_ratio"] > 0
    herd = rows.pop("timers")
    assert herd["early"] == 0
    assert herd["chains_meanwhile"] > 0
    assert rows.pop("memory")["live"] > 0
    assert rows.pop("restart")["first_ended_s"] > 0
    latency = rows.pop("start latency")
    assert 0 < latency["p50_ms"] <= latency["p99_ms"] <= latency["max_ms"]
    assert rows.pop("live executions")["ratio"] > 0
    assert 0 <= rows.pop("idle")["worker_0_parked_percent"] < 100
    assert len(rows) == 6
    for name, row in rows.items():
        assert 0 < row["ratio"] < 2, name
        assert name in done.stdout
