import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ecc_listener.history.query import _LATER_AGGREGATES, History, Row
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.readings.corrections import Corrections, Offsets
from ecc_listener.readings.form import decode
from ecc_listener.storage.connection import StoreError, connect_readonly, utc_text, utc_us
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

NOON_US = utc_us("2026-03-01 12:00:00")
MINUTE_US = 60 * 1_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
READING = decode(OFFICE)
FOR_EVER = (0, utc_us("9999-01-01"))


def lay(path: Path, *readings: tuple[str, int], temperature_f: float = 70.0) -> None:
    """Make a data file with readings of (sensor, arrival)."""
    store = Store(path, 100_000)
    arrivals = [
        Arrival(at_us, READING._replace(sensor_name=name, temperature_f=temperature_f))
        for name, at_us in readings
    ]
    store.commit(Burst(store.recorded()[-1][0] + 1 if store.recorded() else 1, arrivals, [], []), confirmed=0)
    store.close()


def found(
    history: History, *sensors: str, start_us: int = 0, end_us: int = FOR_EVER[1]
) -> list[tuple[str, str]]:
    return [(row.sensor_name, row.utc) for row in history.readings(sensors or None, start_us, end_us)]


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "db.sqlite3"


def test_without_any_file_there_is_no_history(live: Path) -> None:
    history = History(live)
    assert history.files() == []
    assert history.sensors() == []
    assert found(history) == []


def test_readings_come_in_time_order_over_the_live_file_and_its_archives(live: Path, tmp_path: Path) -> None:
    lay(
        tmp_path / "db-202601010000-202602010000.sqlite3",
        ("a", NOON_US - DAY_US),
        ("b", NOON_US - 3 * DAY_US),
    )
    lay(tmp_path / "db-202602010000-202603010000.sqlite3", ("a", NOON_US - 2 * DAY_US))
    lay(live, ("b", NOON_US + 2), ("a", NOON_US + 1))
    history = History(live)
    times = [NOON_US - 3 * DAY_US, NOON_US - 2 * DAY_US, NOON_US - DAY_US, NOON_US + 1, NOON_US + 2]
    assert found(history) == list(zip("baaab", map(utc_text, times), strict=True))
    assert found(history, "a") == [("a", utc_text(times[index])) for index in (1, 2, 3)]
    assert history.sensors() == ["a", "b"]
    assert [(file.path.name, file.first_utc) for file in history.files()] == [
        ("db-202601010000-202602010000.sqlite3", utc_text(times[0])),
        ("db-202602010000-202603010000.sqlite3", utc_text(times[1])),
        ("db.sqlite3", utc_text(times[3])),
    ]


def test_a_span_has_its_first_moment_and_not_its_last(live: Path) -> None:
    lay(live, *(("a", NOON_US + number) for number in range(4)))
    chosen = found(History(live), start_us=NOON_US + 1, end_us=NOON_US + 3)
    assert chosen == [("a", utc_text(NOON_US + 1)), ("a", utc_text(NOON_US + 2))]


def test_an_archive_of_the_original_counts_and_its_whole_seconds_too(live: Path, tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "db-202012190304-202012200304.sqlite3")
    old.executescript(
        "CREATE TABLE ECCTempHum(recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL,"
        " relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT,"
        " PRIMARY KEY (sensorName, recordWrittenUTC));"
        "INSERT INTO ECCTempHum VALUES ('2020-12-19 03:04:05', 1, 2, 3, 4, 5, -6, 'ECCTH01');"
        "INSERT INTO ECCTempHum VALUES ('2020-12-19 03:04:06', 1, 2, 3, 4, 5, -6, 'ECCTH01');"
    )
    old.close()
    lay(live, ("ECCTH01", NOON_US))
    start_us = utc_us("2020-12-19 03:04:05")
    rows = list(History(live).readings(None, start_us, start_us + 1_000_000))
    assert rows == [Row("2020-12-19 03:04:05", 1, 2, 3, 4, 5, -6, "ECCTH01")]


@pytest.mark.parametrize(
    "name",
    ["other-202601010000-202602010000.sqlite3", "db-2026-2027.sqlite3", "db-202601010000-202602010000.bak"],
)
def test_what_is_not_named_as_an_archive_is_none(live: Path, tmp_path: Path, name: str) -> None:
    lay(tmp_path / name, ("a", NOON_US))
    lay(live, ("b", NOON_US))
    assert History(live).sensors() == ["b"]


