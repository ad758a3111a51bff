"""When a sensor, or all of them, count as silent, to the minute; and when they are back."""

import pytest

from ecc_listener.monitoring.limits import SensorLimits
from ecc_listener.monitoring.new_sensors import MAX_SENSORS
from ecc_listener.monitoring.sensor_monitor import SensorMonitor
from ecc_listener.notifications.notice import Details
from ecc_listener.storage.quarantine import Arrival
from monitoring.test_sensor_monitor import MINUTE_US, START_US, USUAL

FOREVER_MIN = 10**9
TIMER_MIN = 20


class Fleet:
    """Sensors that send every so many minutes, until a minute; time goes by minutes."""

    def __init__(self, limits: str = "", **intervals_min: int) -> None:
        self.limits = SensorLimits(limits)
        assert self.limits.problems == []
        self.intervals_min = dict(intervals_min)
        self.until_min = dict.fromkeys(intervals_min, FOREVER_MIN)
        self.monitor = SensorMonitor(TIMER_MIN * MINUTE_US, START_US, [], [])
        self.broker_fault: str | None = None
        self.minute = 0
        self.began: dict[tuple[str, str], int] = {}
        self.ended: dict[tuple[str, str], tuple[int, Details]] = {}
        self.all_silent: list[int] = []

    def pass_time(self, minutes: int) -> None:
        for _ in range(minutes):
            self.minute += 1
            now_us = START_US + self.minute * MINUTE_US
            heard = [
                name
                for name, interval_min in self.intervals_min.items()
                if self.minute % interval_min == 0 and self.minute <= self.until_min[name]
            ]
            if self.broker_fault is None:
                # Real air is never quite still.
                readings = [
                    USUAL._replace(sensor_name=name, battery_v=self.minute % 7 / 10) for name in heard
                ]
                self.monitor.note([Arrival(now_us, one) for one in readings])
            if self.monitor.evaluate(now_us, self.limits, self.broker_fault):
                self.all_silent.append(self.minute)
            for key in self.monitor.conditions.problems:
                if key[0] in {"silent", "all_silent"}:
                    self.began.setdefault(key, self.minute)
            for key, details in self.monitor.conditions.ended.items():
                self.ended[key] = self.minute, details
            self.monitor.conditions.ended.clear()

    def stops(self, *names: str, after_min: int = 0) -> None:
        for name in names:
            self.until_min[name] = self.minute + after_min

    def more_expected(self) -> bool:
        return self.monitor.more_expected

    def details(self, kind: str, name: str = "") -> Details:
        return self.monitor.conditions.problems[kind, name].details


def test_three_intervals_and_a_minute_are_silence() -> None:
    fleet = Fleet(a=10, b=10)
    fleet.pass_time(120)
    fleet.stops("a")
    fleet.pass_time(31)
    assert fleet.began == {}
    fleet.pass_time(1)
    assert fleet.began == {("silent", "a"): 152}
    assert fleet.monitor.conditions.problems["silent", "a"].since_us == START_US + 120 * MINUTE_US
    assert fleet.details("silent", "a")["interval_s"] == 600


def test_what_was_missed_is_counted_when_it_is_back() -> None:
    fleet = Fleet(a=10, b=10)
    fleet.pass_time(120)
    fleet.stops("a")
    fleet.pass_time(295)
    fleet.until_min["a"] = FOREVER_MIN
    fleet.pass_time(5)
    minute, details = fleet.ended["silent", "a"]
    assert (minute, details["missing"]) == (420, 29)
    assert ("silent", "a") not in fleet.monitor.conditions.problems


def test_a_sensor_whose_interval_is_not_known_yet_has_the_time_of_timer_check() -> None:
    fleet = Fleet(a=10, b=10)
    fleet.pass_time(20)
    fleet.stops("a")
    fleet.pass_time(TIMER_MIN + 1)
    assert fleet.began == {}
    fleet.pass_time(1)
    assert fleet.began == {("silent", "a"): 42}
    assert fleet.details("silent", "a")["interval_s"] is None
    # How many are missing isn't known either.
    fleet.until_min["a"] = FOREVER_MIN
    fleet.pass_time(20)
    assert fleet.ended["silent", "a"][1]["missing"] == 0


