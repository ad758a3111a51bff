"""Figures of one sensor over some hours: lowest, mean, highest, hours outside a band, missing readings. Pure.

Hours are rollups (`Bucket`), each an hour of UTC.
"""

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Literal, NamedTuple

from ecc_listener.history.rollups import STEP_US, Bucket

HOUR_US = STEP_US["hour"]

_WINDOW_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
_ENOUGH_IN_A_WINDOW = 4
"""Readings by which one more or less in a window is no difference that matters."""


class Point(NamedTuple):
    """One quantity in an hour."""

    start_us: int
    readings: int
    low: float
    mean: float
    high: float


class Spread(NamedTuple):
    """One quantity over a time, and how many hours of it had a mean below or above a band."""

    low: float
    mean: float
    high: float
    hours_below: int
    hours_above: int


class Regularity(NamedTuple):
    """How many readings are usual in a window of so many hours."""

    window_hours: int
    readings: float

    @property
    def per_day(self) -> float:
        """The readings that are usual in a day."""
        return self.readings * 24 / self.window_hours


class Received(NamedTuple):
    """Readings that came, those that are missing, and what usually comes in a day.

    The last two are None if no number is usual, because the sensor sends when something changes.
    """

    readings: int
    missing: int | None
    usual_per_day: float | None


def points(hours: Sequence[Bucket], quantity: Literal["temperature", "humidity"]) -> list[Point]:
    """Return one quantity of hours, in °F or %; hours without it are left out."""
    found = []
    for hour in hours:
        if quantity == "temperature":
            low, mean, high = hour.temperature_min_f, hour.temperature_mean_f, hour.temperature_max_f
        else:
            low, mean, high = hour.humidity_min_percent, hour.humidity_mean_percent, hour.humidity_max_percent
        if low is not None and mean is not None and high is not None:
            found.append(Point(hour.start_us, hour.count, low, mean, high))
    return found


def spread(hours: Sequence[Point], band: Callable[[int], tuple[float, float]] | None = None) -> Spread | None:
    """Return the figures of a quantity; None without any hour.

    `band` returns the lowest and the highest value that is allowed in the hour that begins at a time.
    """
    if not hours:
        return None
    mean = sum(hour.mean * hour.readings for hour in hours) / sum(hour.readings for hour in hours)
    below = above = 0
    if band:
        for hour in hours:
            low, high = band(hour.start_us)
            below += hour.mean < low
            above += hour.mean > high
    return Spread(min(hour.low for hour in hours), mean, max(hour.high for hour in hours), below, above)


def regularity(hours: Sequence[Bucket], start_us: int) -> Regularity | None:
    """Return how many readings usually come; None if there are none, or no number is usual.

    A sensor that sends when something changes has no usual number. Hours are counted from `start_us` on in
    windows that are long enough for some readings, so that one that sends every three hours has one, too.
    """
    counts: list[int] = []
    for window_hours in _WINDOW_HOURS:
        windows = _windows(hours, start_us, window_hours)
        # The first and the last window may be only partly within the hours.
        counts = [windows[number] for number in sorted(windows)[1:-1]] or list(windows.values())
        if counts and median(counts) >= _ENOUGH_IN_A_WINDOW:
            break
    if not counts:
        return None
    usual = median(counts)
    low, _, high = quantiles(counts) if len(counts) > 1 else (usual, usual, usual)
    return Regularity(window_hours, usual) if high - low <= usual / 2 else None


def received(hours: Sequence[Bucket], before: Sequence[Bucket], start_us: int, end_us: int) -> Received:
    """Return how many readings came and are missing from `start_us` to `end_us`.

    They are missing in windows with less than half of the usual readings. `before` has hours before
    `start_us`, which show what is usual; of a sensor that has none, what was before its first hour is not
    missing.
    """
    # Hours are in UTC, and in some zones days begin at half an hour.
    first_us = -(-start_us // HOUR_US) * HOUR_US
    if not before and hours:
        first_us = hours[0].start_us
    readings = sum(hour.count for hour in hours)
    usual = regularity((*before, *hours), first_us)
    if usual is None:
        return Received(readings, None, None)
    windows = _windows(hours, first_us, usual.window_hours)
    whole = (end_us - first_us) // (usual.window_hours * HOUR_US)
    counts = (windows.get(number, 0) for number in range(whole))
    missing = sum(usual.readings - count for count in counts if count < usual.readings / 2)
    return Received(readings, round(missing), usual.per_day)


def _windows(hours: Sequence[Bucket], start_us: int, window_hours: int) -> dict[int, int]:
    """Return the readings in each window that has some, by its number from `start_us` on."""
    counts: dict[int, int] = {}
    window_us = window_hours * HOUR_US
    for hour in hours:
        number = (hour.start_us - start_us) // window_us
        counts[number] = counts.get(number, 0) + hour.count
    return counts
