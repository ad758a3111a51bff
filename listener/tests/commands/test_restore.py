import gzip
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ecc_listener.backup import create
from ecc_listener.commands import restore
from ecc_listener.history.query import History
from ecc_listener.mqtt.deliveries import packet
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.outbox import add, due, set_channels
from ecc_listener.readings.form import decode
from ecc_listener.settings import load
from ecc_listener.storage.connection import StoreError, connect_readonly, utc_us
from ecc_listener.storage.lock import StoreHeldError
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.schema import MIGRATIONS
from ecc_listener.storage.store import Burst, Store
from faults.disks import disk
from support.brokers import OFFICE, Mosquitto, until
from support.listeners import Listener

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = utc_us("2026-03-01 12:00:00")
FOR_EVER_US = utc_us("9999-01-01")
ARCHIVE = "db-202601010000-202602010000.sqlite3"


def reading_at(store: Store, number: int, rows: int = 10) -> None:
    """Store a burst of so many readings under packets of their own, an hour after the one before."""
    at_us = NOON_US + number * 3_600_000_000
    reading = decode(OFFICE)._replace(values=(("lux", float(number)),))
    arrivals = [Arrival(at_us + index, reading) for index in range(rows)]
    packets = [packet(number * 100 + index, "t", b"%d" % number) for index in range(rows)]
    store.commit(Burst(number, arrivals, [], packets), number - 2)


def bursts(path: Path, *numbers: int) -> None:
    store = Store(path, 1_000_000)
    for number in numbers:
        reading_at(store, number)
    store.close()


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """Give a database of bursts 1 to 3, of which 1 and 2 are in the backup, too."""
    path = tmp_path / "db.sqlite3"
    bursts(path, 1, 2)
    (tmp_path / "backup").mkdir()
    create.create_backup(path, tmp_path / "backup", "manual", NOON)
    bursts(path, 3)
    return path


@pytest.fixture
def saved(live: Path) -> Path:
    return live.with_name("backup") / "db-manual-2026-03-01T120000Z.sqlite3.gz"


def restored(live: Path, saved: Path, **options: object) -> int:
    return restore.main(load({"database_file_path": live}), {"file": saved, "yes": True} | options)


