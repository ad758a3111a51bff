"""What is known about one sensor, including its own interval."""

import json
from collections import deque
from dataclasses import dataclass, field, replace
from statistics import StatisticsError, linear_regression, median

from ecc_listener.notifications.notice import Details
from ecc_listener.readings.reading import Reading, merge

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
GAPS = 15
_ENOUGH_GAPS = 3
STILL_KNOWN_US = 6 * HOUR_US
"""How long a quantity holds that a device sends in a message of its own, perhaps only when it changes."""
_LONGEST_GAP = 4
_SIGNAL_SHARE = 8
_ENOUGH_READINGS = 12
_LONGEST_DAYS, _ENOUGH_LONGEST = 8, 3
RECENT = 3
"""How many of the newest jumps and swaps are kept."""
_TREND_DAYS, _ENOUGH_DAYS = 8, 4
_EMPTY_PERCENT = 5
_NEW_BATTERY_PERCENT = 10


@dataclass(slots=True)
class Sensor:
    """What is known about a sensor. Times are those of the steady clock, in microseconds."""

    name: str
    last_us: int
    heard_us: int
    """When it last sent, by the clock that stops while nothing can be received."""
    reading: Reading
    seen: int = 0
    is_steady: bool = True
    """False for one of a flood of new names, until it sends regularly."""
    gaps_us: deque[int] = field(default_factory=lambda: deque(maxlen=GAPS))
    longest_us: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_LONGEST_DAYS))
    """For each of the last days: its number, and the longest gap of that day."""
    interval_us: int = 0
    """The median of its gaps; 0 if not known yet."""
    patience_us: int = 0
    """How long it may be silent if it has an interval of its own; 0 if not known yet."""
    is_on_change: bool = False
    same_since_us: int = 0
    same_count: int = 0
    signal_dbm: float | None = None
    jumps_us: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    days: list[tuple[int, float, int]] = field(default_factory=list)
    """For each day: its number, the sum of the battery's percentages, and their count."""
    damp_us: float = 0
    about: list[str | None] = field(default_factory=lambda: [None, None])
    """The location and MAC address that are known to be its own."""
    changed: int = 0
    """How many readings in a row have another location or MAC address."""
    swaps_us: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    reported: set[str] = field(default_factory=set)
    """What its readings lack and what was reported about that, as names of quantities."""

    def add_reading(self, reading: Reading, now_us: int, heard_us: int, least_gap_us: int) -> Reading:
        """Add a reading; return the previous one."""
        before, gap_us = self.reading, now_us - self.last_us
        if reading.is_part and gap_us < STILL_KNOWN_US:
            reading = merge(before, reading)
        if self.seen and gap_us >= least_gap_us:
            self._learn(gap_us)
        if self.seen:
            self._note_longest(heard_us - self.heard_us, now_us // DAY_US)
        if self.seen and reading[:3] == before[:3]:
            self.same_count += 1
        else:
            self.same_since_us, self.same_count = now_us, 1
        if reading.rssi_dbm is not None and reading.rssi_dbm < 0:
            known = self.signal_dbm
            self.signal_dbm = (
                reading.rssi_dbm if known is None else known + (reading.rssi_dbm - known) / _SIGNAL_SHARE
            )
        if reading.battery_percent is not None:
            self.add_charge(reading.battery_percent, now_us // DAY_US)
        self.seen += 1
        self.last_us, self.heard_us = now_us, heard_us
        self.is_on_change = reading.is_on_change
        # What a message doesn't contain (older firmware) has not changed.
        location, mac = reading.location or before.location, reading.mac or before.mac
        self.reading = (
            reading if (location, mac) == reading[7:9] else reading._replace(location=location, mac=mac)
        )
        return before

    def _learn(self, gap_us: int) -> None:
        self.gaps_us.append(gap_us)
        if len(self.gaps_us) >= _ENOUGH_GAPS:
            self.interval_us = int(median(self.gaps_us))
            # A sensor that often misses a reading gets more time.
            second_us = sorted(self.gaps_us)[-2]
            usual_us = max(self.interval_us, min(second_us, _LONGEST_GAP * self.interval_us) // 2)
            self.patience_us = 3 * usual_us

    def _note_longest(self, gap_us: int, day: int) -> None:
        """Note the longest gap of a day, without the time in which nothing could be heard."""
        if self.longest_us and self.longest_us[-1][0] == day:
            gap_us = max(gap_us, self.longest_us.pop()[1])
        self.longest_us.append((day, gap_us))

    def allowed_silence_us(self) -> int:
        """Return how long it may be silent; 0 if not known yet.

        A sensor that sends when something changes may be silent twice as long as on an ordinary day: the
        median of the days, because one with an outage is not ordinary.
        """
        if not self.is_on_change:
            return self.patience_us
        whole = [gap_us for _, gap_us in self.longest_us][:-1]
        known_us = 2 * int(median(whole)) if len(whole) >= _ENOUGH_LONGEST else DAY_US
        return max(self.patience_us, known_us)

    def add_charge(self, percent: float, day: int) -> None:
        """Add the battery's charge on a day."""
        days = self.days
        if days and days[-1][0] == day:
            _, total, count = days[-1]
            days[-1] = (day, total + percent, count + 1)
            return
        if days and percent > days[-1][1] / days[-1][2] + _NEW_BATTERY_PERCENT:
            days.clear()
        days.append((day, percent, 1))
        del days[:-_TREND_DAYS]

    def days_left(self) -> float | None:
        """Return the days that the battery will last, by the trend of the last week; None without a trend."""
        whole = self.days[:-1] if len(self.days) > _ENOUGH_DAYS else self.days
        if len(whole) < _ENOUGH_DAYS:
            return None
        means = [total / count for _, total, count in whole]
        try:
            slope, start = linear_regression([day for day, *_ in whole], means)
        except StatisticsError:
            return None
        if slope >= -0.05:  # noqa: PLR2004 - over five years from full to empty: no trend
            return None
        return max(0.0, (_EMPTY_PERCENT - start) / slope - self.days[-1][0])

    @property
    def spread_f(self) -> float | None:
        """How far the temperature is above the dew point; None if one of them is unknown."""
        if self.reading.temperature_f is None or self.reading.dew_point_f is None:
            return None
        return self.reading.temperature_f - self.reading.dew_point_f

    @property
    def usual_signal_dbm(self) -> float | None:
        """Its smoothed signal; None until it is known."""
        return self.signal_dbm if self.seen >= _ENOUGH_READINGS else None

    def values(self) -> Details:
        """Return what it measured last, as details of a problem."""
        one = self.reading
        return {
            "temperature_f": one.temperature_f,
            "humidity_percent": one.humidity_percent,
            "battery_percent": one.battery_percent,
            "battery_v": one.battery_v,
            "rssi_dbm": one.rssi_dbm,
        }

    def memory(self) -> str:
        """Return as text what can't be learned from the newest readings in the database."""
        return json.dumps(
            {
                "last_us": self.last_us,
                "reading": self.reading[:10],
                "seen": self.seen,
                "steady": self.is_steady,
                "gaps_us": [*self.gaps_us],
                "longest_us": [*self.longest_us],
                "on_change": self.is_on_change,
                "same": [self.same_since_us, self.same_count],
                "signal_dbm": self.signal_dbm,
                "days": self.days,
                "damp_us": self.damp_us,
                "about": self.about,
                "reported": sorted(self.reported),
            }
        )


def renamed(sensor: Sensor, name: str, other: Sensor | None) -> Sensor:
    """Return what is known about a sensor under its former name and, if it was seen there, its present one.

    What was learned comes from the name under which it was seen more often, its state from the newer one.
    """
    newer = sensor if other is None or sensor.last_us > other.last_us else other
    known = sensor if other is None or sensor.seen >= other.seen else other
    reading = newer.reading._replace(sensor_name=name)
    return replace(known, name=name, last_us=newer.last_us, heard_us=newer.heard_us, reading=reading)


def restored(name: str, text: str) -> Sensor:
    """Return a sensor from the text of `memory`.

    Raises:
        ValueError, TypeError, KeyError: if the text is invalid.

    """
    kept = json.loads(text)
    sensor = Sensor(name, kept["last_us"], kept["last_us"], Reading(*kept["reading"]))
    sensor.is_on_change = kept.get("on_change", False)
    sensor.longest_us.extend((day, gap_us) for day, gap_us in kept.get("longest_us", ()))
    for gap_us in kept["gaps_us"]:
        sensor._learn(gap_us)  # noqa: SLF001 - its own
    sensor.seen, sensor.is_steady = kept["seen"], kept["steady"]
    sensor.same_since_us, sensor.same_count = kept["same"]
    sensor.signal_dbm, sensor.damp_us = kept["signal_dbm"], kept["damp_us"]
    sensor.days = [(day, total, count) for day, total, count in kept["days"]]
    sensor.about, sensor.reported = kept["about"], set(kept.get("reported", ()))
    return sensor
