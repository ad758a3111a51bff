"""Sensors that have never sent before. Their names come from the network, so their number is limited.

The first hundred of a day are reported one by one. More than that is a flood: its names are counted, and only
monitored once they send regularly.
"""

from collections import deque

from ecc_listener.monitoring.conditions import Conditions
from ecc_listener.monitoring.sensor import DAY_US, Sensor
from ecc_listener.notifications.notice import Details, Problem
from ecc_listener.readings.reading import Reading

MAX_SENSORS = 5_000
STEADY = 3
"""As many readings as turn a name of a flood into a sensor."""
_MAX_A_DAY = 100
_FLOOD = ("new_many", "")
_EXAMPLES = 3
_FULL_US = 60_000_000


class NewSensors:
    """Adds new sensors to `sensors`, up to a limit."""

    def __init__(self, sensors: dict[str, Sensor], conditions: Conditions, now_us: int) -> None:
        """Start with no new sensor; the time is that of the steady clock."""
        self._sensors, self._conditions = sensors, conditions
        self._today_us: deque[int] = deque()
        self._flood_us = now_us
        self._count = 0
        self._examples: list[str] = []
        self._full_until_us = 0

    def end_old_flood(self, now_us: int) -> None:
        """End a flood that has not grown for a day."""
        while self._today_us and now_us - self._today_us[0] >= DAY_US:
            self._today_us.popleft()
        if _FLOOD in self._conditions.problems and now_us - self._flood_us > DAY_US:
            self._conditions.drop(_FLOOD)
            self._count, self._examples = 0, []

    def add(self, name: str, reading: Reading, now_us: int, heard_us: int) -> Sensor | None:
        """Return a new sensor; None if the limit is reached."""
        is_full = not self._has_room(now_us)
        is_flood = len(self._today_us) >= _MAX_A_DAY
        if is_full or is_flood:
            self.count([name], now_us)
        if is_full:
            return None
        sensor = self._sensors[name] = Sensor(name, now_us, heard_us, reading, is_steady=not is_flood)
        if not is_flood:
            self._today_us.append(now_us)
            self._conditions.add_event(Problem("new", name, reading.location, now_us, sensor.values()))
        return sensor

    def count(self, names: list[str], now_us: int) -> None:
        """Count names that are part of a flood."""
        known = self._conditions.problems.get(_FLOOD)
        if known is None:
            names = [*self._withdraw(), *names]
        self._flood_us = now_us
        self._count += len(names)
        self._examples = (self._examples + names)[:_EXAMPLES]
        examples = ", ".join(name[:30] for name in self._examples)
        details: Details = {"count": self._count, "examples": examples}
        self._conditions.problems[_FLOOD] = Problem(
            *_FLOOD, None, known.since_us if known else now_us, details
        )

    def _withdraw(self) -> list[str]:
        """Withdraw new sensors that aren't reported yet: if not regular, they are part of the flood."""
        withdrawn = []
        for kind, name in [*self._conditions.problems]:
            sensor = self._sensors.get(name)
            if kind == "new" and sensor and sensor.seen < STEADY:
                sensor.is_steady = False
                self._conditions.drop((kind, name))
                withdrawn.append(name)
        return withdrawn

    def _has_room(self, now_us: int) -> bool:
        """Return whether there is room, after forgetting the older half of irregular names if needed."""
        if len(self._sensors) < MAX_SENSORS:
            return True
        if now_us < self._full_until_us:
            return False
        self._full_until_us = now_us + _FULL_US
        passing = [one for one in self._sensors.values() if not one.is_steady]
        passing.sort(key=lambda sensor: sensor.last_us)
        for sensor in passing[: (len(passing) + 1) // 2]:
            del self._sensors[sensor.name]
        return bool(passing)
