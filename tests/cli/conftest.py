"""The command as people use it: a process of its own, on a private server in a temporary directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from statewright_cli.main import main; main()"]


@dataclass
class Result:
    """What a finished command said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """stdout as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Shell:
    """Runs commands in one directory.

    Arguments: `home`: the working directory, where `.statewright` will be.
    """

    home: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """That of this process, without settings of the command, and with the sources on the import path."""
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("STATEWRIGHT_STORE", "STATEWRIGHT_OBJECTS")) and k != "STATEWRIGHT_DATA_DIR"
        }
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "engine"), str(ROOT / "cli")]),
            "PYTHONWARNINGS": "error",
        }

    def __call__(self, *arguments: object, stdin: str = "", **environment: str) -> Result:
        """Run a command to its end."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.home,
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command that is stopped later; its stdout and stderr are pipes."""
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def write(self, name: str, text: str) -> Path:
        """A file in the working directory."""
        path = self.home / name
        path.write_text(text)
        return path


def read_until(stream: IO[str] | None, words: str) -> str:
    """The lines of a process up to the one with `words`; fails if the stream ends before."""
    assert stream is not None
    seen = []
    for line in stream:
        seen.append(line)
        if words in line:
            return "".join(seen)
    raise AssertionError(f"{words!r} did not come, but:\n{''.join(seen)}")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in an empty directory; what it started is stopped at the end."""
    shell = Shell(tmp_path)
    try:
        yield shell
    finally:
        for process in shell.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        if (tmp_path / ".statewright").exists():
            shell("server", "stop")


HELLO = """
StartAt: Hello
States:
  Hello:
    Type: Pass
    Parameters:
      text.$: States.Format('hello {}', $.who)
    End: true
"""

ASK = """
StartAt: Ask
States:
  Ask:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke.waitForTaskToken
    Parameters:
      FunctionName: ask
      Payload:
        token.$: $$.Task.Token
    TimeoutSeconds: 3600
    HeartbeatSeconds: 600
    End: true
"""

HANDLERS = '''
from pathlib import Path
from statewright import task

@task("ask")
def ask(request):
    """Leave the token for the test."""
    Path("token.tmp").write_text(request["token"])
    Path("token.tmp").rename("token")
    print("asked", flush=True)
'''
