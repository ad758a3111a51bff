"""PURE: what is wrong now goes in; which notices begin and end, and what a mail tells of them, comes out.

What begins within a minute is one mail. What was told stays mute for a time, then comes a reminder, and the
later ones are rarer. An end is told once, and never of what was not told. What comes back soon after its end
must last before it is told: longer each time, with the count.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Literal, NamedTuple

from ecc_listener.notifications.notice import (
    DROPPED,
    KINDS,
    Details,
    Entry,
    Key,
    Notice,
    Notification,
    Problem,
)
from ecc_listener.notifications.wording.choose import common_cause, say

_RAREST = 7
_NEWCOMERS = {"new", "new_many"}
_NEWCOMERS_WAIT, _NEWCOMERS_WAIT_AT_MOST = 1.5, 6
_FIRST_BACK_OFF = 24


class Timing(NamedTuple):
    """How long to wait with a mail."""

    collect_us: int
    """What begins within this time is one mail."""
    wait_us: int
    """How long a mail waits for others that look as if they would share its cause."""
    mute_us: int
    """What was told isn't told again for so long."""


class Changes(NamedTuple):
    """What is to be written in one transaction: each notice with whether it is done, and the mail."""

    notices: list[tuple[Notice, bool]]
    notification: Notification | None


class NotificationPolicy:
    """The notices that are pending, as the database has them, and how often each began lately."""

    def __init__(
        self, pace: Timing, pending: Iterable[Notice], lately: Iterable[Notice], next_number: int
    ) -> None:
        """Begin with what the database has: what is pending, and what was over lately."""
        self._pace = pace
        self.pending = {notice.key: notice for notice in pending}
        self._next_number = next_number
        self._lately: dict[Key, tuple[int, int]] = {}
        for notice in lately:
            self._remember(notice)

    def decide(
        self,
        wrong: Mapping[Key, Problem],
        ended: Mapping[Key, Details],
        now_us: int,
        zone: tzinfo,
        *,
        more_expected: bool = False,
    ) -> Changes:
        """Compare what is wrong with what is pending; `ended` has facts of what ended.

        `more_expected` says that others look as if they fell silent as well. Nothing changes before `adopt`.
        """
        rows = dict(self.pending)
        number = self._next_number
        for key, one in wrong.items():
            known = rows.get(key)
            if known is None:
                rows[key] = self._begun(one, number, now_us)
                number += 1
            elif known.resolved_us is not None:
                rows[key] = known._replace(resolved_us=None)
        for key, known in self.pending.items():
            if key not in wrong and known.resolved_us is None and not KINDS[known.kind].is_event:
                rows[key] = known._replace(resolved_us=now_us, details=known.details | ended.get(key, {}))
        told = self._to_tell(rows, now_us, more_expected=more_expected)
        entries = tuple(self._entry(_newest(row, wrong), now_us, zone) for row in told)
        for entry in entries:
            rows[entry.notice.key] = _told(entry, now_us)
        ends = {entry.notice.key for entry in entries if entry.state == "over"}
        changed = [
            (row, _is_done(row, is_end_sent=key in ends))
            for key, row in rows.items()
            if key in ends or row is not self.pending.get(key)
        ]
        if not entries:
            return Changes(changed, None)
        return Changes(changed, Notification(now_us, entries, common_cause(entries)))

    def adopt(self, changes: Changes) -> None:
        """Take over what was written."""
        for notice, is_done in changes.notices:
            self._next_number = max(self._next_number, notice.number + 1)
            if is_done:
                self.pending.pop(notice.key, None)
                self._remember(notice)
            else:
                self.pending[notice.key] = notice

    def forget_old(self, now_us: int) -> None:
        """Forget how often that began whose last end is long ago."""
        self._lately = {
            key: (count, resolved_us)
            for key, (count, resolved_us) in self._lately.items()
            if abs(now_us - resolved_us) < self._pace.mute_us
        }

    def _remember(self, notice: Notice) -> None:
        count, _ = self._lately.get(notice.key, (0, 0))
        self._lately[notice.key] = count + 1, notice.resolved_us or notice.noticed_us

    def _begun(self, one: Problem, number: int, now_us: int) -> Notice:
        details = dict(one.details)
        count, resolved_us = self._lately.get((one.kind, one.subject), (0, 0))
        if count and abs(now_us - resolved_us) < self._pace.mute_us:
            details["times"] = count + 1
        return Notice(
            number,
            one.kind,
            one.subject,
            one.location,
            one.since_us,
            None,
            None,
            0,
            details,
            noticed_us=now_us,
        )

    def _to_tell(self, rows: Mapping[Key, Notice], now_us: int, *, more_expected: bool) -> list[Notice]:
        """Give what one mail tells now, the gravest first; nothing as long as nothing is due."""
        newcomer_us = max((row.noticed_us for row in rows.values() if row.kind in _NEWCOMERS), default=0)
        still_told = {(row.kind, row.sent_us) for row in rows.values() if row.resolved_us is None}
        told, is_due = [], False
        for row in rows.values():
            if KINDS[row.kind].is_quiet or _is_done(row, is_end_sent=False):
                continue
            if row.resolved_us is not None:
                joins, due_us = self._end_due(row, has_siblings=(row.kind, row.sent_us) in still_told)
            elif row.sent_us is not None:
                joins, due_us = False, row.sent_us + self._mute_us(row)
            else:
                joins, due_us = self._begin_due(row, newcomer_us, more_expected=more_expected)
            if joins or due_us <= now_us:
                told.append(row)
                is_due = is_due or due_us <= now_us
        if not is_due:
            return []
        told.sort(key=lambda row: (row.resolved_us is not None, KINDS[row.kind].rank, row.since_us))
        return told

    def _end_due(self, row: Notice, *, has_siblings: bool) -> tuple[bool, int]:
        """Say whether the end may join another mail, and when it is to be told by itself."""
        resolved_us = row.resolved_us or 0
        if has_siblings:  # Those who were told of together are likely to come back together.
            return False, resolved_us + self._pace.wait_us
        return True, resolved_us + self._pace.collect_us

    def _begin_due(self, row: Notice, newcomer_us: int, *, more_expected: bool) -> tuple[bool, int]:
        """Say whether the beginning may join another mail, and when it is to be told by itself."""
        pace = self._pace
        times = row.details.get("times")
        if times:
            back_off_us = min(pace.mute_us, pace.mute_us // _FIRST_BACK_OFF * 2 ** min(int(times) - 2, 10))
            return False, row.noticed_us + max(back_off_us, pace.collect_us)
        if row.kind in _NEWCOMERS:
            wait_us = int(newcomer_us + _NEWCOMERS_WAIT * pace.wait_us)
            return True, min(wait_us, row.noticed_us + _NEWCOMERS_WAIT_AT_MOST * pace.wait_us)
        if row.kind == "silent" and more_expected:
            return False, row.noticed_us + pace.wait_us
        # A session that was set up anew may yet bring what it held back.
        return row.kind != "all_silent", row.noticed_us + pace.collect_us

    def _mute_us(self, row: Notice, *, one_more: bool = False) -> int:
        times = row.times_sent + one_more
        kind = KINDS[row.kind]
        rarer = 1 if kind.is_urgent else _RAREST if kind.is_slow else min(_RAREST, 2 ** min(times - 1, 10))
        return self._pace.mute_us * rarer

    def _entry(self, row: Notice, now_us: int, zone: tzinfo) -> Entry:
        state: Literal["new", "still", "over"] = "new"
        next_us = None
        if row.resolved_us is not None:
            state = "over"
        else:
            state = "still" if row.sent_us is not None else "new"
            if not KINDS[row.kind].is_event:
                next_us = now_us + self._mute_us(row, one_more=True)
        return Entry(row, state, say(row, now_us, zone), next_us)


def _newest(row: Notice, wrong: Mapping[Key, Problem]) -> Notice:
    """Tell what is known now, such as the days that a battery still has."""
    found = wrong.get(row.key)
    return row._replace(details=row.details | found.details, location=found.location) if found else row


def _told(entry: Entry, now_us: int) -> Notice:
    row = entry.notice
    if entry.state == "over":
        return row
    resolved_us = now_us if KINDS[row.kind].is_event else None
    return row._replace(sent_us=now_us, times_sent=row.times_sent + 1, resolved_us=resolved_us)


def _is_done(row: Notice, *, is_end_sent: bool) -> bool:
    if row.resolved_us is None:
        return False
    return is_end_sent or not row.times_sent or KINDS[row.kind].is_event or DROPPED in row.details
