import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecc_listener.history import rollup_writer
from ecc_listener.history.query import History
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.history.rollups import Bucket, RollupFile, RollupFileError, Step, rollup_path
from ecc_listener.readings.form import decode
from ecc_listener.storage.connection import StoreError, open_readonly, utc_us
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

NOON_US = utc_us("2026-03-01 12:00:00")
MINUTE_US = 60 * 1_000_000
HOUR_US = 60 * MINUTE_US
READING = decode(OFFICE)
FOR_EVER = (0, utc_us("9999-01-01"))


class House:
    """A store whose readings differ, and its rollups."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path, 1_000_000)
        self.rollup_writer = RollupWriter(path)
        self.stored = 0

    def measure(self, count: int, *, sensors: int = 3, start_us: int = NOON_US) -> None:
        arrivals = []
        for number in range(self.stored, self.stored + count):
            reading = READING._replace(
                sensor_name=f"s{number % sensors}",
                temperature_f=number % 97 / 3,
                humidity_percent=number % 89 / 7,
                dew_point_f=-number % 83 / 9,
            )
            arrivals.append(Arrival(start_us + number * 7 * MINUTE_US, reading))
        self.stored += count
        recorded = self.store.recorded()
        self.store.commit(Burst(recorded[-1][0] + 1 if recorded else 1, arrivals, [], []), confirmed=0)

    def sum_all(self, rows: int = 1_000) -> int:
        for steps in range(1_000):
            if not self.rollup_writer.step(rows):
                return steps
        raise AssertionError

    def figures(self, step: Step = "hour") -> dict[str, list[Bucket]]:
        history = History(self.path)
        return {name: history.rollups(name, *FOR_EVER, step) for name in history.sensors()}

    def check(self) -> None:
        """See that all is as it is without rollups, and that they were used."""
        steps: tuple[Step, ...] = ("hour", "day")
        for step in steps:
            kept = self.figures(step)
            rollup_file = rollup_path(self.path)
            away = rollup_file.with_suffix(".away")
            rollup_file.rename(away)
            plain = self.figures(step)
            away.rename(rollup_file)
            assert list(kept) == list(plain)
            for name, buckets in plain.items():
                assert [bucket[:2] for bucket in kept[name]] == [bucket[:2] for bucket in buckets]
                for one, other in zip(kept[name], buckets, strict=True):
                    assert one == pytest.approx(other)

    def restart(self) -> None:
        self.rollup_writer.close()
        self.rollup_writer = RollupWriter(self.path)

    def end(self) -> None:
        self.rollup_writer.close()
        self.store.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "db.sqlite3")
    yield made
    made.end()


def counted(house: House) -> int:
    with closing(open_readonly(rollup_path(house.path))) as connection:
        return int(connection.execute("SELECT coalesce(sum(readings), 0) FROM Hour").fetchone()[0])


def sources(house: House) -> int:
    with closing(open_readonly(rollup_path(house.path))) as connection:
        return int(connection.execute("SELECT count(*) FROM Source").fetchone()[0])


def test_rollups_agree_with_the_readings(house: House) -> None:
    house.measure(2_500)
    assert house.sum_all() == 3
    assert counted(house) == 2_500
    house.check()


def test_they_are_what_is_asked(house: House) -> None:
    house.measure(10)
    house.sum_all()
    with closing(sqlite3.connect(rollup_path(house.path))) as connection:
        connection.execute("UPDATE Hour SET t_max = 999")
        connection.commit()
    assert {bucket.temperature_max_f for bucket in house.figures()["s0"]} == {999}


def test_steps_follow_each_other_while_there_is_something_to_do(house: House) -> None:
    house.measure(rollup_writer.ROWS_A_STEP + 10)
    house.rollup_writer.tick(0)
    assert counted(house) == rollup_writer.ROWS_A_STEP
    house.rollup_writer.tick(1)
    house.rollup_writer.tick(2)
    house.measure(5)
    house.rollup_writer.tick(3)
    assert counted(house) == rollup_writer.ROWS_A_STEP + 10
    house.rollup_writer.tick(2 + rollup_writer.PAUSE_S)
    assert counted(house) == rollup_writer.ROWS_A_STEP + 15


def test_what_came_after_the_last_step_counts_all_the_same(house: House) -> None:
    house.measure(1_500)
    house.rollup_writer.step(1_000)
    house.measure(10)
    assert counted(house) == 1_000
    house.check()


def test_an_archive_is_still_known_and_the_new_file_is_another_one(house: House) -> None:
    house.measure(1_500)
    house.rollup_writer.step(1_000)
    house.store.archive()
    house.check()
    house.measure(300)
    assert house.sum_all() == 2
    assert (counted(house), sources(house)) == (1_800, 2)
    house.check()


def test_a_clock_that_steps_back_and_a_replayed_message_count_in_their_hours(house: House) -> None:
    house.measure(100)
    house.sum_all()
    house.measure(100, start_us=NOON_US - 1_000 * HOUR_US)
    house.check()
    house.sum_all()
    assert counted(house) == 200
    house.check()


def test_an_archive_of_the_original_copied_in_is_added_in_steps(house: House, tmp_path: Path) -> None:
    house.measure(10)
    house.sum_all()
    old = sqlite3.connect(tmp_path / "db-202012190304-202012200304.sqlite3")
    old.executescript(
        "CREATE TABLE ECCTempHum(recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL,"
        " relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER, sensorName TEXT,"
        " PRIMARY KEY (sensorName, recordWrittenUTC));"
        "INSERT INTO ECCTempHum VALUES ('2020-12-19 03:04:05', 1, 2, NULL, 4, 5, -6, 'ECCTH01');"
        "INSERT INTO ECCTempHum VALUES ('2020-12-19 03:04:06.5', 2, 3, 50, 4, 5, -6, 'ECCTH01');"
        "INSERT INTO ECCTempHum VALUES ('2020-12-19 04:04:06', 1, 2, NULL, 4, 5, -6, 'ECCTH01');"
        "INSERT INTO ECCTempHum VALUES ('yesterday', 1, 2, NULL, 4, 5, -6, 'ECCTH01');"
    )
    old.close()
    assert house.sum_all(2) == 2
    house.check()
    first, second = house.figures()["ECCTH01"]
    assert first[:8] == (utc_us("2020-12-19 03:00:00"), 2, 2, 2.5, 3, 50, 50, 50)
    assert second.humidity_mean_percent is None


def test_what_is_gone_is_dropped_and_counts_no_more(house: House, tmp_path: Path) -> None:
    house.measure(500)
    archive = house.store.archive()
    house.measure(200)
    house.sum_all()
    archive.rename(tmp_path / "elsewhere")
    house.check()
    house.sum_all()
    assert (counted(house), sources(house)) == (200, 1)
    house.check()


def test_a_backup_put_back_counts_as_what_it_is(house: House) -> None:
    house.measure(400)
    house.sum_all(300)
    with closing(sqlite3.connect(house.path)) as live:
        live.execute("VACUUM INTO ?", (f"{house.path}.backup",))
    house.measure(600)
    house.sum_all()
    house.store.close()
    Path(f"{house.path}.backup").rename(house.path)
    house.store = Store(house.path, 1_000_000)
    house.check()
    house.measure(700, sensors=2)
    house.check()
    house.sum_all()
    assert (counted(house), sources(house)) == (1_100, 1)
    house.check()


@pytest.mark.parametrize("damage", ["garbage", "no tables", "other version", "cut", "gone"])
def test_an_unusable_rollup_file_is_created_again(house: House, damage: str) -> None:
    house.measure(1_000)
    house.sum_all()
    house.rollup_writer.close()
    path = rollup_path(house.path)
    if damage == "garbage":
        path.write_bytes(b"garbage" * 5_000)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "gone":
        path.unlink()
    else:
        change = "DROP TABLE Source" if damage == "no tables" else "PRAGMA user_version = 99"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(change)
    plain = {name: len(buckets) for name, buckets in house.figures().items()}
    assert plain
    house.restart()
    for _ in range(3):
        try:
            house.sum_all()
            break
        except StoreError:
            continue
    assert counted(house) == 1_000
    house.check()


def test_a_full_disk_throws_nothing_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.measure(1_000)
    house.sum_all()
    house.measure(10)

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(rollup_writer, "_add", full)
        with pytest.raises(StoreError, match="can't be written"):
            house.rollup_writer.step()
    assert counted(house) == 1_000
    house.sum_all()
    assert counted(house) == 1_010


def test_a_kill_in_the_midst_counts_nothing_twice(house: House) -> None:
    house.measure(3_000)
    program = (
        "import sys, pathlib; from ecc_listener.history.rollup_writer import RollupWriter\n"
        "rollup_writer = RollupWriter(pathlib.Path(sys.argv[1]))\n"
        "while rollup_writer.step(200): print(flush=True)"
    )
    for steps in range(1, 4):
        with subprocess.Popen(
            [sys.executable, "-c", program, house.path], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for _ in range(steps):
                process.stdout.readline()
            process.kill()
    house.sum_all()
    assert counted(house) == 3_000
    house.check()


def test_an_archive_that_cannot_be_read_keeps_nothing_else_from_being_added(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "db-202012190304-202012200304.sqlite3").write_bytes(b"garbage" * 1_000)
    house.measure(100)
    house.sum_all()
    assert counted(house) == 100
    assert len(archives(house.path)) == 1


def test_names_without_end_are_added_in_bounded_time(house: House) -> None:
    house.measure(4_000, sensors=4_000)
    house.sum_all(4_000)
    assert counted(house) == 4_000


def test_a_missing_rollup_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RollupFileError):
        RollupFile(tmp_path / "db.sqlite3")
