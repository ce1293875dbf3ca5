"""Which lines of the scripts the simulation reaches: ``python -m tests.sim --coverage``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files

from statewright.store.scripts import LIBRARY
from tests.sim.plan import Plan
from tests.sim.search import try_plans
from tests.sim.server import Libraries

__all__ = ["report", "unreached"]

_HOOK = b"""
local hits = {}
debug.sethook(function(_, line)
  if debug.getinfo(2, 'S').source == '@user_function' then hits[line] = true end
end, 'l')
return hits
"""
_NOTHING = re.compile(r"\s*(--.*|end[,);]*|else|[})\]]*|local function.*|function.*|local [\w, ]+)?\s*(--.*)?")
"""Lines that do nothing by themselves."""


def unreached(plans: Iterable[Plan]) -> Iterator[tuple[str, int, str]]:
    """File, line and text of each line of the scripts that no run of these plans has executed.

    Example: ``list(unreached(map(plan_of, range(1000))))``
    """
    libraries = Libraries()
    hits = libraries.run(_HOOK)
    try_plans(plans, libraries=libraries)
    reached = set(hits)
    for path in sorted((files("statewright.store") / "lua").iterdir(), key=lambda path: path.name):
        text = path.read_text("utf-8")
        before = LIBRARY[: LIBRARY.index(text)].count("\n")
        for number, line in enumerate(text.split("\n"), 1):
            if before + number not in reached and not _NOTHING.fullmatch(line):
                yield path.name, number, line.strip()


def report(plans: Iterable[Plan]) -> int:
    """Print what is not reached, with the share that is; 1 if there is anything."""
    missing = list(unreached(plans))
    for name, number, line in missing:
        print(f"{name}:{number}: {line}")
    lines = [line for line in LIBRARY.split("\n") if not _NOTHING.fullmatch(line)]
    print(f"{1 - len(missing) / len(lines):.1%} of {len(lines)} lines reached")
    return 1 if missing else 0
