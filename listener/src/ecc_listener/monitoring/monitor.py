"""The monitor in the running listener: it feeds the rules, and stores the notices and messages that follow.

Notices and their messages are written in one transaction, and only then count: if the database fails, nothing
is lost or sent twice.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from ecc_listener.clock import Now
from ecc_listener.local_time import local
from ecc_listener.monitoring import state
from ecc_listener.monitoring.environment import read_environment
from ecc_listener.monitoring.limits import SensorLimits
from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.monitoring.sensor_monitor import SensorMonitor
from ecc_listener.monitoring.system import Environment, SystemMonitor
from ecc_listener.notifications import table
from ecc_listener.notifications.last_notice import write as write_last_notice
from ecc_listener.notifications.notice import KINDS, Details, Key, Notice, Notification, Problem
from ecc_listener.notifications.policy import Changes, NotificationPolicy, Timing
from ecc_listener.readings.reading import OtherNameError
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.corruption import set_aside_files
from ecc_listener.storage.interface import Burst, Storage
from ecc_listener.storage.statements import Connection

if TYPE_CHECKING:
    from ecc_listener.storage.quarantine import Rejected

_log = logging.getLogger(__name__)

_US = 1_000_000
_MAX_COLLECT_US = 60 * _US
_SAVE_EVERY_US = 3600 * _US
_JUMP_US = 120 * _US
_ENVIRONMENT_EVERY_US = 20 * _US
_MAX_REJECTED = 100
_MAX_OTHER_NAMES = 100
_SYSTEM = ""
"""The name under which the memory of the system is stored; no sensor has it."""


class Faults(NamedTuple):
    """What the listener itself knows to be wrong, as text; None while all is well."""

    broker: str | None = None
    store: str | None = None
    mail: str | None = None
    archive: str | None = None


Outbox = Callable[[Connection, Notification], None]
"""Writes the message of a notification to the outbox."""


class Monitor:
    """Rules and notification policy, with what they need from the outside."""

    def __init__(self, settings: Settings, store: Storage, zone: tzinfo, now: Now, outbox: Outbox) -> None:
        """Read what is known from before.

        Raises:
            StoreError: the database can't be read.

        """
        self._settings, self._store, self._zone, self._outbox = settings, store, zone, outbox
        timer_us = int(settings.timer_check.total_seconds() * _US)
        silence_us = int(settings.last_notice_silence_time.total_seconds() * _US)
        timing = Timing(min(_MAX_COLLECT_US, timer_us // 20), timer_us // 2, silence_us)
        self._limits = LimitsFile(settings.limits_file_path)
        limits = self.limits
        pending, recent, number, sensors, system, last = store.look(
            lambda connection: (
                table.pending(connection),
                table.resolved_since(connection, now.wall_us - silence_us),
                table.next_number(connection),
                state.load(connection, now.wall_us, timer_us // 100, limits.corrections),
                table.memories(connection).get(_SYSTEM),
                table.last_sent(connection),
            )
        )
        pending = [_not_in_the_future(notice, now.wall_us) for notice in pending]
        problems = [Problem(*one[1:5], one.details) for one in pending if one.resolved_us is None]
        self.sensor_monitor = SensorMonitor(timer_us, now.steady_us, sensors, problems)
        self.sensor_monitor.apply(limits)
        self.policy = NotificationPolicy(timing, pending, recent, number)
        self._system = SystemMonitor(now.steady_us, system)
        limits.set_time(local(now.wall_us, zone))
        self._environment = Environment()
        self._next_environment_us = 0
        self._offset_us = now.wall_us - now.steady_us
        self._next_save_us = now.steady_us + _SAVE_EVERY_US
        self._restart_us = now.steady_us + timer_us
        self._rejected: list[Rejected] = []
        self._other_names: set[str] = set()
        self._is_failing = False
        self._write_last_notice(last)

    @property
    def limits(self) -> SensorLimits:
        """The limits file as it is now."""
        return self._limits.limits

    def note(self, burst: Burst) -> None:
        """Collect what was stored; as fast as possible, because it may be 25,000 readings a second."""
        self.sensor_monitor.note(burst.readings)
        self._rejected += burst.rejected[:_MAX_REJECTED]

    def note_other_name(self, error: OtherNameError, arrived_us: int) -> None:
        """Report once that on a sensor's own topic something else is named; `arrived_us` is since 1970."""
        # Names come from the network: who invents them must fill neither memory nor mailbox.
        if error.of_topic not in self._other_names and len(self._other_names) < _MAX_OTHER_NAMES:
            self._other_names.add(error.of_topic)
            details: Details = {"reason": str(error)}
            since_us = arrived_us - self._offset_us
            self.sensor_monitor.conditions.add_event(
                Problem("other_name", error.of_topic, None, since_us, details)
            )

    def tick(self, now: Now, faults: Faults, newest_backup: datetime | None = None) -> bool:
        """Find problems and store notices; return whether to reconnect, because all sensors are silent."""
        if now.steady_us >= self._next_environment_us:
            self._next_environment_us = now.steady_us + _ENVIRONMENT_EVERY_US
            self._update_environment()
            if self.limits.set_time(local(now.wall_us, self._zone)):
                self.sensor_monitor.apply(self.limits)
                self.sensor_monitor.change_times(self.limits)
        is_silent = self.sensor_monitor.evaluate(now.steady_us, self.limits, faults.broker)
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
        self._system.judge(environment, self.sensor_monitor.conditions, now.steady_us)
        self._store_what_changed(now)
        if not is_silent:
            self._restart_us = now.steady_us
        elif now.steady_us >= self._restart_us:
            self._restart_us = now.steady_us + self.sensor_monitor.timer_check_us
            return True
        return False

    def _update_environment(self) -> None:
        """Read limits and disk again."""
        if self._limits.reload():
            self.sensor_monitor.apply(self.limits)
        self._environment = read_environment(self._settings, self._limits)

    def _store_what_changed(self, now: Now) -> None:
        """Update the notices; while the database fails, this is tried again at every tick."""
        try:
            self._follow_clock(now)
            self._update_notices(now)
            if now.steady_us >= self._next_save_us:
                self.save(now)
            self._is_failing = False
        except StoreError as error:
            if not self._is_failing:
                _log.warning("Notices have to wait until the database can be written: %s", error)
            self._is_failing = True

    def save(self, now: Now) -> None:
        """Store what was learned about sensors and system, and delete old notices.

        Raises:
            StoreError: if nothing was written.

        """
        self._next_save_us = now.steady_us + _SAVE_EVERY_US
        sensors = self.sensor_monitor.sensors
        memories = {name: one.memory() for name, one in sensors.items() if one.is_steady}
        memories[_SYSTEM] = self._system.memory()

        def write(connection: Connection) -> None:
            table.keep_memories(connection, memories, {*sensors, _SYSTEM})
            table.drop_old(connection, now.wall_us)

        self._store.change(write)
        self.policy.forget_old(now.wall_us)

    def close(self, now: Now) -> None:
        """Store what was learned, for the next start."""
        try:
            self.save(now)
        except StoreError as error:
            _log.warning("What the monitor has learned in the last hour is lost: %s", error)

    def _steady_us(self, moment: datetime | None) -> int | None:
        """Return a time of the wall clock as a time of the steady clock."""
        return None if moment is None else int(moment.timestamp() * _US) - self._offset_us

    def _follow_clock(self, now: Now) -> None:
        """Move all times with a clock that jumped, so that silences and mutes keep their length."""
        jump_us = now.wall_us - now.steady_us - self._offset_us
        if abs(jump_us) < _JUMP_US:
            self._offset_us += jump_us  # The clock is being adjusted gradually.
            return
        moved = self._store.change(lambda connection: table.shift(connection, jump_us))
        self.policy.pending = {notice.key: notice for notice in moved}
        self._offset_us += jump_us
        details: Details = {"jump_s": jump_us / _US}
        self.sensor_monitor.conditions.add_event(Problem("clock", "", None, now.steady_us, details))
        _log.warning("The clock jumped by %.0f s", jump_us / _US)

    def _update_notices(self, now: Now) -> None:
        """Store which notices began and ended, and the message about them."""
        conditions = self.sensor_monitor.conditions
        problems: Mapping[Key, Problem] = conditions.problems
        if self._offset_us:
            problems = {key: _in_wall_time(one, self._offset_us) for key, one in problems.items()}
        changes = self.policy.decide(
            problems,
            conditions.ended,
            now.wall_us,
            self._zone,
            more_expected=self.sensor_monitor.more_expected,
        )
        if changes.notices:
            self._store.change(lambda connection: self._write(connection, changes))
            self.policy.adopt(changes)
            self._log(changes)
        for key in {
            notice.key for notice, is_done in changes.notices if is_done and KINDS[notice.kind].is_event
        }:
            conditions.problems.pop(key, None)
        conditions.ended.clear()

    def _write(self, connection: Connection, changes: Changes) -> None:
        table.write_notices(connection, changes.notices)
        if changes.notification:
            self._outbox(connection, changes.notification)

    def _log(self, changes: Changes) -> None:
        if changes.notification is None:
            return
        for entry in changes.notification.entries:
            _log.warning("Notice (%s): %s", entry.state, entry.words.headline)
        sent = [notice for notice, _ in changes.notices if notice.sent_us == changes.notification.at_us]
        if sent:
            self._write_last_notice(sent[0])

    def _write_last_notice(self, notice: Notice | None) -> None:
        path = self._settings.last_notice_file_path
        try:
            write_last_notice(path, notice, self._zone)
        except OSError as error:
            _log.error("The last notice file %s can't be written: %s", path, error.strerror)


def _in_wall_time(one: Problem, offset_us: int) -> Problem:
    """Return a problem with times of the wall clock instead of the steady clock."""
    details = {
        name: value + offset_us if name.endswith("_us") and isinstance(value, int) else value
        for name, value in one.details.items()
    }
    return one._replace(since_us=one.since_us + offset_us, details=details)


def _not_in_the_future(notice: Notice, now_us: int) -> Notice:
    """Return a notice whose times, if a wrong clock put them into the future, are now."""
    sent_us = None if notice.sent_us is None else min(notice.sent_us, now_us)
    resolved_us = None if notice.resolved_us is None else min(notice.resolved_us, now_us)
    return notice._replace(
        since_us=min(notice.since_us, now_us),
        noticed_us=min(notice.noticed_us, now_us),
        sent_us=sent_us,
        resolved_us=resolved_us,
    )
