"""Readings become rows of PostgreSQL's tables, each under a key of its own.

What is known about sensors is remembered, so that a burst is one COPY. Other listeners write as well: a key
that one of them has taken shows in an error, and then the burst is inserted row by row.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ecc_listener.readings.build import dew_point_f
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import utc_text, utc_us
from ecc_listener.storage.insert import JOIN_US
from ecc_listener.storage.postgres.connection import Connection, storable
from ecc_listener.storage.postgres.schema import Month, create_partitions, month_of
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.statements import add_numbers

_MAX_KNOWN_SENSORS = 100_000
_NUMBERS = ("dew_point_f", "temperature_f", "humidity_percent", "battery_v", "battery_percent", "rssi_dbm")
_COLUMNS = f"sensor_id, time, {', '.join(_NUMBERS)}"
_KEY = "sensor_id = ? AND time = ?"
_VALUE = "INSERT INTO reading_value VALUES (?, ?, ?, ?) ON CONFLICT (sensor_id, time, field)"
_NEWEST_REPORT = (
    "SELECT location, mac_address, software_version FROM sensor_report WHERE sensor_id = {}"
    " ORDER BY number DESC LIMIT 1"
)

About = tuple[str | None, ...]
"""Location, MAC address and software version."""
_NOTHING: About = (None, None, None)


class Sensor(NamedTuple):
    """What is known about a sensor."""

    number: int
    last_us: int
    """The newest time of a row that this process has inserted."""
    said: About
    """What it said about itself last."""
    about: About
    """What is known about it: what it has said at some time."""
    is_new: bool
    """Whether it has no row yet."""


class Row(NamedTuple):
    """A row that waits to be inserted."""

    sensor: str
    sensor_id: int
    time_us: int
    numbers: tuple[float | None, ...]
    values: tuple[tuple[str, float], ...]


class Rows:
    """Inserts readings, and remembers what is known about their sensors."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._sensors: dict[str, Sensor] = {}
        self._months: set[Month] = set()

    def forget(self) -> None:
        """Know nothing any more: the server may be another one."""
        self._sensors.clear()
        self._months.clear()

    def remember(self, sensors: dict[str, Sensor]) -> None:
        """Take what `insert` returned for true: its transaction is committed."""
        # Names come from the network: who invents them must not fill the memory.
        if len(self._sensors) > _MAX_KNOWN_SENSORS:
            self._sensors.clear()
        self._sensors.update(sensors)

    def create_partitions(self, connection: Connection, arrivals: Iterable[Arrival]) -> None:
        """Create the partitions for these readings; outside of their transaction, so that they stay."""
        for month in {month_of(one.arrived_us) for one in arrivals} - self._months:
            create_partitions(connection, month)
            self._months.add(month)

    def insert(
        self, connection: Connection, arrivals: list[Arrival], *, one_by_one: bool = False
    ) -> dict[str, Sensor]:
        """Insert readings in their order; return what is then known of their sensors.

        Raises:
            UniqueViolation: another listener has taken a key; begin a new transaction, `one_by_one`.

        """
        return _Insertion(connection, self._known(connection, arrivals), one_by_one=one_by_one).run(arrivals)

    def _known(self, connection: Connection, arrivals: list[Arrival]) -> dict[str, Sensor]:
        """Return the sensors of these readings; create those that are new."""
        names = {one.reading.sensor_name for one in arrivals}
        known = {name: self._sensors[name] for name in names if name in self._sensors}
        if not (unknown := names - known.keys()):
            return known
        known |= _look_up(connection, unknown)
        # What a device knows about itself alone does not make it a sensor.
        rooms = {one.reading.sensor_name for one in arrivals if _makes_a_sensor(one.reading)}
        if new := sorted(rooms - known.keys()):
            rows = connection.execute(
                "INSERT INTO sensor (name) SELECT unnest(?::text[])"
                " ON CONFLICT DO NOTHING RETURNING name, id",
                (new,),
            )
            known |= {name: Sensor(number, 0, (), _NOTHING, is_new=True) for name, number in rows}
            # Another listener may have created one in the same moment.
            known |= _look_up(connection, set(new) - known.keys())
        return known


def _makes_a_sensor(reading: Reading) -> bool:
    return reading.is_of_a_room or not reading.is_part


def _look_up(connection: Connection, names: set[str]) -> dict[str, Sensor]:
    if not names:
        return {}
    rows = connection.execute(
        "SELECT name, id, location, mac_address, software_version FROM sensor"
        f" LEFT JOIN LATERAL ({_NEWEST_REPORT.format('sensor.id')}) AS report ON true"
        " WHERE name = ANY(?::text[])",
        (sorted(names),),
    )
    return {
        name: Sensor(number, 0, about, about, is_new=False)
        for name, number, *rest in rows
        for about in [tuple(rest)]
    }


