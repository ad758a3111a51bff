"""The history over PostgreSQL gives the answers that it gives over the file."""

import random
from pathlib import Path

import pytest

from ecc_listener import cli
from ecc_listener.history.postgres import PostgresHistory
from ecc_listener.history.query import History
from ecc_listener.history.rollups import STEP_US, Step
from ecc_listener.readings.corrections import Corrections, Offsets
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.interface import Burst
from ecc_listener.storage.postgres.store import PostgresStore
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Store
from storage.test_both import NOON_US, READING
from support.postgres import Postgres

DAY_US, HOUR_US = STEP_US["day"], STEP_US["hour"]
CORRECTIONS = Corrections({"b": "a"}, {"a": Offsets(1.0, -2.0)})


def arrivals() -> list[Arrival]:
    """Make forty days of four sensors, with gaps, numbers that are missing, and further ones."""
    chance = random.Random(7)
    found = []
    for tick in range(2_000):
        values = (("co2", float(tick)),) if tick % 3 else ()
        reading = READING._replace(
            sensor_name=chance.choice(["a", "b", "Größe", "100 %"]),
            temperature_f=chance.choice([None, tick / 64, -tick / 64]),
            humidity_percent=tick % 100 / 4,
            dew_point_f=None if tick % 2 else 40.0,
            values=values,
        )
        found.append(Arrival(NOON_US + tick * 30 * 60_000_000 + chance.randrange(1_000_000), reading))
    return found


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    url = postgres.create_database()
    store = PostgresStore(url, "one", 1_000_000)
    store.commit(Burst(1, arrivals(), [], []), 0)
    store.close()
    return url


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "db.sqlite3"
    store = Store(path, 1_000_000)
    store.commit(Burst(1, arrivals(), [], []), 0)
    store.close()
    return path


@pytest.mark.parametrize("corrections", [Corrections({}, {}), CORRECTIONS])
@pytest.mark.parametrize("sensors", [None, ["a"], ["Größe", "100 %"], ["nobody"], []])
@pytest.mark.parametrize("span", [(0, 2 * NOON_US), (NOON_US + DAY_US, NOON_US + 9 * DAY_US), (0, 1)])
def test_readings_and_what_is_known_about_them_are_the_same(
    url: str, path: Path, corrections: Corrections, sensors: list[str] | None, span: tuple[int, int]
) -> None:
    here, there = PostgresHistory(url, corrections), History(path, corrections)
    assert list(here.readings(sensors, *span)) == list(there.readings(sensors, *span))
    assert here.fields(sensors, *span) == there.fields(sensors, *span)
    assert here.count(*span) == there.count(*span)
    assert here.sensors() == there.sensors()
    assert here.seen_us(*span) == there.seen_us(*span)
    assert [file[1:] for file in here.files()] == [file[1:] for file in there.files()]


@pytest.mark.parametrize("corrections", [Corrections({}, {}), CORRECTIONS])
@pytest.mark.parametrize("step", ["hour", "day"])
@pytest.mark.parametrize("span", [(0, 2 * NOON_US), (NOON_US + 5 * HOUR_US + 1, NOON_US + 9 * DAY_US)])
def test_hours_and_days_are_the_same(
    url: str, path: Path, corrections: Corrections, step: Step, span: tuple[int, int]
) -> None:
    here, there = PostgresHistory(url, corrections), History(path, corrections)
    for sensor in ("a", "Größe", "nobody"):
        assert here.rollups(sensor, *span, step) == there.rollups(sensor, *span, step)
        assert here.field_rollups(sensor, "co2", *span, step) == there.field_rollups(
            sensor, "co2", *span, step
        )
    assert here.rollups_of(["a", "100 %"], *span, step) == there.rollups_of(["a", "100 %"], *span, step)


def test_an_export_is_the_same(
    url: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written = []
    for number, database in enumerate((f"--database_url={url}", f"--database_file_path={path}")):
        output = f"{number}.jsonl"
        words = ["export", database, "--from", "2026-03-05", "--sensor", "a", "--output", output]
        assert cli.main(words) == 0, capsys.readouterr().err
        written.append((tmp_path / output).read_text())
    assert written[0] == written[1]
    assert written[0].count("\n") > 100


def test_a_database_without_tables_says_so(postgres: Postgres) -> None:
    with pytest.raises(StoreError, match="the listener creates them"):
        PostgresHistory(postgres.create_database()).sensors()
