import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecc_listener.mqtt.deliveries import packet
from ecc_listener.readings.form import decode
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import StoreError, connect_readonly, utc_text, utc_us
from ecc_listener.storage.quarantine import RETAINED, Arrival, Rejected
from ecc_listener.storage.schema import MIGRATIONS
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

NOON_US = utc_us("2026-03-01 12:00:00")
SECOND_US = 1_000_000
READING = decode(OFFICE)


def reading(name: str = "ECCTH01", **changes: object) -> Reading:
    return READING._replace(sensor_name=name, **changes)  # type: ignore[arg-type]


def burst(number: int, *arrivals: tuple[int, Reading], rejected: tuple[Rejected, ...] = ()) -> Burst:
    packets = [packet(index, "ECCTempHum", b"%d" % index) for index in range(1, len(arrivals) + 1)]
    return Burst(number, [Arrival(*arrival) for arrival in arrivals], list(rejected), packets)


def read_once(path: Path, query: str = "SELECT recordWrittenUTC FROM ECCTempHum") -> list[tuple[object, ...]]:
    connection = connect_readonly(path)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    return read_once(store.path, query)


TIMES = "SELECT recordWrittenUTC FROM ECCTempHum ORDER BY rowid"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "readings.sqlite3", max_quarantine_bytes=1_000_000)
    yield opened
    opened.close()


def test_equal_readings_at_the_same_instant_get_a_microsecond_each(store: Store) -> None:
    store.commit(burst(1, (NOON_US, READING), (NOON_US, READING), (NOON_US, reading("other"))), confirmed=0)
    assert rows(store, TIMES) == [
        ("2026-03-01 12:00:00.000000",),
        ("2026-03-01 12:00:00.000001",),
        ("2026-03-01 12:00:00.000000",),
    ]


def test_a_clock_that_steps_back_doubles_no_key_and_keeps_the_clock_s_time(store: Store) -> None:
    times = [NOON_US, NOON_US + 1, NOON_US + 2, NOON_US, NOON_US + 1, NOON_US - 3600 * SECOND_US]
    store.commit(burst(1, *((at, READING) for at in times)), confirmed=0)
    assert rows(store, TIMES)[3:] == [
        ("2026-03-01 12:00:00.000003",),
        ("2026-03-01 12:00:00.000004",),
        ("2026-03-01 11:00:00.000000",),
    ]


def test_a_database_of_the_original_opens_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(
        "CREATE TABLE ECCTempHum(recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL,"
        " relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT,"
        " PRIMARY KEY (sensorName, recordWrittenUTC));"
        "CREATE INDEX ECCTempHum_sensor_idx ON ECCTempHum(sensorName);"
        "INSERT INTO ECCTempHum VALUES ('2020-12-19 03:04:05.678901', 1, 2, 3, 4, 5, -6, 'ECCTH01');"
    )
    old.close()
    store = Store(path, 100_000)
    store.commit(burst(1, (NOON_US, READING)), confirmed=0)
    assert rows(store, TIMES) == [("2020-12-19 03:04:05.678901",), ("2026-03-01 12:00:00.000000",)]
    store.close()


def test_a_newer_database_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    new = sqlite3.connect(path)
    new.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    new.close()
    with pytest.raises(StoreError, match="written by a newer version"):
        Store(path, 100_000)


