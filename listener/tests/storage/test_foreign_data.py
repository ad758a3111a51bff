"""Databases that people have changed: the listener and every verb go on with them, and nothing is lost."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ecc_listener import cli
from ecc_listener.history.query import History
from ecc_listener.readings.form import decode
from ecc_listener.storage.connection import connect_readonly, utc_us
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from ecc_listener.storage.values import read_number, read_utc
from support.brokers import OFFICE, Mosquitto, until
from support.foreign_checks import check
from support.listeners import Listener

NOON_US = utc_us("2026-03-01 12:00:00")
FOR_EVER = (0, utc_us("2099-01-01"))
ORIGINAL = """
    CREATE TABLE ECCTempHum (recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL,
        relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT,
        PRIMARY KEY (sensorName, recordWrittenUTC));
    CREATE INDEX ECCTempHum_sensor_idx ON ECCTempHum (sensorName);
"""
ROW = "'2020-12-19 03:04:05.678901', 47, 70, 40, 3.4, 90, -60, 'ECCTH01'"
Lay = Callable[[str], Path]


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Return a function that creates a database with SQL, in the working directory."""
    monkeypatch.chdir(tmp_path)

    def create(sql: str) -> Path:
        path = tmp_path / "ECCTempHum.sqlite3"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)
        return path

    return create


def stored(path: Path, number: int = 1, at_us: int = NOON_US) -> None:
    with closing(Store(path, 1_000_000)) as store:
        store.commit(Burst(number, [Arrival(at_us, decode(OFFICE))], [], []), 0)