class _Insertion:
    """The readings of one transaction."""

    def __init__(self, connection: Connection, sensors: dict[str, Sensor], *, one_by_one: bool) -> None:
        self._connection = connection
        self._sensors = sensors
        self._one_by_one = one_by_one
        self._rows: list[Row] = []
        self._reports: list[tuple[object, ...]] = []
        self._report_times: set[tuple[int, int]] = set()

    def run(self, arrivals: list[Arrival]) -> dict[str, Sensor]:
        for arrived_us, reading in arrivals:
            sensor = self._sensors.get(reading.sensor_name)
            if sensor is not None and not (reading.is_part and self._is_done(sensor, arrived_us, reading)):
                self._add(sensor, arrived_us, reading)
        self._flush()
        self._connection.executemany(
            "INSERT INTO sensor_report (sensor_id, time, location, mac_address, software_version)"
            " VALUES (?, ?, ?, ?, ?)",
            self._reports,
        )
        return {name: one._replace(is_new=False) for name, one in self._sensors.items()}

    def _is_done(self, sensor: Sensor, arrived_us: int, part: Reading) -> bool:
        """Return whether a part needs no row: it was joined to the newest one, or is of no room."""
        self._flush()
        if sensor.is_new:
            return not part.is_of_a_room
        # Another listener may join a part to the same row.
        self._connection.execute("SELECT 1 FROM sensor WHERE id = ? FOR UPDATE", (sensor.number,))
        return _join(self._connection, sensor.number, arrived_us, part)

    def _add(self, sensor: Sensor, arrived_us: int, reading: Reading) -> None:
        time_us = arrived_us
        if time_us <= sensor.last_us:
            # The clock repeats or steps back: take the first microsecond from there on that is free.
            self._flush()
            while self._is_taken("reading", sensor.number, time_us):
                time_us += 1
        said: About = reading[7:10]
        about = sensor.about
        if said != sensor.said:
            # What a message doesn't say (older firmware) has not changed.
            about = tuple(old if new is None else new for new, old in zip(said, about, strict=True))
            if about != sensor.about:
                about = self._report(sensor, arrived_us, said)
        name = reading.sensor_name
        self._rows.append(Row(name, sensor.number, time_us, reading[:6], reading.values))
        last_us = max(sensor.last_us, time_us)
        self._sensors[name] = Sensor(sensor.number, last_us, said, about, is_new=False)

    def _report(self, sensor: Sensor, arrived_us: int, said: About) -> About:
        """Add what a sensor says about itself, unless another listener has; return what is known about it."""
        number, newest = sensor.number, sensor.about
        if not sensor.is_new and not any(key[0] == number for key in self._report_times):
            self._connection.execute("SELECT 1 FROM sensor WHERE id = ? FOR UPDATE", (number,))
            row = self._connection.execute(_NEWEST_REPORT.format("?"), (number,)).fetchone()
            newest = row or _NOTHING
        about = tuple(old if new is None else new for new, old in zip(said, newest, strict=True))
        if about == newest:
            return about
        time_us = arrived_us
        while (number, time_us) in self._report_times or (
            not sensor.is_new and self._is_taken("sensor_report", number, time_us)
        ):
            time_us += 1
        self._report_times.add((number, time_us))
        self._reports.append((number, utc_text(time_us), *about))
        return about

    def _is_taken(self, table: str, number: int, time_us: int) -> bool:
        query = f"SELECT 1 FROM {table} WHERE {_KEY}"
        return self._connection.execute(query, (number, utc_text(time_us))).fetchone() is not None

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if self._one_by_one:
            rows = [self._insert_one(row) for row in rows]
        elif rows:
            _copy(
                self._connection,
                f"COPY reading ({_COLUMNS}) FROM STDIN",
                ((row.sensor_id, utc_text(row.time_us), *row.numbers) for row in rows),
            )
        values = [
            (row.sensor_id, utc_text(row.time_us), field, value)
            for row in rows
            for field, value in row.values
        ]
        if values:
            _copy(self._connection, "COPY reading_value FROM STDIN", values)

    def _insert_one(self, row: Row) -> Row:
        """Insert a row at the first microsecond that is free; return it with its time."""
        marks = ", ".join("?" * (2 + len(row.numbers)))
        insert = f"INSERT INTO reading ({_COLUMNS}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        while (
            self._connection.execute(insert, (row.sensor_id, utc_text(row.time_us), *row.numbers)).rowcount
            == 0
        ):
            row = row._replace(time_us=row.time_us + 1)
        sensor = self._sensors[row.sensor]
        self._sensors[row.sensor] = sensor._replace(last_us=max(sensor.last_us, row.time_us))
        return row


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.psycopg.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([storable(value) for value in row])


def _join(connection: Connection, number: int, arrived_us: int, part: Reading) -> bool:
    """Add a part of a reading to the sensor's newest row, if that is recent and lacks it; return whether."""
    row = connection.execute(
        "SELECT time, temperature_f, humidity_percent, dew_point_f FROM reading"
        " WHERE sensor_id = ? AND time >= ? ORDER BY time DESC LIMIT 1",
        (number, utc_text(arrived_us - JOIN_US)),
    ).fetchone()
    if row is None or utc_us(row[0]) > arrived_us + JOIN_US:
        return False
    utc, *_ = row
    key = number, utc
    fields = [field for field, _ in part.values]
    taken = f"SELECT 1 FROM reading_value WHERE {_KEY} AND field = ANY(?::text[])"
    if fields and connection.execute(taken, (*key, fields)).fetchone():
        return False
    numbers = {name: one for name, one in zip(_NUMBERS, part[:6], strict=True) if one is not None}
    if not add_numbers(connection, "reading", _KEY, key, numbers):
        return False
    connection.executemany(f"{_VALUE} DO NOTHING", [(*key, *one) for one in part.values])
    _add_dew_point(connection, key)
    return True


def _add_dew_point(connection: Connection, key: tuple[int, str]) -> None:
    row = connection.execute(
        f"SELECT temperature_f, humidity_percent FROM reading WHERE {_KEY}"
        " AND dew_point_f IS NULL AND temperature_f IS NOT NULL AND humidity_percent > 0",
        key,
    ).fetchone()
    if row:
        connection.execute(f"UPDATE reading SET dew_point_f = ? WHERE {_KEY}", (dew_point_f(*row), *key))