def test_a_locked_database_stores_nothing_and_the_same_burst_can_come_again(store: Store) -> None:
    intruder = sqlite3.connect(store.path, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds the database"):
        store.commit(burst(1, (NOON_US, READING)), confirmed=0)
    intruder.execute("ROLLBACK")
    intruder.close()
    store.commit(burst(1, (NOON_US, READING)), confirmed=0)
    assert len(rows(store, TIMES)) == 1


def test_names_without_end_do_not_fill_the_memory(store: Store) -> None:
    for number in range(3):
        arrivals = ((NOON_US + index, reading(f"{number}-{index}")) for index in range(6_000))
        store.commit(burst(number + 1, *arrivals), confirmed=number)
    assert len(store._rows._sensors) <= 12_000


def decode_form(_topic: str, payload: bytes) -> list[Reading]:
    return [decode(payload)]


def decode_more(_topic: str, payload: bytes) -> list[Reading]:
    """Stand for a newer version: takes a comma for a decimal point."""
    return [decode(payload.replace(b",", b"."))]


def test_replay_makes_readings_of_what_is_understood_by_now_exactly_once(store: Store) -> None:
    odd = OFFICE.replace(b"73.45", b"73,45").replace(b"39.17", b"39,17")
    rejected = [Rejected(NOON_US + index, "t", odd, "no") for index in range(2_500)]
    rejected += [Rejected(NOON_US, "t", b"junk", "no"), Rejected(NOON_US, "t", OFFICE, RETAINED)]
    store.commit(burst(1, rejected=tuple(rejected)), confirmed=0)
    assert store.replay(decode_form, NOON_US) == (0, 2_501)
    assert store.replay(decode_more, NOON_US) == (2_500, 1)
    assert store.replay(decode_more, NOON_US) == (0, 1)
    assert len(rows(store, TIMES)) == 2_500
    assert rows(store, TIMES)[0] == ("2026-03-01 12:00:00.000000",)


def test_a_replay_that_is_cut_short_goes_on_where_it_was(store: Store) -> None:
    rejected = tuple(Rejected(NOON_US + index, "t", OFFICE, "no") for index in range(1_500))
    store.commit(burst(1, rejected=rejected), confirmed=0)
    calls = 0

    def failing(topic: str, payload: bytes) -> list[Reading]:
        nonlocal calls
        calls += 1
        if calls > 1_200:
            raise sqlite3.OperationalError("disk I/O error")
        return decode_form(topic, payload)

    with pytest.raises(StoreError):
        store.replay(failing, NOON_US)
    assert store.replay(decode_form, NOON_US) == (500, 0)
    assert len(rows(store, TIMES)) == 1_500


def test_a_reader_sees_every_state_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    program = (
        "import sys, os\nfrom pathlib import Path\nsys.path.insert(0, 'tests')\n"
        "from storage.test_store import *\nstore = Store(Path(sys.argv[1]), 100_000)\n"
        "store.commit(burst(1, (NOON_US, READING)), confirmed=0)\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, path], check=False, cwd=Path(__file__).parents[2])
    assert path.with_name("db-wal").exists()
    assert read_once(path) == [("2026-03-01 12:00:00.000000",)]
    Store(path, 100_000).close()
    assert not path.with_name("db-wal").exists()
    assert read_once(path) == [("2026-03-01 12:00:00.000000",)]
    with pytest.raises(StoreError, match="isn't there"):
        connect_readonly(tmp_path / "none")


@pytest.mark.parametrize("text", ["2020-12-19 03:04:05.678901", "1999-12-31 23:59:59.000000"])
def test_times_read_back(text: str) -> None:
    assert utc_text(utc_us(text)) == text


def test_the_original_s_whole_second_reads_as_one() -> None:
    assert utc_us("2020-12-19 03:04:05") == utc_us("2020-12-19 03:04:05.000000")


def test_a_file_that_may_not_grow_loses_nothing(store: Store) -> None:
    thousand = [(NOON_US + index, READING) for index in range(1000)]

    def numbered(number: int) -> Burst:
        return burst(number, *((at + number * 1000, one) for at, one in thousand))

    store.commit(numbered(1), confirmed=0)
    assert store._connection
    store._connection.execute("PRAGMA max_page_count = 60")
    connection = store._connection
    junk = Rejected(NOON_US, "t", bytes(300_000), "no")
    for _ in range(5):
        with pytest.raises(StoreError, match="the disk is full"):
            store.commit(numbered(2)._replace(rejected=[junk]), confirmed=1)
    assert rows(store, "SELECT count(*) FROM ECCTempHum") == [(1000,)]
    # To open it anew would take room that isn't there.
    assert store._connection is connection
    assert store._quarantine_bytes == 0
    connection.execute("PRAGMA max_page_count = 1000")
    store.commit(numbered(2), confirmed=0)
    assert rows(store, "SELECT count(*) FROM ECCTempHum") == [(2000,)]


def test_after_a_failure_all_is_written_anew_before_it_is_believed(store: Store) -> None:
    first = burst(1, (NOON_US, READING))
    store.commit(first, confirmed=0)
    # A reader keeps the WAL from being written into the database: then nothing is believed yet.
    reader = connect_readonly(store.path)
    reader.execute("BEGIN")
    reader.execute(TIMES).fetchall()
    store._failed = True
    store._disconnect()
    with pytest.raises(StoreError, match="another program holds"):
        store.commit(first, confirmed=0)
    reader.close()
    store.commit(first, confirmed=0)
    assert rows(store, TIMES) == [("2026-03-01 12:00:00.000000",)]


def test_a_clock_that_steps_back_behind_an_archive_keeps_its_time_where_it_is_free(store: Store) -> None:
    store.commit(burst(1, (NOON_US - 60 * SECOND_US, READING), (NOON_US, READING)), confirmed=0)
    store.archive()
    for number, time_us in enumerate((NOON_US - 30 * SECOND_US, NOON_US - 60 * SECOND_US, NOON_US)):
        store.commit(burst(number + 2, (time_us, READING)), confirmed=0)
    # What the archive has is not used again, and everything else is as the clock says.
    assert [row[0] for row in rows(store, TIMES)] == [
        utc_text(time_us) for time_us in (NOON_US - 30 * SECOND_US, NOON_US - 60 * SECOND_US + 1, NOON_US + 1)
    ]
