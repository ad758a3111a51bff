"""A clock that runs faster than real time, and is the same in all processes of the demonstration."""

import json
import time
from datetime import UTC, datetime
from typing import NamedTuple, Self

from ecc_listener.clock import Clock, Now


class Pace(NamedTuple):
    """When the clock started, by three clocks, and its speed."""

    start_us: int
    """The time that it showed then, in microseconds since 1970."""
    monotonic_ns: int
    """The machine's monotonic clock, which all processes share."""
    wall_us: int
    """The machine's time of day, which a browser knows."""
    speed: float


class FastClock(Clock):
    """A clock that starts at any time and runs `speed` times as fast as the machine's."""

    def __init__(self, pace: Pace) -> None:
        """Continue a clock that was started."""
        self.pace = pace
        self.speed = pace.speed

    @classmethod
    def started_at(cls, start: datetime, speed: float) -> Self:
        """Return a clock that starts now and shows `start`."""
        start_us = int(start.timestamp()) * 1_000_000
        return cls(Pace(start_us, time.monotonic_ns(), time.time_ns() // 1000, speed))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the clock that another process described by `to_text`."""
        return cls(Pace(*json.loads(text)))

    def to_text(self) -> str:
        """Return a description for another process."""
        return json.dumps(self.pace)

    def to_browser(self) -> str:
        """Return a description for the page's script, see web/static/clock.js."""
        return f"{self.pace.start_us // 1000} {self.pace.wall_us // 1000} {self.speed:g}"

    def wall_us(self) -> int:
        """Return the time of day in microseconds since 1970."""
        elapsed_ns = time.monotonic_ns() - self.pace.monotonic_ns
        return self.pace.start_us + int(elapsed_ns * self.speed) // 1000

    def now(self) -> Now:
        """Return this moment; nobody corrects this clock, so both times are the same."""
        now_us = self.wall_us()
        return Now(now_us, now_us)

    def moment(self) -> datetime:
        """Return this moment in UTC."""
        return datetime.fromtimestamp(self.wall_us() / 1e6, UTC)
