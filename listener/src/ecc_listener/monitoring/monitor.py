"""The watch at work: gives it what it needs to know, and writes down what it says and what is to be told.

The time is passed in. What goes into the database goes there in one transaction, the mail included, and only
then counts: a failing database makes nothing be told twice, and loses nothing.
"""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, tzinfo
from sqlite3 import Connection
from typing import TYPE_CHECKING, NamedTuple

from ecc_listener.clock import Now
from ecc_listener.monitoring import state
from ecc_listener.monitoring.limits_file import WatchedFile
from ecc_listener.monitoring.sensors import SensorMonitor
from ecc_listener.monitoring.system import Environment, SystemMonitor
from ecc_listener.notifications import table
from ecc_listener.notifications.last_notice import write as write_last_notice
from ecc_listener.notifications.notice import KINDS, Details, Key, Notice, Notification, Problem
from ecc_listener.notifications.policy import Changes, NotificationPolicy, Timing
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.corruption import set_aside_files
from ecc_listener.storage.store import Burst, Store

if TYPE_CHECKING:
    from ecc_listener.storage.quarantine import Rejected

_log = logging.getLogger(__name__)

_US = 1_000_000
_MAX_COLLECT_US = 60 * _US
_KEEP_EVERY_US = 3600 * _US
_JUMP_US = 120 * _US
_LOOK_EVERY_US = 20 * _US
_MAX_REJECTED = 100
_STACK = ""
"""The name under which the stack's memory is kept; no sensor has it."""


class Faults(NamedTuple):
    """What the loop itself knows to be wrong, in words; None while all is well."""

    broker: str | None = None
    store: str | None = None
    mail: str | None = None
    archive: str | None = None


Post = Callable[[Connection, Notification], None]
"""Puts the mail of an occasion where it is sent from."""


