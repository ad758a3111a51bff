import faulthandler
import gzip
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecc_listener.backup import copy, create, retention
from ecc_listener.backup.schedule import DailyBackup
from ecc_listener.clock import Clock
from ecc_listener.readings.form import decode
from ecc_listener.service import Service
from ecc_listener.settings import load
from ecc_listener.storage.connection import StoreError, utc_us
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from faults.disks import disk
from support.brokers import OFFICE, until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = utc_us("2026-03-01 12:00:00")
HOUR_US = 3_600_000_000
ARCHIVE = "db-202601010000-202602010000.sqlite3"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "db.sqlite3", 1_000_000)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backup"
    made.mkdir()
    return made


def fill(store: Store, number: int, rows: int = 10) -> None:
    arrivals = [Arrival(NOON_US + number * HOUR_US + index, decode(OFFICE)) for index in range(rows)]
    store.commit(Burst(number, arrivals, [], []), number - 1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def count(packed: Path, tmp_path: Path) -> int:
    """Unpack as a person would, and count the readings in a file that stands for itself."""
    plain = tmp_path / "unpacked"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    with closing(sqlite3.connect(f"file:{plain}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM ECCTempHum").fetchone()[0])


def lay_archive(tmp_path: Path, name: str = ARCHIVE) -> Path:
    archive = Store(tmp_path / name, 1_000_000)
    fill(archive, 1, rows=3)
    archive.close()
    return tmp_path / name


def test_a_backup_is_whole_while_the_writer_goes_on(store: Store, folder: Path, tmp_path: Path) -> None:
    fill(store, 1)
    before = store.path.read_bytes(), Path(f"{store.path}-wal").read_bytes()
    made = create.create_backup(store.path, folder, "manual", NOON)
    assert (store.path.read_bytes(), Path(f"{store.path}-wal").read_bytes()) == before
    fill(store, 2)
    assert names(folder) == ["db-manual-2026-03-01T120000Z.sqlite3.gz"]
    assert count(folder / names(folder)[0], tmp_path) == 10
    assert (list(made.files), made.errors) == ([folder / names(folder)[0]], [])
    assert create.newest_backup_time(folder) == NOON


def test_rows_that_come_while_it_is_made_are_in_by_the_burst_or_not_at_all(
    tmp_path: Path, folder: Path
) -> None:
    begun, done = threading.Event(), threading.Event()
    path = tmp_path / "db.sqlite3"

    def write() -> None:
        store = Store(path, 1_000_000)
        for number in range(1, 2_000):
            fill(store, number)
            begun.set()
            if done.is_set():
                break
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(10)
    counts = []
    for second in range(5):
        made = create.create_backup(path, folder, "manual", NOON + timedelta(seconds=second))
        counts.append(count(next(iter(made.files)), tmp_path))
    done.set()
    writer.join()
    assert counts == sorted(counts)
    assert all(one and one % 10 == 0 for one in counts)


def test_an_archive_is_copied_once_under_its_own_name(store: Store, folder: Path, tmp_path: Path) -> None:
    archive = lay_archive(tmp_path)
    create.create_backup(store.path, folder, "manual", NOON)
    packed = folder / f"{ARCHIVE}.gz"
    assert count(packed, tmp_path) == 3
    written = packed.stat()
    made = create.create_backup(store.path, folder, "manual", NOON + timedelta(seconds=1))
    assert len(made.files) == 1
    assert packed.stat() == written
    archive.unlink()
    create.create_backup(store.path, folder, "manual", NOON + timedelta(seconds=2))
    assert packed.exists()


def test_a_damaged_archive_is_named_and_does_not_stop_the_backup(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    lay_archive(tmp_path)
    (tmp_path / "db-202512010000-202601010000.sqlite3").write_bytes(b"SQLite format 3\0" + bytes(5_000))
    made = create.create_backup(store.path, folder, "manual", NOON)
    assert names(folder) == [f"{ARCHIVE}.gz", "db-manual-2026-03-01T120000Z.sqlite3.gz"]
    assert len(made.errors) == 1
    assert "db-202512010000-202601010000.sqlite3" in made.errors[0]


def test_the_live_file_under_its_archive_s_name_is_no_archive_yet(store: Store, folder: Path) -> None:
    fill(store, 1)
    os.link(store.path, store.path.with_name(ARCHIVE))
    assert len(create.create_backup(store.path, folder, "manual", NOON).files) == 1


def test_a_damaged_database_is_not_backed_up(tmp_path: Path, folder: Path) -> None:
    path = lay_archive(tmp_path, "db.sqlite3")
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ECCTempHum_sensor_idx'"
        ).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        # An index without entries: the table reads well, a question by the sensor's name finds nothing.
        file.write(b"\x0a" + bytes(4) + size.to_bytes(2, "big") + bytes(size - 7))
    with pytest.raises(StoreError, match="the database is damaged"):
        create.create_backup(path, folder, "manual", NOON)
    assert names(folder) == []


def test_what_is_there_is_never_written_over(store: Store, folder: Path) -> None:
    (folder / "db-manual-2026-03-01T120000Z.sqlite3.gz").write_text("somebody's")
    with pytest.raises(StoreError, match="a file of that name exists already"):
        create.create_backup(store.path, folder, "manual", NOON)
    assert names(folder) == ["db-manual-2026-03-01T120000Z.sqlite3.gz"]
    assert (folder / names(folder)[0]).read_text() == "somebody's"


def test_a_full_disk_is_told_with_what_is_needed_and_leaves_nothing(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 1)
    with monkeypatch.context() as patch:
        patch.setattr(copy, "_SPACE_NEEDED", 1e12)
        with pytest.raises(StoreError, match=r"it needs .* MB are free; free some space"):
            create.create_backup(store.path, folder, "manual", NOON)
    # The check may be right and the disk full a moment later: here of what is compressed.
    (folder / "db-manual-2026-03-01T120000Z.sqlite3.gz.part").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="No space left on device"):
        copy.copy_database(store.path, folder / "db-manual-2026-03-01T120000Z.sqlite3.gz", bool)
    assert names(folder) == []


