import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ecc_listener.backup import recover
from ecc_listener.history.query import History
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.history.rollups import rollup_path
from ecc_listener.readings.form import decode
from ecc_listener.storage import corruption, lock
from ecc_listener.storage.connection import StoreError, connect_readonly, utc_us
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support import damages
from support.brokers import OFFICE, Mosquitto, until
from support.listeners import Listener

NOON_US = utc_us("2026-03-01 12:00:00")
SECOND_US = 1_000_000
READING = decode(OFFICE)
FOR_EVER = (0, utc_us("9999-01-01"))
BEFORE, IN_WAL, SENSORS = 1_500, 100, 7
TRIES = 6


def burst(number: int, start: int, count: int) -> Burst:
    """Make a burst of readings; each can be told by its temperature."""
    arrivals = [
        Arrival(
            NOON_US + one * SECOND_US,
            READING._replace(
                sensor_name=f"s{one % SENSORS}", temperature_f=one / 100, location=f"room {one % 3}"
            ),
        )
        for one in range(start, start + count)
    ]
    return Burst(number, arrivals, [], [])


Files = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files]:
    """Give the files of a database that was closed, and of one whose listener was killed.

    Of that one the last readings are in the WAL alone.
    """
    folder = tmp_path_factory.mktemp("made")
    path = folder / "db.sqlite3"
    with closing(Store(path, 1_000_000)) as store:
        store.commit(burst(1, 0, BEFORE), 0)
    with closing(Store(path, 1_000_000)) as store:
        store.commit(burst(2, BEFORE, IN_WAL), 0)
        killed = {name: (folder / name).read_bytes() for name in ("db.sqlite3", "db.sqlite3-wal")}
    return {"db.sqlite3": path.read_bytes()}, killed


def laid(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / "db.sqlite3"


@pytest.fixture
def path(tmp_path: Path, made: tuple[Files, Files]) -> Path:
    return laid(tmp_path, made[0])


@pytest.fixture
def killed_path(tmp_path: Path, made: tuple[Files, Files]) -> Path:
    return laid(tmp_path, made[1])


def store_all(store: Store, *bursts: Burst) -> None:
    """Do as the loop does: what could not be stored is held, and tried again."""
    for one in bursts:
        for _ in range(TRIES):
            try:
                store.commit(one, 0)
                break
            except StoreError as error:
                told = error
        else:
            raise told


def check(path: Path, first: int, count: int) -> None:
    """See that what came after the damage is there, and that the file it is in is sound if it is new."""
    with closing(connect_readonly(path)) as connection:
        query = "SELECT count(*) FROM ECCTempHum NOT INDEXED WHERE temperatureF BETWEEN ? AND ?"
        found = connection.execute(query, (first / 100 - 0.001, (first + count) / 100 - 0.009)).fetchone()[0]
        assert found == count
        if corruption.set_aside_files(path):
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def recovered(path: Path) -> set[tuple[object, ...]]:
    """Recover all that was moved aside; give what is then there of the time before."""
    for aside in corruption.set_aside_files(path):
        recover.recover_readings(aside, path)
    assert corruption.set_aside_files(path) == []
    rows = History(path).readings(None, *FOR_EVER)
    return {row for row in rows if (row.temperature_f or 0) < (BEFORE + IN_WAL) / 100 - 0.001}


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        *((kind, "closed") for kind in damages.ALL if "WAL" not in kind),
        *((kind, "killed") for kind in damages.ALL),
    ],
)
def test_a_damaged_file_costs_no_new_reading_at_the_start(
    tmp_path: Path, made: tuple[Files, Files], kind: str, state: str
) -> None:
    path = laid(tmp_path, made[state == "killed"])
    damages.ALL[kind](path)
    broken = path.read_bytes()
    with closing(Store(path, 1_000_000)) as store:
        store_all(store, *(burst(3 + one, 5_000 + 100 * one, 100) for one in range(3)))
        check(path, 5_000, 300)
    for aside in corruption.set_aside_files(path):
        assert aside.read_bytes() == broken
    for row in recovered(path):
        assert len(row) == 9


