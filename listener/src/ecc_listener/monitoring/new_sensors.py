"""PURE: sensors never heard before. Their names come from the network: there is a bound, and a flood is one.

The first hundred of a day are told one by one. More than that is a flood: its names are counted, and watched
only once they go on.
"""

from collections import deque

from ecc_listener.monitoring.conditions import Conditions
from ecc_listener.monitoring.sensor import DAY_US, Sensor
from ecc_listener.notifications.notice import Details, Problem
from ecc_listener.readings.reading import Reading

MAX_SENSORS = 5_000
STEADY = 3
"""So many readings make a sensor of a flood's name."""
_MAX_A_DAY = 100
_FLOOD = ("new_many", "")
_EXAMPLES = 3
_FULL_US = 60_000_000


class NewSensors:
    """Lets sensors in, into `sensors`, as long as there is room."""

    def __init__(self, sensors: dict[str, Sensor], conditions: Conditions, now_us: int) -> None:
        """Begin now."""
        self._sensors, self._findings = sensors, conditions
        self._today_us: deque[int] = deque()
        self._flood_us = now_us
        self._count = 0
        self._examples: list[str] = []
        self._full_until_us = 0

    def look(self, now_us: int) -> None:
        """Let a flood be over that is a day old."""
        while self._today_us and now_us - self._today_us[0] >= DAY_US:
            self._today_us.popleft()
        if _FLOOD in self._findings.wrong and now_us - self._flood_us > DAY_US:
            self._findings.drop(_FLOOD)
            self._count, self._examples = 0, []

    def meet(self, name: str, reading: Reading, now_us: int, heard_us: int) -> Sensor | None:
        """Let a new sensor in; None where there is no room."""
        is_full = not self._has_room(now_us)
        is_flood = len(self._today_us) >= _MAX_A_DAY
        if is_full or is_flood:
            self.count([name], now_us)
        if is_full:
            return None
        sensor = self._sensors[name] = Sensor(name, now_us, heard_us, reading, is_steady=not is_flood)
        if not is_flood:
            self._today_us.append(now_us)
            self._findings.happened(Problem("new", name, reading.location, now_us, sensor.values()))
        return sensor

    def count(self, names: list[str], now_us: int) -> None:
        """Count names of a flood."""
        known = self._findings.wrong.get(_FLOOD)
        if known is None:
            names = [*self._doubt(), *names]
        self._flood_us = now_us
        self._count += len(names)
        self._examples = (self._examples + names)[:_EXAMPLES]
        examples = ", ".join(name[:30] for name in self._examples)
        details: Details = {"count": self._count, "examples": examples}
        self._findings.wrong[_FLOOD] = Problem(*_FLOOD, None, known.since_us if known else now_us, details)

    def _doubt(self) -> list[str]:
        """Take back those that aren't told yet and not steady either: they are part of the flood."""
        doubted = []
        for kind, name in [*self._findings.wrong]:
            sensor = self._sensors.get(name)
            if kind == "new" and sensor and sensor.seen < STEADY:
                sensor.is_steady = False
                self._findings.drop((kind, name))
                doubted.append(name)
        return doubted

    def _has_room(self, now_us: int) -> bool:
        """Forget the names that were only heard once or twice, the older half of them, where it is full."""
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
