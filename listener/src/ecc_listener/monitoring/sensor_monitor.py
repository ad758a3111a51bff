"""Which sensors are silent or new, and what their readings mean.

Silence is measured with a clock that only runs while the listener is connected and some sensor sends: neither
a restart nor a lost connection nor a jump of the clock makes a sensor silent. Readings are collected as they
arrive, and evaluated at the next tick, only the newest of each sensor: a flood costs no more than that.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from ecc_listener.monitoring.conditions import Conditions
from ecc_listener.monitoring.limits import FROM_LIMITS, SensorLimits
from ecc_listener.monitoring.new_sensors import MAX_SENSORS, STEADY, NewSensors
from ecc_listener.monitoring.rules import judge
from ecc_listener.monitoring.sensor import Sensor, renamed
from ecc_listener.notifications.notice import Details, Problem
from ecc_listener.readings.corrections import NO_CORRECTIONS
from ecc_listener.readings.reading import Reading, merge
from ecc_listener.storage.quarantine import Arrival

_MAX_WAITING = 4 * MAX_SENSORS
_JUDGED_AT_ONCE = 300


class SensorMonitor:
    """Monitors all sensors. Times are those of the steady clock, in microseconds."""

    def __init__(
        self, timer_check_us: int, now_us: int, sensors: Iterable[Sensor], wrong: Iterable[Problem]
    ) -> None:
        """Start with what is known from before."""
        self.timer_check_us = timer_check_us
        self.sensors = {sensor.name: sensor for sensor in sensors}
        self.conditions = Conditions(wrong)
        self.waiting: dict[str, Reading] = {}
        self._corrections = NO_CORRECTIONS
        self.availability: Mapping[str, bool] = {}
        """Whether a sensor can be reached, by its name, where its bridge says so."""
        self._unavailable_us: dict[str, int] = {}
        """Since when the others can't, by the clock that stops while nothing can be heard."""
        self.last_us = max((sensor.last_us for sensor in self.sensors.values()), default=now_us)
        self._spoke_us = now_us
        """When any sensor last sent, or the listener started."""
        self._has_heard = False
        self._overdue = 0
        # The listener was away until now, so silence continues from the last reading.
        self._heard_us = self.last_us
        self._grace_us = 0
        self._ticked_us = now_us
        self._new_sensors = NewSensors(self.sensors, self.conditions, now_us)

    def note(self, arrivals: Iterable[Arrival]) -> None:
        """Collect readings; as fast as possible, because there may be 25,000 a second."""
        if self._corrections:
            arrivals = [one._replace(reading=self._corrections.apply(one.reading)) for one in arrivals]
        self.waiting.update({one.reading.sensor_name: self._whole(one.reading) for one in arrivals})

    def _whole(self, reading: Reading) -> Reading:
        waiting = self.waiting.get(reading.sensor_name) if reading.is_part else None
        return merge(waiting, reading) if waiting else reading

    def evaluate(self, now_us: int, limits: SensorLimits, broker_fault: str | None) -> bool:
        """Evaluate what has arrived and what has not; return whether all sensors are silent."""
        step_us, self._ticked_us = now_us - self._ticked_us, now_us
        is_silent = ("all_silent", "") in self.conditions.problems
        if broker_fault is None and not is_silent:
            self._heard_us += step_us
        if self.waiting:
            self._spoke_us = self.last_us = now_us
            self._has_heard = True
            if is_silent:
                self._grace_us = self._heard_us
            self._take(now_us, limits)
        self._note_availability()
        self._new_sensors.end_old_flood(now_us)
        is_silent = self._judge_all(now_us, broker_fault)
        if broker_fault is None and not is_silent and now_us - self._spoke_us <= self.timer_check_us // 2:
            self._judge_silence(now_us, limits)
        return is_silent

    def apply(self, limits: SensorLimits) -> None:
        """Rename sensors, and drop problems that are no longer monitored, after an edit of the limits."""
        self._corrections = limits.corrections
        self._rename()
        for kind, name in [*self.conditions.problems]:
            sensor = self.sensors.get(name)
            if sensor is not None:
                allowed = limits.of(name, sensor.reading.location)
                is_set = kind in (allowed or {}) or any(name.startswith(f"{kind} ") for name in allowed or {})
                if allowed is None or (kind in FROM_LIMITS and not is_set):
                    self.conditions.drop((kind, name))

    @property
    def more_expected(self) -> bool:
        """Whether more sensors seem to be falling silent."""
        return self._overdue > 0

    def _take(self, now_us: int, limits: SensorLimits) -> None:
        if len(self.waiting) > _MAX_WAITING:
            # Most likely these names are invented, so known sensors come first.
            self._new_sensors.count([name for name in self.waiting if name not in self.sensors], now_us)
            self.waiting = {name: one for name, one in self.waiting.items() if name in self.sensors}
        least_gap_us = self.timer_check_us // 100
        for name in [*islice(self.waiting, _JUDGED_AT_ONCE)]:
            reading = self.waiting.pop(name)
            sensor = self.sensors.get(name) or self._new_sensors.add(name, reading, now_us, self._heard_us)
            if sensor is None:
                continue
            gap_us = now_us - sensor.last_us
            before = sensor.add_reading(reading, now_us, self._heard_us, least_gap_us)
            if not sensor.is_steady:
                sensor.is_steady = sensor.seen >= STEADY
                continue
            allowed = limits.of(name, sensor.reading.location)
            if allowed is None:
                continue
            judge(sensor, before, gap_us, allowed, self.conditions)
            if ("silent", name) in self.conditions.problems:
                self._is_back(sensor, gap_us)

    def change_times(self, limits: SensorLimits) -> None:
        """Drop problems by limits that apply at times, when other ones begin to apply.

        The heating that is off after the service must not be reported as warm enough again.
        """
        for name, sensor in self.sensors.items():
            for kind in limits.scheduled_kinds(name, sensor.reading.location):
                self.conditions.drop((kind, name))

    def _rename(self) -> None:
        """Give renamed sensors what is known about them under their former names."""
        for name, sensor in [*self.sensors.items()]:
            present = self._corrections.present_name(name)
            if present != name:
                del self.sensors[name]
                self.sensors[present] = renamed(sensor, present, self.sensors.get(present))
                for key in [key for key in self.conditions.problems if key[1] == name]:
                    self.conditions.drop(key)

    def _note_availability(self) -> None:
        for name, is_available in self.availability.items():
            present = self._corrections.present_name(name)
            if is_available:
                self._unavailable_us.pop(present, None)
            else:
                self._unavailable_us.setdefault(present, self._heard_us)

    def _is_back(self, sensor: Sensor, gap_us: int) -> None:
        missing = round(gap_us / sensor.interval_us) - 1 if sensor.interval_us else 0
        details: Details = sensor.values() | {"missing": max(0, missing)}
        one = Problem("silent", sensor.name, sensor.reading.location, 0, details)
        self.conditions.judge(one, bad=False, now_us=sensor.last_us)

    def _judge_all(self, now_us: int, broker_fault: str | None) -> bool:
        """Judge whether no sensor has sent for longer than `timer_check`."""
        intervals = [one.interval_us for one in self.sensors.values() if one.interval_us]
        patience_us = max(self.timer_check_us, 2 * min(intervals, default=0))
        if self.sensors and all(one.is_on_change for one in self.sensors.values()):
            patience_us = max(patience_us, min(one.allowed_silence_us() for one in self.sensors.values()))
        # Just after its start the listener can't know that it is over.
        bad = now_us - self._spoke_us > patience_us or (False if self._has_heard else None)
        details: Details = {
            "broker_fault": broker_fault,
            "sensors": len(self.sensors),
            "last_us": self.last_us if self.sensors else None,
        }
        self.conditions.judge(Problem("all_silent", "", None, self.last_us, details), bad=bad, now_us=now_us)
        return ("all_silent", "") in self.conditions.problems

    def _judge_silence(self, now_us: int, limits: SensorLimits) -> None:
        """Judge which sensors haven't sent for three of their own intervals."""
        self._overdue = 0
        heard_us, margin_us = self._heard_us, self.timer_check_us // 20
        least_us = self.timer_check_us // 4
        wrong = self.conditions.problems
        for name, sensor in self.sensors.items():
            known_us = sensor.allowed_silence_us()
            patience_us = max(known_us, least_us) if known_us else self.timer_check_us
            silence_us = heard_us - max(sensor.heard_us, self._grace_us)
            # What its bridge says in between counts as long as nothing contradicts it.
            is_unavailable = self._unavailable_us.get(name, 0) > sensor.heard_us
            if is_unavailable:
                patience_us = min(patience_us, self.timer_check_us)
                silence_us = min(silence_us, heard_us - self._unavailable_us[name])
            if 3 * silence_us <= 2 * patience_us or ("silent", name) in wrong or not sensor.is_steady:
                continue
            allowed = limits.of(name, sensor.reading.location)
            if allowed is None or "silent" not in allowed:
                continue
            patience_us = int(allowed["silent"].value) or patience_us
            if silence_us <= patience_us + margin_us:
                self._overdue += 1
                continue
            details: Details = sensor.values() | {
                "interval_s": sensor.interval_us / 1e6 or None,
                "is_unavailable": 1 if is_unavailable else None,
            }
            one = Problem("silent", name, sensor.reading.location, sensor.last_us, details)
            self.conditions.judge(one, bad=True, now_us=now_us)
