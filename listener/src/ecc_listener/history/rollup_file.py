"""Hours and days of every sensor, added up in a file beside the database: `<stem>-summary.sqlite3`.

All in it can be had from the readings again, so it is thrown away when anything about it doesn't fit. For
each file with readings, a source, it says up to which row they are added. A source is known by its first row
and by the last one that was added, not by the file's name: so it stays the same when it is archived.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ecc_listener.history.rollups import STEP_US, Step
from ecc_listener.storage.connection import StoreError, connect_readonly

VERSION = 1
_NUMBERS = ("t", "h", "d")
COLUMNS = ", ".join(("readings", *(f"{one}_known, {one}_min, {one}_sum, {one}_max" for one in _NUMBERS)))
TABLES: dict[Step, str] = {"hour": "Hour", "day": "Day"}


class RollupFileError(Exception):
    """Raised when there are no summaries, or none that can be trusted."""


class Source(NamedTuple):
    """A file with readings, and how far they are added up."""

    number: int
    done_rowid: int


def rollup_path(database: Path) -> Path:
    """Name the file of a database's summaries."""
    return database.with_name(f"{database.stem}-summary.sqlite3")


class RollupFile:
    """A look at the summaries, the same from beginning to end."""

    def __init__(self, database: Path) -> None:
        """Open them.

        Raises:
            SummariesError: there are none.

        """
        try:
            self._connection = connect_readonly(rollup_path(database))
        except StoreError as error:
            raise RollupFileError(str(error)) from None
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            self.close()
            raise RollupFileError(f"they are of version {version}")
        self._connection.execute("BEGIN")

    def close(self) -> None:
        """Close them."""
        self._connection.close()

    def source(self, data: sqlite3.Connection) -> Source | None:
        """Find what is added up of a file that is open; None: nothing.

        Raises:
            SummariesError: they can't be read.

        """
        try:
            return find_source(self._connection, data)
        except sqlite3.Error as error:
            raise RollupFileError(str(error)) from None

    def parts(
        self, sensor: str, source: Source, start_us: int, end_us: int, step: Step
    ) -> Iterator[tuple[Any, ...]]:
        """Give (number of the hour or day since 1970, *part) of a sensor in a source.

        Raises:
            SummariesError: they can't be read.

        """
        query = (
            f"SELECT start, {COLUMNS} FROM {TABLES[step]}"
            " WHERE sensor = (SELECT number FROM Sensor WHERE name = ?)"
            " AND source = ? AND start >= ? AND start < ?"
        )
        span = start_us // STEP_US[step], -(-end_us // STEP_US[step])
        try:
            yield from self._connection.execute(query, (sensor, source.number, *span))
        except sqlite3.Error as error:
            raise RollupFileError(str(error)) from None


def find_source(summaries: sqlite3.Connection, data: sqlite3.Connection) -> Source | None:
    """Find the source that a file is."""
    first = row_key(data, data.execute("SELECT min(rowid) FROM ECCTempHum").fetchone()[0])
    known = summaries.execute(
        "SELECT number, done_rowid, done FROM Source WHERE first = ? ORDER BY done_rowid DESC", (first,)
    )
    for number, done_rowid, done in known.fetchall():
        if row_key(data, done_rowid) == done:
            return Source(number, done_rowid)
    return None


def row_key(data: sqlite3.Connection, rowid: int | None) -> str | None:
    """Give what makes a row the one it is; None when there is no such row."""
    query = "SELECT rowid, recordWrittenUTC, sensorName FROM ECCTempHum WHERE rowid = ?"
    row = data.execute(query, (rowid,)).fetchone()
    return None if row is None else "|".join(map(str, row))
