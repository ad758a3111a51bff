"""Sensors that send when something changes: several times a minute, or once in hours."""

import random

from ecc_listener.monitoring.limits import SensorLimits
from ecc_listener.monitoring.sensor import restored
from ecc_listener.monitoring.sensor_monitor import SensorMonitor
from ecc_listener.readings.build import build
from ecc_listener.storage.quarantine import Arrival

SECOND_US, MINUTE_US, HOUR_US, DAY_US = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
START_US = 1_795_478_400_000_000
"""At midnight."""
LIMITS = SensorLimits("")


class Zigbee:
    """A sensor that reports changes, and a regular one beside it, so that something can always be heard."""

    def __init__(self) -> None:
        self.monitor = SensorMonitor(20 * MINUTE_US, START_US, [], [])
        self.now_us = START_US
        self.chance = random.Random(3)
        self.next_us = START_US
        self.silences: list[int] = []
        self.has_regular = True

    def gap_us(self) -> int:
        """By day, when people heat and air, some seconds to minutes; at night up to three hours."""
        hour = self.now_us % DAY_US // HOUR_US
        if 7 <= hour < 22:
            return int(self.chance.choice([15 * SECOND_US, MINUTE_US, 10 * MINUTE_US, 40 * MINUTE_US]))
        return self.chance.randrange(HOUR_US, 3 * HOUR_US)

    def live(self, time_us: int, *, is_dead: bool = False) -> None:
        until_us = self.now_us + time_us
        while self.now_us < until_us:
            self.now_us += 15 * SECOND_US
            if self.has_regular and self.now_us % (10 * MINUTE_US) == 0:
                self.hear("regular")
            if self.now_us >= self.next_us and not is_dead:
                self.hear("zigbee")
                self.next_us = self.now_us + self.gap_us()
            self.monitor.evaluate(self.now_us, LIMITS, None)
            if ("silent", "zigbee") in self.monitor.conditions.problems:
                self.silences.append(self.now_us)

    def hear(self, name: str) -> None:
        numbers = {"temperature_c": 20 + self.chance.random(), "humidity_percent": 40 + self.chance.random()}
        readings = build(name, numbers, is_on_change=name == "zigbee")
        self.monitor.note([Arrival(self.now_us, one) for one in readings])


def test_no_quiet_night_is_called_a_silence_from_the_first_day_on() -> None:
    zigbee = Zigbee()
    zigbee.live(21 * DAY_US)
    assert zigbee.silences == []
    assert ("silent", "regular") not in zigbee.monitor.conditions.problems


def test_its_end_is_noticed_within_twice_an_ordinary_night_s_gap() -> None:
    zigbee = Zigbee()
    zigbee.live(9 * DAY_US + 12 * HOUR_US)
    last_us = zigbee.monitor.sensors["zigbee"].last_us
    zigbee.live(DAY_US, is_dead=True)
    assert HOUR_US < zigbee.silences[0] - last_us < 7 * HOUR_US
    # A restart keeps what was learned about its days.
    known = restored("zigbee", zigbee.monitor.sensors["zigbee"].memory())
    assert known.allowed_silence_us() == zigbee.monitor.sensors["zigbee"].allowed_silence_us() > 2 * HOUR_US


def test_where_all_sensors_are_like_that_a_quiet_night_is_no_outage_either() -> None:
    zigbee = Zigbee()
    zigbee.has_regular = False
    for _ in range(12):
        zigbee.live(DAY_US)
        assert ("all_silent", "") not in zigbee.monitor.conditions.problems
    assert zigbee.silences == []
    zigbee.live(7 * HOUR_US, is_dead=True)
    assert ("all_silent", "") in zigbee.monitor.conditions.problems


def test_an_outage_makes_no_regular_sensor_more_patient() -> None:
    zigbee = Zigbee()
    zigbee.live(6 * DAY_US, is_dead=True)
    sensor = zigbee.monitor.sensors["regular"]
    before_us = sensor.allowed_silence_us()
    sensor.add_reading(sensor.reading, zigbee.now_us + 5 * HOUR_US, zigbee.now_us + 5 * HOUR_US, 0)
    assert before_us == sensor.allowed_silence_us() == 30 * MINUTE_US


def test_what_the_bridge_says_makes_it_known_sooner() -> None:
    zigbee = Zigbee()
    zigbee.live(9 * DAY_US + 12 * HOUR_US)
    zigbee.monitor.availability = {"zigbee": False, "regular": True, "unknown": False}
    zigbee.live(10 * MINUTE_US, is_dead=True)
    assert zigbee.silences == []
    zigbee.live(20 * MINUTE_US, is_dead=True)
    assert zigbee.silences
    problem = zigbee.monitor.conditions.problems["silent", "zigbee"]
    assert problem.details["is_unavailable"] == 1
    assert ("silent", "regular") not in zigbee.monitor.conditions.problems


def test_a_sensor_that_goes_on_sending_is_not_silent_whatever_the_bridge_says() -> None:
    zigbee = Zigbee()
    zigbee.monitor.availability = {"zigbee": False}
    zigbee.live(10 * DAY_US)
    assert zigbee.silences == []


def test_a_sensor_that_can_be_reached_again_has_its_own_time() -> None:
    zigbee = Zigbee()
    zigbee.live(9 * DAY_US + 12 * HOUR_US)
    availability = {"zigbee": False}
    zigbee.monitor.availability = availability
    zigbee.live(10 * MINUTE_US, is_dead=True)
    availability["zigbee"] = True
    zigbee.live(HOUR_US, is_dead=True)
    assert zigbee.silences == []
