"""Copy readings of a SQLite file into PostgreSQL, month by month, again and again without doubling.

A month is one transaction. What is there already stays as it is. A reading whose key is taken by a different
one gets the next microsecond that is free, and the same one when the import is repeated.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isclose
from typing import Any, NamedTuple

from ecc_listener.storage.connection import utc_text, utc_us
from ecc_listener.storage.postgres.connection import Connection, storable
from ecc_listener.storage.postgres.schema import Month, create_partitions
from ecc_listener.storage.quarantine import Rejected

_NUMBERS = ("dew_point_f", "temperature_f", "humidity_percent", "battery_v", "battery_percent", "rssi_dbm")
_COLUMNS = f"sensor_id, time, {', '.join(_NUMBERS)}"
_STAGE = """
    CREATE TEMPORARY TABLE staged (
        sensor_id integer, time timestamptz, dew_point_f double precision, temperature_f double precision,
        humidity_percent double precision, battery_v double precision, battery_percent double precision,
        rssi_dbm integer) ON COMMIT DROP;
    CREATE TEMPORARY TABLE staged_value (
        sensor_id integer, time timestamptz, field text, value double precision) ON COMMIT DROP;
"""
_INSERT = (
    f"INSERT INTO reading ({_COLUMNS}) SELECT DISTINCT ON (sensor_id, time) {_COLUMNS} FROM staged"
    " ON CONFLICT DO NOTHING"
)
_INSERT_VALUES = (
    "INSERT INTO reading_value (sensor_id, time, field, value)"
    " SELECT DISTINCT ON (sensor_id, time, field) sensor_id, time, field, value FROM staged_value"
    " ON CONFLICT DO NOTHING"
)
_SAME = " AND ".join(f"there.{name} IS NOT DISTINCT FROM staged.{name}" for name in _NUMBERS)
_TAKEN = (
    f"SELECT staged.ctid::text, {', '.join(f'staged.{name}' for name in ('sensor_id', 'time', *_NUMBERS))}"
    f" FROM staged JOIN reading AS there USING (sensor_id, time) WHERE NOT ({_SAME})"
)
_COMPLETE = (
    f"UPDATE reading AS there SET {', '.join(f'{name} = staged.{name}' for name in _NUMBERS)} FROM staged"
    f" WHERE there.sensor_id = staged.sensor_id AND there.time = staged.time AND NOT ({_SAME}) AND "
    + " AND ".join(f"(there.{name} IS NULL OR there.{name} = staged.{name})" for name in _NUMBERS)
)
"""A reading that came in parts may have been copied before the last of them."""
_PROOF = (
    "SELECT staged.sensor_id, count(*), coalesce(sum(there.temperature_f), 0),"
    " coalesce(sum(there.humidity_percent), 0)"
    " FROM staged JOIN reading AS there ON there.sensor_id = staged.sensor_id AND there.time = staged.time"
    f" AND {_SAME} GROUP BY 1"
)
_FIRST_NUMBER = -(4 * 10**18)
"""Reports that are imported get smaller numbers than those that a listener writes: they are older."""


class Reading(NamedTuple):
    """One reading of the file: its time as the tables' text."""

    utc: str
    numbers: tuple[Any, ...]
    sensor_name: str
    values: tuple[tuple[str, float], ...]


class Sums(NamedTuple):
    """The number of a sensor's readings in a month, and the sums of two of its quantities."""

    readings: int
    temperature_f: float
    humidity_percent: float

    def equals(self, other: "Sums") -> bool:
        """Return whether they are equal, apart from the order in which they were added up."""
        close = [isclose(one, two, rel_tol=1e-9, abs_tol=1e-6) for one, two in zip(self, other, strict=True)]
        return self.readings == other.readings and all(close)


NOTHING = Sums(0, 0.0, 0.0)


class Imported(NamedTuple):
    """What became of a month: the sums of each sensor in the file and in PostgreSQL, and what was new."""

    source: dict[str, Sums]
    target: dict[str, Sums]
    new: int

    @property
    def missing(self) -> list[str]:
        """The sensors whose readings are not all there."""
        return [name for name, sums in self.source.items() if not sums.equals(self.target.get(name, NOTHING))]


