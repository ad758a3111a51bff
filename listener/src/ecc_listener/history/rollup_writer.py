"""The listener adds readings to the summaries, a bounded number at a time; see summaries.py.

The new sums and how far they go are committed together, so a crash counts nothing twice. Where the file of
summaries doesn't fit or is damaged, it is made anew, and the readings are added from the beginning.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ecc_listener.history.rollup_file import (
    COLUMNS,
    TABLES,
    VERSION,
    Source,
    find_source,
    rollup_path,
    row_key,
)
from ecc_listener.history.rollups import PART_SQL, Part, add, hour_number
from ecc_listener.storage.connection import StoreError, atomic, connect, connect_readonly
from ecc_listener.storage.files import present

_log = logging.getLogger(__name__)

ROWS_A_STEP = 2_000
PAUSE_S = 300.0
"""Between two steps when all is added: one for each reading would write more than the readings do."""
_HOURS_A_DAY = 24
_KINDS = ("", *("", "min", "", "max") * 3)
_UPDATES = ", ".join(
    f"{one} = coalesce({kind}({one}, excluded.{one}), {one}, excluded.{one})"
    if kind
    else f"{one} = coalesce({one} + excluded.{one}, {one}, excluded.{one})"
    for one, kind in zip(COLUMNS.split(", "), _KINDS, strict=True)
)
_ADD = (
    "INSERT INTO {} VALUES (?, ?, ?" + ", ?" * len(_KINDS) + ")"
    f" ON CONFLICT (sensor, source, start) DO UPDATE SET {_UPDATES}"
)
_UNTIL = "SELECT max(rowid) FROM (SELECT rowid FROM ECCTempHum WHERE rowid > ? ORDER BY rowid LIMIT ?)"
_PARTS = (
    f"SELECT sensorName, substr(recordWrittenUTC, 1, 13), {PART_SQL} FROM ECCTempHum"
    " WHERE rowid > ? AND rowid <= ? GROUP BY 1, 2"
)
_SCHEMA = (
    "CREATE TABLE Sensor (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """
    CREATE TABLE Source (
        number INTEGER PRIMARY KEY, first TEXT NOT NULL, done_rowid INTEGER NOT NULL, done TEXT NOT NULL)
    """,
    *(
        f"CREATE TABLE {table} (sensor INTEGER, source INTEGER, start INTEGER, {COLUMNS},"
        " PRIMARY KEY (sensor, source, start)) WITHOUT ROWID"
        for table in TABLES.values()
    ),
    f"PRAGMA user_version = {VERSION}",
)


_WAIT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
}
"""What speaks of the disk or of others, not of what is in the file."""


class _Some(NamedTuple):
    """Some readings of a source, added up, and how far they go."""

    source: Source | None
    first: str
    done_rowid: int
    done: str
    parts: list[tuple[Any, ...]]


class RollupWriter:
    """Keeps the summaries of one database."""

    def __init__(self, database: Path) -> None:
        """Add up what `database` and its archives hold; call `step` for it."""
        self._database = database
        self._path = rollup_path(database)
        self._connection: sqlite3.Connection | None = None
        self._next_s = 0.0
        self._complete: dict[tuple[int, ...], int] = {}
        """Sources (0: none) of the archives that need no more looking at, by what identifies the file."""

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def tick(self, now_s: float) -> None:
        """Do a step if it is time, by a clock that never steps: soon, if one left something to do."""
        if now_s < self._next_s:
            return
        has_more = False
        try:
            has_more = self.step()
        except StoreError as error:
            _log.warning("Hours and days are not added up now: %s", error)
        self._next_s = now_s if has_more else now_s + PAUSE_S

    def step(self, rows: int = ROWS_A_STEP) -> bool:
        """Add up at most so many readings; say whether more is to be done.

        Raises:
            StoreError: it could not be done, and waits for the next time.

        """
        try:
            connection = self._open()
            with atomic(connection):
                return self._step(connection, rows)
        except (sqlite3.Error, OSError) as error:
            self.close()
            code = getattr(error, "sqlite_errorcode", None)
            if isinstance(error, OSError) or (code is not None and code & 0xFF in _WAIT):
                raise StoreError(f"{self._path.name} waits: {error}") from None
            _remove(self._path)
            raise StoreError(f"{self._path.name} did not fit ({error}) and is made anew") from None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._complete.clear()
            self._connection = connect(self._path)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            if self._connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                self.close()
                _remove(self._path)
                self._connection = connect(self._path)
                self._connection.execute("PRAGMA synchronous = NORMAL")
                with atomic(self._connection):
                    for statement in _SCHEMA:
                        self._connection.execute(statement)
        return self._connection

    def _step(self, connection: sqlite3.Connection, rows: int) -> bool:
        used = set()
        for path in present(self._database):
            identity = _identity(path)
            if identity not in self._complete or path == self._database:
                some = _read_some(connection, path, rows)
                if some and some.parts:
                    _add(connection, some)
                    return True
                self._complete[identity] = some.source.number if some and some.source else 0
            used.add(self._complete[identity])
        return _drop_some(connection, used)


def _read_some(connection: sqlite3.Connection, path: Path, rows: int) -> _Some | None:
    """Add up some of a file's readings that are not in the summaries; None where nothing can be read."""
    try:
        with closing(connect_readonly(path)) as data:
            first = data.execute("SELECT min(rowid) FROM ECCTempHum").fetchone()[0]
            key = row_key(data, first)
            if key is None:
                return None
            source = find_source(connection, data)
            after = source.done_rowid if source else first - 1
            until = data.execute(_UNTIL, (after, rows)).fetchone()[0]
            if until is None:
                return _Some(source, key, after, "", [])
            parts = data.execute(_PARTS, (after, until)).fetchall()
            return _Some(source, key, until, str(row_key(data, until)), parts)
    except (StoreError, sqlite3.Error):
        return None


