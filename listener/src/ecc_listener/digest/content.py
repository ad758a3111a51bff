"""The weekly digest: what a week brought, as a message."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from ecc_listener import __date__
from ecc_listener.history.figures import points, received, spread
from ecc_listener.history.month import Month, RoomMonth, first_of_previous
from ecc_listener.history.rollups import Bucket
from ecc_listener.local_time import local, midnight_us
from ecc_listener.notifications.body import Block, Body, Table
from ecc_listener.notifications.message import Message, message
from ecc_listener.notifications.wording.phrases import clean

_HOUR = time(7)
_WEEK = timedelta(days=7)
_LOW_BATTERY_PERCENT = 20
MAX_ROOMS = 100


class SensorWeek(NamedTuple):
    """What one sensor measured in the week, hour by hour, and its battery."""

    sensor: str
    location: str | None
    hours: Sequence[Bucket]
    hours_before: Sequence[Bucket]
    """The week before, which shows how much it usually sends."""
    battery_percent: float | None


class Week(NamedTuple):
    """A week from Monday on, and everything that the digest says about it."""

    monday: date
    rooms: Sequence[SensorWeek]
    rooms_left_out: int
    system: tuple[tuple[str, str], ...]
    """Sizes, backup and the like, as text."""
    open_headlines: Sequence[str]
    advice: str | None
    month: Month | None = None
    """The month before, in the first digest of a month."""


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


def month_due(monday: date) -> date | None:
    """Return the first day of the month that goes with the digest of the week from `monday` on.

    That is the month before, if the digest is sent on the first Monday of a month; otherwise None.
    """
    sent = monday + _WEEK
    return first_of_previous(sent.replace(day=1)) if sent.day <= _WEEK.days else None


def missing_in(room: SensorWeek, start_us: int, end_us: int) -> int:
    """Return how many readings of a room are missing; 0 if no number of readings is usual."""
    return received(room.hours, room.hours_before, start_us, end_us).missing or 0


def names(rooms: Sequence[SensorWeek | RoomMonth]) -> list[str]:
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
    gaps = [missing_in(room, start_us, end_us) for room in week.rooms]
    readings = sum(hour.count for room in week.rooms for hour in room.hours)
    number = len(week.open_headlines)
    standing = "no open notices" if not number else _counted(number, "open notice")
    subject = f"The week of {week.monday:%-d %b}: {_counted(len(week.rooms), 'room')}, {standing}"
    lead = f"{_counted(len(week.rooms), 'sensor')} sent {readings:,} readings from {span}; "
    lead += f"about {sum(gaps):,} are missing." if sum(gaps) else "none are missing."
    if not readings:
        lead = f"No readings arrived from {span}. Run `make status` to see why."
    parts: tuple[Block | Table, ...] = (
        _open(week),
        *_tables(week, gaps),
        *_month(week.month),
        Block("System", week.system),
    )
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
        warmth, damp = spread(points(room.hours, "temperature")), spread(points(room.hours, "humidity"))
        if warmth:
            temperatures.append((name, *(_both(value_f) for value_f in warmth[:3])))
        if damp:
            humidities.append((name, *(f"{value:.0f}" for value in damp[:3])))
        count = sum(hour.count for hour in room.hours)
        sensors.append((name, f"{count:,}", f"{gap:,}" if gap else "", _battery(room.battery_percent)))
    note = f"and {week.rooms_left_out} more sensors" if week.rooms_left_out else ""
    return (
        Table("Temperature in °F (°C)", ("", "lowest", "mean", "highest"), tuple(temperatures), note),
        Table("Humidity in %", ("", "lowest", "mean", "highest"), tuple(humidities), note),
        Table("Sensors", ("", "readings", "missing", "battery"), tuple(sensors), note),
    )


def _month(month: Month | None) -> tuple[Block | Table, ...]:
    """Return the figures of a month; nothing if there was no reading in it."""
    if month is None or not any(room.readings for room in month.rooms):
        return ()
    rooms = month.rooms[:MAX_ROOMS]
    temperatures, humidities = [], []
    sensors = [_received(name, room) for name, room in zip(names(rooms), rooms, strict=True)]
    for name, room in zip(names(rooms), rooms, strict=True):
        if warmth := room.temperature_f:
            outside = f"{warmth.hours_below + warmth.hours_above:,}"
            temperatures.append((name, *(_both(value_f) for value_f in warmth[:3]), outside))
        if damp := room.humidity_percent:
            outside = f"{damp.hours_below + damp.hours_above:,}"
            humidities.append((name, *(f"{value:.0f}" for value in damp[:3]), outside))
    title, head = f"{month.first:%B %Y}", ("", "lowest", "mean", "highest", "hours outside")
    left_out = month.rooms_left_out + len(month.rooms) - len(rooms)
    more = f"and {left_out} more sensors" if left_out else ""
    where = (
        "Hours outside the limits of the room or, where the limits file sets none, the usual comfort band. To"
        f" print the month, open /month?month={month.first:%Y-%m} on the page."
    )
    return (
        Table(f"{title}: temperature in °F (°C)", head, tuple(temperatures), more),
        Table(f"{title}: humidity in %", head, tuple(humidities), more),
        Table(f"{title}: readings", ("", "received", "missing"), tuple(sensors), more),
        Block("", ((title, where),)),
    )


def _received(name: str, room: RoomMonth) -> tuple[str, str, str]:
    return name, f"{room.readings:,}", "unknown" if room.missing is None else f"{room.missing:,}"


def _both(value_f: float) -> str:
    return f"{value_f:.1f} ({(value_f - 32) / 1.8:.1f})"


def _battery(percent: float | None) -> str:
    if percent is None:
        return ""
    return f"{percent:.0f} %{', low' if percent < _LOW_BATTERY_PERCENT else ''}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
