"""Asks people by putting the task token where they find it: `approvals/<person>-<document>.token`.

`APPROVALS` names the directory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from statewright import task


@task("ask-person")
def ask_person(request: dict[str, Any]) -> None:
    """Leave the token; whoever answers sends it back with ``statewright send-success``."""
    folder = Path(os.environ.get("APPROVALS", ".statewright/approvals"))
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{request['person']}-{request['document']}.token"
    (folder / Path(name).name).write_text(request["token"])


@task("publish")
def publish(request: dict[str, Any]) -> Any:
    """The address of the published document."""
    return {"url": f"https://example.com/{request['document']}"}
