import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

from ecc_listener.commands.export import moment_us
from ecc_listener.readings.form import decode
from ecc_listener.storage.connection import utc_us
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE
from support.terminal import shown

NOON_US = utc_us("2026-03-01 12:00:00.678901")
READING = decode(OFFICE)
FORMULA = '=HYPERLINK("http://x","y")'
MANY = (
    "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) INSERT INTO ECCTempHum"
    " SELECT strftime('%Y-%m-%d %H:%M:%S', 1500000000 + i * 60, 'unixepoch'), 1, 2, 3, 4, 5, 6, 'many' FROM n"
)
PROGRAM = [sys.executable, "-m", "ecc_listener", "export", "-d", "db.sqlite3"]


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ECC_")} | more


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with an archive of one reading and a live file of two."""
    for name, readings in (
        ("db-202601010000-202603010000.sqlite3", [("ECCTH01", NOON_US - 86_400_000_000)]),
        ("db.sqlite3", [("ECCTH01", NOON_US), (FORMULA, NOON_US + 1)]),
    ):
        store = Store(tmp_path / name, 1_000_000)
        arrivals = [Arrival(at_us, READING._replace(sensor_name=sensor)) for sensor, at_us in readings]
        store.commit(Burst(1, arrivals, [], []), 0)
        store.close()
    return tmp_path


def export(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_csv_has_archive_and_live_file_in_order_of_time(folder: Path) -> None:
    told = export(folder)
    assert (told.returncode, told.stderr) == (0, "")
    rows = list(csv.reader(io.StringIO(told.stdout)))
    assert rows[0] == [
        *("time_utc", "sensor", "temperature_f", "humidity_percent", "dew_point_f", "battery_v"),
        *("battery_percent", "rssi_dbm"),
    ]
    assert rows[1] == ["2026-02-28 12:00:00", "ECCTH01", "73.45", "39.17", "47.1", "3.41", "93.53", "-67"]
    assert [row[0] for row in rows[1:]] == ["2026-02-28 12:00:00", *["2026-03-01 12:00:00"] * 2]


def test_a_name_that_is_a_formula_is_none_in_a_spreadsheet_and_whole_elsewhere(folder: Path) -> None:
    rows = list(csv.reader(io.StringIO(export(folder).stdout)))
    assert rows[3][1] == "'" + FORMULA
    assert rows[3][7] == "-67"  # A number below zero stays one.
    told = [json.loads(line) for line in export(folder, "--format", "jsonl").stdout.splitlines()]
    assert told[2]["sensor"] == FORMULA


def test_json_lines_are_exact_to_the_microsecond(folder: Path) -> None:
    told = [
        json.loads(line) for line in export(folder, "--format", "jsonl", "--units", "c").stdout.splitlines()
    ]
    assert told[1] == {
        "time": "2026-03-01T12:00:00.678901+00:00",
        "sensor": "ECCTH01",
        "temperature_c": 23.03,
        "humidity_percent": 39.17,
        "dew_point_c": 8.39,
        "battery_v": 3.41,
        "battery_percent": 93.53,
        "rssi_dbm": -67,
    }


@pytest.mark.parametrize("to_file", [True, False])
def test_parquet_is_the_same_in_columns(folder: Path, *, to_file: bool) -> None:
    if to_file:
        told = export(folder, "--output", "x.parquet")
        assert (told.returncode, told.stderr) == (0, "3 readings in x.parquet\n")
    else:
        with (folder / "x.parquet").open("wb") as file:
            subprocess.run(
                [*PROGRAM, "--format", "parquet"], cwd=folder, env=environment(), stdout=file, check=True
            )
    table = parquet.read_table(folder / "x.parquet").to_pylist()
    assert len(table) == 3
    assert table[1]["time"] == datetime(2026, 3, 1, 12, 0, 0, 678901, UTC)
    assert table[2]["sensor"] == FORMULA
    assert (table[1]["temperature_f"], table[1]["rssi_dbm"]) == (73.45, -67)


def test_parquet_has_large_groups_and_every_row(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "db.sqlite3", isolation_level=None)) as connection:
        connection.execute(MANY, (0, 120_000))
    assert export(folder, "--output", "x.parquet").returncode == 0
    file = parquet.ParquetFile(folder / "x.parquet")
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (120_003, 2)


def test_parquet_without_its_library_says_the_next_step(folder: Path) -> None:
    (folder / "pyarrow.py").write_text("raise ImportError")
    told = export(folder, "--output", "x.parquet", PYTHONPATH=str(folder))
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert "Next step: run make venv" in told.stderr
    assert not list(folder.glob("x.parquet*"))


def test_local_time_has_the_offset_beside_it_and_moves_the_bounds(folder: Path) -> None:
    zone = {"TZ": "Pacific/Auckland"}
    rows = list(csv.reader(io.StringIO(export(folder, "--local", **zone).stdout)))
    assert rows[0][:3] == ["time_local", "utc_offset", "sensor"]
    assert rows[2][:2] == ["2026-03-02 01:00:00", "+13:00"]
    assert len(export(folder, "--local", "--from", "2026-03-02", **zone).stdout.splitlines()) == 3
    assert len(export(folder, "--from", "2026-03-02", **zone).stdout.splitlines()) == 1
    line = export(folder, "--local", "--format", "jsonl", **zone).stdout.splitlines()[1]
    assert json.loads(line)["time"] == "2026-03-02T01:00:00.678901+13:00"


def test_sensors_and_bounds_choose(folder: Path) -> None:
    assert len(export(folder, "--sensor", "ECCTH01").stdout.splitlines()) == 3
    assert len(export(folder, "--sensor", "ECCTH01", "--sensor", FORMULA).stdout.splitlines()) == 4
    assert len(export(folder, "--to", "2026-02-28").stdout.splitlines()) == 2
    assert len(export(folder, "--from", "2026-02-28", "--to", "2026-02-28").stdout.splitlines()) == 2
    assert len(export(folder, "--to", "2026-02-28 12:00").stdout.splitlines()) == 1
    assert len(export(folder, "--from", "2026-03-01T14:00:00+02:00").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--from", "yesterday"], "from: 'yesterday' is not a time; use a day like 2026-03-01, or a time"),
        (["--to", "2026-02-30"], "to: '2026-02-30' is not a time"),
        (["--from", "0001-01-01", "--local"], "from: '0001-01-01' is not a time"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], "to: it must be later than --from"),
        (["--sensor", "ECCTH1"], "sensor: 'ECCTH1' has no readings; choose from "),
        (["--units", "k"], "argument --units: invalid choice: 'k'"),
        (["--output", "none/x.csv"], "none/x.csv can't be written: No such file or directory"),
        (["-d", "none.sqlite3"], "there are no readings"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(folder: Path, words: list[str], says: str) -> None:
    told = export(folder, *words, TZ="America/New_York")
    assert told.returncode in {1, 2}
    assert told.stdout == ""
    assert told.stderr.count("\n") == 1
    assert says in told.stderr


def test_a_closed_pipe_is_no_traceback(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "db.sqlite3", isolation_level=None)) as connection:
        connection.execute(MANY, (0, 50_000))
    command = " ".join([*PROGRAM, "| head -n 2; echo ${PIPESTATUS[0]}"])
    told = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert told.stderr == ""
    assert told.stdout.splitlines()[-1] == "1"
    assert len(told.stdout.splitlines()) == 3


def test_a_file_is_there_whole_or_not_at_all(folder: Path) -> None:
    (folder / "x.csv").write_text("before")
    (folder / "x.csv.part").symlink_to("/dev/full")
    told = export(folder, "--output", "x.csv")
    assert told.returncode == 1
    assert "No space left on device" in told.stderr
    assert (folder / "x.csv").read_text() == "before"
    assert export(folder, "--output", "x.csv").returncode == 0
    assert len((folder / "x.csv").read_text().splitlines()) == 4
    assert not list(folder.glob("*.part"))


def test_a_bar_is_for_long_work_before_a_terminal(folder: Path) -> None:
    program = (
        "import sys; from ecc_listener.commands import export; from ecc_listener.cli import main;"
        " from ecc_listener.history import export as formats; export._QUIET_S = float(sys.argv[1]);"
        " formats._BATCH_ROWS = 1;"
        " sys.exit(main(['export', '-d', 'db.sqlite3', '--output', 'x.csv']))"
    )
    # terminal.shown leaves stderr alone: the shell joins the two.
    command = ["bash", "-c", f'{sys.executable} -c "$0" "$1" 2>&1', program]
    assert "%" not in shown([*command, "60"], folder, environment())
    text = shown([*command, "-1"], folder, environment())
    assert "[" in text
    assert "%  1 readings, to 2026-02-28" in text
    assert text.endswith("\r\033[J3 readings in x.csv\r\n")


def test_text_where_the_original_kept_no_number_is_left_out(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "db.sqlite3", isolation_level=None)) as connection:
        connection.execute(
            "UPDATE ECCTempHum SET temperatureF = '=1+1', dewPointF = NULL, battVoltage = 9e999"
        )
    lines = export(folder, "--sensor", "ECCTH01", "--units", "c").stdout.splitlines()
    assert lines[2] == "2026-03-01 12:00:00,ECCTH01,,39.17,,,93.53,-67"
    assert json.loads(export(folder, "--format", "jsonl").stdout.splitlines()[1])["battery_v"] is None
    assert export(folder, "--output", "x.parquet").returncode == 0


def test_further_numbers_get_columns_of_their_own(folder: Path) -> None:
    store = Store(folder / "db.sqlite3", 1_000_000)
    reading = READING._replace(values=(("lux", 300.5), ("sensor", 1.0), ("=x", -2.0)))
    store.commit(Burst(2, [Arrival(NOON_US + 2, reading)], [], []), 0)
    store.close()
    rows = list(csv.reader(io.StringIO(export(folder).stdout)))
    assert rows[0][-4:] == ["rssi_dbm", "'=x", "lux", "sensor_"]
    assert [row[-3:] for row in rows[1:]] == [["", "", ""]] * 3 + [["-2.0", "300.5", "1.0"]]
    lines = [json.loads(line) for line in export(folder, "--format", "jsonl").stdout.splitlines()]
    assert [line.get("values") for line in lines] == [None] * 3 + [{"=x": -2.0, "lux": 300.5, "sensor": 1.0}]
    assert lines[-1]["sensor"] == "ECCTH01"
    # A time range without them has no such columns.
    assert len(next(csv.reader(io.StringIO(export(folder, "--to", "2026-02-28").stdout)))) == 8
    assert export(folder, "--output", "x.parquet").returncode == 0
    assert parquet.read_table(folder / "x.parquet")["sensor_"].to_pylist() == [None] * 3 + [1.0]


def test_a_reading_that_lacks_a_quantity_has_an_empty_cell(folder: Path) -> None:
    store = Store(folder / "db.sqlite3", 1_000_000)
    reading = READING._replace(dew_point_f=None, battery_v=None, battery_percent=None)
    store.commit(Burst(2, [Arrival(NOON_US + 2, reading)], [], []), 0)
    store.close()
    last = export(folder, "--units", "c").stdout.splitlines()[-1]
    assert last == "2026-03-01 12:00:00,ECCTH01,23.03,39.17,,,,-67"


def test_a_day_as_an_end_lasts_as_long_as_it_does_where_clocks_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    import time  # noqa: PLC0415

    time.tzset()
    try:
        start, end = (moment_us("2026-03-29", None, is_end=is_end) for is_end in (False, True))
        assert timedelta(microseconds=end - start) == timedelta(hours=23)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_memory_does_not_grow_with_the_readings(folder: Path) -> None:
    """Measure the peak for few and for ten times as many."""
    peaks = []
    program = (
        "import resource, sys; from ecc_listener.cli import main; main(['export', '-d', 'db.sqlite3']);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    for first, last in ((0, 40_000), (40_000, 350_000)):
        with closing(sqlite3.connect(folder / "db.sqlite3", isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(MANY, (first, last))
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
        peaks.append(int(done.stderr) / 1024)
    # What grows with a leak is at least the rows themselves: 100 bytes and more for each of 310,000.
    assert peaks[1] < peaks[0] + 30, peaks


def test_a_renamed_and_calibrated_sensor_is_exported_as_the_page_shows_it(folder: Path) -> None:
    (folder / "limits.ini").write_text(
        "[Kitchen]\nwas = ECCTH01\noffset temperature = -1.5 °F\n", encoding="utf-8"
    )
    done = export(folder, "--sensor", "Kitchen", ECC_LIMITS_FILE_PATH="limits.ini")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["sensor"], row["temperature_f"]) for row in rows] == [("Kitchen", "71.95")] * 2
