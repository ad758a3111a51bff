"""The shell of `make sql`, on a real database with an archive, and the documentation's queries in it."""

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from ecc_listener.readings.form import decode
from ecc_listener.storage.connection import utc_us
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

_ROOT = Path(__file__).parents[3]
_READING = decode(OFFICE)
_ZONE = "America/New_York"


def _lay(path: Path, *readings: tuple[str, str, float, float]) -> Store:
    """Store readings of (UTC, sensor, °F, battery %); give the store."""
    store = Store(path, 100_000)
    arrivals = [
        Arrival(
            utc_us(utc), _READING._replace(sensor_name=name, temperature_f=value, battery_percent=battery)
        )
        for utc, name, value, battery in readings
    ]
    store.commit(Burst(len(store.recorded()) + 1, arrivals, [], []), 0)
    return store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Give a live file with one archive: one sensor is in both, one only in the archive."""
    path = tmp_path / "ECCTempHum.sqlite3"
    store = _lay(
        path,
        ("2026-02-19 03:04:05.678901", "ECCTH01", 70, 90),
        ("2026-02-19 03:14:05.000000", "ECCTH01", 74, 89),
        ("2026-02-20 03:04:05.000000", "ECCTH02", 60, 20),
    )
    store.archive()
    store.close()
    _lay(path, ("2026-02-19 04:14:05.000000", "ECCTH01", 72, 88)).close()
    return path


def ask(database: Path, query: str) -> list[list[str]]:
    done = subprocess.run(
        [_ROOT / "listener/scripts/sql", database],
        input=f".mode list\n.headers off\n{query}\n",
        env=os.environ | {"TZ": _ZONE},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return [line.split("|") for line in done.stdout.splitlines()]


def test_latest_knows_the_sensors_that_have_been_silent_since_the_archive(database: Path) -> None:
    assert ask(database, "SELECT sensor, location, utc, local, temperatureF, temperatureC FROM latest;") == [
        ["ECCTH01", "Office", "2026-02-19 04:14:05.000000", "2026-02-18 23:14:05", "72.0", "22.22"],
        ["ECCTH02", "Office", "2026-02-20 03:04:05.000000", "2026-02-19 22:04:05", "60.0", "15.56"],
    ]


def test_a_day_is_one_of_this_place_and_goes_over_the_files(database: Path) -> None:
    assert ask(database, "SELECT day, readings, minF, meanF, maxF FROM daily WHERE sensor = 'ECCTH01';") == [
        ["2026-02-18", "3", "70.0", "72.0", "74.0"]
    ]


def test_an_hour_of_silence_is_a_gap_also_where_a_file_ends(database: Path) -> None:
    assert ask(database, "SELECT * FROM gaps;") == [
        ["ECCTH01", "2026-02-18 22:14:05", "2026-02-18 23:14:05", "60.0"]
    ]


def test_the_flattest_battery_comes_first(database: Path) -> None:
    assert ask(database, "SELECT sensor, battPercent FROM batteries;") == [
        ["ECCTH02", "20.0"],
        ["ECCTH01", "88.0"],
    ]


def test_today_begins_at_midnight_of_this_place_and_may_lie_in_an_archive(database: Path) -> None:
    assert ask(database, "SELECT * FROM today;") == []
    with closing(sqlite3.connect(":memory:")) as clock:
        now = clock.execute("SELECT strftime('%Y-%m-%d %H:%M:%S', 'now') || '.000000'").fetchone()[0]
    store = _lay(database, (now, "ECCTH01", 75, 88))
    store.archive()
    store.close()
    assert [row[3] for row in ask(database, "SELECT * FROM today;")] == ["75.0"]


def test_readings_are_those_of_the_live_file_and_nine_archives(tmp_path: Path) -> None:
    path = tmp_path / "ECCTempHum.sqlite3"
    for day in range(10, 22):
        store = _lay(path, (f"2026-02-{day} 03:04:05.000000", "ECCTH01", 70, 90))
        if day < 21:
            store.archive()
        store.close()
    assert ask(path, "SELECT count(*), min(utc) FROM readings;") == [["10", "2026-02-12 03:04:05.000000"]]


def test_an_archive_that_is_damaged_is_told_and_left_out(database: Path) -> None:
    database.with_name("ECCTempHum-202501010000-202502010000.sqlite3").write_bytes(b"x" * 5_000)
    done = subprocess.run(
        [_ROOT / "listener/scripts/sql", database],
        input="SELECT count(*) FROM readings;",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.count("can't be read\n") == 1
    assert done.stdout.split()[-1] == "4"


def test_nothing_can_be_changed(database: Path) -> None:
    for file in ("main", "archive1"):
        done = subprocess.run(
            [_ROOT / "listener/scripts/sql", database],
            input=f"DELETE FROM {file}.ECCTempHum;",
            capture_output=True,
            text=True,
            check=False,
        )
        assert "readonly" in done.stderr


def test_the_readme_s_five_queries_answer_what_they_say(database: Path) -> None:
    block = (_ROOT / "listener/docs/backup-and-restore.md").read_text().split("```sql\n")[1].split("```")[0]
    queries = re.findall(r"^(SELECT [^;]+;)", block, re.MULTILINE)
    assert len(queries) == 5
    with closing(sqlite3.connect(":memory:")) as clock:
        now = clock.execute("SELECT strftime('%Y-%m-%d %H:%M:%S', 'now') || '.000000'").fetchone()[0]
    _lay(database, (now, "ECCTH01", 75, 88)).close()
    answers = [ask(database, query) for query in queries]
    assert [row[0] for row in answers[0]] == ["ECCTH01", "ECCTH02"]
    assert answers[1][0][0] == "ECCTH01"
    assert answers[2][-1] == ["2026-02-18", "70.0", "72.0", "74.0"]
    assert answers[3] == [["ECCTH01", "75.0"]]
    assert answers[4] == [["ECCTH02", "20.0"]]
