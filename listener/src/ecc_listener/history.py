"""What was measured, over the live file and its archives: one call for "sensor X from A to B".

Archives lie beside the live file as `{name}-{created}-{modified}{ext}`; those of the original, copied in, are
as good as this program's. Files are opened for a slice of time each and closed again, so that a long reading
keeps no archive from happening, and one that happens meanwhile takes nothing away.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from ecc_listener.sqlite import StoreError, connect_readonly, explain, utc_text, utc_us

Found = TypeVar("Found")

_DAY_US = 24 * 3600 * 1_000_000
_FIRST_SLICE_US = 7 * _DAY_US
_FEW_ROWS, _MANY_ROWS = 10_000, 40_000
_TRIES = 10

_WITHIN = "FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC >= ? AND recordWrittenUTC < ?"
_ROWS = (
    "SELECT recordWrittenUTC, dewPointF, temperatureF, relHumidityPercent, battVoltage, battPercent, apRSSI,"
    f" sensorName {_WITHIN}"
)
_COUNT = f"SELECT count(*) {_WITHIN}"
# Going from one name to the next in the index reads no row twice.
_SENSORS = """
    WITH RECURSIVE sensor(name) AS (
        SELECT min(sensorName) FROM ECCTempHum
        UNION ALL
        SELECT (SELECT min(sensorName) FROM ECCTempHum WHERE sensorName > name) FROM sensor
        WHERE name IS NOT NULL)
    SELECT name, (SELECT min(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = name),
           (SELECT max(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = name)
    FROM sensor WHERE name IS NOT NULL
"""


class Row(NamedTuple):
    """One reading as it is stored, in the table's order; `utc` as in `2020-12-19 03:04:05.678901`."""

    utc: str
    dew_point_f: float
    temperature_f: float
    humidity_percent: float
    battery_v: float
    battery_percent: float
    rssi_dbm: int
    sensor_name: str


class Bucket(NamedTuple):
    """What one sensor measured within an hour or a day of UTC that begins at `start_us`."""

    start_us: int
    count: int  # type: ignore[assignment] # hides a method of tuple that nobody needs here
    temperature_min_f: float
    temperature_mean_f: float
    temperature_max_f: float
    humidity_min_percent: float
    humidity_mean_percent: float
    humidity_max_percent: float
    dew_point_min_f: float
    dew_point_mean_f: float
    dew_point_max_f: float


class DataFile(NamedTuple):
    """A file with readings, and the times of its earliest and latest one."""

    path: Path
    first_utc: str
    last_utc: str


_Span = tuple[str, str, str]
"""A sensor's name in one file, and the times of its earliest and latest reading there."""


class History:
    """The readings of a live file and its archives. Nothing stays open between two calls."""

    def __init__(self, database: Path) -> None:
        """Read what belongs to the live file `database`, which need not exist yet."""
        self._database = database

    def files(self) -> list[DataFile]:
        """Give the files that hold readings, the one with the earliest first.

        Raises:
            StoreError: the live file can't be read. An archive that can't is left out, see `unreadable`.

        """
        spans = self._steadily(self._spans)
        found = (
            DataFile(path, min(first for _, first, _ in sensors), max(last for _, _, last in sensors))
            for path, sensors in spans.items()
            if sensors
        )
        return sorted(found, key=lambda file: file[1:])

    def unreadable(self) -> list[str]:
        """Say of each archive that can't be read why not."""
        faults = []
        for path in archives(self._database):
            try:
                _archive_spans(path)
            except StoreError as error:
                faults.append(str(error))
        return faults

    def sensors(self) -> list[str]:
        """Name every sensor that has a reading.

        Raises:
            StoreError: the live file can't be read.

        """
        return sorted({name for spans in self._steadily(self._spans).values() for name, _, _ in spans})

    def readings(self, sensors: Sequence[str] | None, start_us: int, end_us: int) -> Iterator[Row]:
        """Give the readings of some sensors (None: all) from `start_us` on, before `end_us`, in time order.

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
            rows = self._slice(sensors, _bound(start_us), _bound(until_us))
            yield from rows
            start_us = until_us
            if len(rows) < _FEW_ROWS:
                slice_us *= 2
            elif len(rows) > _MANY_ROWS:
                slice_us = max(1, slice_us // 2)

    def count(self, start_us: int, end_us: int) -> int:
        """Count the readings from `start_us` on, before `end_us`.

        Raises:
            StoreError: a file can't be read.

        """
        found = self._in_each(_COUNT, None, _bound(start_us), _bound(end_us))
        return sum(row[0] for row in found)

    def summary(self, sensor: str, start_us: int, end_us: int, step: Literal["hour", "day"]) -> list[Bucket]:
        """Give one sensor's hours or days from `start_us` on, before `end_us`; empty ones are left out.

        Raises:
            StoreError: a file can't be read.

        """
        days: dict[str, list[Row]] = {}
        for row in self.readings([sensor], start_us, end_us):
            days.setdefault(row.utc[: 13 if step == "hour" else 10], []).append(row)
        return [_bucket(start if step == "day" else f"{start}:00", rows) for start, rows in days.items()]

    def _slice(self, sensors: Sequence[str] | None, start: str, end: str) -> list[Row]:
        return sorted(map(Row._make, self._in_each(_ROWS, sensors, start, end)))

    def _in_each(
        self, query: str, sensors: Sequence[str] | None, start: str, end: str
    ) -> list[tuple[Any, ...]]:
        """Ask each file about each sensor that has readings in the span."""

        def read() -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = []
            for path, spans in self._spans().items():
                names = [
                    name
                    for name, first, last in spans
                    if last >= start and first < end and (sensors is None or name in sensors)
                ]
                if names:
                    with closing(connect_readonly(path)) as connection:
                        for name in names:
                            rows += connection.execute(query, (name, start, end))
            return rows

        return self._steadily(read)

    def _spans(self) -> dict[Path, list[_Span]]:
        spans = {}
        for path in self._paths():
            if path == self._database:
                spans[path] = _read_spans(path)
            else:
                try:
                    spans[path] = _archive_spans(path)
                except StoreError:
                    continue
        return spans

    def _paths(self) -> dict[Path, tuple[int, int]]:
        """Give the live file, if there is one, and the archives, with what identifies each as a file.

        While an archive is made, one file bears both names for a moment.
        """
        found: dict[Path, tuple[int, int]] = {}
        for path in (self._database, *archives(self._database)):
            try:
                status = path.stat()
            except OSError:
                continue
            identity = status.st_dev, status.st_ino
            if identity not in found.values():
                found[path] = identity
        return found

    def _steadily(self, read: Callable[[], Found]) -> Found:
        """Read again if an archive was made meanwhile: what moved could be missed or met twice.

        Raises:
            StoreError: a file can't be read, or no moment without a change was found.

        """
        for _ in range(_TRIES):
            before = self._paths()
            try:
                found = read()
            except (StoreError, sqlite3.Error) as error:
                if self._paths() != before:
                    continue
                if isinstance(error, StoreError):
                    raise
                raise StoreError(explain(error, self._database)) from None
            if self._paths() == before:
                return found
        raise StoreError(f"{self._database} and its archives keep changing; try again")


def archives(database: Path) -> list[Path]:
    """Give what lies beside a live file and is named as one of its archives, in the order of the names."""
    name = re.compile(re.escape(database.stem) + r"-\d{12}-\d{12}(-\d+)?" + re.escape(database.suffix))
    try:
        return sorted(path for path in database.parent.iterdir() if name.fullmatch(path.name))
    except OSError:
        return []


def is_archived(database: Path, sensor: str, utc: str) -> bool:
    """Say whether one of a live file's archives has a reading under just this key."""
    for path in archives(database):
        try:
            if any(name == sensor and first <= utc <= last for name, first, last in _archive_spans(path)):
                with closing(connect_readonly(path)) as connection:
                    query = "SELECT 1 FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC = ?"
                    if connection.execute(query, (sensor, utc)).fetchone():
                        return True
        except (StoreError, sqlite3.Error):
            continue
    return False


def _read_spans(path: Path) -> list[_Span]:
    with closing(connect_readonly(path)) as connection:
        try:
            return connection.execute(_SENSORS).fetchall()
        except sqlite3.Error as error:
            raise StoreError(explain(error, path)) from None


def _archive_spans(path: Path) -> list[_Span]:
    try:
        status = path.stat()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return _remembered_spans(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _remembered_spans(path: Path, _inode: int, _size: int, _modified_ns: int) -> list[_Span]:
    """Read an archive's spans once: an archive changes no more."""
    return _read_spans(path)


def _bound(time_us: int) -> str:
    """Give a limit as the tables' text; without a fraction of zero, which the original left out."""
    return utc_text(time_us).removesuffix(".000000")


def _bucket(start: str, rows: Sequence[Row]) -> Bucket:
    figures: list[float] = []
    for place in (2, 3, 1):
        values = [row[place] for row in rows]
        figures += min(values), sum(values) / len(values), max(values)  # type: ignore[arg-type]
    return Bucket(utc_us(start), len(rows), *figures)
