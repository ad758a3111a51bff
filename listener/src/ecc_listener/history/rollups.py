"""PURE: what is kept of many readings: their number, and lowest, mean and highest of what they measured.

Parts of a bucket come from several files; they are added up, and only then is the mean taken.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from ecc_listener.storage.connection import utc_us

Step = Literal["hour", "day"]

STEP_US: dict[Step, int] = {"hour": 3600 * 1_000_000, "day": 24 * 3600 * 1_000_000}

Part = tuple[Any, ...]
"""A number of readings, then for each measure: how many had it, its lowest, sum and highest."""

_MEASURES = ("temperatureF", "relHumidityPercent", "dewPointF")
PART_SQL = ", ".join(
    ("count(*)", *(f"count({one}), min({one}), sum({one}), max({one})" for one in _MEASURES))
)
"""A `Part` of the rows of a query."""


class Bucket(NamedTuple):
    """What one sensor measured within an hour or a day of UTC that begins at `start_us`.

    None stands where no reading had the value, which only an original's row may lack.
    """

    start_us: int
    count: int  # type: ignore[assignment] # hides a method of tuple that nobody needs here
    temperature_min_f: float | None
    temperature_mean_f: float | None
    temperature_max_f: float | None
    humidity_min_percent: float | None
    humidity_mean_percent: float | None
    humidity_max_percent: float | None
    dew_point_min_f: float | None
    dew_point_mean_f: float | None
    dew_point_max_f: float | None


@lru_cache(maxsize=100_000)
def hour_number(text: str) -> int | None:
    """Give the hours since 1970 of a text such as `2026-03-01 12`; None when it is no time."""
    try:
        return utc_us(f"{text}:00") // STEP_US["hour"]
    except ValueError:
        return None


def add(parts: dict[int, Part], start: int, part: Part) -> None:
    """Add a part to what begins at the same time."""
    other = parts.get(start)
    parts[start] = part if other is None else tuple(map(_join, _JOINS, other, part))


def bucket(start_us: int, part: Part) -> Bucket:
    """Make a bucket of all its parts."""
    readings, t_known, t_min, t_sum, t_max, h_known, h_min, h_sum, h_max, d_known, d_min, d_sum, d_max = part
    return Bucket(
        start_us,
        readings,
        t_min,
        t_sum / t_known if t_known else None,
        t_max,
        h_min,
        h_sum / h_known if h_known else None,
        h_max,
        d_min,
        d_sum / d_known if d_known else None,
        d_max,
    )


def _sum(one: float, other: float) -> float:
    return one + other


_JOINS: tuple[Callable[..., float], ...] = (_sum, *(_sum, min, _sum, max) * 3)


def _join(how: Callable[..., float], one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return how(one, other)