def import_month(
    connection: Connection, month: Month, rows: Iterable[Reading], ids: Mapping[str, int]
) -> Imported:
    """Copy the readings of a month, which may be copied already, and compare them.

    `ids` has the numbers of their sensors, from `create_sensors`.
    """
    create_partitions(connection, month)
    with connection.psycopg.transaction():
        connection.psycopg.execute(_STAGE)
        source = _stage(connection, rows, ids)
        new = connection.execute(_INSERT).rowcount
        connection.execute(_COMPLETE)
        for place, number, utc, *numbers in connection.execute(_TAKEN).fetchall():
            new += _insert_beside(connection, place, number, utc, numbers)
        connection.execute(_INSERT_VALUES)
        names = {number: name for name, number in ids.items()}
        target = {names[number]: Sums(*sums) for number, *sums in connection.execute(_PROOF)}
    return Imported(source, target, new)


def create_sensors(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Create the sensors that aren't there; return the number of each."""
    storable_names = sorted({str(storable(name)) for name in names})
    connection.execute(
        "INSERT INTO sensor (name) SELECT unnest(?::text[]) ON CONFLICT DO NOTHING", (storable_names,)
    )
    found = dict(connection.execute("SELECT name, id FROM sensor").fetchall())
    return {name: found[storable(name)] for name in names}


def _stage(connection: Connection, rows: Iterable[Reading], ids: Mapping[str, int]) -> dict[str, Sums]:
    """Copy readings into the table from which they are inserted; return their sums."""
    source: dict[str, Sums] = {}
    values: list[tuple[object, ...]] = []
    with connection.psycopg.cursor() as cursor, cursor.copy(f"COPY staged ({_COLUMNS}) FROM STDIN") as copy:
        for utc, stored, name, more in rows:
            number = ids.get(name)
            if number is None:
                continue  # It has sent for the first time since the import began; the next one takes it.
            numbers = _numbers(stored)
            copy.write_row((number, utc, *numbers))
            values += [(number, utc, field, value) for field, value in more]
            before = source.get(name, NOTHING)
            source[name] = Sums(
                before.readings + 1,
                before.temperature_f + (numbers[1] or 0.0),
                before.humidity_percent + (numbers[2] or 0.0),
            )
    with connection.psycopg.cursor() as cursor, cursor.copy("COPY staged_value FROM STDIN") as copy:
        for value in values:
            copy.write_row([storable(one) for one in value])
    return source


def _numbers(numbers: Sequence[Any]) -> list[Any]:
    """Return what are numbers: the original stored whatever text a sensor sent."""
    found = [one if isinstance(one, int | float) else None for one in numbers]
    if found[5] is not None:
        found[5] = round(found[5])
    return found


def _insert_beside(connection: Connection, place: str, number: int, utc: str, numbers: Sequence[Any]) -> int:
    """Insert a reading whose key a different one has, unless it was; return whether it is new."""
    time_us = utc_us(utc)
    marks = ", ".join("?" * len(numbers))
    while True:
        time_us += 1
        later = utc_text(time_us)
        there = connection.execute(
            f"SELECT {', '.join(_NUMBERS)} FROM reading WHERE sensor_id = ? AND time = ?", (number, later)
        ).fetchone()
        if there is None or list(there) == list(numbers):
            break
    connection.execute("UPDATE staged SET time = ? WHERE ctid = ?::tid", (later, place))
    connection.execute(
        "UPDATE staged_value SET time = ? WHERE sensor_id = ? AND time = ?", (later, number, utc)
    )
    if there is not None:
        return 0
    connection.execute(f"INSERT INTO reading ({_COLUMNS}) VALUES (?, ?, {marks})", (number, later, *numbers))
    return 1


def import_reports(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Copy what sensors said about themselves: (time, name, location, MAC address, version)."""
    with connection.psycopg.transaction():
        for utc, name, *about in rows:
            connection.execute(
                "INSERT INTO sensor_report (number, sensor_id, time, location, mac_address, software_version)"
                " OVERRIDING SYSTEM VALUE"
                " SELECT ?::bigint, id, ?::timestamptz, ?::text, ?::text, ?::text FROM sensor WHERE name = ?"
                " ON CONFLICT DO NOTHING",
                (_FIRST_NUMBER + utc_us(utc), utc, *about, name),
            )


def import_rejected(connection: Connection, rows: Iterable[Rejected]) -> None:
    """Copy rejected messages that are not there yet."""
    with connection.psycopg.transaction():
        for arrived_us, *message in rows:
            connection.execute(
                "INSERT INTO rejected (received, topic, payload, reason)"
                " SELECT ?::timestamptz, ?::text, ?::bytea, ?::text WHERE NOT EXISTS ("
                "SELECT 1 FROM rejected WHERE received = ?::timestamptz AND topic = ? AND payload = ?)",
                (utc := utc_text(arrived_us), *message, utc, *message[:2]),
            )
