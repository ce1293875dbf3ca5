"""Checks of what executions leave behind: their histories, and what is stored beside them.  Pure."""

from statewright.audit.finding import HINTS, Finding
from statewright.audit.frames import StoredFrame, compare
from statewright.audit.threads import Stage, Thread
from statewright.audit.trail import ENDS, Event, Trail, check_history

__all__ = ["ENDS", "HINTS", "Event", "Finding", "Stage", "StoredFrame", "Thread", "Trail", "check_history", "compare"]
