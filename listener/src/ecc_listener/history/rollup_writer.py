"""The listener adds readings to the rollup file, a bounded number at a time; `rollups` describes the file.

The new aggregates and how far they go are committed together, so a crash counts nothing twice. A rollup file
that is damaged or of another version is deleted, and the readings are added from the beginning.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ecc_listener.history.rollups import (
    AGGREGATE_SQL,
    COLUMNS,
    TABLES,
    VERSION,
    Aggregate,
    Source,
    add,
    find_source,
    hour_number,
    rollup_path,
    row_key,
)
from ecc_listener.storage.connection import StoreError, atomic, connect, connect_readonly, utc_text, utc_us
from ecc_listener.storage.database_files import present
from ecc_listener.storage.insert import JOIN_US
from ecc_listener.storage.values import read_utc

_log = logging.getLogger(__name__)

ROWS_A_STEP = 2_000
PAUSE_S = 300.0
"""Between two steps when all is added: a step for each reading would write more than the readings do."""
_HOURS_A_DAY = 24
_MAX_ROWID = 2**63 - 1
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
_UNTIL = (
    "SELECT max(rowid) FROM"
    " (SELECT rowid FROM main.ECCTempHum WHERE rowid > ? AND rowid < ? ORDER BY rowid LIMIT ?)"
)
_NEW_ROWS = 10_000
_FIRST_OPEN = (
    "SELECT min(rowid) FROM (SELECT rowid, * FROM main.ECCTempHum WHERE rowid > ?"
    f" ORDER BY rowid DESC LIMIT {_NEW_ROWS}) WHERE recordWrittenUTC >= ?"
    " AND (temperatureF IS NULL OR relHumidityPercent IS NULL OR dewPointF IS NULL)"
)
_NEWEST = "SELECT recordWrittenUTC FROM main.ECCTempHum ORDER BY rowid DESC LIMIT 1"
_AGGREGATES = (
    f"SELECT sensorName, substr(recordWrittenUTC, 1, 13), {AGGREGATE_SQL} FROM ECCTempHum"
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
"""Errors of the disk or of other programs, which don't mean that the file is damaged."""


class _Batch(NamedTuple):
    """Some readings of a source, aggregated, and how far they go."""

    source: Source | None
    first: str
    done_rowid: int
    done: str
    aggregates: list[tuple[Any, ...]]


class RollupWriter:
    """Keeps the rollup file of one database up to date."""

    def __init__(self, database: Path) -> None:
        """Prepare to add the readings of `database` and its archives; nothing is read yet."""
        self._database = database
        self._path = rollup_path(database)
        self._connection: sqlite3.Connection | None = None
        self._next_s = 0.0
        self._complete: dict[tuple[int, ...], int] = {}
        """Sources (0: none) of the files that are added completely, by what identifies the file."""

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def tick(self, now_s: float) -> None:
        """Do a step if one is due, by a clock that never jumps; if rows are left, the next is due at once."""
        if now_s < self._next_s:
            return
        has_more = False
        try:
            has_more = self.step()
        except StoreError as error:
            _log.warning("The rollups can't be updated now and will be tried again: %s", error)
        self._next_s = now_s if has_more else now_s + PAUSE_S

    def step(self, rows: int = ROWS_A_STEP) -> bool:
        """Add at most so many readings; return whether more are left.

        Raises:
            StoreError: they could not be added; the next step tries again.

        """
        try:
            connection = self._open()
            with atomic(connection):
                return self._step(connection, rows)
        except (sqlite3.Error, OSError) as error:
            self.close()
            code = getattr(error, "sqlite_errorcode", None)
            if isinstance(error, OSError) or (code is not None and code & 0xFF in _WAIT):
                raise StoreError(f"{self._path.name} can't be written: {error}") from None
            _remove(self._path)
            raise StoreError(f"{self._path.name} was unusable ({error}) and is created again") from None

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
                batch = _read_batch(connection, path, rows, is_live=path == self._database)
                if batch and batch.aggregates:
                    _add(connection, batch)
                    return True
                self._complete[identity] = batch.source.number if batch and batch.source else 0
            used.add(self._complete[identity])
        return _delete_unused(connection, used)


def _read_batch(connection: sqlite3.Connection, path: Path, rows: int, *, is_live: bool) -> _Batch | None:
    """Aggregate some of a file's readings that are not added yet; None if nothing can be read."""
    try:
        with closing(connect_readonly(path)) as data:
            first = data.execute("SELECT min(rowid) FROM main.ECCTempHum").fetchone()[0]
            key = row_key(data, first)
            if key is None:
                return None
            source = find_source(connection, data)
            after = source.done_rowid if source else first - 1
            first_open = _first_open_row(data, after) if is_live else _MAX_ROWID
            until = data.execute(_UNTIL, (after, first_open, rows)).fetchone()[0]
            if until is None:
                return _Batch(source, key, after, "", [])
            aggregates = data.execute(_AGGREGATES, (after, until)).fetchall()
            return _Batch(source, key, until, str(row_key(data, until)), aggregates)
    except (StoreError, sqlite3.Error):
        return None


def _first_open_row(data: sqlite3.Connection, after: int) -> int:
    """Return the number of the first row that a part of a reading may still be added to."""
    newest_utc = read_utc(data.execute(_NEWEST).fetchone()[0])
    if newest_utc is None:
        return _MAX_ROWID
    since_utc = utc_text(utc_us(newest_utc) - JOIN_US)
    first: int | None = data.execute(_FIRST_OPEN, (after, since_utc)).fetchone()[0]
    return _MAX_ROWID if first is None else first


def _add(connection: sqlite3.Connection, batch: _Batch) -> None:
    done = batch.done_rowid, batch.done
    if batch.source:
        source: int | None = batch.source.number
        connection.execute("UPDATE Source SET done_rowid = ?, done = ? WHERE number = ?", (*done, source))
    else:
        insert = "INSERT INTO Source (first, done_rowid, done) VALUES (?, ?, ?)"
        source = connection.execute(insert, (batch.first, *done)).lastrowid
    sensors: dict[str, tuple[dict[int, Aggregate], dict[int, Aggregate]]] = {}
    for name, text, *aggregate in batch.aggregates:
        hour = hour_number(text or "")
        if name is not None and hour is not None:
            hours, days = sensors.setdefault(name, ({}, {}))
            add(hours, hour, tuple(aggregate))
            add(days, hour // _HOURS_A_DAY, tuple(aggregate))
    for name, hours_and_days in sensors.items():
        connection.execute("INSERT OR IGNORE INTO Sensor (name) VALUES (?)", (name,))
        key = *connection.execute("SELECT number FROM Sensor WHERE name = ?", (name,)).fetchone(), source
        for table, sums in zip((TABLES["hour"], TABLES["day"]), hours_and_days, strict=True):
            rows = [(*key, start, *aggregate) for start, aggregate in sums.items()]
            connection.executemany(_ADD.format(table), rows)


def _delete_unused(connection: sqlite3.Connection, used: set[int]) -> bool:
    """Delete the rollups of files that are gone, one sensor at a time; return whether there were any."""
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
