"""A running execution on stderr: lines that are redrawn on a terminal, one line per change elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable

from statewright_cli.output import note, safe
from statewright_cli.show import Event, Row, progress_line
from statewright_cli.timeline import Timeline, Visit

__all__ = ["Line", "Screen"]

STATUS_COLOURS = {"succeeded": "32", "failed": "31", "caught": "33", "aborted": "33", "running": "36"}
PROGRESS_SECONDS = 5.0
"""Elsewhere than on a terminal the progress of map runs is a line no more often than this."""


class Screen:
    """Shows the visits of one execution as its history grows, and how far its map runs are.

    Arguments: `live`: redraw in place; default: whether stderr is a terminal that can.

    Example: ``screen = Screen(); screen.take(events); screen.draw()``
    """

    def __init__(self, live: bool | None = None) -> None:
        self.timeline = Timeline()
        self.live = sys.stderr.isatty() if live is None else live
        self._drawn = 0
        self._changed: dict[int, Visit] = {}  # by identity; the latest change last
        self._told = time.monotonic()

    def take(self, events: Iterable[Event]) -> None:
        """Take the next events, in order."""
        for event in events:
            if visit := self.timeline.add(event):
                self._changed.pop(id(visit), None)
                self._changed[id(visit)] = visit

    def progress(self, map_run: str, row: Row) -> None:
        """Take how far a map run is; one that has ended is not asked for again."""
        visit = self.timeline.map_runs[map_run]
        before, visit.progress = visit.progress, progress_line(row)
        if row["status"] != "RUNNING":
            del self.timeline.map_runs[map_run]
        elif visit.progress != before and (self.live or time.monotonic() - self._told >= PROGRESS_SECONDS):
            self._changed[id(visit)] = visit

    def draw(self) -> None:
        """Show what has become of the visits that have changed."""
        changed, self._changed = self._changed, {}
        if self.live and changed:
            self._redraw()
        elif changed:
            self._told = time.monotonic()
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


class Line:
    """One line on stderr that says how far something is: redrawn on a terminal, elsewhere a line now and then.

    Example: ``line = Line(); line.show("1 of 3 items"); line.show("3 of 3 items", last=True)``
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""
        self._told = -PROGRESS_SECONDS

    def show(self, text: str, *, last: bool = False) -> None:
        """Show `text` if it is news and, unless it is the `last`, not too soon after the one before."""
        now = time.monotonic()
        if text == self._shown or not (self._live or last or now - self._told >= PROGRESS_SECONDS):
            return
        if self._live and self._shown:
            sys.stderr.write("\x1b[1F\x1b[J")
        note(text)
        self._shown, self._told = text, now
