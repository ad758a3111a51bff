"""Each sensor's newest reading, and one sample for each half hour of its last day.

A sample is one search in the index, however many readings there are, and is taken once: the past doesn't
change.
"""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from ecc_listener.storage.connection import utc_text, utc_us

SLOT_US = 1_800_000_000
SLOTS = 48
_HOUR_US = 3_600_000_000
_MAX_ROOMS = 1_000

_LATEST = """
    SELECT sensorName, recordWrittenUTC, temperatureF, relHumidityPercent, dewPointF,
        battVoltage, battPercent, apRSSI, location
    FROM ECCLatest LIMIT ?
"""
_BETWEEN = "FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC >= ? AND recordWrittenUTC < ?"
_KNOWN = f"{_BETWEEN} AND temperatureF IS NOT NULL ORDER BY recordWrittenUTC"
_FIRST = f"SELECT temperatureF, relHumidityPercent {_KNOWN} LIMIT 1"
_LAST = f"SELECT recordWrittenUTC, temperatureF {_KNOWN} DESC LIMIT 1"

Sample = tuple[float, float | None]
"""Temperature in °F and relative humidity in %."""


class Room(NamedTuple):
    """A sensor's newest reading, None for what it lacks; times in microseconds since 1970."""

    name: str
    last_us: int
    temperature_f: float | None
    humidity_percent: float | None
    dew_point_f: float | None
    battery_v: float | None
    battery_percent: float | None
    rssi_dbm: int | None
    location: str | None
    trend_f_per_h: float | None
    """How fast the temperature changes; None if there is nothing to compare with."""
    day: tuple[Sample | None, ...]
    """The last day by half hours, the latest last; None if nothing was sent."""

    @property
    def title(self) -> str:
        """The location, or else the sensor's name."""
        return (self.location or "").strip() or self.name


class Latest:
    """Reads rooms, and remembers their samples."""

    def __init__(self) -> None:
        """Prepare; nothing is read yet."""
        self._samples: dict[tuple[str, int], Sample | None] = {}

    def read(self, connection: sqlite3.Connection, now_us: int) -> list[Room]:
        """Return every sensor's newest reading, in the order of the names."""
        rooms = []
        first_slot = now_us // SLOT_US - SLOTS + 1
        for name, utc, *values in connection.execute(_LATEST, (_MAX_ROOMS,)):
            last_us = utc_us(utc)
            day = tuple(self._day(connection, name, first_slot))
            trend = _trend(connection, name, last_us, values[0])
            rooms.append(Room._make((name, last_us, *values, trend, day)))
        self._samples = {key: sample for key, sample in self._samples.items() if key[1] >= first_slot}
        return rooms

    def _day(self, connection: sqlite3.Connection, name: str, first_slot: int) -> Iterator[Sample | None]:
        for slot in range(first_slot, first_slot + SLOTS):
            key = name, slot
            if key in self._samples:
                yield self._samples[key]
                continue
            bounds = utc_text(slot * SLOT_US), utc_text((slot + 1) * SLOT_US)
            sample: Sample | None = connection.execute(_FIRST, (name, *bounds)).fetchone()
            # A reading may still arrive in the current half hour, but not in past ones.
            if sample or slot < first_slot + SLOTS - 1:
                self._samples[key] = sample
            yield sample


def _trend(
    connection: sqlite3.Connection, name: str, last_us: int, temperature_f: float | None
) -> float | None:
    if temperature_f is None:
        return None
    span = utc_text(last_us - 2 * _HOUR_US), utc_text(last_us - _HOUR_US * 3 // 4)
    before = connection.execute(_LAST, (name, *span)).fetchone()
    if before is None:
        return None
    change_f: float = temperature_f - before[1]
    return change_f / ((last_us - utc_us(before[0])) / _HOUR_US)
