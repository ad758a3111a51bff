"""What is learned about one sensor: interval, patience, signal, battery; and what of it is remembered."""

from itertools import accumulate

import pytest

from ecc_listener.monitoring.sensor import DAY_US, HOUR_US, MINUTE_US, Sensor, renamed, restored
from ecc_listener.readings.reading import Reading
from monitoring.test_sensor_monitor import START_US, USUAL

LEAST_US = 12_000_000


def sensor(*gaps_min: float, start_us: int = START_US, reading: Reading = USUAL, **changes: object) -> Sensor:
    """Return a sensor that has sent once, and then after each of these gaps."""
    made = Sensor("ECCTH01", start_us, start_us, reading)
    made.add_reading(reading, start_us, start_us, LEAST_US)
    for after_min in accumulate(gaps_min):
        at_us = start_us + round(after_min * MINUTE_US)
        made.add_reading(reading._replace(**changes), at_us, at_us, LEAST_US)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize(
    ("gaps_min", "interval_min", "patience_min"),
    [
        ([10, 10], 0, 0),
        ([10, 10, 10], 10, 30),
        # One that was missed makes nobody more patient; two do, up to four intervals.
        ([10, 10, 10, 10, 30], 10, 30),
        ([10, 10, 10, 10, 30, 30], 10, 45),
        ([10, 10, 10, 10, 90, 90], 10, 60),
        # Only the newest fifteen count.
        ([10] * 20 + [60] * 15, 60, 180),
        ([10] * 20 + [60] * 8, 60, 180),
        ([10] * 20 + [60] * 7, 10, 60),
        # What comes at once, such as what a broker had kept, is no interval.
        ([10, 0.1, 10, 0.1, 10], 10, 30),
        ([0.2, 0.2, 0.2], 0.2, 0.6),
    ],
)
def test_its_interval_is_the_median_of_the_newest_gaps(
    gaps_min: list[float], interval_min: float, patience_min: float
) -> None:
    found = sensor(*gaps_min)
    assert (found.interval_us / MINUTE_US, found.patience_us / MINUTE_US) == (interval_min, patience_min)
    assert found.seen == len(gaps_min) + 1
    assert found.allowed_silence_us() == found.patience_us


def test_a_part_is_completed_by_what_was_sent_before_for_six_hours() -> None:
    part = USUAL._replace(temperature_f=50.0, humidity_percent=None, is_part=True)
    for gap_us, humidity in ((6 * HOUR_US - 1, USUAL.humidity_percent), (6 * HOUR_US, None)):
        found = sensor()
        before = found.add_reading(part, START_US + gap_us, START_US + gap_us, LEAST_US)
        assert before == USUAL
        assert (found.reading.temperature_f, found.reading.humidity_percent) == (50.0, humidity)
    found = sensor()
    whole = part._replace(is_part=False)
    found.add_reading(whole, START_US + 1, START_US + 1, LEAST_US)
    assert found.reading.humidity_percent is None


def test_location_and_mac_stay_known_when_a_message_has_none() -> None:
    found = sensor(10, location=None, mac=None)
    assert (found.reading.location, found.reading.mac) == (USUAL.location, USUAL.mac)
    found = sensor(10, location="Tower")
    assert (found.reading.location, found.reading.mac) == ("Tower", USUAL.mac)


def test_its_signal_is_smoothed_and_known_after_twelve_readings() -> None:
    found = sensor(*[10] * 10, rssi_dbm=-75)
    assert found.usual_signal_dbm is None
    found = sensor(*[10] * 11, rssi_dbm=-75)
    expected = -67.0
    for _ in range(11):
        expected += (-75 - expected) / 8
    assert found.usual_signal_dbm == pytest.approx(expected)
    # 31 and 0 are what devices send that don't know it.
    for unknown in (0, 31, None):
        assert sensor(*[10] * 12, rssi_dbm=unknown).usual_signal_dbm == -67


