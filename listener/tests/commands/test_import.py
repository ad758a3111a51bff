"""`ecc-listener import`: everything is copied once, however often and whenever it is interrupted."""

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ecc_listener import cli
from ecc_listener.history.postgres import PostgresHistory
from ecc_listener.history.query import History
from ecc_listener.readings.build import build
from ecc_listener.storage.interface import Burst
from ecc_listener.storage.postgres import importing
from ecc_listener.storage.postgres.store import PostgresStore
from ecc_listener.storage.quarantine import Arrival, Rejected
from ecc_listener.storage.store import Store
from storage.test_both import NOON_US, READING, burst, reading
from support.brokers import until
from support.postgres import Postgres, query

DAY_US = 86_400_000_000
ALL = (0, 2 * NOON_US)


def arrivals(first: int, count: int) -> list[Arrival]:
    """Make readings of three months, each different from the others."""
    return [
        Arrival(
            NOON_US + number * DAY_US // 20,
            reading(f"ECCTH{number % 3}", temperature_f=number / 7, values=(("co2", float(number)),)),
        )
        for number in range(first, first + count)
    ]


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.create_database()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file with an archive."""
    path = tmp_path / "db.sqlite3"
    with closing(Store(path, 1_000_000)) as store:
        store.commit(Burst(1, arrivals(0, 1_000), [], []), 0)
        store.archive()
        rejected = [Rejected(NOON_US, "t", b"no reading", "why")]
        store.commit(Burst(2, arrivals(1_000, 800), rejected, []), 0)
    return path


def run(path: Path, url: str, *words: str) -> int:
    return cli.main(["import", f"--database_url={url}", f"--database_file_path={path}", *words])


def assert_all_is_there(path: Path, url: str) -> None:
    assert list(PostgresHistory(url).readings(None, *ALL)) == list(History(path).readings(None, *ALL))


def test_file_and_archives_are_copied_once_and_proven(
    path: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.csv"
    assert run(path, url, "--report", str(report)) == 0
    assert "1,800 readings in the file and its archives; 1,800 of them were copied" in capsys.readouterr().out
    assert_all_is_there(path, url)
    rows = list(csv.DictReader(report.read_text().splitlines()))
    assert [row["month"] for row in rows[::3]] == ["2026-03", "2026-04", "2026-05"]
    assert sum(int(row["readings_postgresql"]) for row in rows) == 1_800
    assert query(url, "SELECT topic, payload, reason FROM rejected") == [("t", b"no reading", "why")]
    reports = query(url, "SELECT count(*) FROM sensor_report")

    assert run(path, url) == 0
    assert "; 0 of them were copied now." in capsys.readouterr().out
    assert query(url, "SELECT count(*) FROM reading") == [(1_800,)]
    assert query(url, "SELECT count(*) FROM reading_value") == [(1_800,)]
    assert query(url, "SELECT count(*) FROM rejected") == [(1,)]
    assert query(url, "SELECT count(*) FROM sensor_report") == reports


def test_what_comes_while_the_old_installation_still_runs_is_copied_by_the_next_import(
    path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(path, url) == 0
    with closing(Store(path, 1_000_000)) as store:
        store.commit(Burst(3, arrivals(1_800, 5), [], []), 0)
        capsys.readouterr()
        assert run(path, url) == 0
    assert "1,805 readings in the file and its archives; 5 of them" in capsys.readouterr().out
    assert_all_is_there(path, url)


def test_readings_that_the_new_listener_has_stored_already_stay(path: Path, url: str) -> None:
    taken = arrivals(10, 1)[0]
    store = PostgresStore(url, "one", 1_000_000)
    hall = READING._replace(sensor_name=taken.reading.sensor_name, location="Hall")
    store.commit(burst(1, (taken.arrived_us, hall), (taken.arrived_us + 1, hall)), confirmed=0)
    for _ in range(2):
        assert run(path, url) == 0
        assert query(url, "SELECT count(*) FROM reading") == [(1_802,)]
        beside = f"SELECT time FROM reading WHERE temperature_f = {taken.reading.temperature_f}"
        assert str(query(url, beside)[0][0]).endswith("000002")
    latest = query(url, f"SELECT location FROM ecclatest WHERE sensorname = '{hall.sensor_name}'")
    assert latest == [("Hall",)]
    store.close()


def test_a_reading_that_was_copied_before_its_last_part_came_is_completed(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "db.sqlite3"
    with closing(Store(path, 1_000_000)) as store:
        for number, part in enumerate(({"temperature_f": 70.0}, {"humidity_percent": 40.0})):
            (one,) = build("attic", part, is_part=True)
            store.commit(burst(number + 1, (NOON_US + number, one)), confirmed=0)
            assert run(path, url) == 0
    assert query(url, "SELECT temperature_f, humidity_percent FROM reading") == [(70.0, 40.0)]
    assert_all_is_there(path, url)
    assert "not all" not in capsys.readouterr().err


def test_an_import_that_is_killed_goes_on_where_it_was(path: Path, url: str) -> None:
    words = [sys.executable, "-m", "ecc_listener", "import", f"--database_file_path={path}"]
    PostgresStore(url, "one", 1_000_000).close()
    for pause_s in (0.4, 0.6, None):
        process = subprocess.Popen(words, env=os.environ | {"ECC_DATABASE_URL": url}, cwd=path.parent)
        if pause_s is not None:
            time.sleep(pause_s)
        else:
            until(lambda: query(url, "SELECT count(*) FROM reading")[0][0] > 0)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert run(path, url) == 0
    assert_all_is_there(path, url)


def test_readings_that_are_not_there_are_named(
    path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_one = importing._INSERT.replace("FROM staged", "FROM staged WHERE sensor_id <> 1")
    monkeypatch.setattr(importing, "_INSERT", without_one)
    assert run(path, url) == 1
    captured = capsys.readouterr()
    assert "2026-04: not all readings of ECCTH0 are there" in captured.err
    assert "run the import again" in captured.out


def test_without_a_database_url_or_readings_it_says_what_is_missing(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["import", f"--database_file_path={tmp_path / 'db'}"]) == 2
    assert "database_url: is not set" in capsys.readouterr().err
    assert run(tmp_path / "db", url) == 1
    assert "have no readings" in capsys.readouterr().err
