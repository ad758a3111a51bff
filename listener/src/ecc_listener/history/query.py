"""Query the readings of the live file and its archives: one call for "sensor X from A to B".

Files are opened for one slice of time each and closed again, so that a long query does not prevent the
database from being archived, and loses nothing if it is archived meanwhile. The rollup file is used as far as
it goes, and what it lacks is read from the databases, so that an answer is the same with or without it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecc_listener.history import rollups
from ecc_listener.history.rollups import STEP_US, Aggregate, Bucket, RollupFile, RollupFileError, Source, Step
from ecc_listener.readings.corrections import NO_CORRECTIONS, Corrections, Offsets
from ecc_listener.storage import database_files
from ecc_listener.storage.connection import StoreError, connect_readonly, open_readonly, utc_text, utc_us
from ecc_listener.storage.database_files import Span
from ecc_listener.storage.irregularity import find_irregularity

if TYPE_CHECKING:
    from ecc_listener.settings import Settings

__all__ = ["Bucket", "DataFile", "History", "Row", "open_history"]

_FIRST_SLICE_US = 7 * STEP_US["day"]
_FEW_ROWS, _MANY_ROWS = 10_000, 40_000

_WITHIN = "FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC >= ? AND recordWrittenUTC < ?"
_ROWS = (
    "SELECT recordWrittenUTC, dewPointF, temperatureF, relHumidityPercent, battVoltage, battPercent, apRSSI,"
    f" sensorName {_WITHIN}"
)
_VALUES = (
    "SELECT sensorName, recordWrittenUTC, field, value FROM ECCValue"
    " WHERE sensorName = ? AND recordWrittenUTC >= ? AND recordWrittenUTC < ? ORDER BY field"
)
_FIELDS = _VALUES.replace("sensorName, recordWrittenUTC, field, value", "DISTINCT field")
_FIELD_AGGREGATES = (
    "SELECT substr(recordWrittenUTC, 1, 13), count(*), min(value), sum(value), max(value) FROM ECCValue"
    " WHERE sensorName = ? AND recordWrittenUTC >= ? AND recordWrittenUTC < ? AND field = ? GROUP BY 1"
)
_COUNT = f"SELECT count(*) {_WITHIN}"
AGGREGATES = f"SELECT substr(recordWrittenUTC, 1, 13), {rollups.AGGREGATE_SQL} {_WITHIN} GROUP BY 1"
# Readings since the rollup file was updated: few rows, found by their number, not by the index.
_LATER_AGGREGATES = (
    f"SELECT sensorName, substr(recordWrittenUTC, 1, 13), {rollups.AGGREGATE_SQL} FROM ECCTempHum NOT INDEXED"
    " WHERE rowid > ? AND recordWrittenUTC >= ? AND recordWrittenUTC < ? AND sensorName IN ({})"
    " GROUP BY 1, 2"
)
_MAX_NAMES = 500
"""Names in one query."""


class Row(NamedTuple):
    """One reading, corrected, in the table's order; `utc` as in `2020-12-19 03:04:05.678901`."""

    utc: str
    dew_point_f: float | None
    temperature_f: float | None
    humidity_percent: float | None
    battery_v: float | None
    battery_percent: float | None
    rssi_dbm: int | None
    sensor_name: str
    values: tuple[tuple[str, float], ...] = ()
    """Further numbers, each with the name of its field."""


class FieldBucket(NamedTuple):
    """What a further number of one sensor was in an hour or day."""

    start_us: int
    readings: int
    low: float
    mean: float
    high: float


class DataFile(NamedTuple):
    """A file with readings, and the times of its earliest and latest one."""

    path: Path
    first_utc: str
    last_utc: str


