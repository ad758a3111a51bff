"""Rollups: the number of readings in an hour or a day, and the lowest, mean and highest values.

They are kept in a file beside the database, `<stem>-summary.sqlite3`. All of it can be computed from the
readings again, so the file is deleted when anything about it is wrong. For each file with readings, a source,
it records up to which row they are added up. A source is identified by its first row and by the last one that
was added, not by the name of its file, so it stays the same when the file is archived.

Aggregates of one hour come from several files; they are combined, and only then the mean is computed.
"""

import sqlite3
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ecc_listener.storage.connection import StoreError, open_readonly, utc_us

Step = Literal["hour", "day"]

STEP_US: dict[Step, int] = {"hour": 3600 * 1_000_000, "day": 24 * 3600 * 1_000_000}

Aggregate = tuple[Any, ...]
"""A number of readings, then for each measure: how many readings had it, its lowest, sum and highest."""

_MEASURES = ("temperatureF", "relHumidityPercent", "dewPointF")
AGGREGATE_SQL = ", ".join(
    ("count(*)", *(f"count({one}), min({one}), sum({one}), max({one})" for one in _MEASURES))
)
"""The columns of an `Aggregate` over the rows of a query."""


class Bucket(NamedTuple):
    """What a sensor measured in the hour or day of UTC that begins at `start_us`; None: nothing."""

    start_us: int
    count: int  # type: ignore[assignment] # hides a method of tuple that nobody needs here
    temperature_min_f: float | None
    temperature_mean_f: float | None
    temperature_max_f: float | None
    humidity_min_percent: float | None
    humidity_mean_percent: float | None
    humidity_max_percent: float | None
    dew_point_min_f: float | None
    dew_point_mean_f: float | None
    dew_point_max_f: float | None


@lru_cache(maxsize=100_000)
def hour_number(text: str) -> int | None:
    """Return the hours since 1970 of a text such as `2026-03-01 12`; None if it is not a time."""
    try:
        return utc_us(f"{text}:00") // STEP_US["hour"]
    except ValueError:
        return None


def add(aggregates: dict[int, Aggregate], start: int, aggregate: Aggregate) -> None:
    """Combine an aggregate with the one that begins at the same time, if there is one."""
    other = aggregates.get(start)
    aggregates[start] = aggregate if other is None else tuple(map(_combine, _COMBINE, other, aggregate))


def bucket(start_us: int, aggregate: Aggregate) -> Bucket:
    """Return the bucket of an aggregate, with the means."""
    readings, t_known, t_min, t_sum, t_max, h_known, h_min, h_sum, h_max, d_known, d_min, d_sum, d_max = (
        aggregate
    )
    return Bucket(
        start_us,
        readings,
        t_min,
        t_sum / t_known if t_known else None,
        t_max,
        h_min,
        h_sum / h_known if h_known else None,
        h_max,
        d_min,
        d_sum / d_known if d_known else None,
        d_max,
    )


def _sum(one: float, other: float) -> float:
    return one + other


_COMBINE: tuple[Callable[..., float], ...] = (_sum, *(_sum, min, _sum, max) * 3)


def _combine(how: Callable[..., float], one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return how(one, other)


VERSION = 1
_NUMBERS = ("t", "h", "d")
COLUMNS = ", ".join(("readings", *(f"{one}_known, {one}_min, {one}_sum, {one}_max" for one in _NUMBERS)))
TABLES: dict[Step, str] = {"hour": "Hour", "day": "Day"}


class RollupFileError(Exception):
    """Raised when there is no rollup file that can be used."""


class Source(NamedTuple):
    """A file with readings, and the number of the last row that is added up."""

    number: int
    done_rowid: int


def rollup_path(database: Path) -> Path:
    """Return the path of a database's rollup file."""
    return database.with_name(f"{database.stem}-summary.sqlite3")


class RollupFile:
    """A rollup file, read in one transaction."""

    def __init__(self, database: Path) -> None:
        """Open the rollup file of a database.

        Raises:
            RollupFileError: there is none, or it has another version.

        """
        try:
            self._connection = open_readonly(rollup_path(database))
        except StoreError as error:
            raise RollupFileError(str(error)) from None
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            self.close()
            raise RollupFileError(f"the rollup file has version {version}")
        self._connection.execute("BEGIN")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def source(self, data: sqlite3.Connection) -> Source | None:
        """Return the source that an open database is; None: nothing of it is added up.

        Raises:
            RollupFileError: the rollup file can't be read.

        """
        try:
            return find_source(self._connection, data)
        except sqlite3.Error as error:
            raise RollupFileError(str(error)) from None

    def aggregates(
        self, sensor: str, source: Source, start_us: int, end_us: int, step: Step
    ) -> Iterator[tuple[Any, ...]]:
        """Yield (number of the hour or day since 1970, *aggregate) of a sensor in a source.

        Raises:
            RollupFileError: the rollup file can't be read.

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


def find_source(rollups: sqlite3.Connection, data: sqlite3.Connection) -> Source | None:
    """Return the source that a database is; None: nothing of it is added up."""
    first = row_key(data, data.execute("SELECT min(rowid) FROM main.ECCTempHum").fetchone()[0])
    known = rollups.execute(
        "SELECT number, done_rowid, done FROM Source WHERE first = ? ORDER BY done_rowid DESC", (first,)
    )
    for number, done_rowid, done in known.fetchall():
        if row_key(data, done_rowid) == done:
            return Source(number, done_rowid)
    return None


def row_key(data: sqlite3.Connection, rowid: int | None) -> str | None:
    """Return what identifies a row; None if there is no such row."""
    query = "SELECT rowid, recordWrittenUTC, sensorName FROM main.ECCTempHum WHERE rowid = ?"
    row = data.execute(query, (rowid,)).fetchone()
    return None if row is None else "|".join(map(str, row))