@pytest.mark.parametrize("kind", damages.ALL)
def test_a_file_damaged_in_service_costs_no_new_reading(killed_path: Path, kind: str) -> None:
    path = killed_path
    with closing(Store(path, 1_000_000)) as store:
        store_all(store, burst(3, 5_000, 10))
        damages.ALL[kind](path)
        for number in range(3):
            store_all(store, burst(4 + number, 6_000 + 300 * number, 300))
        store._disconnect()
        store_all(store, burst(9, 7_000, 300))
        check(path, 7_000, 300)


@pytest.mark.parametrize(
    ("kind", "at_least"),
    [
        ("pages 1 to 1 zeroed", BEFORE + IN_WAL),
        ("another magic", BEFORE + IN_WAL),
        ("a page size of 3", BEFORE + IN_WAL),
        ("a freelist beyond the end", BEFORE + IN_WAL),
        ("sqlite_autoindex_ECCTempHum_1: root zeroed", BEFORE + IN_WAL),
        ("ECCTempHum: root zeroed", BEFORE + IN_WAL),
        ("pages in another order", BEFORE + IN_WAL),
        ("every tenth page zeroed", BEFORE * 0.8),
        ("every second page zeroed", BEFORE * 0.3),
        ("cut to -4096", BEFORE),
    ],
)
def test_what_can_be_read_is_recovered_as_it_was(
    path: Path, tmp_path: Path, kind: str, at_least: float
) -> None:
    sound = tmp_path / "sound"
    sound.mkdir()
    (sound / "db.sqlite3").write_bytes(path.read_bytes())
    before = set(History(sound / "db.sqlite3").readings(None, *FOR_EVER))
    assert len(before) == BEFORE + IN_WAL
    damages.ALL[kind](path)
    with closing(Store(path, 1_000_000)) as store:
        store_all(store, burst(3, 5_000, 100))
    assert len(corruption.set_aside_files(path)) == 1
    found = recovered(path)
    assert found <= before
    assert len(found) >= at_least
    assert [one.name.startswith("db-202603011200-2026030112") for one in archives(path)] == [True]
    with closing(connect_readonly(archives(path)[0])) as archive:
        assert archive.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_damaged_file_is_moved_with_all_that_belongs_to_it_and_over_nothing(
    killed_path: Path, tmp_path: Path
) -> None:
    path = killed_path
    damages.ALL["pages 8 to 20 zeroed"](path)
    os.utime(path, (1_772_366_400, 1_772_366_400))
    (tmp_path / "db-damaged-202603011200.sqlite3").write_text("an earlier one")
    Store(path, 1_000_000).close()
    assert sorted(one.name for one in tmp_path.iterdir() if not one.name.endswith("-shm")) == [
        "db-damaged-202603011200-2.sqlite3",
        "db-damaged-202603011200-2.sqlite3-wal",
        "db-damaged-202603011200.sqlite3",
        "db.sqlite3",
        "db.sqlite3.lock",
    ]


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database is locked"),
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("disk I/O error"),
        sqlite3.OperationalError("attempt to write a readonly database"),
        sqlite3.OperationalError("unable to open database file"),
        OSError(5, "Input/output error"),
    ],
    ids=str,
)
def test_nothing_is_moved_for_what_is_no_damage(error: Exception) -> None:
    assert not corruption.is_damage(error)


def test_a_file_that_another_process_holds_is_not_moved(path: Path) -> None:
    with closing(Store(path, 1_000_000)) as store:
        store.commit(burst(3, 5_000, 1), 0)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another program holds"):
                store.commit(burst(4, 5_001, 1), 0)
        store.commit(burst(4, 5_001, 1), 0)
    assert corruption.set_aside_files(path) == []


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE Invoices (a)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"another program's database \(tables 'Invoices'\)"):
        Store(path, 1_000_000)
    assert path.read_bytes() == before


def test_the_summaries_put_in_place_of_the_database_are_refused(path: Path) -> None:
    rollup_writer = RollupWriter(path)
    while rollup_writer.step():
        pass
    rollup_writer.close()
    rollup_path(path).replace(path)
    with pytest.raises(StoreError, match="another program's database"):
        Store(path, 1_000_000)


