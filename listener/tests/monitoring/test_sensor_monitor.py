from typing import Any

import pytest

from ecc_listener.monitoring.limits import SensorLimits
from ecc_listener.monitoring.sensor import restored
from ecc_listener.monitoring.sensor_monitor import SensorMonitor
from ecc_listener.notifications.notice import Details
from ecc_listener.readings.reading import Fault, Reading
from ecc_listener.storage.quarantine import Arrival

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
START_US = 1_795_500_000_000_000
NAME = "ECCTH01"
USUAL = Reading(47.1, 73.45, 39.17, 3.41, 93.5, -67, NAME, "Office", "98:F4:AB:DA:6E:E2", "v03.10")


class House:
    """One sensor that sends every ten minutes, and the watch over it."""

    def __init__(self, limits: str = "") -> None:
        self.limits = SensorLimits(limits)
        assert self.limits.problems == []
        self.now_us = START_US
        self.sensor_monitor = SensorMonitor(20 * MINUTE_US, START_US, [], [])
        self.count = 0
        self.is_still = False

    def sends(self, time_us: int = 10 * MINUTE_US, **changes: object) -> set[str]:
        """Let it send for so long; say what is wrong at the end, but for the news that it is there."""
        for _ in range(time_us // (10 * MINUTE_US)):
            self.now_us += 10 * MINUTE_US
            self.count += 1
            reading = USUAL._replace(**changes)  # type: ignore[arg-type]
            if not self.is_still:
                # Real air is never quite still.
                reading = reading._replace(
                    battery_v=3.4, humidity_percent=(reading.humidity_percent or 0) + self.count % 2 / 10
                )
            self.sensor_monitor.note([Arrival(self.now_us, reading)])
            self.sensor_monitor.evaluate(self.now_us, self.limits, None)
        return {kind for kind, _ in self.sensor_monitor.conditions.problems} - {"new"}

    def details(self, kind: str) -> Details:
        return self.sensor_monitor.conditions.problems[kind, NAME].details


def test_a_sensor_that_is_well_is_told_of_once_as_new() -> None:
    house = House()
    assert house.sends(5 * DAY_US) == set()
    assert [*house.sensor_monitor.conditions.problems] == [("new", NAME)]


@pytest.mark.parametrize(
    ("line", "kind", "bad", "hardly", "good"),
    [
        ("too cold = 40 for 2 h", "too_cold", {"temperature_f": 39.0}, {"temperature_f": 41.0}, {}),
        ("too hot = 90 for 2 h", "too_hot", {"temperature_f": 91.0}, {"temperature_f": 89.0}, {}),
        ("too damp = 70 for 2 h", "too_damp", {"humidity_percent": 71.0}, {"humidity_percent": 68.0}, {}),
        ("too dry = 30 for 2 h", "too_dry", {"humidity_percent": 29.0}, {"humidity_percent": 31.0}, {}),
        ("near dew point = 5 for 2 h", "near_dew_point", {"dew_point_f": 70.0}, {"dew_point_f": 68.0}, {}),
    ],
)
def test_a_limit_counts_when_it_lasts_and_is_over_well_on_the_right_side(
    line: str, kind: str, bad: dict[str, object], hardly: dict[str, object], good: dict[str, object]
) -> None:
    house = House(f"[Office]\n{line}\n")
    assert house.sends(DAY_US) == set()
    assert house.sends(2 * HOUR_US, **bad) == set()
    assert house.sends(10 * MINUTE_US, **bad) == {kind}
    assert house.sends(3 * HOUR_US, **hardly) == {kind}
    assert house.sends(30 * MINUTE_US, **good) == {kind}
    assert house.sends(10 * MINUTE_US, **good) == set()


def test_a_door_that_stands_open_for_a_while_is_no_cold_room() -> None:
    house = House("[Office]\ntoo cold = 40 for 2 h\n")
    for _ in range(5):
        house.sends(HOUR_US, temperature_f=39.0)
        assert house.sends(HOUR_US, temperature_f=50.0) == set()


def test_damp_hours_count_up_and_dry_ones_count_back() -> None:
    house = House("[everywhere]\ndamp risk = 65 for 12 h\n")
    house.sends(HOUR_US)
    assert house.sends(10 * HOUR_US, humidity_percent=70.0) == set()
    # A dry hour doesn't hide ten damp ones.
    assert house.sends(HOUR_US) == set()
    assert house.sends(2 * HOUR_US, humidity_percent=70.0) == set()
    assert house.sends(HOUR_US, humidity_percent=70.0) == {"damp_risk"}
    assert house.details("damp_risk")["hours"] == pytest.approx(12)
    assert house.sends(5 * HOUR_US) == {"damp_risk"}
    assert house.sends(HOUR_US) == set()


def test_a_weak_signal_is_judged_by_its_mean() -> None:
    house = House()
    house.sends(DAY_US)
    assert house.sends(10 * MINUTE_US, rssi_dbm=-95) == set()
    assert house.sends(6 * HOUR_US, rssi_dbm=-89) == {"weak_signal"}
    assert house.sends(6 * HOUR_US, rssi_dbm=-83) == {"weak_signal"}
    assert house.sends(6 * HOUR_US, rssi_dbm=-70) == set()


def test_a_board_that_cannot_tell_its_signal_has_no_weak_one() -> None:
    assert House("[everywhere]\nweak signal = -60\n").sends(DAY_US, rssi_dbm=31) == set()


def test_the_same_values_for_hours_are_a_frozen_sensor_until_they_change() -> None:
    house = House()
    house.sends(DAY_US)
    house.is_still = True
    assert house.sends(6 * HOUR_US - 10 * MINUTE_US) == set()
    assert house.sends() == {"frozen"}
    house.is_still = False
    assert house.sends() == set()


def test_two_boards_that_take_turns_under_one_name_are_told_apart_from_a_move() -> None:
    house = House()
    house.sends(HOUR_US)
    for _ in range(3):
        house.sends(10 * MINUTE_US, mac="00:00:00:00:00:02")
        found = house.sends(10 * MINUTE_US)
    assert found == {"two_boards"}
    assert house.details("two_boards")["macs"] == "00:00:00:00:00:02 and 98:F4:AB:DA:6E:E2"
    assert house.sends(25 * HOUR_US) == set()


def test_a_sensor_that_moved_is_told_once_it_stays_there() -> None:
    house = House()
    house.sends(HOUR_US)
    assert house.sends(20 * MINUTE_US, location="Hall") == set()
    assert house.sends(10 * MINUTE_US, location="Hall") == {"moved"}
    assert house.details("moved")["old_place"] == "Office"
    assert house.details("moved")["new_place"] == "Hall"
    house.sensor_monitor.conditions.problems.clear()
    assert house.sends(DAY_US, location="Hall") == set()


def test_another_board_under_the_name_is_a_move_too() -> None:
    house = House()
    house.sends(HOUR_US)
    assert house.sends(HOUR_US, mac="00:00:00:00:00:02") == {"moved"}


def test_older_firmware_that_leaves_its_place_out_has_not_moved() -> None:
    house = House()
    house.sends(HOUR_US)
    assert house.sends(HOUR_US, location=None, mac=None) == set()


def test_values_that_jump_again_and_again_are_told_and_a_single_jump_is_not() -> None:
    house = House()
    house.sends(HOUR_US)
    house.sends(10 * MINUTE_US, temperature_f=160.0)
    assert house.sends(10 * MINUTE_US) == set()
    assert house.sends(10 * MINUTE_US, temperature_f=160.0) == {"jumps"}
    assert house.sends(26 * HOUR_US) == set()


def test_what_is_no_longer_watched_is_dropped_after_an_edit() -> None:
    house = House("[Office]\ntoo cold = 40 for 1 h\n")
    assert house.sends(3 * HOUR_US, temperature_f=30.0) == {"too_cold"}
    house.sensor_monitor.apply(SensorLimits("[ECCTH01]\nwatch = no\n"))
    assert house.sensor_monitor.conditions.problems == {}


EVERY_LIMIT = """
[everywhere]
too cold = 40 F
too hot = 90 F
too damp = 70 %
too dry = 30 %
damp risk = 60 %
near dew point = 5 F
"""


@pytest.mark.parametrize(
    "lacks",
    [
        {"battery_v": None, "battery_percent": None},
        {"dew_point_f": None},
        {"temperature_f": None},
        {"rssi_dbm": None},
        {name: None for name in Reading._fields[:6] if name != "humidity_percent"},
    ],
)
def test_no_rule_needs_what_a_sensor_does_not_send(lacks: dict[str, object]) -> None:
    house = House(EVERY_LIMIT)
    assert house.sends(2 * DAY_US, **lacks) == set()
    # The rules still see what it does send.
    assert house.sends(12 * HOUR_US, **lacks | {"humidity_percent": 75.0}) == {"too_damp", "damp_risk"}
    sensor = house.sensor_monitor.sensors[NAME]
    assert restored(NAME, sensor.memory()).reading == sensor.reading


def test_a_problem_stays_while_its_quantity_is_unknown() -> None:
    house = House("[Office]\ntoo cold = 40 F for 1 h\n")
    house.sends(DAY_US)
    assert house.sends(3 * HOUR_US, temperature_f=30.0) == {"too_cold"}
    assert house.sends(3 * HOUR_US, temperature_f=None) == {"too_cold"}
    assert house.sends(HOUR_US) == set()


def test_what_a_reading_lacks_is_reported_once_for_each_quantity() -> None:
    house = House()
    house.sends(DAY_US)
    battery = Fault("battery voltage", "field4 (battery voltage) is missing", is_missing=True)
    signal = Fault("signal", "field6 (signal) is 'low'; not a number", is_missing=False)
    assert house.sends(faults=(battery,), battery_v=None) == {"incomplete"}
    assert house.details("incomplete")["lacking"] == "battery voltage"
    conditions = house.sensor_monitor.conditions
    # Another quantity waits until the first report is sent.
    assert house.sends(faults=(battery, signal)) == {"incomplete"}
    del conditions.problems["incomplete", NAME]
    assert house.sends(faults=(battery, signal)) == {"incomplete"}
    assert house.details("incomplete")["reason"] == "field6 (signal) is 'low'; not a number"
    del conditions.problems["incomplete", NAME]
    assert house.sends(faults=(battery, signal)) == set()
    # It stays reported after a restart.
    known = restored(NAME, house.sensor_monitor.sensors[NAME].memory())
    assert known.reported == {"battery voltage", "signal"}


def test_a_further_number_has_limits_on_both_sides() -> None:
    house = House("[Office]\nabove co2_ppm = 1000 for 30 min\nbelow Lux = 10\n")

    def sends(time_us: int, **values: float) -> set[str]:
        return house.sends(time_us, values=tuple(values.items()))

    assert sends(DAY_US, co2_ppm=900.0, lux=50.0) == set()
    assert sends(30 * MINUTE_US, co2_ppm=1100.0, lux=50.0) == set()
    assert sends(10 * MINUTE_US, co2_ppm=1100.0, lux=50.0) == {"above"}
    details = house.details("above")
    assert (details["field"], details["value"], details["limit"]) == ("co2_ppm", 1100.0, 1000.0)
    # Within 5 % of the limit it is neither bad nor good; what isn't sent changes nothing.
    assert sends(3 * HOUR_US, co2_ppm=960.0, lux=50.0) == {"above"}
    assert house.sends(3 * HOUR_US) == {"above"}
    assert sends(30 * MINUTE_US, co2_ppm=950.0, lux=50.0) == {"above"}
    assert sends(10 * MINUTE_US, co2_ppm=950.0, lux=50.0) == set()
    assert sends(10 * MINUTE_US, co2_ppm=900.0, lux=9.0) == {"below"}
    house.sensor_monitor.apply(SensorLimits("[Office]\nabove co2_ppm = 1000\n"))
    assert ("below", NAME) not in house.sensor_monitor.conditions.problems


@pytest.mark.parametrize(
    ("line", "quantity", "values"),
    [
        ("too cold = 40", "temperature_f", (40.0, 39.9, 41.9, 42.0)),
        ("too hot = 90", "temperature_f", (90.0, 90.1, 88.1, 88.0)),
        ("too damp = 70", "humidity_percent", (70.0, 70.1, 67.1, 67.0)),
        ("too dry = 30", "humidity_percent", (30.0, 29.9, 32.9, 33.0)),
        ("near dew point = 5", "dew_point_f", (68.45, 68.6, 67.5, 67.45)),
        ("battery low = 20", "battery_percent", (20.0, 19.9, 34.9, 35.0)),
    ],
)
def test_a_value_at_the_limit_is_good_and_the_hysteresis_has_its_width(
    line: str, quantity: str, values: tuple[float, ...]
) -> None:
    at, beyond, within, beyond_hysteresis = values
    kind = "_".join(line.partition(" =")[0].split())
    house = House(f"[everywhere]\n{line} for 1 min\nfrozen = off\n")
    house.is_still = True
    house.sends(DAY_US)
    assert house.sends(HOUR_US, **{quantity: at}) == set()
    assert house.sends(20 * MINUTE_US, **{quantity: beyond}) == {kind}
    assert house.sends(3 * HOUR_US, **{quantity: within}) == {kind}
    assert house.sends(30 * MINUTE_US, **{quantity: beyond_hysteresis}) == {kind}
    assert house.sends(10 * MINUTE_US, **{quantity: beyond_hysteresis}) == set()


def test_a_signal_recovers_5_dbm_beyond_its_limit() -> None:
    house = House("[everywhere]\nweak signal = -85\nfrozen = off\n")
    house.is_still = True
    house.sends(DAY_US, rssi_dbm=-85)
    assert house.sends(DAY_US, rssi_dbm=-86) == {"weak_signal"}
    # The mean comes close to what is sent, but never quite.
    assert house.sends(2 * DAY_US, rssi_dbm=-81) == {"weak_signal"}
    assert house.sends(2 * DAY_US, rssi_dbm=-79) == set()


def test_damp_hours_count_from_the_limit_on_and_no_gap_counts_more_than_an_hour() -> None:
    house = House("[everywhere]\ndamp risk = 65 for 3 h\nfrozen = off\n")
    house.is_still = True
    house.sends(HOUR_US)
    assert house.sends(DAY_US, humidity_percent=65.0) == set()
    house.sends(10 * MINUTE_US, humidity_percent=65.1)
    # After a day without a reading, nobody knows how damp it was meanwhile.
    house.now_us += DAY_US
    house.sends(10 * MINUTE_US, humidity_percent=65.1)
    sensor = house.sensor_monitor.sensors[NAME]
    assert sensor.damp_us == 70 * MINUTE_US
    assert house.sends(100 * MINUTE_US, humidity_percent=65.1) == set()
    assert house.sends(10 * MINUTE_US, humidity_percent=65.1) == {"damp_risk"}
    begun_us = house.sensor_monitor.conditions.problems["damp_risk", NAME].since_us
    assert begun_us == house.now_us - 3 * HOUR_US
    # However long it was damp, it counts up to one and a half times the limit.
    house.sends(5 * DAY_US, humidity_percent=70.0)
    assert sensor.damp_us == 4.5 * HOUR_US


def test_a_frozen_sensor_has_sent_the_same_a_dozen_times() -> None:
    house = House("[everywhere]\nfrozen = 30 min\n")
    house.sends(DAY_US)
    house.is_still = True
    # The last one before was the same already.
    assert house.sends(10 * 10 * MINUTE_US) == set()
    assert house.sends() == {"frozen"}


@pytest.mark.parametrize(
    ("changes", "gap_us", "is_jump"),
    [
        ({"temperature_f": 73.45 + 36.0}, 10 * MINUTE_US, False),
        ({"temperature_f": 73.45 + 36.1}, 10 * MINUTE_US, True),
        ({"temperature_f": 73.45 - 36.1}, 10 * MINUTE_US, True),
        ({"humidity_percent": 39.17 + 60.0}, 10 * MINUTE_US, False),
        ({"humidity_percent": 39.17 + 60.1}, 10 * MINUTE_US, True),
        ({"temperature_f": 160.0}, HOUR_US, True),
        ({"temperature_f": 160.0}, HOUR_US + MINUTE_US, False),
    ],
)
def test_a_jump_is_more_than_a_room_does_within_an_hour(
    changes: dict[str, Any], gap_us: int, *, is_jump: bool
) -> None:
    house = House()
    house.is_still = True
    house.sends(HOUR_US)
    house.now_us += gap_us - 10 * MINUTE_US
    house.sends(**changes)
    assert bool(house.sensor_monitor.sensors[NAME].jumps_us) is is_jump


def test_three_jumps_are_frequent_within_a_day_only() -> None:
    def found(between_us: int) -> set[str]:
        house = House("[everywhere]\nfrozen = off\n")
        house.sends(HOUR_US)
        # Each time it is up for some hours and comes back in a gap, so that only the way up is a jump.
        for _ in range(3):
            last = house.sends(10 * MINUTE_US, temperature_f=160.0)
            house.now_us += 2 * HOUR_US
            house.sends(between_us - 3 * HOUR_US)
        return last

    assert found(11 * HOUR_US) == {"jumps"}
    assert found(13 * HOUR_US) == set()


def renamed(house: House, text: str) -> None:
    house.limits = SensorLimits(text)
    assert house.limits.problems == []
    house.sensor_monitor.apply(house.limits)


def test_an_offset_is_judged_as_it_is_shown() -> None:
    house = House("[Office]\ntoo cold = 40 for 2 h\n")
    assert house.sends(DAY_US, temperature_f=41.0) == set()
    renamed(house, f"[Office]\ntoo cold = 40 for 2 h\n[{NAME}]\noffset temperature = -2 °F\n")
    assert house.sends(3 * HOUR_US, temperature_f=41.0) == {"too_cold"}
    assert house.details("too_cold")["temperature_f"] == 39.0


@pytest.mark.parametrize("is_known_already", [False, True])
def test_a_renamed_sensor_is_no_silent_one_and_keeps_what_was_learned(*, is_known_already: bool) -> None:
    house = House()
    house.sends(5 * DAY_US)
    if is_known_already:
        # It sends under its new name for hours before anybody edits the file.
        assert house.sends(5 * HOUR_US, sensor_name="Kitchen") == {"silent"}
    renamed(house, f"[Kitchen]\nwas = {NAME}\n")
    assert [*house.sensor_monitor.sensors] == ["Kitchen"]
    assert {name for _, name in house.sensor_monitor.conditions.problems} <= {"Kitchen"}
    sensor = house.sensor_monitor.sensors["Kitchen"]
    assert (sensor.name, sensor.reading.sensor_name, sensor.interval_us) == (
        "Kitchen",
        "Kitchen",
        10 * MINUTE_US,
    )
    assert sensor.seen >= 5 * 144
    assert len(sensor.days) > 4
    assert house.sends(DAY_US, sensor_name="Kitchen") == set()
    # Under either name it is the same sensor, and when it stops, that is noticed.
    assert house.sends(HOUR_US) == set()
    assert house.sends(3 * HOUR_US, sensor_name="Hall") == {"silent"}
    assert ("silent", "Kitchen") in house.sensor_monitor.conditions.problems


def test_a_sensor_with_a_new_name_that_nobody_explains_is_a_new_one() -> None:
    house = House()
    house.sends(DAY_US)
    assert house.sends(3 * HOUR_US, sensor_name="Kitchen") == {"silent"}
    assert sorted(house.sensor_monitor.sensors) == [NAME, "Kitchen"]
