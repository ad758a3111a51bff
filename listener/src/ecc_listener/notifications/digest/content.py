"""The weekly digest: what a week brought, as a message."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from statistics import median
from typing import Literal, NamedTuple

from ecc_listener import __date__
from ecc_listener.history.rollups import Bucket
from ecc_listener.local_time import local
from ecc_listener.notifications.body import Block, Body, Table
from ecc_listener.notifications.message import Message, message
from ecc_listener.notifications.wording.phrases import clean

_HOUR = time(7)
_WEEK = timedelta(days=7)
_HOUR_US = 3_600_000_000
_LOW_BATTERY_PERCENT = 20
MAX_ROOMS = 100


class Room(NamedTuple):
    """What one sensor measured in the week, hour by hour, and its battery."""

    sensor: str
    location: str | None
    hours: Sequence[Bucket]
    hours_before: Sequence[Bucket]
    """The week before, which shows how much it usually sends."""
    battery_percent: float | None


class Point(NamedTuple):
    """One quantity in an hour."""

    start_us: int
    readings: int
    low: float
    mean: float
    high: float


class Week(NamedTuple):
    """A week from Monday on, and everything that the digest says about it."""

    monday: date
    rooms: Sequence[Room]
    rooms_left_out: int
    system: tuple[tuple[str, str], ...]
    """Sizes, backup and the like, as text."""
    open_headlines: Sequence[str]
    advice: str | None


def due(now_us: int, zone: tzinfo, last_sent: date | None) -> date | None:
    """Return the Monday of the week whose digest is due now, or None; `last_sent` is that of the last digest.

    It is due from Monday, 7:00 local time, until the next one is. If the clock was far ahead when the last
    one was sent, the next ones are due nevertheless, unless the clock is wrong now.
    """
    monday = latest(now_us, zone)
    is_sane = local(now_us, zone).date() >= date.fromisoformat(__date__)
    if last_sent is not None and last_sent > monday + _WEEK and is_sane:
        last_sent = monday - _WEEK
    return monday if last_sent is not None and monday > last_sent else None


def latest(now_us: int, zone: tzinfo) -> date:
    """Return the Monday of the last week whose digest can be due."""
    now = local(now_us, zone)
    this = now.date() - timedelta(days=now.weekday())
    return this - (_WEEK if now.replace(tzinfo=None) >= datetime.combine(this, _HOUR) else 2 * _WEEK)


def midnight_us(day: date, zone: tzinfo) -> int:
    """Return the local midnight at which a day begins, in microseconds since 1970."""
    return int(datetime.combine(day, time(), zone).astimezone(UTC).timestamp()) * 1_000_000


def missing(room: Room, start_us: int, end_us: int) -> int:
    """Return how many readings are missing: in hours with less than half of the usual readings."""
    usual = median([hour.count for hour in (*room.hours_before, *room.hours)] or [0])
    if not room.hours_before and room.hours:
        start_us = room.hours[0].start_us
    counts = {hour.start_us: hour.count for hour in room.hours}
    # Hours are in UTC, and in some zones days begin at half an hour.
    first_us = -(-start_us // _HOUR_US) * _HOUR_US
    hours = (counts.get(hour_us, 0) for hour_us in range(first_us, end_us - _HOUR_US + 1, _HOUR_US))
    return round(sum(usual - count for count in hours if count < usual / 2))


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


def names(rooms: Sequence[Room]) -> list[str]:
    """Return a name for each room: its location, with its sensor if a location has more than one."""
    places = [room.location for room in rooms]
    both = [
        f"{room.location} ({room.sensor})" if places.count(room.location) > 1 else room.location
        for room in rooms
    ]
    return [
        clean(name if room.location and name else room.sensor, 40)
        for name, room in zip(both, rooms, strict=True)
    ]


def compose(week: Week, zone: tzinfo, chart: bytes | None) -> Message:
    """Return the message: open notices, rooms, sensors, and the system."""
    start_us, end_us = (midnight_us(day, zone) for day in (week.monday, week.monday + _WEEK))
    sunday = week.monday + timedelta(days=6)
    span = f"{week.monday:%a %-d %b} to {sunday:%a %-d %b %Y}"
    gaps = [missing(room, start_us, end_us) for room in week.rooms]
    readings = sum(hour.count for room in week.rooms for hour in room.hours)
    number = len(week.open_headlines)
    standing = "no open notices" if not number else _counted(number, "open notice")
    subject = f"The week of {week.monday:%-d %b}: {_counted(len(week.rooms), 'room')}, {standing}"
    lead = f"{_counted(len(week.rooms), 'sensor')} sent {readings:,} readings from {span}; "
    lead += f"about {sum(gaps):,} are missing." if sum(gaps) else "none are missing."
    if not readings:
        lead = f"No readings arrived from {span}. Run `make status` to see why."
    parts: tuple[Block | Table, ...] = (_open(week), *_tables(week, gaps), Block("System", week.system))
    foot = ("The next digest comes on Monday. ECC_WEEKLY_DIGEST=false in .env turns it off.",)
    text = f"Temperature and humidity of each room, {span}; the figures are in the tables" if chart else None
    return message(subject, Body(subject, (lead,), parts, text, foot), chart)


def _open(week: Week) -> Block:
    if not week.open_headlines:
        return Block("Open notices", (("None", "Nothing needs to be done."),), "good")
    rows = [(str(number), headline) for number, headline in enumerate(week.open_headlines, 1)]
    if week.advice:
        rows.append(("What to do", week.advice))
    return Block("Open notices", tuple(rows), "bad")


def _tables(week: Week, gaps: Sequence[int]) -> tuple[Table, ...]:
    temperatures, humidities, sensors = [], [], []
    for name, room, gap in zip(names(week.rooms), week.rooms, gaps, strict=True):
        warmth, damp = _spread(points(room.hours, "temperature")), _spread(points(room.hours, "humidity"))
        if warmth:
            temperatures.append((name, *(_both(value_f) for value_f in warmth)))
        if damp:
            humidities.append((name, *(f"{value:.0f}" for value in damp)))
        count = sum(hour.count for hour in room.hours)
        sensors.append((name, f"{count:,}", f"{gap:,}" if gap else "", _battery(room.battery_percent)))
    note = f"and {week.rooms_left_out} more sensors" if week.rooms_left_out else ""
    return (
        Table("Temperature in °F (°C)", ("", "lowest", "mean", "highest"), tuple(temperatures), note),
        Table("Humidity in %", ("", "lowest", "mean", "highest"), tuple(humidities), note),
        Table("Sensors", ("", "readings", "missing", "battery"), tuple(sensors), note),
    )


def _spread(hours: Sequence[Point]) -> tuple[float, float, float] | None:
    if not hours:
        return None
    mean = sum(hour.mean * hour.readings for hour in hours) / sum(hour.readings for hour in hours)
    return min(hour.low for hour in hours), mean, max(hour.high for hour in hours)


def _both(value_f: float) -> str:
    return f"{value_f:.1f} ({(value_f - 32) / 1.8:.1f})"


def _battery(percent: float | None) -> str:
    if percent is None:
        return ""
    return f"{percent:.0f} %{', low' if percent < _LOW_BATTERY_PERCENT else ''}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
