"""When something is sent: which notices begin and end, and which of them one message reports.

Problems that begin within a minute are one message. A notice that was sent is mute for a time, then a
reminder follows; later reminders are rarer. The end is sent once, and only if the beginning was. A problem
that returns soon after its end must last before it is sent again: longer each time, with the count.
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
from ecc_listener.notifications.wording.texts import common_cause, describe

_RAREST = 7
_NEW_SENSORS = {"new", "new_many"}
_NEW_SENSORS_WAIT, _NEW_SENSORS_MAX_WAIT = 1.5, 6
_FIRST_BACK_OFF = 24


class Timing(NamedTuple):
    """How long to wait before a message is sent."""

    collect_us: int
    """Problems that begin within this time are one message."""
    wait_us: int
    """How long a message waits for other problems that probably have the same cause."""
    silence_us: int
    """A notice that was sent isn't sent again within this time."""


class Changes(NamedTuple):
    """What to write in one transaction: each notice, with whether it is done, and the notification."""

    notices: list[tuple[Notice, bool]]
    notification: Notification | None


class NotificationPolicy:
    """Decides what is sent, by the notices that are pending and those that ended recently."""

    def __init__(
        self, timing: Timing, pending: Iterable[Notice], recent: Iterable[Notice], next_number: int
    ) -> None:
        """Start with what the database has: pending notices, and those that ended recently."""
        self._timing = timing
        self.pending = {notice.key: notice for notice in pending}
        self._next_number = next_number
        self._recent: dict[Key, tuple[int, int]] = {}
        """How often a problem began recently, and when it last ended."""
        for notice in recent:
            self._remember(notice)

    def decide(
        self,
        problems: Mapping[Key, Problem],
        ended: Mapping[Key, Details],
        now_us: int,
        zone: tzinfo,
        *,
        more_expected: bool = False,
    ) -> Changes:
        """Compare the problems with the pending notices, and return what changes; `adopt` makes it so.

        `ended` has the details of problems that ended; `more_expected` says that more sensors seem to be
        falling silent.
        """
        notices = self._updated(problems, ended, now_us)
        due = self._due(notices, now_us, more_expected=more_expected)
        entries = tuple(self._entry(_with_newest_details(one, problems), now_us, zone) for one in due)
        for entry in entries:
            notices[entry.notice.key] = _sent(entry, now_us)
        ends = {entry.notice.key for entry in entries if entry.state == "resolved"}
        changed = [
            (notice, _is_done(notice, is_end_sent=key in ends))
            for key, notice in notices.items()
            if key in ends or notice is not self.pending.get(key)
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
        """Forget how often problems began that ended long ago."""
        self._recent = {
            key: (count, resolved_us)
            for key, (count, resolved_us) in self._recent.items()
            if abs(now_us - resolved_us) < self._timing.silence_us
        }

    def _remember(self, notice: Notice) -> None:
        count, _ = self._recent.get(notice.key, (0, 0))
        self._recent[notice.key] = count + 1, notice.resolved_us or notice.noticed_us

    def _updated(
        self, problems: Mapping[Key, Problem], ended: Mapping[Key, Details], now_us: int
    ) -> dict[Key, Notice]:
        """Return the pending notices, with those that begin, return or end now."""
        notices = dict(self.pending)
        number = self._next_number
        for key, problem in problems.items():
            known = notices.get(key)
            if known is None:
                notices[key] = self._begun(problem, number, now_us)
                number += 1
            elif known.resolved_us is not None:
                notices[key] = known._replace(resolved_us=None)
        for key, known in self.pending.items():
            if key not in problems and known.resolved_us is None and not KINDS[known.kind].is_event:
                details = known.details | ended.get(key, {})
                notices[key] = known._replace(resolved_us=now_us, details=details)
        return notices

    def _begun(self, problem: Problem, number: int, now_us: int) -> Notice:
        details = dict(problem.details)
        count, resolved_us = self._recent.get((problem.kind, problem.subject), (0, 0))
        if count and abs(now_us - resolved_us) < self._timing.silence_us:
            details["times"] = count + 1
        return Notice(
            number,
            problem.kind,
            problem.subject,
            problem.location,
            problem.since_us,
            None,
            None,
            0,
            details,
            noticed_us=now_us,
        )

    def _due(self, notices: Mapping[Key, Notice], now_us: int, *, more_expected: bool) -> list[Notice]:
        """Return what one message reports now, the most severe first; nothing unless something is due."""
        new_sensor_us = max(
            (one.noticed_us for one in notices.values() if one.kind in _NEW_SENSORS), default=0
        )
        still_open = {(one.kind, one.sent_us) for one in notices.values() if one.resolved_us is None}
        chosen, is_any_due = [], False
        for notice in notices.values():
            if KINDS[notice.kind].is_quiet or _is_done(notice, is_end_sent=False):
                continue
            if notice.resolved_us is not None:
                may_join, due_us = self._end_due(
                    notice, has_siblings=(notice.kind, notice.sent_us) in still_open
                )
            elif notice.sent_us is not None:
                may_join, due_us = False, notice.sent_us + self._silence_us(notice)
            else:
                may_join, due_us = self._begin_due(notice, new_sensor_us, more_expected=more_expected)
            if may_join or due_us <= now_us:
                chosen.append(notice)
                is_any_due = is_any_due or due_us <= now_us
        if not is_any_due:
            return []
        chosen.sort(key=lambda one: (one.resolved_us is not None, KINDS[one.kind].rank, one.since_us))
        return chosen

    def _end_due(self, notice: Notice, *, has_siblings: bool) -> tuple[bool, int]:
        """Return whether the end may join another message, and when it is due by itself."""
        resolved_us = notice.resolved_us or 0
        if has_siblings:  # Sensors that were reported together probably return together.
            return False, resolved_us + self._timing.wait_us
        return True, resolved_us + self._timing.collect_us

    def _begin_due(self, notice: Notice, new_sensor_us: int, *, more_expected: bool) -> tuple[bool, int]:
        """Return whether the beginning may join another message, and when it is due by itself."""
        timing = self._timing
        times = notice.details.get("times")
        if times:
            back_off_us = min(
                timing.silence_us, timing.silence_us // _FIRST_BACK_OFF * 2 ** min(int(times) - 2, 10)
            )
            return False, notice.noticed_us + max(back_off_us, timing.collect_us)
        if notice.kind in _NEW_SENSORS:
            due_us = int(new_sensor_us + _NEW_SENSORS_WAIT * timing.wait_us)
            return True, min(due_us, notice.noticed_us + _NEW_SENSORS_MAX_WAIT * timing.wait_us)
        if notice.kind == "silent" and more_expected:
            return False, notice.noticed_us + timing.wait_us
        # After the listener has reconnected, the broker may still deliver what it held back.
        return notice.kind != "all_silent", notice.noticed_us + timing.collect_us

    def _silence_us(self, notice: Notice, *, one_more: bool = False) -> int:
        times = notice.times_sent + one_more
        kind = KINDS[notice.kind]
        rarer = 1 if kind.is_urgent else _RAREST if kind.is_slow else min(_RAREST, 2 ** min(times - 1, 10))
        return self._timing.silence_us * rarer

    def _entry(self, notice: Notice, now_us: int, zone: tzinfo) -> Entry:
        state: Literal["new", "reminder", "resolved"] = "new"
        next_us = None
        if notice.resolved_us is not None:
            state = "resolved"
        else:
            state = "reminder" if notice.sent_us is not None else "new"
            if not KINDS[notice.kind].is_event:
                next_us = now_us + self._silence_us(notice, one_more=True)
        return Entry(notice, state, describe(notice, now_us, zone), next_us)


def _with_newest_details(notice: Notice, problems: Mapping[Key, Problem]) -> Notice:
    """Return the notice with what is known now, such as the days that a battery still lasts."""
    found = problems.get(notice.key)
    if found is None:
        return notice
    return notice._replace(details=notice.details | found.details, location=found.location)


def _sent(entry: Entry, now_us: int) -> Notice:
    """Return the notice of an entry as it is after the message."""
    notice = entry.notice
    if entry.state == "resolved":
        return notice
    resolved_us = now_us if KINDS[notice.kind].is_event else None
    return notice._replace(sent_us=now_us, times_sent=notice.times_sent + 1, resolved_us=resolved_us)


def _is_done(notice: Notice, *, is_end_sent: bool) -> bool:
    """Return whether nothing more will be sent about a notice."""
    if notice.resolved_us is None:
        return False
    return is_end_sent or not notice.times_sent or KINDS[notice.kind].is_event or DROPPED in notice.details
