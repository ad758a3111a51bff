import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecc_listener.history.query import History
from ecc_listener.mqtt.deliveries import packet
from ecc_listener.readings.form import decode
from ecc_listener.storage import archive as archive_module
from ecc_listener.storage.archive import ArchiveWaits
from ecc_listener.storage.archiver import Archiver
from ecc_listener.storage.connection import archive_marker, connect_readonly, utc_text, utc_us
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.quarantine import RETAINED, Arrival, Rejected
from ecc_listener.storage.schema import CARRIED, STAYING
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

NOON_US = utc_us("2026-03-01 12:00:00")
MINUTE_US = 60 * 1_000_000
READING = decode(OFFICE)
GARBAGE = Rejected(NOON_US, "t", b"garbage", "no reading")
FOR_EVER = (0, utc_us("9999-01-01"))


def commit(store: Store, *readings: tuple[str, int], rejected: tuple[Rejected, ...] = ()) -> None:
    """Store readings of (sensor, arrival) as the next burst."""
    recorded = store.recorded()
    number = recorded[-1][0] + 1 if recorded else 1
    arrivals = [Arrival(at_us, READING._replace(sensor_name=name)) for name, at_us in readings]
    store.commit(Burst(number, arrivals, list(rejected), [packet(7, "t", b"%d" % number)]), confirmed=0)


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(connect_readonly(path)) as connection:
        return connection.execute(query).fetchall()


def tables(path: Path) -> set[object]:
    return {row[0] for row in ask(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "db.sqlite3", 1_000_000)
    yield opened
    opened.close()


def test_a_full_file_is_named_by_its_first_and_last_reading_and_a_new_one_goes_on(
    store: Store, tmp_path: Path
) -> None:
    commit(store, ("a", NOON_US), ("b", NOON_US + 90 * MINUTE_US))
    archive = store.archive()
    commit(store, ("a", NOON_US + 91 * MINUTE_US))
    assert archive == tmp_path / "db-202603011200-202603011330.sqlite3"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "db-202603011200-202603011330.sqlite3",
        *(f"db.sqlite3{ending}" for ending in ("", "-shm", "-wal", ".lock")),
    ]
    assert ask(archive, "SELECT sensorName FROM ECCTempHum") == [("a",), ("b",)]
    assert ask(store.path, "SELECT sensorName FROM ECCTempHum") == [("a",)]