def times(path: Path) -> list[tuple[str, str]]:
    return [(row.sensor_name, row.utc) for row in History(path).readings(None, *FOR_EVER)]


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a verb and return its output; it must not fail."""
    assert cli.main(words) in ({0, 1} if words[0] == "status" else {0})
    shown = capsys.readouterr()
    assert "damaged;" not in shown.out
    return shown.out


def test_a_column_that_somebody_added_stays_and_new_rows_get_its_default(lay: Lay) -> None:
    path = lay(
        f"{ORIGINAL} INSERT INTO ECCTempHum VALUES ({ROW});"
        "ALTER TABLE ECCTempHum ADD COLUMN note TEXT DEFAULT 'x'"
    )
    stored(path)
    assert rows(path, "SELECT sensorName, note FROM ECCTempHum") == [("ECCTH01", "x"), ("ECCTH01", "x")]
    assert [name for name, _ in times(path)] == ["ECCTH01", "ECCTH01"]
    with closing(Store(path, 1_000_000)) as store:
        archive = store.archive()
    stored(path, 2, NOON_US + 1)
    assert rows(archive, "SELECT count(note) FROM ECCTempHum") == [(2,)]
    assert rows(path, "SELECT note FROM ECCTempHum") == [("x",)]
    assert len(times(path)) == 3


def test_rows_without_a_name_or_a_time_stay_are_not_shown_and_are_counted(
    lay: Lay, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = lay(
        f"{ORIGINAL} INSERT INTO ECCTempHum VALUES"
        " ('2020-12-19 03:04:05.678901', NULL, 70, NULL, NULL, NULL, NULL, 'ECCTH01'),"
        " (NULL, 47, 70, 40, 3.4, 90, -60, 'ECCTH02'),"
        " ('2020-12-19 03:14:05.678901', 47, 70, 40, 3.4, 90, -60, NULL)"
    )
    for _ in range(2):
        status = run(capsys, "status")
        assert "2 rows have no sensor's name or no valid time; they stay in the database" in status
        assert "ECCTH01    70.0    21.1       -       -     -  2020-12-19" in status
        assert run(capsys, "export").splitlines()[1:] == ["2020-12-19 03:04:05,ECCTH01,70.0,,,,,"]
        with closing(Store(path, 1_000_000)):
            pass
    assert caplog.text.count("2 rows are without a sensor's name or a valid time") == 2
    stored(path)
    assert rows(path, "SELECT count(*) FROM ECCTempHum") == [(4,)]
    assert len(times(path)) == 2


def test_times_in_other_forms_are_read_as_what_they_mean(
    lay: Lay, capsys: pytest.CaptureFixture[str]
) -> None:
    values = "47, 70, 40, 3.4, 90, -60, 'ECCTH01'"
    path = lay(
        f"{ORIGINAL} INSERT INTO ECCTempHum VALUES ('2020-12-19T03:04:05Z', {values}),"
        f" ('2020-12-19 03:14:05', {values}), ('2020-12-19T15:24:05.5+13:00', {values}),"
        f" ('yesterday', {values}), ('9999-12-31 23:59:59', {values})"
    )
    for _ in range(2):
        assert [line[:27] for line in run(capsys, "export").splitlines()[1:3]] == [
            "2020-12-19 02:24:05,ECCTH01",
            "2020-12-19 03:04:05,ECCTH01",
        ]
        assert times(path) == [
            ("ECCTH01", "2020-12-19 02:24:05.500000"),
            ("ECCTH01", "2020-12-19 03:04:05"),
            ("ECCTH01", "2020-12-19 03:14:05"),
        ]
        assert "2 rows have no" in run(capsys, "status")
        with closing(Store(path, 1_000_000)):
            pass
    assert ("2020-12-19T03:04:05Z",) in rows(path, "SELECT recordWrittenUTC FROM ECCTempHum")


def plan(path: Path, query: str) -> str:
    with closing(connect_readonly(path)) as connection:
        return " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))


RANGE = (
    "SELECT temperatureF FROM ECCTempHum WHERE sensorName = 'ECCTH01' AND recordWrittenUTC >= '2020'"
    " AND recordWrittenUTC < '2021' ORDER BY recordWrittenUTC LIMIT 1"
)


def test_a_regular_file_is_read_as_it_is_and_through_its_key(lay: Lay) -> None:
    path = lay(f"{ORIGINAL} INSERT INTO ECCTempHum VALUES ({ROW})")
    stored(path)
    with closing(connect_readonly(path)) as connection:
        assert connection.execute("SELECT count(*) FROM temp.sqlite_master").fetchone() == (0,)
    assert "USING INDEX sqlite_autoindex_ECCTempHum_1 (sensorName=? AND recordWrittenUTC>?" in plan(
        path, RANGE
    )


def test_an_irregular_row_does_not_hide_the_key(lay: Lay) -> None:
    path = lay(
        f"{ORIGINAL} INSERT INTO ECCTempHum VALUES ({ROW}),"
        " ('2020-12-19T05:04:05Z', 47, 70, 40, 3.4, 90, -60, 'ECCTH01')"
    )
    assert "USING INDEX sqlite_autoindex_ECCTempHum_1 (sensorName=? AND recordWrittenUTC>?" in plan(
        path, RANGE
    )
    assert "SCAN main.ECCTempHum" not in plan(path, "SELECT * FROM ECCLatest")
    with closing(connect_readonly(path)) as connection:
        newest = connection.execute("SELECT sensorName, recordWrittenUTC FROM ECCLatest").fetchall()
    assert newest == [("ECCTH01", "2020-12-19 05:04:05")]


def test_a_file_in_place_of_another_one_is_not_taken_for_it(lay: Lay, tmp_path: Path) -> None:
    path = lay(f"{ORIGINAL} INSERT INTO ECCTempHum VALUES ({ROW})")
    assert times(path) == [("ECCTH01", "2020-12-19 03:04:05.678901")]
    other = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(other)) as connection:
        connection.executescript(
            f"{ORIGINAL.replace('sensorName', 'sensorNeme')} INSERT INTO ECCTempHum VALUES ({ROW})"
        )
    inode = path.stat().st_ino
    # Equal in everything that has a number: size, inode, schema version, lengths of the statements.
    path.write_bytes(other.read_bytes())
    assert path.stat().st_ino == inode
    assert times(path) == []


def test_a_real_listener_goes_on_with_such_a_file(tmp_path: Path, broker: Mosquitto) -> None:
    listener = Listener(tmp_path / "listener", broker.port)
    with closing(sqlite3.connect(listener.database)) as connection:
        connection.executescript(
            f"{ORIGINAL} INSERT INTO ECCTempHum VALUES ({ROW}), (NULL, 47, 70, 40, 3.4, 90, -60, 'ECCTH02');"
            "ALTER TABLE ECCTempHum ADD COLUMN note TEXT DEFAULT 'x'; PRAGMA user_version = 42"
        )
    try:
        listener.start()
        broker.publish(OFFICE)
        until(lambda: rows(listener.database, "SELECT count(*) FROM ECCTempHum WHERE note = 'x'") == [(3,)])
        assert "1 row is without a sensor's name or a valid time" in listener.log()
        status = listener.run("status")
        assert "1 row has no sensor's name or no valid time" in status.stdout
        assert listener.stop() == 0
    finally:
        listener.end()
    assert [path.name for path in listener.folder.glob("*damaged*")] == []


@pytest.mark.parametrize("seed", range(12))
def test_a_file_that_people_have_changed_goes_through_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    for name in os.environ:
        if name.startswith("ECC_"):
            monkeypatch.delenv(name)
    assert check(tmp_path, seed)[1] == []


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2020-12-19 03:04:05.678901", "2020-12-19 03:04:05.678901"),
        ("2020-12-19T03:04:05Z", "2020-12-19 03:04:05"),
        ("2020-12-19T03:04:05.5-05:00", "2020-12-19 08:04:05.500000"),
        ("20201219T030405Z", "2020-12-19 03:04:05"),
        (" 2020-12-19 03:04 ", "2020-12-19 03:04:00"),
        *((value, None) for value in ("", "yesterday", "1608347045", "2020-02-30 01:02:03")),
        *((value, None) for value in ("0001-01-01T00:00+05:00", "9999-12-31 23:59:59", "1969-12-31 23:59")),
        *((value, None) for value in (None, 1608347045, 1.5, b"2020-12-19 03:04:05")),
    ],
)
def test_a_time_is_what_iso_8601_says_from_1970_to_2099(value: object, utc: str | None) -> None:
    assert read_utc(value) == utc


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1), (1.5, 1.5), ("70.5", 70.5), ("warm", None), (b"70", None), (None, None), (float("inf"), None)],
)
def test_a_number_may_be_written_as_text(value: object, number: float | None) -> None:
    assert read_number(value) == number
