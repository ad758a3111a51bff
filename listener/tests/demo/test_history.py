"""The month before the demonstration."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from ecc_listener.demo import history
from ecc_listener.demo.history import LIMITS, START, prepare, write_history
from ecc_listener.settings import Settings, load
from ecc_listener.simulator.device import create_devices, measure_all

MONTH = timedelta(days=30)


def settings(folder: Path) -> Settings:
    (folder / "limits").write_text(LIMITS)
    (folder / "urls").write_text("json://127.0.0.1:9/nobody\n")
    paths = {
        "database_file_path": "db",
        "limits_file_path": "limits",
        "last_notice_file_path": "last",
        "gmail_credentials_file_path": "none",
        "apprise_urls_file_path": "urls",
    }
    return load({name: folder / path for name, path in paths.items()} | {"automatic_backup": "no"})


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("month")
    assert write_history(settings(folder), prepare(create_devices(6)), timedelta(0), MONTH) == 25_740
    return folder / "db"


def found(database: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query, values).fetchall()


def test_readings_are_as_the_sensors_would_have_sent_them_where_nothing_happened(database: Path) -> None:
    query = "SELECT temperatureF, sensorName FROM ECCTempHum WHERE recordWrittenUTC >= ?"
    since = START - timedelta(days=9)
    rows = found(database, f"{query} ORDER BY recordWrittenUTC, sensorName", str(since)[:19])
    readings = [reading for _, reading in measure_all(prepare(create_devices(6)), since, START)]
    assert rows == [(one.temperature_f, one.sensor_name) for one in readings]
    assert found(database, "SELECT count(*) FROM ECCTempHumSensor") == [(5,)]
    assert found(database, "SELECT count(*) FROM ECCDelivery") == [(0,)]


def test_a_damp_week_a_cold_night_an_outage_and_a_new_battery_were_noticed_and_are_over(
    database: Path,
) -> None:
    notices = found(
        database,
        "SELECT kind, sensorName, sinceUTC < overUTC, done FROM ECCNotice WHERE kind != 'new' ORDER BY 1",
    )
    assert notices == [
        ("all_silent", "", 1, 1),
        ("battery_low", "ECCTH02", 1, 1),
        ("too_cold", "ECCTH05", 1, 1),
        ("too_damp", "ECCTH03", 1, 1),
    ]


def test_what_was_noticed_was_sent_when_it_happened(database: Path) -> None:
    subjects = [str(subject) for (subject,) in found(database, "SELECT subject FROM ECCMail")]
    for begin in (
        "New sensor ECCTH01 in Office, and 5 more",
        "Sacristy: too damp, ",
        "Resolved: Sacristy: dry enough again",
        "Nave: battery at ",
        "Resolved: Nave: new battery, ",
        "Hall: too cold, ",
        "Resolved: Hall: warm enough again",
        "All sensors: no reading since ",
        "Resolved: All sensors: readings again",
    ):
        assert any(subject.startswith(begin) for subject in subjects), begin
    ((last, waiting),) = found(
        database,
        "SELECT lastSentUTC, (SELECT count(*) FROM ECCMail WHERE number > doneUpTo) FROM ECCMailWay",
    )
    assert waiting == 0
    assert str(START - MONTH) < str(last) < str(START)


def test_the_rooms_have_local_time(tmp_path: Path) -> None:
    new_york = timedelta(hours=-4)
    assert write_history(settings(tmp_path), create_devices(1), new_york, timedelta(hours=1)) == 6
    rows = found(tmp_path / "db", "SELECT recordWrittenUTC, temperatureF FROM ECCTempHum ORDER BY 1")
    assert str(rows[0][0]).startswith("2026-04-19 09:00:00")
    readings = measure_all(create_devices(1), START - timedelta(hours=1), START)
    assert [row[1] for row in rows] == [reading.temperature_f for _, reading in readings]


def test_an_interrupted_history_leaves_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "_record_as_sent", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_history(settings(tmp_path), prepare(create_devices(2)), timedelta(0), timedelta(days=1))
    assert [path.name for path in tmp_path.glob("db*")] == []
