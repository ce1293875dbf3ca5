"""The drive: takes frames from the store, steps the pure core, commits, and runs the handlers.

Time, threads and randomness live here.  `Worker` claims and holds frames, a `Runner` takes one frame as far as it goes,
`leases` keeps what is held, a `Crew` is the workers of one engine, `clock` tells the time.
"""

from statewright.drive.clock import Clock, ServerClock, VirtualClock
from statewright.drive.crew import Crew
from statewright.drive.programs import Programs
from statewright.drive.upkeep.retention import Collected
from statewright.drive.worker import Worker

__all__ = ["Clock", "Collected", "Crew", "Programs", "ServerClock", "VirtualClock", "Worker"]