class History:
    """The readings of a live file and its archives. Nothing stays open between two calls.

    Sensors go by their present names, and all values are corrected.
    """

    def __init__(self, database: Path, corrections: Corrections = NO_CORRECTIONS) -> None:
        """Take the path of the live file, which need not exist yet, and what to correct."""
        self._database, self._corrections = database, corrections

    def files(self) -> list[DataFile]:
        """Return the files that contain readings, the one with the earliest first.

        Raises:
            StoreError: the live file can't be read. Unreadable archives are left out, see `unreadable`.

        """
        found = (
            DataFile(path, min(span.first_utc for span in spans), max(span.last_utc for span in spans))
            for path, spans in self._spans().items()
            if spans
        )
        return sorted(found, key=lambda file: file[1:])

    def unreadable(self) -> list[str]:
        """Return the reason for each archive that can't be read."""
        faults = []
        for path in database_files.archives(self._database):
            try:
                database_files.archive_spans(path)
            except StoreError as error:
                faults.append(str(error))
        return faults

    def sensors(self) -> list[str]:
        """Return the names of all sensors that have a reading, sorted.

        Raises:
            StoreError: the live file can't be read.

        """
        names = {span.sensor for spans in self._spans().values() for span in spans}
        return sorted({self._corrections.present_name(name) for name in names})

    def seen_us(self, start_us: int, end_us: int) -> dict[str, int]:
        """Return for each sensor with readings around a time for how long of it, in microseconds.

        That is from its first to its last reading in any file; there may be none in between.

        Raises:
            StoreError: the live file can't be read.

        """
        seen: dict[str, int] = {}
        for spans in self._spans().values():
            for span in spans:
                first_us, last_us = max(start_us, utc_us(span.first_utc)), min(end_us, utc_us(span.last_utc))
                if first_us <= last_us and first_us < end_us:
                    name = self._corrections.present_name(span.sensor)
                    seen[name] = seen.get(name, 0) + last_us - first_us
        return seen

    def readings(self, sensors: Sequence[str] | None, start_us: int, end_us: int) -> Iterator[Row]:
        """Yield the readings of some sensors (None: all) from `start_us` to before `end_us`, by time.

        Raises:
            StoreError: a file can't be read.

        """
        files = self.files()
        if not files:
            return
        start_us = max(start_us, utc_us(files[0].first_utc))
        end_us = min(end_us, utc_us(max(file.last_utc for file in files)) + 1)
        slice_us = _FIRST_SLICE_US
        while start_us < end_us:
            until_us = min(end_us, start_us + slice_us)
            rows = self._rows(sensors, start_us, until_us)
            yield from rows
            start_us = until_us
            if len(rows) < _FEW_ROWS:
                slice_us *= 2
            elif len(rows) > _MANY_ROWS:
                slice_us = max(1, slice_us // 2)

    def _rows(self, sensors: Sequence[str] | None, start_us: int, end_us: int) -> list[Row]:
        rows = self._query_each_file(_ROWS, sensors, start_us, end_us)
        values: dict[tuple[str, str], dict[str, float]] = {}
        for name, utc, field, value in self._query_each_file(_VALUES, sensors, start_us, end_us):
            values.setdefault((utc, name), {})[field] = value
        rows.sort(key=itemgetter(0, 7))
        found = [Row._make((*row, tuple(values.get((row[0], row[7]), {}).items()))) for row in rows]
        return [self._corrected(row) for row in found] if self._corrections else found

    def _corrected(self, row: Row) -> Row:
        one = self._corrections.offsets(row.sensor_name)
        return row._replace(
            dew_point_f=one.dew_point(row.dew_point_f),
            temperature_f=one.temperature(row.temperature_f),
            humidity_percent=one.humidity(row.humidity_percent),
            sensor_name=self._corrections.present_name(row.sensor_name),
            values=tuple((field, one.value(field, value)) for field, value in row.values),
        )

    def fields(self, sensors: Sequence[str] | None, start_us: int, end_us: int) -> list[str]:
        """Return the names of the further numbers in readings, sorted.

        Raises:
            StoreError: a file can't be read.

        """
        return sorted({row[0] for row in self._query_each_file(_FIELDS, sensors, start_us, end_us)})

    def count(self, start_us: int, end_us: int) -> int:
        """Return the number of readings from `start_us` to before `end_us`.

        Raises:
            StoreError: a file can't be read.

        """
        return sum(row[0] for row in self._query_each_file(_COUNT, None, start_us, end_us))

    def unreadable_rows(self) -> int:
        """Return the number of rows that are no readings: without a sensor's name or a valid time.

        Raises:
            StoreError: the live file can't be read.

        """
        count = 0
        for path in database_files.present(self._database):
            try:
                with closing(open_readonly(path)) as connection:
                    count += find_irregularity(connection, path).unreadable_rows
            except (StoreError, sqlite3.Error) as error:
                if path == self._database:
                    raise StoreError(str(error)) from None
        return count

    def rollups(self, sensor: str, start_us: int, end_us: int, step: Step) -> list[Bucket]:
        """Return one sensor's hours or days of UTC, from the one that contains `start_us` to before `end_us`.

        Hours and days without readings are left out.

        Raises:
            StoreError: a file can't be read.

        """
        return self.rollups_of([sensor], start_us, end_us, step)[sensor]

    def rollups_of(
        self, sensors: Sequence[str], start_us: int, end_us: int, step: Step
    ) -> dict[str, list[Bucket]]:
        """Return what `rollups` does for each of some sensors; each file is opened once.

        Raises:
            StoreError: a file can't be read.

        """
        step_us = STEP_US[step]
        start_us, end_us = start_us // step_us * step_us, -(-end_us // step_us) * step_us
        found = self._aggregates(sensors, start_us, end_us, step)
        return {sensor: self._buckets(sensor, found, step_us) for sensor in sensors}

    def _buckets(self, sensor: str, found: dict[str, dict[int, Aggregate]], step_us: int) -> list[Bucket]:
        aggregates = found.get(self._corrections.present_name(sensor), {})
        buckets = [rollups.bucket(start * step_us, aggregates[start]) for start in sorted(aggregates)]
        offsets = self._corrections.offsets(sensor)
        return [_corrected(one, offsets) for one in buckets] if any(offsets) else buckets

    def field_rollups(
        self, sensor: str, field: str, start_us: int, end_us: int, step: Step
    ) -> list[FieldBucket]:
        """Return a further number of one sensor by hours or days of UTC, as `rollups` does.

        These are added up from the rows each time.

        Raises:
            StoreError: a file can't be read.

        """
        step_us = STEP_US[step]
        per_step = step_us // STEP_US["hour"]
        start_us, end_us = start_us // step_us * step_us, -(-end_us // step_us) * step_us
        found: dict[int, tuple[int, float, float, float]] = {}
        for text, *values in self._query_each_file(_FIELD_AGGREGATES, [sensor], start_us, end_us, field):
            hour = rollups.hour_number(text)
            if hour is not None:
                count, low, total, high = found.get(hour // per_step, (0, inf, 0.0, -inf))
                more = values[0] + count, min(values[1], low), values[2] + total, max(values[3], high)
                found[hour // per_step] = more
        shown = partial(self._corrections.offsets(sensor).value, field)
        return [
            FieldBucket(start * step_us, count, shown(low), shown(total / count), shown(high))
            for start, (count, low, total, high) in sorted(found.items())
        ]

    def _aggregates(
        self, sensors: Sequence[str], start_us: int, end_us: int, step: Step
    ) -> dict[str, dict[int, Aggregate]]:
        """Return the aggregates of each sensor by its present name."""
        try:
            with closing(RollupFile(self._database)) as rollup_file:
                return self._aggregates_of_files(sensors, start_us, end_us, step, rollup_file)
        except RollupFileError:
            return self._aggregates_of_files(sensors, start_us, end_us, step, None)

    def _aggregates_of_files(
        self, sensors: Sequence[str], start_us: int, end_us: int, step: Step, rollup_file: RollupFile | None
    ) -> dict[str, dict[int, Aggregate]]:
        per_step = STEP_US[step] // STEP_US["hour"]
        within = _bound(start_us), _bound(end_us)
        present_name = self._corrections.present_name

        def read() -> dict[str, dict[int, Aggregate]]:
            found: dict[str, dict[int, Aggregate]] = {}
            for path, group in groupby(self._stored_names(sensors, *within), itemgetter(0)):
                names = [name for _, name in group]
                with closing(connect_readonly(path)) as connection:
                    source = rollup_file.source(connection) if rollup_file else None
                    if rollup_file and source:
                        for name in names:
                            sums = found.setdefault(present_name(name), {})
                            added = rollup_file.aggregates(name, source, start_us, end_us, step)
                            for start, *aggregate in added:
                                rollups.add(sums, start, tuple(aggregate))
                    for name, text, *aggregate in _not_added(connection, source, names, within):
                        hour = rollups.hour_number(text)
                        if hour is not None:
                            sums = found.setdefault(present_name(name), {})
                            rollups.add(sums, hour // per_step, tuple(aggregate))
            return found

        return database_files.steadily(self._database, read)

    def _query_each_file(
        self, query: str, sensors: Sequence[str] | None, start_us: int, end_us: int, *more: str
    ) -> list[tuple[Any, ...]]:
        """Run a query in each file for each sensor that has readings in the time range.

        The query takes the sensor's name, start, end and `more`.
        """
        start, end = _bound(start_us), _bound(end_us)

        def read() -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = []
            for path, found in groupby(self._stored_names(sensors, start, end), itemgetter(0)):
                with closing(connect_readonly(path)) as connection:
                    for _, name in found:
                        rows += connection.execute(query, (name, start, end, *more))
            return rows

        return database_files.steadily(self._database, read)

    def _stored_names(
        self, sensors: Sequence[str] | None, start: str, end: str
    ) -> Iterator[tuple[Path, str]]:
        """Yield each file and name in it under which some sensors (None: all) have readings in a range."""
        present_name = self._corrections.present_name
        wanted = None if sensors is None else {present_name(name) for name in sensors}
        for path, spans in database_files.spans(self._database).items():
            for span in spans:
                is_wanted = wanted is None or present_name(span.sensor) in wanted
                if is_wanted and span.last_utc >= start and span.first_utc < end:
                    yield path, span.sensor

    def _spans(self) -> dict[Path, list[Span]]:
        return database_files.steadily(self._database, lambda: database_files.spans(self._database))


def _corrected(bucket: Bucket, offsets: Offsets) -> Bucket:
    start_us, count, *values = bucket
    how = (offsets.temperature, offsets.humidity, offsets.dew_point)
    return Bucket(start_us, count, *(how[at // 3](value) for at, value in enumerate(values)))


def _not_added(
    connection: sqlite3.Connection, source: Source | None, names: Sequence[str], within: tuple[str, str]
) -> Iterator[tuple[Any, ...]]:
    """Yield (name, hour, *aggregate) of the rows of some sensors that are not in the rollup file."""
    if source is None:
        for name in names:
            for row in connection.execute(AGGREGATES, (name, *within)):
                yield name, *row
        return
    for first in range(0, len(names), _MAX_NAMES):
        some = names[first : first + _MAX_NAMES]
        query = _LATER_AGGREGATES.format(", ".join("?" * len(some)))
        yield from connection.execute(query, (source.done_rowid, *within, *some))


def _bound(time_us: int) -> str:
    """Return a bound as text, without a fraction of zero, as the original wrote it."""
    return utc_text(time_us).removesuffix(".000000")


def open_history(settings: "Settings", corrections: Corrections = NO_CORRECTIONS) -> History:
    """Return the history of the database that the settings name: PostgreSQL, or the file."""
    if settings.database_url is not None:
        from ecc_listener.history.postgres import PostgresHistory  # noqa: PLC0415 - who has no server

        return PostgresHistory(settings.database_url.get_secret_value(), corrections)
    return History(settings.database_file_path, corrections)
