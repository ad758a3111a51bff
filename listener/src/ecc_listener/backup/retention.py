"""The names of backups, when the next one is due, and which old ones are deleted. Only names and times enter.

`{name}-daily-{time}{ext}.gz` was created by the listener, `{name}-manual-{time}{ext}.gz` by somebody's
command. The time is UTC, so that no change of the clocks in spring or autumn makes two names equal.
"""

import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

EVERY = timedelta(days=1)

_TIME = "%Y-%m-%dT%H%M%SZ"
_NAME = re.compile(r"(.+)-(daily|manual)-(\d{4}-\d\d-\d\dT\d{6}Z)(\..*)?\.gz")
_KEPT: tuple[tuple[int, Callable[[datetime], tuple[int, ...]]], ...] = (
    (7, lambda time: (time.year, time.month, time.day)),
    (4, lambda time: time.isocalendar()[:2]),
    (12, lambda time: (time.year, time.month)),
)
"""Of how many days, weeks and months the last backup is kept."""


def backup_name(stem: str, suffix: str, kind: Literal["daily", "manual"], now: datetime) -> str:
    """Return the name of a backup of the database `{stem}{suffix}` created now."""
    return f"{stem}-{kind}-{now.astimezone(UTC).strftime(_TIME)}{suffix}.gz"


def backup_time(file_name: str) -> datetime | None:
    """Return when a backup was created, by its name; None if it is not the name of a backup."""
    return _parsed(_NAME.fullmatch(file_name))


def daily_backups(stem: str, suffix: str, file_names: Iterable[str]) -> dict[datetime, str]:
    """Return the daily backups of one database among some files, by their times."""
    found = {}
    for file_name in file_names:
        match = _NAME.fullmatch(file_name)
        time = _parsed(match)
        if time and match and match.group(1, 2, 4) == (stem, "daily", suffix or None):
            found[time] = file_name
    return found


def is_due(times: Collection[datetime], now: datetime) -> bool:
    """Return whether a backup is due; those from the future (the clock was wrong) don't count."""
    return not any(timedelta(0) <= now - time < EVERY for time in times)


def superseded(times: Collection[datetime]) -> set[datetime]:
    """Return the backups to delete: all but the last of each of the newest days, weeks and months."""
    kept: set[datetime] = set()
    for count, period in _KEPT:
        last_of = {period(time): time for time in sorted(times)}
        kept.update(sorted(last_of.values())[-count:])
    return set(times) - kept


def _parsed(match: re.Match[str] | None) -> datetime | None:
    try:
        return datetime.strptime(match[3], _TIME).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
