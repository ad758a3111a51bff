"""The time, by two clocks. Only the loop and the commands read it; everything below is given a `Now`."""

import time
from typing import NamedTuple

_US = 1_000_000


class Now(NamedTuple):
    """One moment, in microseconds since 1970."""

    wall_us: int
    """The time of day, which jumps when somebody corrects the clock."""
    steady_us: int
    """The time of day at the start of the program, and on from there without jumps: for measuring spans."""

    @property
    def steady_s(self) -> float:
        """The steady time in seconds."""
        return self.steady_us / _US


class Clock:
    """The clocks of this machine."""

    speed = 1.0
    """How many seconds pass on it in a second; only the demonstration's clock runs faster."""

    def __init__(self) -> None:
        """Start both clocks at the same time."""
        self._started_us = self.wall_us()
        self._started_s = time.monotonic()

    def wall_us(self) -> int:
        """Return the time of day in microseconds since 1970."""
        return time.time_ns() // 1000

    def now(self) -> Now:
        """Return this moment."""
        return Now(self.wall_us(), self._started_us + int((time.monotonic() - self._started_s) * _US))
