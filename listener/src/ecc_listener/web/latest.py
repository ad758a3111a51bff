"""Each sensor's newest reading, and the temperatures of its last day by half hours.

A half hour is one search in the index, and is read once: the past doesn't change.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from ecc_listener.monitoring.limits import DEFAULT, SensorLimits
from ecc_listener.monitoring.out_of_range import USUAL, OutOfRange, out_of_range
from ecc_listener.monitoring.sensor import STILL_KNOWN_US
from ecc_listener.readings.corrections import Corrections
from ecc_listener.readings.quantities import MEASURED
from ecc_listener.storage.connection import utc_text, utc_us
from ecc_listener.storage.values import YEAR_BEYOND

SLOT_US = 1_800_000_000
SLOTS = 48
_HOUR_US = 3_600_000_000
_MAX_ROOMS = 1_000

_LATEST = """
    SELECT sensorName, recordWrittenUTC, temperatureF, relHumidityPercent, dewPointF,
        battVoltage, battPercent, apRSSI, location
    FROM ECCLatest ORDER BY recordWrittenUTC DESC LIMIT ?
"""
"""The newest first: invented names must not hide real rooms."""
_BETWEEN = "FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC >= ? AND recordWrittenUTC < ?"
_KNOWN = f"{_BETWEEN} AND temperatureF IS NOT NULL ORDER BY recordWrittenUTC"
_ENDS = f"SELECT min(temperatureF), max(temperatureF) {_BETWEEN}"
_QUANTITIES = 6
_BEFORE = (
    "SELECT temperatureF, relHumidityPercent, dewPointF, battVoltage, battPercent, apRSSI"
    f" {_BETWEEN} ORDER BY recordWrittenUTC DESC LIMIT 50"
)
_NAMED = (
    "SELECT field, value, max(recordWrittenUTC) FROM ECCValue"
    " WHERE sensorName = ? AND recordWrittenUTC BETWEEN ? AND ? GROUP BY field"
)
"""The newest of each number, for as long as it may still hold."""
_LAST = f"SELECT recordWrittenUTC, temperatureF {_KNOWN} DESC LIMIT 1"

Sample = tuple[float, float]
"""The lowest and the highest temperature of a half hour in °F."""


class NamedValue(NamedTuple):
    """A further number that has a name, by the limits file or because it is a known quantity."""

    field: str
    label: str
    value: float
    unit: str


class SensorNow(NamedTuple):
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
    values: tuple[NamedValue, ...] = ()
    beyond: tuple[OutOfRange, ...] = ()
    """What is beyond a limit right now."""
    has_limits: frozenset[str] = frozenset()
    """The kinds of limits that are set for it, so that a mail follows if a value stays beyond."""
    muted_until_us: int | None = None

    @property
    def range_f(self) -> tuple[float, float] | None:
        """The lowest and the highest temperature of the last day."""
        samples = [sample for sample in self.day if sample]
        return (min(low for low, _ in samples), max(high for _, high in samples)) if samples else None

    @property
    def title(self) -> str:
        """The location, or else the sensor's name."""
        return (self.location or "").strip() or self.name


