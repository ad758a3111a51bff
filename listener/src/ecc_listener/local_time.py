"""The time zone of this machine, and times and durations as text."""

import os
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCALTIME = Path("/etc/localtime")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def local_zone() -> tzinfo:
    """Return the zone of `TZ` or of this machine, daylight saving time included; UTC if none is set."""
    try:
        name = os.environ.get("TZ", "").removeprefix(":")
        if name:
            return ZoneInfo(name)
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except (OSError, ValueError):
        return UTC


def local(time_us: int, zone: tzinfo) -> datetime:
    """Return microseconds since 1970 as a local time."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).astimezone(zone)


def midnight_us(day: date, zone: tzinfo) -> int:
    """Return the local midnight at which a day begins, in microseconds since 1970."""
    return int(datetime.combine(day, time(), zone).astimezone(UTC).timestamp()) * 1_000_000


def day_and_time(time_us: int, now_us: int, zone: tzinfo) -> str:
    """Return a time: "14:20 CET" on the day of `now_us`, else "Tue 24 Nov, 14:20 CET", or with its year."""
    moment, now = local(time_us, zone), local(now_us, zone)
    if moment.date() == now.date():
        return moment.strftime("%H:%M %Z")
    return moment.strftime("%a %-d %b, %H:%M %Z" if moment.year == now.year else "%a %-d %b %Y, %H:%M %Z")


def duration(span_us: int) -> str:
    """Return a duration: "40 s", "25 min", "3 h 10 min", "2 days 4 h"."""
    seconds = max(0, round(timedelta(microseconds=span_us).total_seconds()))
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min"
    if seconds < _DAY_S:
        hours, rest = divmod(seconds, _HOUR_S)
        return _joined(f"{hours} h", rest // _MINUTE_S, "min")
    days, rest = divmod(seconds, _DAY_S)
    return _joined("1 day" if days == 1 else f"{days} days", rest // _HOUR_S, "h")


def _joined(first: str, rest: int, unit: str) -> str:
    return f"{first} {rest} {unit}" if rest else first