class Monitor:
    """The watch, its desk, and what they need of the world."""

    def __init__(self, settings: Settings, store: Store, zone: tzinfo, now: Now, post: Post) -> None:
        """Read what is known.

        Raises:
            StoreError: the database can't be read.

        """
        self._settings, self._store, self._zone, self._post = settings, store, zone, post
        timer_us = int(settings.timer_check.total_seconds() * _US)
        mute_us = int(settings.last_notice_silence_time.total_seconds() * _US)
        pace = Timing(min(_MAX_COLLECT_US, timer_us // 20), timer_us // 2, mute_us)
        pending, lately, number, sensors, stack, last = store.look(
            lambda connection: (
                table.pending(connection),
                table.resolved_since(connection, now.wall_us - mute_us),
                table.next_number(connection),
                state.load(connection, now.wall_us, timer_us // 100),
                table.memories(connection).get(_STACK),
                table.last_sent(connection),
            )
        )
        pending = [_not_ahead(notice, now.wall_us) for notice in pending]
        wrong = [Problem(*one[1:5], one.details) for one in pending if one.resolved_us is None]
        self.watch = SensorMonitor(timer_us, now.steady_us, sensors, wrong)
        self.policy = NotificationPolicy(pace, pending, lately, number)
        self._system = SystemMonitor(now.steady_us, stack)
        self._limits = WatchedFile(settings.limits_file_path)
        self._environment = Environment()
        self._next_look_us = 0
        self._offset_us = now.wall_us - now.steady_us
        self._next_keep_us = now.steady_us + _KEEP_EVERY_US
        self._restart_us = now.steady_us + timer_us
        self._rejected: list[Rejected] = []
        self._fails = False
        self._write_last_notice(last)

    def note(self, burst: Burst) -> None:
        """Note what was stored; cheap, since it may be 25,000 a second."""
        self.watch.note(burst.readings)
        self._rejected += burst.rejected[:_MAX_REJECTED]

    def tick(self, now: Now, faults: Faults, newest_backup: datetime | None = None) -> bool:
        """Look whether all is well; say whether the session is to be set up anew, since nobody speaks."""
        if now.steady_us >= self._next_look_us:
            self._next_look_us = now.steady_us + _LOOK_EVERY_US
            self._look_around()
        is_silent = self.watch.look(now.steady_us, self._limits.limits, faults.broker)
        if self._rejected:
            self._system.note(self._rejected, now.steady_us)
            self._rejected = []
        environment = self._environment._replace(
            store_fault=faults.store,
            mail_fault=faults.mail,
            archive_waits=faults.archive,
            newest_backup_us=self._steady_us(newest_backup),
            damaged=", ".join(path.name for path in set_aside_files(self._settings.database_file_path)),
        )
        self._system.judge(environment, self.watch.conditions, now.steady_us)
        try:
            self._follow_clock(now)
            self._tell(now)
            if now.steady_us >= self._next_keep_us:
                self.keep(now)
            self._fails = False
        except StoreError as error:
            if not self._fails:
                _log.warning("Notices wait until the database can be written: %s", error)
            self._fails = True
        if not is_silent:
            self._restart_us = now.steady_us
        elif now.steady_us >= self._restart_us:
            self._restart_us = now.steady_us + self.watch.timer_check_us
            return True
        return False

    def keep(self, now: Now) -> None:
        """Write what the watch has learned, and drop notices that are old.

        Raises:
            StoreError: nothing was written.

        """
        self._next_keep_us = now.steady_us + _KEEP_EVERY_US
        sensors = self.watch.sensors
        memories = {name: one.memory() for name, one in sensors.items() if one.is_steady}
        memories[_STACK] = self._system.memory()

        def write(connection: Connection) -> None:
            table.keep_memories(connection, memories, {*sensors, _STACK})
            table.drop_old(connection, now.wall_us)

        self._store.change(write)
        self.policy.forget_old(now.wall_us)

    def close(self, now: Now) -> None:
        """Keep for the next start what the watch has learned."""
        try:
            self.keep(now)
        except StoreError as error:
            _log.warning("What the watch has learned since the last hour is lost: %s", error)

    def _look_around(self) -> None:
        """Look at the limits and at the disk."""
        if self._limits.look():
            self.watch.apply(self._limits.limits)
        settings = self._settings
        folder = settings.database_file_path.absolute().parent
        free_bytes = total_bytes = 0
        with suppress(OSError):
            disk = os.statvfs(folder)
            free_bytes, total_bytes = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        self._environment = Environment(
            free_bytes=free_bytes,
            total_bytes=total_bytes,
            folder=str(folder),
            expects_backup=settings.automatic_backup,
            limits_problems=self._limits.problems,
            limits_file=str(settings.limits_file_path),
        )

    def _steady_us(self, moment: datetime | None) -> int | None:
        """Give the steady clock's time of a moment of the wall clock's."""
        return None if moment is None else int(moment.timestamp() * _US) - self._offset_us

    def _follow_clock(self, now: Now) -> None:
        """Move all times with a clock that jumped, so that silences and mutes last as long as they should."""
        jump_us = now.wall_us - now.steady_us - self._offset_us
        if abs(jump_us) < _JUMP_US:
            self._offset_us += jump_us  # The clock is being drawn to the right time.
            return
        moved = self._store.change(lambda connection: table.shift(connection, jump_us))
        self.policy.pending = {notice.key: notice for notice in moved}
        self._offset_us += jump_us
        details: Details = {"jump_s": jump_us / _US}
        self.watch.conditions.happened(Problem("clock", "", None, now.steady_us, details))
        _log.warning("The clock jumped by %.0f s", jump_us / _US)

    def _tell(self, now: Now) -> None:
        """Write what began and what ended, and the mail of it."""
        conditions = self.watch.conditions
        wrong: Mapping[Key, Problem] = conditions.wrong
        if self._offset_us:
            wrong = {key: _on_the_wall(one, self._offset_us) for key, one in wrong.items()}
        changes = self.policy.decide(
            wrong, conditions.ended, now.wall_us, self._zone, more_expected=self.watch.more_expected
        )
        if changes.notices:
            self._store.change(lambda connection: self._write(connection, changes))
            self.policy.adopt(changes)
            self._say(changes)
        for key in {
            notice.key for notice, is_done in changes.notices if is_done and KINDS[notice.kind].is_event
        }:
            conditions.wrong.pop(key, None)
        conditions.ended.clear()

    def _write(self, connection: Connection, changes: Changes) -> None:
        table.keep(connection, changes.notices)
        if changes.notification:
            self._post(connection, changes.notification)

    def _say(self, changes: Changes) -> None:
        if changes.notification is None:
            return
        for entry in changes.notification.entries:
            _log.warning("Notice (%s): %s", entry.state, entry.words.headline)
        told = [notice for notice, _ in changes.notices if notice.sent_us == changes.notification.at_us]
        if told:
            self._write_last_notice(told[0])

    def _write_last_notice(self, notice: Notice | None) -> None:
        path = self._settings.last_notice_file_path
        try:
            write_last_notice(path, notice, self._zone)
        except OSError as error:
            _log.error("The last notice file %s can't be written: %s", path, error.strerror)


def _on_the_wall(one: Problem, offset_us: int) -> Problem:
    """Give the times of the steady clock in those of the wall clock."""
    details = {
        name: value + offset_us if name.endswith("_us") and isinstance(value, int) else value
        for name, value in one.details.items()
    }
    return one._replace(since_us=one.since_us + offset_us, details=details)


def _not_ahead(notice: Notice, now_us: int) -> Notice:
    """Take a time that is ahead, from a clock that was wrong, for now."""
    sent_us = None if notice.sent_us is None else min(notice.sent_us, now_us)
    resolved_us = None if notice.resolved_us is None else min(notice.resolved_us, now_us)
    return notice._replace(
        since_us=min(notice.since_us, now_us),
        noticed_us=min(notice.noticed_us, now_us),
        sent_us=sent_us,
        resolved_us=resolved_us,
    )