class Latest:
    """Reads rooms, and remembers their samples."""

    def __init__(self) -> None:
        """Prepare; nothing is read yet."""
        self._samples: dict[tuple[str, int], Sample | None] = {}

    def read(self, connection: sqlite3.Connection, now_us: int, limits: SensorLimits) -> list[SensorNow]:
        """Return every sensor's newest reading, corrected, in the order of the names."""
        rooms: dict[str, SensorNow] = {}
        first_slot = now_us // SLOT_US - SLOTS + 1
        for name, utc, *values in connection.execute(_LATEST, (_MAX_ROOMS,)):
            last_us = utc_us(utc)
            if None in values[:_QUANTITIES]:
                _fill(connection, name, last_us, values)
            day = tuple(self._day(connection, name, first_slot))
            trend = _trend(connection, name, last_us, values[0])
            room = SensorNow._make((name, last_us, *values, trend, day, (), (), frozenset(), None))
            room = _corrected(room, limits.corrections)
            room = room._replace(values=tuple(_named(connection, room, name, limits)))
            if before := rooms.get(room.name):
                room = _joined(room, before)
            rooms[room.name] = _with_limits(room, limits)
        self._samples = {key: sample for key, sample in self._samples.items() if key[1] >= first_slot}
        return [rooms[name] for name in sorted(rooms)]

    def _day(self, connection: sqlite3.Connection, name: str, first_slot: int) -> Iterator[Sample | None]:
        for slot in range(first_slot, first_slot + SLOTS):
            key = name, slot
            if key in self._samples:
                yield self._samples[key]
                continue
            is_current = slot == first_slot + SLOTS - 1
            # The newest reading belongs to it even if its clock is ahead.
            bounds = utc_text(slot * SLOT_US), YEAR_BEYOND if is_current else utc_text((slot + 1) * SLOT_US)
            low_f, high_f = connection.execute(_ENDS, (name, *bounds)).fetchone()
            sample: Sample | None = None if low_f is None else (low_f, high_f)
            # A reading may still arrive in the current half hour, but not in past ones.
            if not is_current:
                self._samples[key] = sample
            yield sample


def _fill(connection: sqlite3.Connection, name: str, last_us: int, values: list[Any]) -> None:
    """Fill in what the newest reading lacks: a device may send each quantity by itself, when it changes."""
    span = utc_text(last_us - STILL_KNOWN_US), utc_text(last_us)
    for row in connection.execute(_BEFORE, (name, *span)):
        for place in range(_QUANTITIES):
            if values[place] is None:
                values[place] = row[place]
        if None not in values[:_QUANTITIES]:
            break


def _corrected(room: SensorNow, corrections: Corrections) -> SensorNow:
    """Return a room by its present name, with its offsets applied."""
    if not corrections:
        return room
    one = corrections.offsets(room.name)
    return room._replace(
        name=corrections.present_name(room.name),
        temperature_f=one.temperature(room.temperature_f),
        humidity_percent=one.humidity(room.humidity_percent),
        dew_point_f=one.dew_point(room.dew_point_f),
        day=tuple(_shifted(sample, one.temperature_f) for sample in room.day),
    )


def _shifted(sample: Sample | None, offset_f: float) -> Sample | None:
    return (sample[0] + offset_f, sample[1] + offset_f) if sample else None


def _joined(one: SensorNow, other: SensorNow) -> SensorNow:
    """Return the newer of two rooms, which are the same sensor under two names, with the day of both."""
    newer = max(one, other, key=lambda room: room.last_us)
    days = zip(one.day, other.day, strict=True)
    day = tuple(_both(*samples) for samples in days)
    return newer._replace(location=newer.location or one.location or other.location, day=day)


def _both(one: Sample | None, other: Sample | None) -> Sample | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _named(
    connection: sqlite3.Connection, room: SensorNow, stored: str, limits: SensorLimits
) -> Iterator[NamedValue]:
    """Yield the further numbers that have a name, by the limits file or because it is a known quantity."""
    names, offsets = limits.field_names(room.name, room.location), limits.corrections.offsets(room.name)
    span = utc_text(room.last_us - STILL_KNOWN_US), utc_text(room.last_us)
    for field, value, _ in connection.execute(_NAMED, (stored, *span)):
        if name := names.get(field.lower()) or MEASURED.get(field):
            yield NamedValue(field, name.label, offsets.value(field, value), name.unit)


def _with_limits(room: SensorNow, limits: SensorLimits) -> SensorNow:
    if until := limits.muted_until(room.name, room.location):
        return room._replace(muted_until_us=int(until.timestamp()) * 1_000_000)
    allowed = limits.merge(room.name, room.location, USUAL | DEFAULT)
    if allowed is None:
        return room
    values = room.temperature_f, room.humidity_percent, room.battery_percent
    is_set = limits.of(room.name, room.location) or {}
    return room._replace(beyond=out_of_range(*values, allowed), has_limits=frozenset(is_set))


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
