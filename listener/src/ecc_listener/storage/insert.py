"""Readings become rows of the original's two tables, each under a key of its own.

A sensor's newest time and what it said about itself are remembered, so that a reading costs no query.
"""

import sqlite3
from pathlib import Path

from ecc_listener.readings.build import dew_point_f
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import utc_text
from ecc_listener.storage.database_files import is_archived
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.schema import COLUMNS, NUMBERS, SENSOR_COLUMNS
from ecc_listener.storage.statements import add_numbers

_MAX_KNOWN_SENSORS = 10_000
_INSERT = f"INSERT INTO main.ECCTempHum ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_VALUE = "INSERT OR REPLACE INTO main.ECCValue VALUES (?, ?, ?, ?)"
JOIN_US = 10_000_000
"""Parts of a reading that come within this time are one row: a device sends them one after the other."""
_KEY = "sensorName = ? AND recordWrittenUTC = ?"
_WITHOUT_DEW_POINT = (
    f"SELECT temperatureF, relHumidityPercent FROM main.ECCTempHum WHERE {_KEY}"
    " AND dewPointF IS NULL AND temperatureF IS NOT NULL AND relHumidityPercent > 0"
)

_About = tuple[str | None, ...]
"""Location, MAC and software version."""

_Sensor = tuple[str, _About, _About, str]
"""A sensor's newest row's time in this file; what this file says about it, () at first; what is known about
it, also from earlier files; its newest row's time in those."""

_NOTHING: _About = (None, None, None)


class Rows:
    """Inserts readings into one live file."""

    def __init__(self, database: Path) -> None:
        """Insert into `database`; keys in its archives are not used again."""
        self._database = database
        self._sensors: dict[str, _Sensor] = {}

    def forget(self) -> None:
        """Know nothing any more: the file may be another one."""
        self._sensors.clear()

    def remember(self, sensors: dict[str, _Sensor]) -> None:
        """Take what `insert` gave for true: its transaction is on the disk."""
        # Names come from the network: who invents them must not fill the memory.
        if len(self._sensors) > _MAX_KNOWN_SENSORS:
            self._sensors.clear()
        self._sensors.update(sensors)

    def insert(self, connection: sqlite3.Connection, arrivals: list[Arrival]) -> dict[str, _Sensor]:
        """Insert readings in their order; return what is then known of their sensors."""
        sensors: dict[str, _Sensor] = {}
        rows: list[tuple[object, ...]] = []
        values: list[tuple[object, ...]] = []
        for arrived_us, reading in arrivals:
            name = reading.sensor_name
            known = sensors.get(name) or self._sensors.get(name) or _look_up(connection, name)
            last_utc, noted, about, archived_utc = known
            if reading.is_part:
                _insert_rows(connection, rows)
                rows.clear()
                if (not last_utc and not archived_utc and not reading.is_of_a_room) or _join(
                    connection, last_utc, arrived_us, reading
                ):
                    continue
            utc = utc_text(arrived_us)
            if utc <= last_utc or utc <= archived_utc:
                # The clock repeats or steps back: take the first microsecond from there on that is free.
                _insert_rows(connection, rows)
                rows.clear()
                utc = self._free_utc(connection, name, arrived_us, archived_utc)
            said: _About = reading[7:10]
            if said != noted:
                # What a message doesn't say (older firmware) has not changed.
                about = tuple(old if new is None else new for new, old in zip(said, about, strict=True))
                if about != (noted or _NOTHING):
                    _insert_about(connection, name, arrived_us, about)
                noted = about
            rows.append((utc, *reading[:7]))
            if reading.values:
                values += [(utc, name, *one) for one in reading.values]
            sensors[name] = (max(last_utc, utc), noted, about, archived_utc)
        _insert_rows(connection, rows)
        connection.executemany(_INSERT_VALUE, values)
        return sensors

    def _free_utc(self, connection: sqlite3.Connection, name: str, time_us: int, archived_utc: str) -> str:
        utc = utc_text(time_us)
        while _is_taken(connection, "ECCTempHum", name, utc) or (
            utc <= archived_utc and is_archived(self._database, name, utc)
        ):
            time_us += 1
            utc = utc_text(time_us)
        return utc


def _join(connection: sqlite3.Connection, last_utc: str, arrived_us: int, part: Reading) -> bool:
    """Add a part of a reading to the sensor's newest row, if that is recent and lacks it; return whether."""
    if not utc_text(arrived_us - JOIN_US) <= last_utc <= utc_text(arrived_us + JOIN_US):
        return False
    key = part.sensor_name, last_utc
    fields = [field for field, _ in part.values]
    taken = f"SELECT 1 FROM main.ECCValue WHERE {_KEY} AND field IN ({', '.join('?' * len(fields))})"
    if fields and connection.execute(taken, (*key, *fields)).fetchone():
        return False
    numbers = {name: one for name, one in zip(NUMBERS, part[:6], strict=True) if one is not None}
    if not add_numbers(connection, "main.ECCTempHum", _KEY, key, numbers):
        return False
    connection.executemany(_INSERT_VALUE, [(last_utc, part.sensor_name, *one) for one in part.values])
    row = connection.execute(_WITHOUT_DEW_POINT, key).fetchone()
    if row:
        connection.execute(
            f"UPDATE main.ECCTempHum SET dewPointF = ? WHERE {_KEY}", (dew_point_f(*row), *key)
        )
    return True


def _insert_rows(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    connection.executemany(_INSERT, rows)


def _insert_about(connection: sqlite3.Connection, name: str, since_us: int, about: _About) -> None:
    while _is_taken(connection, "ECCTempHumSensor", name, utc_text(since_us)):
        since_us += 1
    connection.execute(
        f"INSERT INTO main.ECCTempHumSensor ({', '.join(SENSOR_COLUMNS)}) VALUES (?, ?, ?, ?, ?)",
        (utc_text(since_us), name, *about),
    )


def _is_taken(connection: sqlite3.Connection, table: str, name: str, utc: str) -> bool:
    query = f"SELECT 1 FROM main.{table} WHERE sensorName = ? AND recordWrittenUTC = ?"
    return connection.execute(query, (name, utc)).fetchone() is not None


def _look_up(connection: sqlite3.Connection, name: str) -> _Sensor:
    query = "SELECT max(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = ?"
    last = connection.execute(query, (name,)).fetchone()[0]
    last_utc = last if isinstance(last, str) else ""  # A damaged file may hold anything.
    what = "SELECT location, MACaddress, softwareVersion"
    noted = connection.execute(
        f"{what} FROM ECCTempHumSensor WHERE sensorName = ? ORDER BY rowid DESC LIMIT 1", (name,)
    ).fetchone()
    before = connection.execute(
        f"{what}, recordWrittenUTC FROM ECCKnownSensor WHERE sensorName = ?", (name,)
    ).fetchone() or (*_NOTHING, "")
    return last_utc, noted or (), noted or before[:3], before[3]