def test_a_quick_sensor_has_a_quarter_of_timer_check_at_least() -> None:
    fleet = Fleet(a=1, b=1)
    fleet.pass_time(60)
    fleet.stops("a")
    fleet.pass_time(6)
    assert fleet.began == {}
    fleet.pass_time(1)
    assert fleet.began == {("silent", "a"): 67}


@pytest.mark.parametrize(
    ("line", "minute"),
    [("silent = 2 h", 120 + 121 + 1), ("silent = off", None), ("watch = no", None), ("too dry = off", 152)],
)
def test_the_limits_file_may_say_otherwise(line: str, minute: int | None) -> None:
    fleet = Fleet(f"[a]\n{line}\n", a=10, b=10)
    fleet.pass_time(120)
    fleet.stops("a")
    fleet.pass_time(300)
    assert fleet.began.get(("silent", "a")) == minute


def test_others_that_are_overdue_are_expected_to_follow() -> None:
    fleet = Fleet(a=10, b=10, c=10)
    fleet.pass_time(120)
    assert not fleet.more_expected()
    fleet.stops("a")
    fleet.pass_time(20)
    assert not fleet.more_expected()
    fleet.stops("b")
    fleet.pass_time(1)
    # Two thirds of its time are gone.
    assert fleet.more_expected()
    fleet.pass_time(11)
    assert fleet.began == {("silent", "a"): 152}
    assert not fleet.more_expected()
    fleet.pass_time(9)
    assert fleet.more_expected()


def test_when_nobody_sends_for_timer_check_all_are_silent_and_nobody_by_itself() -> None:
    fleet = Fleet(a=10, b=10)
    fleet.pass_time(120)
    fleet.stops("a", "b")
    fleet.pass_time(TIMER_MIN)
    assert fleet.all_silent == []
    fleet.pass_time(300)
    assert fleet.all_silent[0] == 120 + TIMER_MIN + 1
    assert fleet.began == {("all_silent", ""): 141}
    details = fleet.details("all_silent")
    assert (details["sensors"], details["last_us"]) == (2, START_US + 120 * MINUTE_US)
    # Once one is back, the other has all its time from then on.
    fleet.until_min["a"] = FOREVER_MIN
    fleet.pass_time(10)
    assert fleet.ended["all_silent", ""][0] == 450
    fleet.pass_time(31)
    assert ("silent", "b") not in fleet.began
    fleet.pass_time(1)
    assert fleet.began["silent", "b"] == 482


def test_slow_sensors_may_all_be_silent_for_two_intervals() -> None:
    fleet = Fleet(a=60, b=60)
    fleet.pass_time(600)
    # Before their interval is known, they are called silent between each two readings.
    assert fleet.began == {("all_silent", ""): 21}
    assert fleet.ended["all_silent", ""][0] == 240
    fleet.began.clear()
    fleet.stops("a", "b")
    fleet.pass_time(120)
    assert fleet.began == {}
    fleet.pass_time(1)
    assert fleet.began == {("all_silent", ""): 721}


def test_while_the_broker_is_away_nobody_falls_silent() -> None:
    fleet = Fleet(a=10, b=10)
    fleet.pass_time(120)
    fleet.broker_fault = "broker x can't be reached"
    fleet.pass_time(180)
    assert fleet.began == {("all_silent", ""): 141}
    assert fleet.details("all_silent")["broker_fault"] == "broker x can't be reached"
    fleet.broker_fault = None
    fleet.stops("a")
    fleet.pass_time(10 + 31)
    assert fleet.began.keys() == {("all_silent", "")}
    fleet.pass_time(1)
    assert fleet.began["silent", "a"] == 300 + 42


def test_nobody_is_judged_while_it_is_unclear_whether_anybody_can_be_heard() -> None:
    fleet = Fleet(a=10, b=10)
    fleet.pass_time(120)
    fleet.stops("a")
    fleet.stops("b", after_min=20)
    fleet.pass_time(32)
    # The last one that was heard sent twelve minutes ago.
    assert fleet.began == {}
    fleet.pass_time(9)
    assert fleet.began == {("all_silent", ""): 161}
    fleet = Fleet(a=10, b=10)
    fleet.pass_time(120)
    fleet.stops("a")
    fleet.pass_time(30)
    fleet.stops("b")
    fleet.pass_time(2)
    assert fleet.began == {("silent", "a"): 152}


