"""When a limit applies that doesn't always: `on Sun 07:00-13:00`, `on Mon-Fri 18:00-22:00`. Pure."""

import re
from datetime import datetime
from typing import NamedTuple

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(?P<days>[a-z, -]*?)\s*(?P<start>\d{1,2}:\d{2})\s*-\s*(?P<end>\d{1,2}:\d{2})")
_DAY_MIN = 24 * 60


class Window(NamedTuple):
    """Some days of the week, Monday is 0, and a span of minutes; it may go on after midnight."""

    days: frozenset[int]
    start_min: int
    end_min: int

    def contains(self, local: datetime) -> bool:
        """Return whether a local time is in it."""
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start_min <= self.end_min:
            return day in self.days and self.start_min <= minute < self.end_min
        is_late = day in self.days and minute >= self.start_min
        return is_late or ((day - 1) % 7 in self.days and minute < self.end_min)


def parse_window(text: str) -> Window | None:
    """Return the window in a text such as `Sat, Sun 09:00-12:00`; None if it isn't one.

    Without days it is every day.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        return None
    days, start_min, end_min = _days(match["days"]), _minute(match["start"]), _minute(match["end"])
    if days is None or start_min is None or end_min is None or start_min == end_min:
        return None
    return Window(days, start_min, end_min)


def _days(text: str) -> frozenset[int] | None:
    found: set[int] = set()
    for part in filter(None, (one.strip() for one in text.split(","))):
        ends = [_day(one) for one in part.split("-")]
        if None in ends or len(ends) > 2:  # noqa: PLR2004 - from a day to another
            return None
        first, last = ends[0] or 0, ends[-1] or 0
        found |= {(first + ahead) % 7 for ahead in range((last - first) % 7 + 1)}
    return frozenset(found or range(7))


def _day(text: str) -> int | None:
    name = text.strip()
    found = [number for number, day in enumerate(_DAYS) if len(name) >= len(day) and name.startswith(day)]
    return found[0] if found else None


def _minute(text: str) -> int | None:
    hour, minute = map(int, text.split(":"))
    total = hour * 60 + minute
    return total if minute < 60 and total <= _DAY_MIN else None  # noqa: PLR2004 - minutes of an hour