def _add(connection: sqlite3.Connection, some: _Some) -> None:
    done = some.done_rowid, some.done
    if some.source:
        source: int | None = some.source.number
        connection.execute("UPDATE Source SET done_rowid = ?, done = ? WHERE number = ?", (*done, source))
    else:
        insert = "INSERT INTO Source (first, done_rowid, done) VALUES (?, ?, ?)"
        source = connection.execute(insert, (some.first, *done)).lastrowid
    sensors: dict[str, tuple[dict[int, Part], dict[int, Part]]] = {}
    for name, text, *part in some.parts:
        hour = hour_number(text or "")
        if name is not None and hour is not None:
            hours, days = sensors.setdefault(name, ({}, {}))
            add(hours, hour, tuple(part))
            add(days, hour // _HOURS_A_DAY, tuple(part))
    for name, hours_and_days in sensors.items():
        connection.execute("INSERT OR IGNORE INTO Sensor (name) VALUES (?)", (name,))
        key = *connection.execute("SELECT number FROM Sensor WHERE name = ?", (name,)).fetchone(), source
        for table, parts in zip((TABLES["hour"], TABLES["day"]), hours_and_days, strict=True):
            rows = [(*key, start, *part) for start, part in parts.items()]
            connection.executemany(_ADD.format(table), rows)


def _drop_some(connection: sqlite3.Connection, used: set[int]) -> bool:
    """Drop what is kept of a file that is gone, one sensor at a time; say whether there was any."""
    gone = [row for row in connection.execute("SELECT number FROM Source") if row[0] not in used]
    for (source,) in gone:
        sensor = connection.execute(
            "SELECT number FROM Sensor WHERE EXISTS"
            " (SELECT 1 FROM Day WHERE sensor = number AND source = ?) LIMIT 1",
            (source,),
        ).fetchone()
        if sensor is None:
            connection.execute("DELETE FROM Source WHERE number = ?", (source,))
        else:
            for table in TABLES.values():
                connection.execute(f"DELETE FROM {table} WHERE sensor = ? AND source = ?", (*sensor, source))
        return True
    return False


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