def test_a_file_replaced_while_it_is_in_use_is_noticed(path: Path) -> None:
    with closing(Store(path, 1_000_000)) as store:
        store.commit(burst(3, 5_000, 1), 0)
        path.unlink()
        store_all(store, burst(4, 5_001, 5))
        assert History(path).count(*FOR_EVER) == 5


def test_a_folder_on_another_machine_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:50 / {tmp_path} rw - nfs4 server:/x rw\n")
    monkeypatch.setattr(lock, "MOUNTS", mounts)
    with pytest.raises(StoreError, match=r"of another machine \(nfs4\)"):
        Store(path, 1_000_000)


def test_damage_found_by_reading_alone_is_repaired_too(path: Path) -> None:
    with closing(Store(path, 1_000_000)) as store:
        store._disconnect()
        damages.ALL["pages 1 to 1 zeroed"](path)
        for _ in range(3):
            try:
                assert store.recorded() == []
            except StoreError:
                continue
        assert len(corruption.set_aside_files(path)) == 1


def test_what_succeeds_in_between_hides_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corruption, "CHECKED_WHOLE_BYTES", 0)
    damages.ALL["sqlite_autoindex_ECCTempHum_1: root zeroed"](path)
    with closing(Store(path, 1_000_000)) as store:
        for _ in range(2):
            with pytest.raises(StoreError, match="damaged"):
                store.commit(burst(3, 5_000, 10), 0)
            store.recorded()
        store.commit(burst(3, 5_000, 10), 0)
    assert len(corruption.set_aside_files(path)) == 1


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto) -> Iterator[Listener]:
    made = Listener(tmp_path / "listener", broker.port)
    yield made
    made.end()


def test_the_listener_goes_on_within_seconds_and_says_so(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    broker.publish(OFFICE)
    until(lambda: listener.count() == 1)
    assert listener.stop() == 0
    damages.ALL["another magic"](listener.database)
    listener.start()
    broker.publish(OFFICE, OFFICE)
    until(lambda: listener.count() == 2)
    assert "The database was damaged" in listener.log()
    notice = "SELECT kind, overUTC IS NULL FROM ECCNotice WHERE kind = 'damaged'"
    until(lambda: listener.query(notice) == [("damaged", 1)])
    told = listener.run("recover")
    assert told.returncode == 0
    until(lambda: listener.query(notice) == [("damaged", 0)])
    assert "1 readings were recovered and are now in ECCTempHum-2" in told.stdout
    assert History(listener.database).count(*FOR_EVER) == 3
    assert listener.run("recover").stdout.startswith("There is no damaged file beside")


def test_the_live_file_is_not_recovered_from(broker: Mosquitto, listener: Listener) -> None:
    del broker
    Store(listener.database, 1_000_000).close()
    told = listener.run("recover", str(listener.database))
    assert told.returncode == 1
    assert "is the live file" in told.stderr


@contextmanager
def nobody_special() -> Iterator[None]:
    """Be somebody without rights, if this is root."""
    if os.geteuid():
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_file_that_can_only_be_read_is_refused_in_one_line(made: tuple[Files, Files]) -> None:
    with TemporaryDirectory() as name:
        path = laid(Path(name), made[0])
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        path.parent.chmod(0o777)
        with nobody_special(), pytest.raises(StoreError, match="can't be written; see who owns the file"):
            Store(path, 1_000_000)
        assert corruption.set_aside_files(path) == []


def test_further_numbers_are_recovered_as_well(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    reading = decode(OFFICE + b"&lux=300.5&count=1")
    with closing(Store(path, 1_000_000)) as store:
        store.commit(Burst(1, [Arrival(NOON_US + index, reading) for index in range(50)], [], []), 0)
    aside = corruption.set_aside(path)
    recover.recover_readings(aside, path)
    rows = list(History(path).readings(None, *FOR_EVER))
    assert [row.values for row in rows] == [(("count", 1.0), ("lux", 300.5))] * 50
