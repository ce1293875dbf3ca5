"""Everything that has to pass, one after the other: ``python -m tests``.  Stops at the first that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("pytest", "-n", "2", "--dist", "loadfile"),
    ("tests.sim", "--seeds", "200000", "--minutes", "3.5"),
)


def main(extra: list[str]) -> int:
    """Run the checks; `extra` goes to pytest, which is then the last: ``python -m tests -k store``."""
    for check in CHECKS[: len(CHECKS) - bool(extra)]:
        arguments = [*check, *(extra if check[0] == "pytest" else [])]
        print("$", *arguments, flush=True)
        code = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
