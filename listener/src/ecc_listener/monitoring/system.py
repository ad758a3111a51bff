"""The rules for the system itself: disk, database, rejected messages, backup, archive, mail."""

import json
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ecc_listener.monitoring.conditions import Conditions
from ecc_listener.notifications.notice import Details, Problem
from ecc_listener.storage.quarantine import RETAINED, Rejected

_MINUTE_US, _HOUR_US, _DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
_FREE_BYTES, _FREE_BACK_BYTES = 500_000_000, 750_000_000
_FREE_SHARE, _DAYS_LEFT, _DAYS_BACK = 0.2, 14, 21
_TREND_DAYS, _ENOUGH_DAYS = 8, 5
_MANY_REJECTED, _FEW_REJECTED = 20, 3
_MAX_REASONS = 100
BACKUP_DAYS = 3
"""After so many days a daily backup is late."""
_ARCHIVE_US, _MAIL_US = _DAY_US, _HOUR_US
_STORE_US = 5 * _MINUTE_US


def least_free_bytes(total_bytes: int) -> int:
    """Return how much of a disk must be free: less is a problem."""
    return min(_FREE_BYTES, total_bytes // 20)


class Environment(NamedTuple):
    """The state of the system now; a fault is a text, or None while all is well."""

    store_fault: str | None = None
    mail_fault: str | None = None
    archive_waits: str | None = None
    free_bytes: int = 0
    total_bytes: int = 0
    """0 if unknown."""
    folder: str = ""
    newest_backup_us: int | None = None
    expects_backup: bool = False
    damaged: str = ""
    """Damaged files that were moved aside and not recovered yet."""
    limits_problems: tuple[str, ...] = ()
    limits_file: str = ""


class SystemMonitor:
    """Monitors the system: free disk space day by day, and what was rejected within a day."""

    def __init__(self, now_us: int, memory: str | None = None) -> None:
        """Start with what was stored; times are those of the steady clock."""
        self._began_us = now_us
        self._free: list[tuple[int, int]] = []
        try:
            self._free = [(int(day), int(free)) for day, free in json.loads(memory or "[]")]
        except (ValueError, TypeError):
            self._free = []
        self._hours: list[tuple[int, Counter[tuple[str, str]]]] = []

    def memory(self) -> str:
        """Return as text what has to be stored."""
        return json.dumps(self._free)

    def note(self, rejected: Iterable[Rejected], now_us: int) -> None:
        """Count what was rejected, by topic and reason."""
        hour = now_us // _HOUR_US
        if not self._hours or self._hours[-1][0] != hour:
            self._hours.append((hour, Counter()))
            del self._hours[:-24]
        counts = self._hours[-1][1]
        # A broker sends its retained messages with every new session: that is not news.
        counts.update((one.topic, one.reason) for one in rejected if one.reason != RETAINED)
        if len(counts) > _MAX_REASONS:
            self._hours[-1] = (hour, Counter(dict(counts.most_common(_MAX_REASONS // 2))))

    def judge(self, environment: Environment, conditions: Conditions, now_us: int) -> None:
        """Judge everything."""

        def judge(
            kind: str, details: Details, *, bad: bool | None, after_us: int = 0, since_us: int = 0
        ) -> None:
            one = Problem(kind, "", None, since_us, details)
            conditions.judge(one, bad=bad, now_us=now_us, after_us=after_us)

        judge(
            "store", {"fault": environment.store_fault}, bad=bool(environment.store_fault), after_us=_STORE_US
        )
        judge("mail", {"fault": environment.mail_fault}, bad=bool(environment.mail_fault), after_us=_MAIL_US)
        judge(
            "archive",
            {"reason": environment.archive_waits},
            bad=bool(environment.archive_waits),
            after_us=_ARCHIVE_US,
        )
        problems: Details = {
            "problems": "; ".join(environment.limits_problems),
            "file": environment.limits_file,
        }
        judge("limits_file", problems, bad=bool(environment.limits_problems))
        judge("damaged", {"files": environment.damaged}, bad=bool(environment.damaged))
        if environment.total_bytes:
            details, bad = self._disk(environment, now_us)
            judge("disk", details, bad=bad, after_us=_HOUR_US // 4)
        if environment.expects_backup:
            newest_us = environment.newest_backup_us
            since_us = self._began_us if newest_us is None else newest_us
            # If none is known, but not for long, the folder may not have been read yet.
            is_late = now_us - since_us > BACKUP_DAYS * _DAY_US or (None if newest_us is None else False)
            judge("backup", {"newest_us": newest_us}, bad=is_late, since_us=since_us)
        if self._hours:
            self._judge_quarantine(conditions, now_us)

    def _disk(self, environment: Environment, now_us: int) -> tuple[Details, bool | None]:
        day = now_us // _DAY_US
        if not self._free or self._free[-1][0] != day:
            self._free = [*self._free, (day, environment.free_bytes)][-_TREND_DAYS:]
        days_left = self._days_left(environment.free_bytes)
        is_filling = days_left is not None and environment.free_bytes < _FREE_SHARE * environment.total_bytes
        least_bytes = least_free_bytes(environment.total_bytes)
        details: Details = {
            "free_bytes": environment.free_bytes,
            "folder": environment.folder,
            "days_left": days_left,
        }
        if environment.free_bytes < least_bytes or (is_filling and (days_left or 0) < _DAYS_LEFT):
            return details, True
        has_room = environment.free_bytes >= least_bytes * _FREE_BACK_BYTES // _FREE_BYTES
        return details, False if has_room and not (is_filling and (days_left or 0) < _DAYS_BACK) else None

    def _days_left(self, free_bytes: int) -> float | None:
        """Return the days until the disk is full, by its trend; None without a trend, or if it isn't filling.

        It is the median of the days: somebody who copies much at once is not a trend.
        """
        if len(self._free) < _ENOUGH_DAYS:
            return None
        a_day = median(
            (late - early) / (late_day - early_day)
            for (early_day, early), (late_day, late) in pairwise(self._free)
        )
        return free_bytes / -a_day if a_day < 0 else None

    def _judge_quarantine(self, conditions: Conditions, now_us: int) -> None:
        hour = now_us // _HOUR_US
        self._hours = [one for one in self._hours if hour - one[0] < 24]  # noqa: PLR2004 - hours of a day
        counts = sum((one[1] for one in self._hours), Counter[tuple[str, str]]())
        count = counts.total()
        # Less than a day after its start the listener can't know that it is over.
        is_over = count <= _FEW_REJECTED and now_us - self._began_us > _DAY_US
        bad = True if count >= _MANY_REJECTED else False if is_over else None
        (topic, reason), _ = counts.most_common(1)[0] if counts else (("", ""), 0)
        known = conditions.problems.get(("quarantine", ""))
        details: Details = {"count": count, "topic": topic, "reason": reason}
        if known and not bad:
            details = known.details
        one = Problem("quarantine", "", None, self._hours[0][0] * _HOUR_US if self._hours else 0, details)
        conditions.judge(one, bad=bad, now_us=now_us)
