"""What the watch knows at its start: its own memory, and of each sensor the newest rows that came after that.

Read once, through the key (sensorName, recordWrittenUTC), a bounded number of rows of a sensor.
"""

import sqlite3

from ecc_listener import notice_table
from ecc_listener.reading import Reading
from ecc_listener.sqlite import utc_text, utc_us
from ecc_listener.watch import MAX_SENSORS
from ecc_listener.watch_sensor import DAY_US, Sensor, recalled

_MAX_NAMES = 4 * MAX_SENSORS
_ROWS = 40
_DAYS = 14
_GONE_US = 7 * DAY_US
_COLUMNS = "recordWrittenUTC, dewPointF, temperatureF, relHumidityPercent, battVoltage, battPercent, apRSSI"
# Going from one name to the next in the index reads no row twice.
_NAMES = """
    WITH RECURSIVE sensor(name) AS (
        SELECT min(sensorName) FROM ECCTempHum
        UNION ALL
        SELECT (SELECT min(sensorName) FROM ECCTempHum WHERE sensorName > name) FROM sensor
        WHERE name IS NOT NULL)
    SELECT name, (SELECT max(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = name)
    FROM sensor WHERE name IS NOT NULL LIMIT ?
"""


def load(connection: sqlite3.Connection, now_us: int, least_gap_us: int) -> list[Sensor]:
    """Give the sensors that are known, those heard last first, up to a number."""
    memories = notice_table.memories(connection)
    last_us = {name: utc_us(last) for name, last in connection.execute(_NAMES, (_MAX_NAMES,))}
    for name in memories:
        last_us.setdefault(name, 0)
    # Those that the watch knows come first: names may be invented.
    names = sorted(last_us, key=lambda name: (name not in memories, -last_us[name]))[:MAX_SENSORS]
    sensors = [
        sensor
        for name in names
        if (sensor := _load(connection, name, memories.get(name), now_us, least_gap_us)) is not None
    ]
    newest_us = max((sensor.last_us for sensor in sensors), default=0)
    for sensor in sensors:
        # Those that were gone long before are known, and watched when they come again.
        if sensor.name not in memories and newest_us - sensor.last_us > _GONE_US:
            sensor.is_steady, sensor.seen = False, 1
    return sensors


def _load(
    connection: sqlite3.Connection, name: str, memory: str | None, now_us: int, least_gap_us: int
) -> Sensor | None:
    sensor = _recalled(name, memory)
    after_us = sensor.last_us if sensor else 0
    place, mac, version = connection.execute(
        "SELECT location, MACaddress, softwareVersion FROM ECCTempHumSensor"
        " WHERE sensorName = ? ORDER BY rowid DESC LIMIT 1",
        (name,),
    ).fetchone() or (None, None, None)
    query = f"SELECT {_COLUMNS} FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC > ?"
    rows = connection.execute(
        f"{query} ORDER BY recordWrittenUTC DESC LIMIT {_ROWS}", (name, utc_text(after_us))
    ).fetchall()
    if sensor is None:
        if not rows:
            return None
        sensor = _first(connection, query, name, rows[0])
    for utc, *values in reversed(rows):
        # A time that is ahead comes from a clock that was wrong.
        at_us = min(utc_us(utc), now_us)
        sensor.take(Reading._make((*values, name, place, mac, version)), at_us, at_us, least_gap_us)
    sensor.last_us = sensor.heard_us = min(sensor.last_us, now_us)
    if sensor.about == [None, None]:
        sensor.about = [sensor.reading.location, sensor.reading.mac]
    return sensor


def _recalled(name: str, memory: str | None) -> Sensor | None:
    try:
        return recalled(name, memory) if memory else None
    except (ValueError, TypeError, KeyError):
        return None


def _first(connection: sqlite3.Connection, query: str, name: str, newest: tuple[object, ...]) -> Sensor:
    """Begin with the battery of the last days, one row of each."""
    utc, *values = newest
    newest_us = utc_us(str(utc))
    sensor = Sensor(name, newest_us, newest_us, Reading._make((*values, name, None, None, None)))
    for ago in range(_DAYS, 0, -1):
        noon_us = (newest_us // DAY_US - ago) * DAY_US + DAY_US // 2
        row = connection.execute(
            f"{query} ORDER BY recordWrittenUTC LIMIT 1", (name, utc_text(noon_us))
        ).fetchone()
        if row and utc_us(row[0]) // DAY_US == noon_us // DAY_US:
            sensor.charge(row[5], noon_us // DAY_US)
    return sensor
