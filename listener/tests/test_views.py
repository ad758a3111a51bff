"""The views of `make sql`, on a real file that is opened for reading only."""

import sqlite3
from pathlib import Path

import pytest

_VIEWS = Path(__file__).parents[1] / "scripts" / "views.sql"
_ROWS = [
    ("2020-12-19 03:04:05.678901", 40, 70, 30, 3.4, 90, -60, "ECCTH01"),
    ("2020-12-19 03:14:05.000000", 40, 74, 32, 3.4, 89, -60, "ECCTH01"),
    ("2020-12-19 04:14:05.000000", 40, 72, 31, 3.4, 88, -60, "ECCTH01"),
    ("2020-12-20 03:04:05.000000", 40, 60, 33, 3.1, 20, -60, "ECCTH02"),
]


@pytest.fixture
def shell(tmp_path: Path) -> sqlite3.Connection:
    path = tmp_path / "ECCTempHum.sqlite3"
    with sqlite3.connect(path) as writer:
        writer.execute(
            "CREATE TABLE ECCTempHum (recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL, "
            "relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT, "
            "PRIMARY KEY (sensorName, recordWrittenUTC))"
        )
        writer.executemany("INSERT INTO ECCTempHum VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _ROWS)
    writer.close()
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    reader.executescript(_VIEWS.read_text())
    return reader


def test_latest_is_the_newest_reading_of_each_sensor(shell: sqlite3.Connection) -> None:
    rows = shell.execute("SELECT sensor, utc, temperatureF FROM latest ORDER BY sensor").fetchall()
    assert rows == [
        ("ECCTH01", "2020-12-19 04:14:05.000000", 72.0),
        ("ECCTH02", "2020-12-20 03:04:05.000000", 60.0),
    ]


def test_a_day_has_its_least_mean_and_greatest_temperature(shell: sqlite3.Connection) -> None:
    day = "SELECT readings, minF, meanF, maxF FROM daily WHERE day = '2020-12-19'"
    assert shell.execute(day).fetchall() == [(3, 70.0, 72.0, 74.0)]


def test_an_hour_of_silence_is_a_gap_and_ten_minutes_are_none(shell: sqlite3.Connection) -> None:
    assert shell.execute("SELECT sensor, minutes FROM gaps").fetchall() == [("ECCTH01", 60.0)]


def test_the_flattest_battery_comes_first(shell: sqlite3.Connection) -> None:
    rows = shell.execute("SELECT sensor, battPercent FROM batteries").fetchall()
    assert rows == [("ECCTH02", 20.0), ("ECCTH01", 88.0)]


def test_readings_of_old_are_not_of_today(shell: sqlite3.Connection) -> None:
    assert shell.execute("SELECT * FROM today").fetchall() == []