def test_only_files_that_hold_something_of_the_span_are_read(live: Path, tmp_path: Path) -> None:
    old = tmp_path / "db-202601010000-202602010000.sqlite3"
    lay(old, ("a", NOON_US - 60 * DAY_US))
    lay(live, ("a", NOON_US))
    history = History(live)
    history.files()
    # Nothing about the file changes, so that what is remembered of it holds, but no page of it can be read.
    before = old.stat()
    old.write_bytes(bytes(before.st_size))
    os.utime(old, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found(history, start_us=NOON_US - DAY_US) == [("a", utc_text(NOON_US))]


def test_an_archive_that_cannot_be_read_is_named_and_keeps_nobody_from_the_rest(
    live: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "db-202601010000-202602010000.sqlite3"
    broken.write_bytes(b"no database at all" * 100)
    lay(live, ("a", NOON_US))
    history = History(live)
    assert found(history) == [("a", utc_text(NOON_US))]
    assert [broken.name in fault for fault in history.unreadable()] == [True]


def test_a_live_file_that_cannot_be_read_is_an_error(live: Path) -> None:
    live.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="no SQLite database"):
        History(live).sensors()


def test_a_file_that_bears_both_names_for_a_moment_counts_once(live: Path, tmp_path: Path) -> None:
    lay(live, ("a", NOON_US))
    (tmp_path / "db-202601010000-202602010000.sqlite3").hardlink_to(live)
    assert found(History(live)) == [("a", utc_text(NOON_US))]
    assert [file.path for file in History(live).files()] == [live]


def test_an_archive_made_in_the_middle_of_a_long_reading_takes_nothing_away(
    live: Path, tmp_path: Path
) -> None:
    times = [NOON_US + number * 10 * DAY_US for number in range(40)]
    lay(live, *(("a", at_us) for at_us in times))
    reading = History(live).readings(None, *FOR_EVER)
    got = [next(reading).utc]
    live.rename(tmp_path / "db-202601010000-202602010000.sqlite3")
    lay(live, ("a", times[-1] + DAY_US))
    got += [row.utc for row in reading]
    assert got == [utc_text(at_us) for at_us in times]


def test_an_archive_made_between_two_files_of_one_slice_is_noticed(
    live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / "db-202601010000-202602010000.sqlite3", ("a", NOON_US))
    lay(live, ("a", NOON_US + 1))
    history = History(live)
    spans = history._spans
    again: list[bool] = []

    def archived_meanwhile() -> object:
        if not again:
            again.append(True)
            live.rename(tmp_path / "db-202602010000-202603010000.sqlite3")
            lay(live, ("a", NOON_US + 2))
        return spans()

    monkeypatch.setattr(history, "_spans", archived_meanwhile)
    assert len(history.files()) == 3


@pytest.mark.parametrize(("step", "start"), [("hour", "2026-03-01 12:00:00"), ("day", "2026-03-01")])
def test_a_rollup_has_count_and_extremes_and_mean(live: Path, tmp_path: Path, step: str, start: str) -> None:
    lay(tmp_path / "db-202601010000-202602010000.sqlite3", ("a", NOON_US), temperature_f=60)
    lay(live, ("a", NOON_US + 10 * MINUTE_US), ("a", NOON_US + 2 * DAY_US), ("b", NOON_US), temperature_f=70)
    first, second = History(live).rollups("a", *FOR_EVER, step)  # type: ignore[arg-type]
    assert first[:5] == (utc_us(start), 2, 60, 65, 70)
    assert first.humidity_mean_percent == pytest.approx(39.17)
    assert second.count == 1


@pytest.mark.parametrize("has_rollups", [False, True])
def test_a_renamed_and_calibrated_sensor_is_one_sensor_everywhere(
    live: Path, tmp_path: Path, *, has_rollups: bool
) -> None:
    lay(tmp_path / "db-202601010000-202602010000.sqlite3", ("old", NOON_US - DAY_US), temperature_f=60.0)
    lay(live, ("old", NOON_US), ("new", NOON_US + MINUTE_US), ("other", NOON_US), temperature_f=70.0)
    if has_rollups:
        writer = RollupWriter(live)
        while writer.step():
            pass
        writer.close()
    history = History(live, Corrections({"new": ["old"]}, {"new": Offsets(temperature_f=-1.5)}))
    assert history.sensors() == ["new", "other"]
    rows = [(row.sensor_name, row.temperature_f) for row in history.readings(None, *FOR_EVER)]
    assert sorted(rows) == [("new", 58.5), ("new", 68.5), ("new", 68.5), ("other", 70.0)]
    # Also somebody who asks for the former name gets all of it.
    for name in ("new", "old"):
        assert len(found(history, name)) == 3
        hours = history.rollups(name, *FOR_EVER, "hour")
        assert [(one.count, one.temperature_mean_f) for one in hours] == [(1, 58.5), (2, 68.5)]
    # What is stored stays.
    assert sorted(found(History(live))) == sorted(
        (name, utc_text(at_us))
        for name, at_us in (
            ("old", NOON_US - DAY_US),
            ("old", NOON_US),
            ("new", NOON_US + MINUTE_US),
            ("other", NOON_US),
        )
    )


def test_rows_since_the_rollups_are_found_without_reading_the_whole_file(live: Path) -> None:
    Store(live, 1_000_000).close()
    query = _LATER_AGGREGATES.format("?, ?")
    with closing(connect_readonly(live)) as connection:
        (first, *_) = connection.execute(f"EXPLAIN QUERY PLAN {query}", [1] * query.count("?")).fetchall()
    assert first[3] == "SEARCH ECCTempHum USING INTEGER PRIMARY KEY (rowid>?)"
