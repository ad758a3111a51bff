"""What the demonstration shows: a live table on a terminal, and a line for each reading elsewhere.

All of it is read from the database, as the page does it; messages are shown as they arrive.
"""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ecc_listener.demo.clock import FastClock
from ecc_listener.demo.mailbox import Mailbox
from ecc_listener.demo.processes import Processes
from ecc_listener.demo.table import Line, events, mail, plain, status, table
from ecc_listener.local_time import local_zone
from ecc_listener.monitoring.limits import DEFAULT
from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.monitoring.out_of_range import USUAL, in_words, out_of_range
from ecc_listener.notifications.notice import KINDS, Notice
from ecc_listener.notifications.table import open_now
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.progress import Progress
from ecc_listener.simulator.schedule import Plan
from ecc_listener.storage.connection import connect_readonly, utc_us
from ecc_listener.storage.quarantine import REALLY_REJECTED

_REFRESH_S = 0.25
_TREND_READINGS = 6
_SHOWN_OPEN = 4
_COLUMNS = "sensorName, recordWrittenUTC, temperatureF, relHumidityPercent, battPercent"


class Counts(NamedTuple):
    """How many readings are in the database, and how many messages were rejected."""

    rows: int
    rejected: int


def count(database: Path, *, after: Counts = Counts(0, 0)) -> Counts:  # noqa: B008 - it never changes
    """Return how many were stored after an earlier count."""
    with closing(connect_readonly(database)) as connection:
        rows = connection.execute("SELECT coalesce(max(rowid), 0) FROM ECCTempHum").fetchone()[0]
        query = f"SELECT coalesce(max(rowid), 0) FROM ECCRejected WHERE {REALLY_REJECTED}"
        rejected = connection.execute(query).fetchone()[0]
    return Counts(rows - after.rows, rejected - after.rejected)


def newest(database: Path) -> datetime:
    """Return the time of the newest reading; long ago if there is none."""
    with closing(connect_readonly(database)) as connection:
        utc = connection.execute("SELECT max(recordWrittenUTC) FROM ECCTempHum").fetchone()[0]
    return datetime.fromtimestamp(utc_us(utc) / 1_000_000 if utc else 0, UTC)


class Screen:
    """Shows what the database has."""

    def __init__(
        self, plan: Plan, processes: Processes, clock: FastClock, mailbox: Mailbox, progress: Progress
    ) -> None:
        """Show what is stored from now on."""
        self.before = count(processes.database)
        self._plan = plan
        self._database = processes.database
        self._limits = LimitsFile(processes.limits_path, is_created=False)
        self._clock = clock
        self._mailbox = mailbox
        self._progress = progress
        self._zone = local_zone()
        self._last_rowid = self.before.rows
        self._next_s = 0.0

    def refresh(self, faults: list[str], room_time: datetime) -> None:
        """Show what is new, a few times a second."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _REFRESH_S
        self._progress.faults(faults)
        for message in self._mailbox.take():
            self._progress.say(f"\n{mail(message, self._clock.moment().astimezone(self._zone))}")
        with closing(connect_readonly(self._database)) as connection:
            if self._progress.is_terminal:
                self._progress.show("\n".join(self._live(connection, room_time)))
            else:
                for line in self._new(connection):
                    self._progress.say(plain(line))

    def _live(self, connection: sqlite3.Connection, room_time: datetime) -> list[str]:
        now_us, now = self._clock.wall_us(), self._clock.moment()
        notices = [one for one in open_now(connection) if not KINDS[one.kind].is_event]
        names = [sensor.name for sensor in self._plan.sensors]
        lines = [line for name in names if (line := _latest(connection, name, notices))]
        headlines = [describe(one, now_us, self._zone).headline for one in notices]
        headlines += [headline for line in lines for headline in self._beyond(line)]
        if len(headlines) > _SHOWN_OPEN:
            headlines[_SHOWN_OPEN:] = [f"and {len(headlines) - _SHOWN_OPEN} more"]
        seed = self._plan.sensors[0].seed
        happening = events([one.room for one in self._plan.sensors], room_time, seed)
        stored = count(self._database, after=self.before)
        counted = f"{stored.rows:,} rows stored, {stored.rejected:,} messages rejected."
        return [
            "",
            f"{happening}.",
            "",
            *table(lines, names, now),
            "",
            *status(headlines),
            f"{counted} Ctrl-C ends it.",
        ]

    def _beyond(self, line: Line) -> list[str]:
        """Return what is beyond a limit, and not a problem yet."""
        self._limits.reload()
        allowed = self._limits.limits.merge(line.name, line.location, USUAL | DEFAULT) or {}
        found = out_of_range(line.temperature_f, line.humidity_percent, line.battery_percent, allowed)
        return [
            f"{line.location or line.name}: {in_words(one, '{:.1f} °F'.format)}"
            for one in found
            if one.kind not in line.problems
        ]

    def _new(self, connection: sqlite3.Connection) -> list[Line]:
        rows = connection.execute(
            f"SELECT rowid, {_COLUMNS} FROM ECCTempHum WHERE rowid > ? ORDER BY rowid", (self._last_rowid,)
        ).fetchall()
        if rows:
            self._last_rowid = rows[-1][0]
        return [_line(connection, row) for _, *row in rows]


def _latest(connection: sqlite3.Connection, name: str, notices: Sequence[Notice]) -> Line | None:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM ECCTempHum WHERE sensorName = ? ORDER BY recordWrittenUTC DESC LIMIT ?",
        (name, _TREND_READINGS + 1),
    ).fetchall()
    if not rows:
        return None
    problems = {one.kind for one in notices if one.subject == name}
    return _line(connection, rows[0])._replace(before_f=rows[-1][2], problems=problems)


def _line(connection: sqlite3.Connection, row: Sequence[Any]) -> Line:
    name, utc, *values = row
    about = connection.execute(
        "SELECT location FROM ECCTempHumSensor WHERE sensorName = ? ORDER BY rowid DESC LIMIT 1", (name,)
    ).fetchone()
    seen = datetime.fromtimestamp(utc_us(utc) / 1_000_000, UTC)
    return Line(name, about[0] if about else None, seen, *values)