def test_an_archive_is_sound_and_closed(store: Store) -> None:
    commit(store, ("a", NOON_US))
    archive = store.archive()
    with closing(sqlite3.connect(f"file:{archive}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_the_new_file_may_be_read_by_whoever_could_read_the_old_one(store: Store) -> None:
    store.path.chmod(0o640)
    commit(store, ("a", NOON_US))
    store.archive()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o640


def test_nothing_is_ever_archived_over_a_file_that_exists(store: Store, tmp_path: Path) -> None:
    for ending in ("", "-2"):
        (tmp_path / f"db-202603011200-202603011200{ending}.sqlite3").write_text("somebody's")
    commit(store, ("a", NOON_US))
    assert store.archive().name == "db-202603011200-202603011200-3.sqlite3"
    assert (tmp_path / "db-202603011200-202603011200.sqlite3").read_text() == "somebody's"


def test_every_table_stays_or_is_carried_and_none_is_forgotten(store: Store) -> None:
    """Whoever adds a table decides in schema.py what of it goes on in the next file."""
    assert tables(store.path) == {*STAYING, *CARRIED}


def test_what_is_open_goes_on_in_the_next_file(store: Store) -> None:
    commit(store, ("a", NOON_US), rejected=(GARBAGE, GARBAGE._replace(reason=RETAINED)))
    store.change(lambda connection: connection.execute("INSERT INTO ECCCounter VALUES ('one', 5)"))
    before = {table: ask(store.path, f"SELECT * FROM {table}") for table in CARRIED}
    latest = ask(store.path, "SELECT * FROM ECCLatest")
    store.archive()
    store.recorded()
    after = {table: ask(store.path, f"SELECT * FROM {table}") for table in CARRIED}
    assert after == before | {"ECCKnownSensor": latest}
    assert ask(store.path, "SELECT * FROM ECCLatest") == latest
    assert {table: ask(store.path, f"SELECT * FROM {table}") for table in STAYING} == {
        table: [] for table in STAYING
    }


def test_a_sensor_that_stays_silent_is_known_over_many_archives(store: Store) -> None:
    commit(store, ("silent", NOON_US))
    for number in range(3):
        store.archive()
        commit(store, ("a", NOON_US + number))
    latest = ask(store.path, "SELECT sensorName, recordWrittenUTC, location FROM ECCLatest ORDER BY 1")
    assert latest == [("a", utc_text(NOON_US + 2), "Office"), ("silent", utc_text(NOON_US), "Office")]


def test_each_file_says_where_its_sensors_are(store: Store) -> None:
    commit(store, ("a", NOON_US))
    store.archive()
    silent = READING._replace(sensor_name="a", location=None, mac=None, software_version=None)
    store.commit(Burst(9, [Arrival(NOON_US + 1, silent), Arrival(NOON_US + 2, silent)], [], []), confirmed=0)
    assert ask(store.path, "SELECT * FROM ECCTempHumSensor") == [
        (utc_text(NOON_US + 1), "a", "Office", "98:F4:AB:DA:6E:E2", "v03.10")
    ]


def test_a_clock_that_steps_back_into_an_archive_makes_no_key_twice(store: Store) -> None:
    commit(store, ("a", NOON_US), ("a", NOON_US + 1), ("a", NOON_US + 3))
    store.archive()
    commit(store, ("a", NOON_US), ("a", NOON_US + 3), ("b", NOON_US))
    assert [(row.sensor_name, row.utc) for row in History(store.path).readings(None, *FOR_EVER)] == [
        ("a", utc_text(NOON_US)),
        ("b", utc_text(NOON_US)),
        *(("a", utc_text(NOON_US + number)) for number in (1, 2, 3, 4)),
    ]


def test_the_quarantine_is_replayed_once_though_it_goes_on_from_file_to_file(store: Store) -> None:
    commit(store, ("a", NOON_US - MINUTE_US), rejected=(GARBAGE,))
    archive = store.archive()
    assert store.replay(lambda *_: [READING], NOON_US) == (1, 0)
    assert ask(archive, "SELECT count(*) FROM ECCRejected WHERE replayedUTC IS NULL") == [(0,)]
    store.archive()
    assert store.replay(lambda *_: [READING], NOON_US) == (0, 0)
    assert History(store.path).count(*FOR_EVER) == 2


def test_a_burst_whose_commit_was_in_doubt_is_known_after_the_archive(store: Store) -> None:
    burst = Burst(1, [Arrival(NOON_US, READING)], [], [packet(1, "t", b"x")])
    store.commit(burst, confirmed=0)
    store.archive()
    store.commit(burst, confirmed=0)
    assert History(store.path).count(*FOR_EVER) == 1
    assert store.recorded() == [(1, [packet(1, "t", b"x")])]


@pytest.mark.parametrize("query", ["SELECT 1", "SELECT * FROM ECCTempHum"], ids=["idle", "reads"])
def test_a_reader_postpones_it_and_keeps_nobody_from_writing(
    store: Store, tmp_path: Path, query: str
) -> None:
    commit(store, ("a", NOON_US), rejected=(GARBAGE,))
    shell = sqlite3.connect(store.path)
    shell.execute("SELECT * FROM ECCTempHum").fetchall()
    cursor = shell.execute(query)
    cursor.fetchone()
    with pytest.raises(ArchiveWaits, match="another program has db"):
        store.archive()
    commit(store, ("a", NOON_US + 1))
    assert archives(store.path) == []
    assert not (tmp_path / "db.sqlite3.next").exists()
    assert ask(store.path, "SELECT replayedUTC FROM ECCRejected") == [(None,)]
    cursor.close()
    assert shell.execute("SELECT count(*) FROM ECCTempHum").fetchone() == (2,)
    shell.close()
    store.archive()
    assert History(store.path).count(*FOR_EVER) == 2


def test_where_a_file_cannot_have_two_names_it_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(store, ("a", NOON_US))

    def refuse(_self: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(ArchiveWaits, match="Operation not permitted"):
        store.archive()
    commit(store, ("a", NOON_US + 1))
    assert History(store.path).count(*FOR_EVER) == 2


def test_only_the_size_without_the_quarantine_counts(store: Store) -> None:
    assert not store.is_full(1)
    commit(store, rejected=(GARBAGE._replace(payload=bytes(500_000)),))
    commit(store, ("a", NOON_US))
    assert not store.is_full(400_000)
    commit(store, *(("a", NOON_US + number) for number in range(1, 5_000)))
    assert store.is_full(400_000)


def test_it_is_looked_at_the_start_and_after_a_thousand_readings(store: Store) -> None:
    commit(store, ("a", NOON_US))
    archiver = Archiver(store, 1)
    archiver.tick(0)
    assert archive_marker(store.path).exists()
    archiver.tick(1)
    assert not archive_marker(store.path).exists()
    assert len(archives(store.path)) == 1
    commit(store, ("a", NOON_US + 1))
    for stored, wanted in ((999, False), (1, True)):
        archiver.stored(stored)
        archiver.tick(2)
        assert archiver.is_wanted is wanted


def test_who_keeps_it_from_happening_is_told_of_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    commit(store, ("a", NOON_US))
    shell = sqlite3.connect(store.path)
    shell.execute("SELECT * FROM ECCTempHum").fetchall()
    archiver = Archiver(store, 1)
    for second in range(200):
        archiver.tick(second)
    assert [archiver.waits_since_s] == [3]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "close it there" in caplog.text
    shell.close()
    for second in range(200, 300):
        archiver.tick(second)
    assert archiver.waits_since_s is None
    assert len(archives(store.path)) == 1


def test_who_comes_to_read_lets_the_archive_happen_first(store: Store) -> None:
    """The page reads all the time; so it waits, though not for ever."""
    commit(store, ("a", NOON_US))
    archive_marker(store.path).touch()
    reader = (
        "from ecc_listener.storage.connection import Path, connect_readonly;"
        f"connect_readonly(Path('{store.path}'))"
    )
    with subprocess.Popen([sys.executable, "-c", reader]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        archive_marker(store.path).unlink()
        assert process.wait(5) == 0


def test_a_marker_that_a_killed_listener_left_holds_nobody_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, ("a", NOON_US))
    archive_marker(store.path).touch()
    os.utime(archive_marker(store.path), (0, 0))
    waits_s: list[float] = []
    monkeypatch.setattr("ecc_listener.storage.connection.time.sleep", waits_s.append)
    assert History(store.path).count(*FOR_EVER) == 1
    assert waits_s == []


def test_a_full_disk_postpones_it_and_is_told_of_once(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, ("a", NOON_US))
    archiver = Archiver(store, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(archive_module, "sync", full)
        for second in range(200):
            archiver.tick(second)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "No space left" in archiver.waits_because
    commit(store, ("a", NOON_US + 1))
    for second in range(200, 300):
        archiver.tick(second)
    assert len(archives(store.path)) == 1


# Every system call that changes a file or a folder: between two others a kill changes nothing.
CALLS = {
    "openat": "os.open('/dev/null', os.O_RDONLY)",
    "pwrite64": "os.pwrite(null, b'', 0)",
    "ftruncate": "os.ftruncate(null, 0)",
    "fsync": "os.fsync(null)",
    "fdatasync": "os.fdatasync(null)",
    "unlink": "os.unlink('/nowhere/x')",
    "link": "os.link('/nowhere/x', '/nowhere/y')",
    "linkat": "os.link('/nowhere/x', '/nowhere/y', src_dir_fd=null)",
    "rename": "os.rename('/nowhere/x', '/nowhere/y')",
    "chmod": "os.chmod('/nowhere/x', 0)",
}
AT = 200
ONE_AFTER_THE_OTHER = """
import os, sys
from contextlib import suppress
from pathlib import Path
from ecc_listener.storage.store import Store

def archive(folder, before_us):
    null = os.open('/dev/null', os.O_RDWR)
    store = Store(folder / 'db.sqlite3', 1_000_000)
    store.recorded()
    os.access('/here it begins', 0)
    for _ in range(before_us):
        with suppress(OSError):
            %s
    store.archive()
    os.access('/here it ends', 0)

for number, folder in enumerate(sys.argv[2:]):
    child = os.fork()
    if not child:
        archive(Path(folder), int(sys.argv[1]) - number)
        os._exit(0)
    os.waitpid(child, 0)
"""


def strace(options: list[str], call: str, before: int, *folders: Path) -> None:
    program = [sys.executable, "-c", ONE_AFTER_THE_OTHER % CALLS[call], str(before), *map(str, folders)]
    subprocess.run(["strace", "-f", "-qq", *options, *program], check=True, timeout=100)


def lay(folder: Path) -> Path:
    folder.mkdir()
    with closing(Store(folder / "db.sqlite3", 1_000_000)) as store:
        commit(store, ("a", NOON_US), ("b", NOON_US + 1), rejected=(GARBAGE,))
        store.archive()
        commit(store, ("a", NOON_US + 2), ("c", NOON_US), rejected=(GARBAGE._replace(payload=b"more"),))
    return folder


def counted(tmp_path: Path, call: str) -> tuple[int, int]:
    """Count a call in an archive's process, before it begins and while it is made."""
    told = tmp_path / "told"
    strace(["-o", str(told), "-e", f"trace={call},access"], call, 0, lay(tmp_path / f"{call}-counted"))
    lines = [line for line in told.read_text().splitlines() if re.match(rf"\d+ +({call}|access)\(", line)]
    begin = next(index for index, line in enumerate(lines) if "/here it begins" in line)
    end = next(index for index, line in enumerate(lines) if "/here it ends" in line)
    child = lines[begin].split()[0]
    mine = [line.split()[1].startswith(f"{call}(") and line.startswith(child) for line in lines]
    return sum(mine[:begin]), sum(mine[begin:end])


@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_any_system_call_leaves_every_row_in_one_file(tmp_path: Path, call: str) -> None:
    before, within = counted(tmp_path, call)
    folders = [lay(tmp_path / f"{call}-{number}") for number in range(within)]
    inject = [
        "-o",
        str(tmp_path / "killed"),
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:signal=KILL:when={AT}",
    ]
    if folders:
        strace(inject, call, AT - 1 - before, *folders)
        killed = (tmp_path / "killed").read_text().count("killed by SIGKILL")
        assert killed == within
    for folder in folders:
        check(folder)


def check(folder: Path) -> None:
    path = folder / "db.sqlite3"
    rows = [("a", utc_text(NOON_US)), ("c", utc_text(NOON_US)), ("b", utc_text(NOON_US + 1))]
    rows.append(("a", utc_text(NOON_US + 2)))
    assert [(row.sensor_name, row.utc) for row in History(path).readings(None, *FOR_EVER)] == rows
    with closing(Store(path, 1_000_000)) as store:
        assert len(store.recorded()) == 2
        commit(store, ("a", NOON_US + 3))
        rows.append(("a", utc_text(NOON_US + 3)))
        assert [(row.sensor_name, row.utc) for row in History(path).readings(None, *FOR_EVER)] == rows
        assert store.replay(lambda _, payload: [READING._replace(sensor_name=payload.decode())], NOON_US) == (
            2,
            0,
        )
        store.archive()
    assert Counter(path.name.partition(".")[2] for path in folder.iterdir() if "-2026" not in path.name) == {
        "sqlite3": 1,
        "sqlite3.lock": 1,
    }
    for archive in archives(path):
        assert not Path(f"{archive}-wal").exists()
        assert ask(archive, "PRAGMA integrity_check") == [("ok",)]
        assert ask(archive, "SELECT count(*) FROM ECCRejected WHERE replayedUTC IS NULL") == [(0,)]
    assert History(path).count(*FOR_EVER) == 7
