"""A running execution on stderr: lines that are redrawn on a terminal, one line per change elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable

from statewright_cli.output import note, safe
from statewright_cli.show import Event
from statewright_cli.timeline import Timeline, Visit

__all__ = ["Screen"]

STATUS_COLOURS = {"succeeded": "32", "failed": "31", "caught": "33", "aborted": "33", "running": "36"}


class Screen:
    """Shows the visits of one execution as its history grows.

    Arguments: `live`: redraw in place; default: whether stderr is a terminal that can.

    Example: ``screen = Screen(); screen.show(events)``
    """

    def __init__(self, live: bool | None = None) -> None:
        self.timeline = Timeline()
        self.live = sys.stderr.isatty() if live is None else live
        self._drawn = 0

    def show(self, events: Iterable[Event]) -> None:
        """Take the next events, in order, and show what has become of the visits they changed."""
        changed: dict[int, Visit] = {}  # by identity; the latest change last
        for event in events:
            if visit := self.timeline.add(event):
                changed.pop(id(visit), None)
                changed[id(visit)] = visit
        if self.live and changed:
            self._redraw()
        elif not self.live:
            for visit in changed.values():
                note(visit)

    def _redraw(self) -> None:
        columns, rows = shutil.get_terminal_size()
        visits = self.timeline.visits[-max(1, rows - 4) :]
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        lines = [
            f"\x1b[{STATUS_COLOURS.get(visit.status, '0')}m{safe(visit)[: columns - 1]}\x1b[0m" for visit in visits
        ]
        sys.stderr.write(up + "\x1b[J" + "".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)
