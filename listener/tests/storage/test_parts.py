"""Parts of a reading that come in messages of their own become one row."""

from collections.abc import Iterator
from math import isclose
from pathlib import Path

import pytest

from ecc_listener.history.query import History
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.history.rollups import rollup_path
from ecc_listener.readings.build import build
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import connect_readonly, open_readonly, utc_us
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store

NOON_US = utc_us("2026-03-01 12:00:00")
SECOND_US = 1_000_000


class Parts:
    """A store, and the parts that come to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path, 1_000_000)
        self.bursts = 0

    def come(self, *arrivals: tuple[float, dict[str, float]], name: str = "attic") -> None:
        """Commit parts in one burst, each (seconds since noon, numbers)."""
        self.bursts += 1
        readings = [
            Arrival(NOON_US + int(after_s * SECOND_US), part(name, numbers)) for after_s, numbers in arrivals
        ]
        self.store.commit(Burst(self.bursts, readings, [], []), 0)

    @property
    def rows(self) -> list[tuple[object, ...]]:
        columns = "substr(recordWrittenUTC, 18, 5), temperatureF, relHumidityPercent, battPercent, apRSSI"
        connection = connect_readonly(self.path)
        found = connection.execute(f"SELECT {columns} FROM ECCTempHum ORDER BY rowid").fetchall()
        connection.close()
        return found


def part(name: str, numbers: dict[str, float]) -> Reading:
    (reading,) = build(name, numbers, is_part=True)
    return reading


TEMPERATURE, HUMIDITY = {"temperature_f": 70.0}, {"humidity_percent": 40.0}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path / "db.sqlite3")
    yield made
    made.store.close()


@pytest.mark.parametrize("is_one_burst", [True, False])
def test_parts_within_ten_seconds_are_one_row_with_its_dew_point(parts: Parts, *, is_one_burst: bool) -> None:
    arrivals = [(0, TEMPERATURE), (1, HUMIDITY), (9.9, {"battery_percent": 80.0, "rssi_dbm": -60})]
    for some in [arrivals] if is_one_burst else [[one] for one in arrivals]:
        parts.come(*some)
    assert parts.rows == [("00.00", 70.0, 40.0, 80.0, -60)]
    (row,) = History(parts.path).readings(None, 0, NOON_US * 2)
    assert row.dew_point_f is not None
    assert isclose(row.dew_point_f, 44.6, abs_tol=0.1)


def test_a_later_part_and_one_that_is_there_already_begin_a_row(parts: Parts) -> None:
    parts.come((0, TEMPERATURE), (10.1, HUMIDITY), (10.2, {"temperature_f": 71.0}))
    parts.come((12, {"temperature_f": 72.0}))
    assert parts.rows == [
        ("00.00", 70.0, None, None, None),
        ("10.10", 71.0, 40.0, None, None),
        ("12.00", 72.0, None, None, None),
    ]


def test_parts_of_two_sensors_are_not_mixed(parts: Parts) -> None:
    parts.come((0, TEMPERATURE))
    parts.come((1, HUMIDITY), name="cellar")
    assert [row[1:3] for row in parts.rows] == [(70.0, None), (None, 40.0)]


def test_further_numbers_are_joined_as_well_and_none_is_replaced(parts: Parts) -> None:
    parts.come((0, TEMPERATURE), (1, {"pressure_hpa": 1000.0}), (2, {"pressure_hpa": 1001.0}))
    first, second = History(parts.path).readings(None, 0, NOON_US * 2)
    assert first.values == (("pressure_hpa", 1000.0),)
    assert (second.values, second.temperature_f) == ((("pressure_hpa", 1001.0),), None)


def test_what_a_device_knows_about_itself_alone_does_not_make_it_a_sensor(parts: Parts) -> None:
    parts.come((0, {"battery_percent": 80.0}), (1, {"rssi_dbm": -60}))
    assert parts.rows == []
    parts.come((2, TEMPERATURE))
    parts.come((100, {"battery_percent": 79.0}))
    assert parts.rows == [("02.00", 70.0, None, None, None), ("40.00", None, None, 79.0, None)]


def test_a_restart_in_between_joins_all_the_same(parts: Parts) -> None:
    parts.come((0, TEMPERATURE))
    parts.store.close()
    parts.store = Store(parts.path, 1_000_000)
    parts.come((1, HUMIDITY))
    assert parts.rows == [("00.00", 70.0, 40.0, None, None)]


def test_rollups_wait_for_the_parts_of_a_row(parts: Parts) -> None:
    writer = RollupWriter(parts.path)
    for minute in range(30):
        parts.come((minute * 60, TEMPERATURE))
        while writer.step():
            pass
        parts.come((minute * 60 + 1, HUMIDITY))
        while writer.step():
            pass
    writer.close()
    (hour,) = History(parts.path).rollups("attic", NOON_US, NOON_US + 3600 * SECOND_US, "hour")
    assert (hour.count, hour.humidity_mean_percent, hour.temperature_mean_f) == (30, 40.0, 70.0)
    # They are in the rollup file, with as many humidities as temperatures.
    connection = open_readonly(rollup_path(parts.path))
    known = "readings, t_known, h_known"
    ((readings, temperatures, humidities),) = connection.execute(f"SELECT {known} FROM Hour").fetchall()
    connection.close()
    assert readings == temperatures == humidities >= 29


@pytest.mark.parametrize(("after_s", "rows"), [(10, 1), (10.000001, 2), (-10, 1), (-10.000001, 2)])
def test_ten_seconds_to_the_microsecond_join_a_part(parts: Parts, after_s: float, rows: int) -> None:
    parts.come((0, TEMPERATURE), (after_s, HUMIDITY))
    assert len(parts.rows) == rows