def hours(live: Path) -> list[int]:
    """Say which bursts the history has, each as often as it has it."""
    rows = History(live).readings(None, 0, FOR_EVER_US)
    return [(utc_us(row.utc) - NOON_US) // 3_600_000_000 for row in rows][::10]


def names(live: Path) -> list[str]:
    """Name what lies there, without what readers leave for a moment."""
    left = (".lock", ".sqlite3-wal", ".sqlite3-shm")
    return sorted(path.name for path in live.parent.iterdir() if path.suffix not in left and path.is_file())


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(connect_readonly(path)) as connection:
        return connection.execute(query).fetchall()


def values(live: Path) -> list[float]:
    """Say which bursts the further numbers of the history are of, each as often as it has them."""
    rows = [row for row in History(live).readings(None, 0, FOR_EVER_US) if row.values]
    return [row.values[0][1] for row in rows][::10]


def test_the_backup_takes_the_place_of_what_was_there_which_is_kept(
    live: Path, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restored(live, saved) == 0
    assert hours(live) == [1, 2]
    aside, name = names(live)
    assert name == "db.sqlite3"
    assert re.fullmatch(r"db-before-restore-[\dT-]+Z\.sqlite3", aside)
    assert ask(live.with_name(aside), "SELECT count(*) FROM ECCTempHum") == [(30,)]
    told = capsys.readouterr().out
    assert "20 readings of 1 sensor, 2026-03-01" in told
    assert "10 of its readings are not in the backup; --merge keeps them" in told
    assert f"The previous database is now {aside}" in told
    bursts(live, 4)
    assert hours(live) == [1, 2, 4]


def test_it_works_where_there_is_nothing_yet(live: Path, saved: Path) -> None:
    live.unlink()
    assert restored(live, saved) == 0
    assert names(live) == ["db.sqlite3"]
    assert hours(live) == [1, 2]


def test_merged_what_came_since_stays_too(live: Path, saved: Path) -> None:
    assert restored(live, saved, merge=True) == 0
    assert hours(live) == [1, 2, 3]
    assert values(live) == [1, 2, 3]
    assert ask(live, "SELECT burst FROM ECCDelivery ORDER BY burst") == [(2,), (3,)]


def test_an_archive_of_meanwhile_keeps_its_readings_and_none_is_doubled(live: Path, saved: Path) -> None:
    store = Store(live, 1_000_000)
    store.archive()
    reading_at(store, 4)
    store.close()
    assert restored(live, saved) == 0
    # All of the backup is in the archive, and burst 4 only in what was put aside.
    assert hours(live) == [1, 2, 3]
    assert values(live) == [1, 2, 3]
    assert ask(live, "SELECT count(*) FROM ECCTempHum") == [(0,)]


def test_a_lost_archive_becomes_that_archive_again(live: Path, tmp_path: Path) -> None:
    archive = tmp_path / ARCHIVE
    bursts(archive, 0)
    create.create_backup(live, tmp_path / "backup", "manual", datetime(2026, 3, 2, tzinfo=UTC))
    with pytest.raises(StoreError, match="exists already; move it away first"):
        restored(live, tmp_path / "backup" / f"{ARCHIVE}.gz")
    for path in tmp_path.glob(f"{ARCHIVE}*"):
        path.unlink()
    assert restored(live, tmp_path / "backup" / f"{ARCHIVE}.gz") == 0
    assert hours(live) == [0, 1, 2, 3]
    assert names(live) == [ARCHIVE, "db.sqlite3"]


def test_an_archive_whose_readings_are_all_there_is_not_added(
    live: Path, saved: Path, tmp_path: Path
) -> None:
    again = tmp_path / "backup" / f"{ARCHIVE}.gz"
    saved.rename(again)
    with pytest.raises(StoreError, match="are in other files already; nothing was changed"):
        restored(live, again)
    assert names(live) == ["db.sqlite3"]


def test_the_record_keeps_what_is_on_it_now_and_in_the_backup(live: Path, saved: Path) -> None:
    # On record in the backup: 1 and 2; now: 2 and 3. The broker may send 2 again, and it is in the backup.
    assert ask(live, "SELECT burst FROM ECCDelivery") == [(2,), (3,)]
    restored(live, saved)
    assert ask(live, "SELECT burst FROM ECCDelivery") == [(2,)]


def test_a_record_of_old_is_worth_nothing_once_the_burst_is_confirmed(live: Path, saved: Path) -> None:
    store = Store(live, 1_000_000)
    store.forget(3)
    store.close()
    restored(live, saved)
    assert ask(live, "SELECT burst FROM ECCDelivery") == []


def mailed(path: Path, *subjects: str, done: bool = False) -> None:
    store = Store(path, 1_000_000)
    store.change(lambda connection: set_channels(connection, ["me@example.org"]))
    for subject in subjects:
        store.change(partial(add, message=Message(subject, "", ""), now_us=NOON_US))
    if done:
        store.change(
            lambda one: one.execute("UPDATE ECCMailWay SET doneUpTo = (SELECT max(number) FROM ECCMail)")
        )
    store.close()


def waiting(path: Path) -> list[str]:
    store = Store(path, 1_000_000)
    letters = store.change(lambda connection: due(connection, NOON_US))
    store.close()
    return [one.message.subject for one in letters]


def test_no_letter_of_old_is_sent_again_and_none_of_now_is_lost(tmp_path: Path) -> None:
    live = tmp_path / "db.sqlite3"
    bursts(live, 1)
    mailed(live, "of old")
    (tmp_path / "backup").mkdir()
    create.create_backup(live, tmp_path / "backup", "manual", NOON)
    mailed(live, done=True)
    mailed(live, "of now")
    saved = tmp_path / "backup" / "db-manual-2026-03-01T120000Z.sqlite3.gz"
    restored(live, saved)
    assert waiting(live) == ["of now"]
    live.unlink()
    restored(live, saved)
    assert waiting(live) == []
    mailed(live, "next")
    assert waiting(live) == ["next"]


def test_summaries_of_before_go(live: Path, saved: Path) -> None:
    for ending in ("", "-wal"):
        live.with_name(f"db-summary.sqlite3{ending}").touch()
    restored(live, saved)
    assert not [name for name in names(live) if "summary" in name]


def _other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE contacts (name)")


def _newer(path: Path) -> None:
    bursts(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def _cut(path: Path) -> None:
    bursts(path, 1)
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])


def _holed(path: Path) -> None:
    bursts(path, 1)
    data = bytearray(path.read_bytes())
    data[4096 : 4096 + 4000] = bytes(4000)
    path.write_bytes(gzip.compress(bytes(data)))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda path: path.write_bytes(b"holiday"),
            "is not a backup: it is neither an SQLite database nor a gzip file with one",
        ),
        (lambda path: path.write_bytes(b""), "is not a backup"),
        (
            lambda path: path.write_bytes(gzip.compress(b"x")),
            "is not a backup: the gzip file does not contain an SQLite database",
        ),
        (_cut, "is damaged"),
        (_holed, "is damaged"),
        (_other_program, "it is a database of another program"),
        (_newer, f"has schema 999, this program knows {len(MIGRATIONS)}: it was created by a newer version"),
        (os.mkfifo, "is not a backup: it is not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a backup: it is not a file"),
        (os.mkdir, "is not a backup: it is not a file"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
        (lambda _: None, "No such file"),
    ],
)
def test_a_file_that_is_not_an_undamaged_backup_is_refused_with_a_clear_line(
    live: Path, tmp_path: Path, make: object, says: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    bad = tmp_path / "elsewhere" / "bad"
    make(bad)  # type: ignore[operator]
    before = live.read_bytes()
    with pytest.raises(StoreError, match=re.escape(says)):
        restored(live, bad)
    assert live.read_bytes() == before
    assert names(live) == ["db.sqlite3"]


def test_a_plain_copy_with_its_wal_and_a_file_of_the_original_are_as_good(live: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "copy"
    with closing(sqlite3.connect(copy)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.execute(
            "CREATE TABLE ECCTempHum(recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL,"
            " relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT,"
            " PRIMARY KEY (sensorName, recordWrittenUTC))"
        )
        old.execute("INSERT INTO ECCTempHum VALUES ('2026-03-01 12:00:00', 1, 2, 3, 4, 5, 6, 'a')")
        old.commit()
        assert restored(live, copy) == 0
    assert hours(live) == [0]


@pytest.mark.privileged
@pytest.mark.parametrize("is_packed", [True, False])
def test_a_full_disk_leaves_all_as_it_was(
    live: Path, saved: Path, tmp_path: Path, *, is_packed: bool
) -> None:
    (tmp_path / "elsewhere").mkdir()
    plain = tmp_path / "elsewhere" / "plain"
    plain.write_bytes(gzip.decompress(saved.read_bytes()))
    with disk(tmp_path) as small:
        there = small.mount / live.name
        shutil.copy(live, there)
        small.fill()
        with pytest.raises(StoreError, match=r"disk is full|needs more space than there is"):
            restored(there, saved if is_packed else plain)
        small.ballast.unlink()
        assert hours(there) == [1, 2, 3]
        assert restored(there, saved if is_packed else plain) == 0
        assert hours(there) == [1, 2]


@pytest.mark.privileged
def test_a_small_file_that_unpacks_to_more_than_the_disk_holds_leaves_room_for_the_listener(
    live: Path, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb") as file:
        file.write(b"SQLite format 3\0")
        for _ in range(100):
            file.write(bytes(1 << 20))
    assert bomb.stat().st_size < 1 << 20
    with disk(tmp_path) as small:
        there = small.mount / live.name
        shutil.copy(live, there)
        with pytest.raises(StoreError, match="would leave less than 2% of the disk free"):
            restored(there, bomb)
        assert names(there) == ["db.sqlite3"]
        assert hours(there) == [1, 2, 3]


def test_it_asks_and_no_is_the_default(live: Path, saved: Path) -> None:
    program = [sys.executable, "-m", "ecc_listener", "restore", "-d", str(live), str(saved)]
    alone = subprocess.run(program, input="yes\n", capture_output=True, text=True, check=False)
    assert alone.returncode == 1
    assert alone.stderr.count("\n") == 1
    assert "add --yes" in alone.stderr
    for answer, bursts_left in (("no", [1, 2, 3]), ("", [1, 2, 3]), ("yes", [1, 2])):
        words = " ".join(program)
        asked = subprocess.run(
            ["script", "-qec", words, "/dev/null"],
            input=f"{answer}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Type yes" in asked.stdout
        assert hours(live) == bursts_left


def test_a_check_changes_nothing_and_may_be_made_while_the_listener_runs(live: Path, saved: Path) -> None:
    store = Store(live, 1_000_000)
    assert restored(live, saved, check=True) == 0
    with pytest.raises(StoreHeldError, match="stop that one first"):
        restored(live, saved)
    store.close()
    assert hours(live) == [1, 2, 3]
    assert values(live) == [1, 2, 3]


def test_somebody_who_has_the_database_open_is_asked_to_close_it(
    live: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecc_listener.backup.restore._TRY_EVERY_S", 0.001)
    with closing(sqlite3.connect(live)) as reader:
        reader.execute("SELECT * FROM ECCTempHum").fetchone()
        with pytest.raises(
            StoreError, match=r"another program has db\.sqlite3 open, perhaps an SQL shell; close it"
        ):
            restored(live, saved)
    assert restored(live, saved) == 0


def test_a_damaged_database_is_put_aside_with_all_that_belongs_to_it(live: Path, saved: Path) -> None:
    live.write_bytes(b"x" * 8192)
    Path(f"{live}-wal").write_bytes(b"y")
    with pytest.raises(StoreError, match="leave out --merge"):
        restored(live, saved, merge=True)
    assert restored(live, saved) == 0
    assert hours(live) == [1, 2]
    (aside,) = (name for name in names(live) if re.fullmatch(r"db-before-restore-.*Z\.sqlite3", name))
    assert live.with_name(aside).read_bytes() == b"x" * 8192
    assert live.with_name(f"{aside}-wal").read_bytes() == b"y"
    assert not Path(f"{live}-wal").exists()


# The first five unlinks look for what an earlier run may have left.
@pytest.mark.parametrize(("call", "first"), [("fsync", 1), ("link", 1), ("unlink", 6), ("rename", 1)])
def test_killed_at_each_of_its_calls_there_is_the_old_or_the_new_and_the_old_is_kept(
    live: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, call: str, first: int
) -> None:
    # What is killed may leave the mark at which readers wait for a while.
    monkeypatch.setattr("ecc_listener.storage.connection._ARCHIVE_POLL_S", 0.0)
    ended = kills = 0
    for number in range(first, 30):
        where = live.with_name(f"{number}")
        where.mkdir()
        one = where / live.name
        shutil.copy(live, one)
        strace = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}"]
        inject = ["-e", f"inject={call}:signal=KILL:when={number}"]
        program = [sys.executable, "-m", "ecc_listener", "restore", "--yes", "-d", str(one), str(saved)]
        done = subprocess.run([*strace, *inject, *program], check=False, stdout=subprocess.DEVNULL)
        there = hours(one)
        assert there in ([1, 2, 3], [1, 2])
        if there == [1, 2]:
            (kept,) = where.glob("db-before-restore-*.sqlite3")
            assert ask(kept, "SELECT count(*) FROM ECCTempHum") == [(30,)]
        bursts(one, 5)  # Whatever it is, the listener goes on with it.
        assert restored(one, saved) == 0
        assert hours(one) == [1, 2]
        assert not [name for name in names(one) if "restoring" in name]
        if done.returncode == 0:
            ended = number
            break
        assert done.returncode == -signal.SIGKILL
        kills += 1
    assert ended
    assert kills >= 1


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto) -> Iterator[Listener]:
    made = Listener(tmp_path / "listener", broker.port, backup_folder=tmp_path / "saved")
    (tmp_path / "saved").mkdir()
    yield made
    made.end()


def payload(number: int) -> bytes:
    return OFFICE.replace(b"73.45", b"%d.%02d" % (number // 100, number % 100))


@pytest.mark.parametrize("is_merge", [False, True])
@pytest.mark.parametrize("is_after", [False, True])
def test_with_a_real_broker_nothing_is_doubled_and_nothing_lost(
    broker: Mosquitto, listener: Listener, *, is_after: bool, is_merge: bool
) -> None:
    """Restore at the worst moment: readings are stored that the broker will send again."""
    listener.start()
    broker.publish(*map(payload, range(50)))
    listener.wait_for(50)
    listener.stop()
    saved = None if is_after else listener.run("backup").stdout.split()[0]
    broker.publish(*map(payload, range(50, 80)))
    alive, listener.program = listener.program, ["-c", _DIES_BETWEEN_COMMIT_AND_ACKNOWLEDGEMENT]
    listener.start(connected=False)
    assert listener.process
    listener.process.wait(20)
    assert listener.count() > 50
    saved = saved or listener.run("backup").stdout.split()[0]
    broker.publish(*map(payload, range(80, 100)))
    restored = listener.run("restore", "--yes", *(["--merge"] if is_merge else []), saved)
    assert restored.returncode == 0, restored.stderr
    listener.program = alive
    listener.start()
    until(lambda: listener.count() >= 100)
    broker.publish(payload(100))
    listener.wait_for(101)
    assert set(listener.temperatures().values()) == {1}


_DIES_BETWEEN_COMMIT_AND_ACKNOWLEDGEMENT = (
    "import os; from ecc_listener.mqtt.session import Session; from ecc_listener.cli import main;"
    " Session.acknowledge = lambda *_: os._exit(9); main([])"
)
