from itertools import pairwise
from pathlib import Path

import pytest

from ecc_listener.history.query import History
from ecc_listener.readings.form import decode
from ecc_listener.storage.connection import utc_us
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from ecc_listener.web.series import Series, Wanted, series
from support.brokers import OFFICE

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
US = 1_000_000
START_US = utc_us("2026-03-01 00:00:00")
READING = decode(OFFICE)
MOST = 2_000


def drawn(folder: Path, times_s: list[float], length_s: float, *, most: int = MOST) -> Series:
    """Store readings so many seconds after the start, each 0.01 degrees warmer; give what is drawn."""
    arrivals = [
        Arrival(START_US + round(time_s * US), READING._replace(temperature_f=60 + number / 100))
        for number, time_s in enumerate(times_s)
    ]
    store = Store(folder / "db.sqlite3", 100_000)
    store.commit(Burst(1, arrivals, [], []), 0)
    store.close()
    end_us = START_US + round(length_s * US)
    return series(History(folder / "db.sqlite3"), Wanted("ECCTH01", START_US, end_us), most)


def every(step_s: float, length_s: float, start_s: float = 0.0) -> list[float]:
    return [start_s + number * step_s for number in range(round(length_s / step_s))]


def gaps(found: Series) -> list[float]:
    return [
        (point.time_s - START_US / US) / HOUR_S for point in found.points if point.bands == (None, None, None)
    ]


def test_a_day_is_drawn_reading_by_reading(tmp_path: Path) -> None:
    found = drawn(tmp_path, every(600, DAY_S), DAY_S)
    assert (found.step_s, found.interval_s, len(found.points)) == (0, 600, 144)
    assert found.points[1].bands[0] == (60.01, 60.01, 60.01)
    assert found.points[1].time_s == START_US / US + 600


def test_a_month_is_drawn_hour_by_hour_with_its_lowest_and_highest(tmp_path: Path) -> None:
    found = drawn(tmp_path, every(600, 30 * DAY_S), 30 * DAY_S)
    assert (found.step_s, found.interval_s, len(found.points)) == (HOUR_S, 600, 720)
    assert found.points[0].bands[0] == pytest.approx((60.0, 60.025, 60.05))
    assert found.points[0].time_s == START_US / US + HOUR_S / 2
    assert gaps(found) == []


def test_a_year_is_drawn_day_by_day(tmp_path: Path) -> None:
    found = drawn(tmp_path, every(3 * HOUR_S, 365 * DAY_S), 365 * DAY_S)
    assert (found.step_s, len(found.points)) == (DAY_S, 365)
    assert gaps(found) == []


def test_no_range_has_more_points_than_asked_for_nor_loses_a_peak(tmp_path: Path) -> None:
    found = drawn(tmp_path, every(12 * HOUR_S, 365 * DAY_S), 365 * DAY_S, most=100)
    assert len(found.points) <= 100
    assert found.step_s == 4 * DAY_S
    assert found.points[-1].bands[0] is not None
    assert found.points[-1].bands[0][2] == pytest.approx(60 + 729 / 100)
    assert sum(point.readings for point in found.points) == 730


def test_a_sensor_that_sends_every_few_seconds_is_drawn_in_spans_of_its_range(tmp_path: Path) -> None:
    found = drawn(tmp_path, every(5, 6 * HOUR_S), 6 * HOUR_S)
    assert 300 <= len(found.points) <= 500
    assert found.step_s == 54
    assert sum(point.readings for point in found.points) == 6 * HOUR_S / 5


def test_more_readings_than_one_request_may_read_are_drawn_hour_by_hour(tmp_path: Path) -> None:
    found = drawn(tmp_path, every(5, 15 * HOUR_S), 15 * HOUR_S)
    assert (found.step_s, len(found.points)) == (HOUR_S, 15)


def test_where_more_than_three_readings_are_missing_is_a_gap(tmp_path: Path) -> None:
    times_s = every(600, DAY_S)
    three, four = times_s[30:33], times_s[60:64]
    found = drawn(tmp_path, [time_s for time_s in times_s if time_s not in three + four], DAY_S)
    assert gaps(found) == [(four[0] + four[-1]) / 2 / HOUR_S]


def test_readings_that_come_unevenly_are_no_gap(tmp_path: Path) -> None:
    times_s = [time_s + (number * 37 % 200) for number, time_s in enumerate(every(600, DAY_S))]
    assert gaps(drawn(tmp_path, times_s, DAY_S)) == []


def test_a_silent_day_within_a_year_is_a_gap(tmp_path: Path) -> None:
    times_s = every(3 * HOUR_S, 100 * DAY_S) + every(3 * HOUR_S, 265 * DAY_S, start_s=101 * DAY_S)
    assert gaps(drawn(tmp_path, times_s[:-8], 365 * DAY_S)) == [100.5 * 24]


def test_a_range_without_readings_has_no_points(tmp_path: Path) -> None:
    assert drawn(tmp_path, [-5 * DAY_S], DAY_S).points == []


def test_points_are_in_time_order(tmp_path: Path) -> None:
    points = drawn(tmp_path, every(600, 3 * DAY_S) + every(600, DAY_S, start_s=5 * DAY_S), 10 * DAY_S).points
    assert all(before.time_s < after.time_s for before, after in pairwise(points))


@pytest.mark.parametrize(("length_s", "step_s"), [(DAY_S, 0), (30 * DAY_S, HOUR_S), (365 * DAY_S, DAY_S)])
def test_further_numbers_come_beside_the_others(tmp_path: Path, length_s: int, step_s: int) -> None:
    every_s = max(600, length_s // 1_000)
    arrivals = [
        Arrival(
            START_US + at_s * US, READING._replace(values=(("co2_ppm", 400.0 + at_s % HOUR_S), ("it's", 1.0)))
        )
        for at_s in range(0, length_s, every_s)
    ]
    store = Store(tmp_path / "db.sqlite3", 100_000)
    store.commit(Burst(1, arrivals, [], []), 0)
    store.close()
    wanted = Wanted("ECCTH01", START_US, START_US + length_s * US, ["co2_ppm", "it's", "unknown"])
    found = series(History(tmp_path / "db.sqlite3"), wanted, MOST)
    assert found.step_s == step_s
    point = found.points[3]
    assert len(point.bands) == 6
    low, mean, high = point.bands[3] or (0, 0, 0)
    hours = [400.0 + one.arrived_us // US % HOUR_S for one in arrivals]
    at_us = point.time_s * US
    of_it = [
        value
        for one, value in zip(arrivals, hours, strict=True)
        if (abs(one.arrived_us - at_us) < step_s * US / 2 if step_s else one.arrived_us == at_us)
    ]
    assert (low, high) == (min(of_it), max(of_it))
    assert mean == pytest.approx(sum(of_it) / len(of_it))
    assert point.bands[4] == (1.0, 1.0, 1.0)
    assert point.bands[5] is None
