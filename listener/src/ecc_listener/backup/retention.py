"""PURE: how backups are called, when the next one is due, and which of the old ones may go.

`{name}-daily-{time}{ext}.gz` is one that the listener made by itself, `-manual-` one that somebody asked for.
The time is UTC, so that no change of the clocks in spring or autumn makes two of them equal.
"""

import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

EVERY = timedelta(days=1)

_TIME = "%Y-%m-%dT%H%M%SZ"
_NAME = re.compile(r"(.+)-(daily|manual)-(\d{4}-\d\d-\d\dT\d{6}Z)(\..*)?\.gz")
_LADDER: tuple[tuple[int, Callable[[datetime], tuple[int, ...]]], ...] = (
    (7, lambda moment: (moment.year, moment.month, moment.day)),
    (4, lambda moment: moment.isocalendar()[:2]),
    (12, lambda moment: (moment.year, moment.month)),
)
"""How many days, weeks and months keep their last backup."""


def name(stem: str, suffix: str, kind: Literal["daily", "manual"], now: datetime) -> str:
    """Give the name of a backup of the database `{stem}{suffix}` made now."""
    return f"{stem}-{kind}-{now.astimezone(UTC).strftime(_TIME)}{suffix}.gz"


def moment(file_name: str) -> datetime | None:
    """Say when a backup was made, by its name; None when it is no backup."""
    return _parsed(_NAME.fullmatch(file_name))


def dailies(stem: str, suffix: str, file_names: Iterable[str]) -> dict[datetime, str]:
    """Give the daily backups of one database among some files, by their times."""
    found = {}
    for file_name in file_names:
        match = _NAME.fullmatch(file_name)
        made = _parsed(match)
        if made and match and match.group(1, 2, 4) == (stem, "daily", suffix or None):
            found[made] = file_name
    return found


def is_due(made: Collection[datetime], now: datetime) -> bool:
    """Say whether a backup is due; one from the future (the clock was wrong) counts for nothing."""
    return not any(timedelta(0) <= now - one < EVERY for one in made)


def superfluous(made: Collection[datetime]) -> set[datetime]:
    """Say which may go: those that are not the last of one of the newest days, weeks or months with any."""
    kept: set[datetime] = set()
    for count, period in _LADDER:
        last_of = {period(one): one for one in sorted(made)}
        kept.update(sorted(last_of.values())[-count:])
    return set(made) - kept


def _parsed(match: re.Match[str] | None) -> datetime | None:
    try:
        return datetime.strptime(match[3], _TIME).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
