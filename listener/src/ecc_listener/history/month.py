"""A calendar month of every room: lowest, mean, highest, hours outside a band, and missing readings.

A month in local time enters; figures from the hourly rollups leave. Hours are those of UTC, and one belongs
to the month in which it begins, so that in zones with half an hour none is counted twice or left out.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, tzinfo
from typing import NamedTuple

from ecc_listener.history.figures import HOUR_US, Spread, points, received, spread
from ecc_listener.history.query import History
from ecc_listener.history.rollups import Bucket
from ecc_listener.local_time import midnight_us

MAX_ROOMS = 200
_WEEK_US = 7 * 24 * HOUR_US


class Band(NamedTuple):
    """What is comfortable, or allowed by limits, in one hour: in °F and % relative humidity."""

    temperature_low_f: float
    temperature_high_f: float
    humidity_low_percent: float
    humidity_high_percent: float


BandOf = Callable[[str, str | None, int], Band]
"""Returns the band of a sensor and its location in the hour that begins at a time."""


class RoomMonth(NamedTuple):
    """The figures of one sensor; None where it has sent nothing of the kind."""

    sensor: str
    location: str | None
    temperature_f: Spread | None
    humidity_percent: Spread | None
    readings: int
    missing: int | None
    """None if no number of readings is usual: it sends when something changes."""
    usual_per_day: float | None
    """How many readings it usually sends in a day."""

    @property
    def title(self) -> str:
        """The location, or else the sensor's name."""
        return (self.location or "").strip() or self.sensor


class Month(NamedTuple):
    """The figures of all rooms, by their titles."""

    first: date
    start_us: int
    end_us: int
    counted_until_us: int
    """The end of the month, or of the last hour that is complete."""
    rooms: Sequence[RoomMonth] = ()
    rooms_left_out: int = 0

    @property
    def hours(self) -> int:
        """How many hours the month has had; a change of daylight saving time makes it one more or less."""
        return max(0, self.counted_until_us - self.start_us) // HOUR_US

    @property
    def is_complete(self) -> bool:
        """Whether the month is over."""
        return self.counted_until_us == self.end_us


def first_of_next(first: date) -> date:
    """Return the first day of the next month."""
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def first_of_previous(first: date) -> date:
    """Return the first day of the previous month."""
    return date(first.year - (first.month == 1), (first.month - 2) % 12 + 1, 1)


def calendar_month(first: date, zone: tzinfo, now_us: int) -> Month:
    """Return the month that begins on `first`, still without rooms."""
    start_us, end_us = (_hour_us(midnight_us(day, zone)) for day in (first, first_of_next(first)))
    return Month(first, start_us, end_us, min(end_us, max(start_us, now_us // HOUR_US * HOUR_US)))


def with_rooms(month: Month, history: History, locations: Mapping[str, str | None], band_of: BandOf) -> Month:
    """Return the month with its figures; `locations` has what is known of sensors.

    Raises:
        StoreError: a file can't be read.

    """
    seen = history.seen_us(month.start_us, month.end_us)
    # Names come from the network: invented ones, which appear for a moment, must not hide real rooms.
    sensors = sorted(seen, key=lambda name: (-seen[name], name))[:MAX_ROOMS]
    found = history.rollups_of(sensors, month.start_us - _WEEK_US, month.counted_until_us, "hour")
    rooms = [_room(month, sensor, locations.get(sensor), found[sensor], band_of) for sensor in sensors]
    rooms.sort(key=lambda room: (room.title.casefold(), room.sensor))
    return month._replace(rooms=rooms, rooms_left_out=len(seen) - len(sensors))


def _hour_us(time_us: int) -> int:
    """Return the first hour of UTC that begins at a time or after it."""
    return -(-time_us // HOUR_US) * HOUR_US


def _room(
    month: Month, sensor: str, location: str | None, found: Sequence[Bucket], band_of: BandOf
) -> RoomMonth:
    before = [hour for hour in found if hour.start_us < month.start_us]
    hours = found[len(before) :]
    return RoomMonth(
        sensor,
        location,
        spread(points(hours, "temperature"), lambda hour_us: band_of(sensor, location, hour_us)[:2]),
        spread(points(hours, "humidity"), lambda hour_us: band_of(sensor, location, hour_us)[2:]),
        *received(hours, before, month.start_us, month.counted_until_us),
    )