@pytest.mark.privileged
def test_a_disk_that_fills_up_under_it_keeps_no_half_backup(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "_SPACE_NEEDED", 0)
    for number in range(1, 30):
        fill(store, number, rows=1_000)
    with disk(tmp_path) as small:
        small.fill()
        with pytest.raises(StoreError, match=r"the disk is full|No space left"):
            create.create_backup(store.path, small.mount, "manual", NOON)
        assert not list(small.mount.glob("db*"))
        small.ballast.unlink()
        made = create.create_backup(store.path, small.mount, "manual", NOON)
        assert count(next(iter(made.files)), tmp_path) == 29_000


def test_a_stick_that_knows_no_second_names_is_good_enough(folder: Path, tmp_path: Path) -> None:
    lay_archive(tmp_path, "db.sqlite3")
    program = [
        sys.executable,
        "-m",
        "ecc_listener",
        "backup",
        "-d",
        "db.sqlite3",
        "--backup_folder",
        "backup",
    ]
    strace = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=link,linkat,fsync"]
    inject = ["-e", "inject=link,linkat:error=EPERM"]
    subprocess.run([*strace, *inject, *program], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert count(folder / names(folder)[0], tmp_path) == 3


def test_no_folder_no_right_and_no_database_are_clear_lines(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="does not exist; create it"):
        create.create_backup(store.path, tmp_path / "unplugged", "daily", NOON)
    with pytest.raises(StoreError, match="isn't there"):
        create.create_backup(tmp_path / "none", folder, "daily", NOON)
    with create._locked(folder), pytest.raises(StoreError, match=r"another backup .* is running"):
        create.create_backup(store.path, folder, "daily", NOON)
    assert names(folder) == []


def test_killed_at_each_of_its_calls_it_leaves_no_half_backup(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime;"
        "from ecc_listener.backup import create;"
        "where = Path(sys.argv[1]); create.create_backup(where / 'db.sqlite3', where / 'backup', 'manual',"
        " datetime(2026, 3, 1, 12, tzinfo=UTC))"
    )
    kills = 0
    for call in ("fsync", "rename", "unlink"):
        for number in range(1, 20):
            where = tmp_path / f"{call}-{number}"
            (where / "backup").mkdir(parents=True)
            lay_archive(where, "db.sqlite3")
            strace = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}"]
            inject = ["-e", f"inject={call}:signal=KILL:when={number}"]
            done = subprocess.run([*strace, *inject, sys.executable, "-c", program, where], check=False)
            for name in names(where / "backup"):
                assert ".part" in name or count(where / "backup" / name, where) == 3
            create.create_backup(
                where / "db.sqlite3", where / "backup", "manual", NOON + timedelta(seconds=1)
            )
            assert not [name for name in names(where / "backup") if ".part" in name]
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL
            kills += 1
    assert kills >= 5