def test_equal_readings_are_counted_from_the_first_of_them() -> None:
    found = sensor(10, 10)
    assert (found.same_count, found.same_since_us) == (3, START_US)
    at_us = START_US + HOUR_US
    found.add_reading(USUAL._replace(temperature_f=1.0), at_us, at_us, LEAST_US)
    assert (found.same_count, found.same_since_us) == (1, at_us)


def discharged(*percents: float, on_each: int = 1) -> Sensor:
    """Return a sensor whose battery has these charges, one a day."""
    start_us = START_US // DAY_US * DAY_US
    made = Sensor("ECCTH01", start_us, start_us, USUAL)
    for day, percent in enumerate(percents):
        for number in range(on_each):
            at_us = start_us + day * DAY_US + number * HOUR_US
            made.add_reading(USUAL._replace(battery_percent=percent), at_us, at_us, LEAST_US)
    return made


@pytest.mark.parametrize(
    ("percents", "days"),
    [
        ([50, 45, 40], None),
        # To five percent, where it stops; the days are counted from the newest one.
        ([50, 45, 40, 35], 6.0),
        # The day that isn't over yet doesn't count, once there are enough.
        ([50, 45, 40, 35, 34.9], 5.0),
        ([50] * 5, None),
        ([50, 49.96, 49.92, 49.88], None),
        ([50, 49.9, 49.8, 49.7], 447.0),
        ([8, 6, 4, 2], 0.0),
        # A new battery begins a new trend; one that only recovers in the warmth does not.
        ([20, 15, 10, 95, 94, 93], None),
        ([20, 15, 10, 95, 94, 93, 92], 87.0),
        ([50, 45, 55, 35], pytest.approx(13.0, abs=3)),
    ],
)
def test_the_days_that_a_battery_lasts_are_those_of_its_trend(percents: list[float], days: object) -> None:
    wanted = pytest.approx(days, abs=0.1) if isinstance(days, float) else days
    assert discharged(*percents).days_left() == wanted
    assert discharged(*percents, on_each=3).days_left() == wanted


def test_only_the_newest_eight_days_make_the_trend() -> None:
    found = discharged(*[90.0] * 20, *[80.0 - 5 * day for day in range(9)])
    assert len(found.days) == 8
    assert found.days_left() == pytest.approx(7.0, abs=0.1)


def test_what_can_not_be_learned_again_is_remembered() -> None:
    found = discharged(50, 45, 40, 35, on_each=4)
    found.is_on_change, found.damp_us, found.about = True, 12.5, ["Office", "AA"]
    found.reported.add("battery")
    again = restored("ECCTH01", found.memory())
    for name in ("interval_us", "patience_us", "seen", "signal_dbm", "days", "damp_us", "about", "reported"):
        assert getattr(again, name) == getattr(found, name), name
    for name in ("is_on_change", "is_steady", "same_since_us", "same_count", "last_us", "reading"):
        assert getattr(again, name) == getattr(found, name), name
    assert (again.gaps_us, again.longest_us) == (found.gaps_us, found.longest_us)
    assert again.interval_us == HOUR_US


@pytest.mark.parametrize("is_new_later", [True, False])
def test_of_two_names_the_newer_state_and_the_longer_memory_count(*, is_new_later: bool) -> None:
    old = sensor(*[10] * 20)
    new = sensor(*[5] * 4, start_us=START_US + (DAY_US if is_new_later else -DAY_US), temperature_f=40.0)
    found = renamed(old, "Kitchen", new)
    newer = new if is_new_later else old
    assert (found.name, found.reading.sensor_name) == ("Kitchen", "Kitchen")
    assert (found.last_us, found.reading.temperature_f) == (newer.last_us, newer.reading.temperature_f)
    assert (found.interval_us, found.seen) == (10 * MINUTE_US, 21)
    alone = renamed(old, "Kitchen", None)
    assert (alone.name, alone.last_us, alone.seen) == ("Kitchen", old.last_us, 21)
