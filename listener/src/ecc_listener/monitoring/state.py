"""What the monitor knows at its start: what it has stored, and each sensor's newer rows.

This is read once, by the key (sensorName, recordWrittenUTC), and a limited number of rows per sensor.
"""

from typing import Any, NamedTuple

from ecc_listener.monitoring.new_sensors import MAX_SENSORS
from ecc_listener.monitoring.sensor import DAY_US, Sensor, restored
from ecc_listener.notifications import table
from ecc_listener.readings.corrections import Corrections
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import utc_text, utc_us
from ecc_listener.storage.statements import Connection

_MAX_NAMES = 4 * MAX_SENSORS
_ROWS = 40
_DAYS = 14
_GONE_US = 7 * DAY_US
_COLUMNS = "recordWrittenUTC, dewPointF, temperatureF, relHumidityPercent, battVoltage, battPercent, apRSSI"
# This view also has what an archive carried over.
_LATEST = f"SELECT sensorName, {_COLUMNS}, location, MACaddress, softwareVersion FROM ECCLatest LIMIT ?"


def load(connection: Connection, now_us: int, least_gap_us: int, corrections: Corrections) -> list[Sensor]:
    """Return the known sensors by the names in the tables, up to a limit, the most recent first.

    Their readings are corrected.
    """
    memories = table.memories(connection)
    latest = {row[0]: row for row in connection.execute(_LATEST, (_MAX_NAMES,)).fetchall()}
    # Those that the monitor knows come first, because other names may be invented.
    newest_first = sorted(latest, key=lambda name: str(latest[name][1]), reverse=True)
    names = sorted(newest_first, key=lambda name: name not in memories)[:MAX_SENSORS]
    loader = _Loader(connection, now_us, least_gap_us, corrections)
    sensors = [loader.load(latest[name], _restored(name, memories.get(name))) for name in names]
    newest_us = max((sensor.last_us for sensor in sensors), default=0)
    for sensor in sensors:
        # Sensors that left long ago are known, and monitored again once they return.
        if sensor.name not in memories and newest_us - sensor.last_us > _GONE_US:
            sensor.is_steady, sensor.seen = False, 1
    return sensors


class _Loader(NamedTuple):
    connection: Connection
    now_us: int
    least_gap_us: int
    corrections: Corrections

    def load(self, latest: tuple[Any, ...], sensor: Sensor | None) -> Sensor:
        """Return a sensor as it was stored, if it was, with its newer rows."""
        name, utc, *values = latest
        about = values[6:]
        after_us = sensor.last_us if sensor else 0
        query = f"SELECT {_COLUMNS} FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC > ?"
        rows = self.connection.execute(
            f"{query} ORDER BY recordWrittenUTC DESC LIMIT {_ROWS}", (name, utc_text(after_us))
        ).fetchall()
        if sensor is None:
            newest_us = utc_us(str(utc))
            reading = self.corrections.apply(_reading(values[:6], str(name), about))
            sensor = Sensor(str(name), newest_us, newest_us, reading, seen=0 if rows else 1)
            _restore_battery(self.connection, query, sensor)
        for row_utc, *measured in reversed(rows):
            # A time that is ahead comes from a clock that was wrong.
            at_us = min(utc_us(row_utc), self.now_us)
            reading = self.corrections.apply(_reading(measured, str(name), about))
            sensor.add_reading(reading, at_us, at_us, self.least_gap_us)
        sensor.last_us = sensor.heard_us = min(sensor.last_us, self.now_us)
        if sensor.about == [None, None]:
            sensor.about = [sensor.reading.location, sensor.reading.mac]
        return sensor


def _reading(numbers: list[Any], name: str, about: list[Any]) -> Reading:
    dew_point_f, temperature_f, humidity_percent, battery_v, battery_percent, rssi_dbm = numbers
    location, mac, version = about
    # What a row lacks may have come by itself, in the row before.
    is_part = temperature_f is None or humidity_percent is None
    return Reading(
        dew_point_f,
        temperature_f,
        humidity_percent,
        battery_v,
        battery_percent,
        rssi_dbm,
        name,
        location,
        mac,
        version,
        is_part=is_part,
    )


def _restored(name: str, memory: str | None) -> Sensor | None:
    try:
        return restored(name, memory) if memory else None
    except (ValueError, TypeError, KeyError):
        return None


def _restore_battery(connection: Connection, query: str, sensor: Sensor) -> None:
    """Read the battery's charge of the last days, one row for each."""
    for ago in range(_DAYS, 0, -1):
        noon_us = (sensor.last_us // DAY_US - ago) * DAY_US + DAY_US // 2
        values = (sensor.name, utc_text(noon_us))
        row = connection.execute(
            f"{query} AND battPercent IS NOT NULL ORDER BY recordWrittenUTC LIMIT 1", values
        ).fetchone()
        if row and utc_us(row[0]) // DAY_US == noon_us // DAY_US:
            sensor.add_charge(row[5], noon_us // DAY_US)