def test_a_listener_that_has_heard_nothing_since_its_start_ends_no_problem() -> None:
    fleet = Fleet(a=10)
    fleet.pass_time(120)
    fleet.stops("a")
    fleet.pass_time(60)
    known = fleet.monitor.conditions.problems.values()
    now_us = START_US + 200 * MINUTE_US
    again = SensorMonitor(TIMER_MIN * MINUTE_US, now_us, fleet.monitor.sensors.values(), known)
    again.evaluate(now_us + MINUTE_US, fleet.limits, None)
    assert ("all_silent", "") in again.conditions.problems
    again.note([Arrival(now_us + 2 * MINUTE_US, USUAL._replace(sensor_name="a"))])
    again.evaluate(now_us + 2 * MINUTE_US, fleet.limits, None)
    assert ("all_silent", "") not in again.conditions.problems


def test_only_so_many_are_judged_at_once_and_the_others_at_the_next_tick() -> None:
    monitor = SensorMonitor(TIMER_MIN * MINUTE_US, START_US, [], [])
    names = [f"s{number}" for number in range(301)]
    monitor.note([Arrival(START_US, USUAL._replace(sensor_name=name)) for name in names])
    monitor.evaluate(START_US, SensorLimits(), None)
    assert len(monitor.waiting) == 1
    monitor.evaluate(START_US + 1, SensorLimits(), None)
    assert monitor.waiting == {}


@pytest.mark.parametrize(("names", "is_counted"), [(4 * MAX_SENSORS, False), (4 * MAX_SENSORS + 1, True)])
def test_more_names_than_can_wait_are_only_counted(names: int, *, is_counted: bool) -> None:
    monitor = SensorMonitor(TIMER_MIN * MINUTE_US, START_US, [], [])
    monitor.note([Arrival(START_US, USUAL._replace(sensor_name="known"))])
    monitor.evaluate(START_US, SensorLimits(), None)
    flood = [USUAL._replace(sensor_name=f"x{number}") for number in range(names - 1)]
    monitor.note([Arrival(START_US + 1, one) for one in (*flood, USUAL._replace(sensor_name="known"))])
    monitor.evaluate(START_US + 1, SensorLimits(), None)
    assert (monitor.waiting == {}) is is_counted
    if is_counted:
        assert monitor.sensors["known"].seen == 2
        # The one that is not regular yet is taken for part of it.
        assert monitor.conditions.problems["new_many", ""].details["count"] == names


def test_an_edit_of_the_limits_ends_what_is_no_longer_monitored_and_nothing_else() -> None:
    fleet = Fleet("[a]\ntoo cold = 80 °F for 1 min\nabove co2 = 5\n", a=10, b=10)
    fleet.pass_time(120)
    fleet.monitor.note([Arrival(START_US, USUAL._replace(sensor_name="a", values=(("co2", 9.0),)))])
    fleet.monitor.evaluate(START_US + 121 * MINUTE_US, fleet.limits, None)
    wrong = fleet.monitor.conditions.problems
    assert {("too_cold", "a"), ("above", "a")} <= wrong.keys()
    for text, left in (
        ("[a]\ntoo cold = 80 °F for 1 min\nabove co2 = 5\n", {"too_cold", "above"}),
        ("[a]\ntoo cold = 70 °F for 1 min\nabove co2 = 6\n", {"too_cold", "above"}),
        ("[a]\nabove co2 = 6\n", {"above"}),
        ("[b]\nabove co2 = 6\n", set()),
    ):
        fleet.monitor.apply(SensorLimits(text))
        assert {kind for kind, name in wrong if name == "a"} - {"new"} == left
    assert ("new", "a") in wrong
    fleet.monitor.apply(SensorLimits("[a]\nwatch = no\n"))
    assert ("new", "a") not in wrong
    assert ("new", "b") in wrong


def test_a_sensor_that_is_ignored_is_not_judged_but_others_are() -> None:
    fleet = Fleet("[everywhere]\ntoo cold = 80 °F for 1 min\n[a]\nwatch = no\n", a=10, b=10)
    fleet.pass_time(60)
    assert ("too_cold", "b") in fleet.monitor.conditions.problems
    assert ("too_cold", "a") not in fleet.monitor.conditions.problems