def test_only_the_listener_s_own_backups_of_this_database_are_deleted(folder: Path) -> None:
    made = [NOON - number * timedelta(days=1) for number in range(400)]
    for kind in ("daily", "manual"):
        for one in made:
            (folder / retention.backup_name("db", ".sqlite3", kind, one)).touch()
    (folder / retention.backup_name("other", ".sqlite3", "daily", made[-1])).touch()
    (folder / f"{ARCHIVE}.gz").touch()
    (folder / "holiday.jpg").touch()
    create.delete_superseded(Path("db.sqlite3"), folder)
    left = names(folder)
    assert len([name for name in left if name.startswith("db-daily")]) <= 7 + 4 + 12
    assert len([name for name in left if not name.startswith("db-daily")]) == 400 + 3


def daily(store: Store, folder: Path) -> DailyBackup:
    made = DailyBackup(store.path, folder, 0.0)
    made.tick(0, 0.0)  # Too early after the start: a listener that starts again and again makes none.
    return made


def end(one: DailyBackup) -> None:
    worker = one._worker
    if worker:
        worker.join(20)


def test_a_backup_a_day_and_none_at_a_restart(store: Store, folder: Path) -> None:
    fill(store, 1)
    for hours, backups in ((0, 1), (1, 1), (23, 1), (24, 2), (30, 2), (48, 3)):
        one = daily(store, folder)
        one.tick(NOON_US + hours * HOUR_US, 61.0)
        end(one)
        assert len(names(folder)) == backups


def test_a_clock_that_jumps_costs_no_backup(store: Store, folder: Path) -> None:
    one = daily(store, folder)
    now_s = 0.0
    for hours in (0, 400 * 24, 1, 24, 2, 25):
        now_s += 601.0
        one.tick(NOON_US + hours * HOUR_US, now_s)
        end(one)
    made = sorted(retention.daily_backups("db", ".sqlite3", names(folder)))
    assert [(moment - NOON) / timedelta(hours=1) for moment in made] == [0, 24, 400 * 24]


def test_no_backup_begins_while_an_archive_waits(store: Store, folder: Path) -> None:
    marker = Path(f"{store.path}.archiving")
    marker.touch()
    one = daily(store, folder)
    one.tick(NOON_US, 61.0)
    end(one)
    assert names(folder) == []
    marker.unlink()
    one.tick(NOON_US, 1000.0)
    end(one)
    assert len(names(folder)) == 1


def test_a_fault_is_told_once_and_its_end_is_a_backup(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = daily(store, tmp_path / "unplugged")
    caplog.set_level("INFO")
    for number in range(1, 4):
        one.tick(NOON_US, number * 1000.0)
        end(one)
    assert caplog.text.count("does not exist; create it") == 1
    (tmp_path / "unplugged").mkdir()
    one.tick(NOON_US, 5000.0)
    end(one)
    assert "Backup created" in caplog.text


def test_one_under_way_ends_at_once_when_it_is_told_to(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 1)
    begun = threading.Event()

    def slow(_plain: Path, _packed: Path, is_stopped: object) -> None:
        begun.set()
        until(is_stopped)  # type: ignore[arg-type]
        raise sqlite3.OperationalError("interrupted")

    monkeypatch.setattr(copy, "_compress", slow)
    one = daily(store, folder)
    one.tick(NOON_US, 61.0)
    assert begun.wait(10)
    one.tick(NOON_US, 10_000.0)  # It is still at work: no second one begins.
    one.stop(60)
    assert one._worker
    assert not one._worker.is_alive()
    assert names(folder) == []


@pytest.mark.parametrize(("automatic", "backups"), [("yes", 1), ("no", 0)])
def test_the_listener_makes_backups_unless_it_is_told_not_to(
    tmp_path: Path, folder: Path, automatic: str, backups: int
) -> None:
    (tmp_path / "credentials").write_text("me,secret")
    files = {"database_file_path": "db.sqlite3", "credentials_file_path": "credentials"}
    files |= {"backup_folder": "backup", "health_file_path": "health", "log_file_path": "log"}
    files |= {"last_notice_file_path": "last", "limits_file_path": "limits.ini"}
    flags = {name: str(tmp_path / file) for name, file in files.items()}
    service = Service(load(flags | {"automatic_backup": automatic}), Clock())
    of_file = service.tasks.files
    assert of_file is not None
    of_file.daily_backup._next_check_s = 0
    service.tasks.tick(service.clock.now())
    faulthandler.cancel_dump_traceback_later()
    end(of_file.daily_backup)
    service.stopped_by = "test"
    service.shutdown()
    assert len(retention.daily_backups("db", ".sqlite3", names(folder))) == backups
