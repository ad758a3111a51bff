from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ecc_listener.history.figures import points, received, regularity, spread
from ecc_listener.history.month import (
    Band,
    Month,
    calendar_month,
    first_of_next,
    first_of_previous,
    with_rooms,
)
from ecc_listener.history.query import History
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.local_time import midnight_us
from ecc_listener.readings.corrections import NO_CORRECTIONS, Corrections, Offsets
from ecc_listener.readings.form import decode
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import utc_text
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE
from support.digests import DAY_US, HOUR_US, START_US, hours

NEW_YORK, KOLKATA = ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")
MARCH = date(2026, 3, 1)
AFTER_US = midnight_us(date(2026, 6, 1), NEW_YORK)
BAND = Band(60, 80, 40, 60)
READING = decode(OFFICE)._replace(temperature_f=70.0, humidity_percent=50.0)
MINUTE_US = 60_000_000


def stored(folder: Path, *arrivals: tuple[int, Reading]) -> Path:
    store = Store(folder / "db", 100_000_000)
    store.commit(Burst(1, [Arrival(*one) for one in arrivals], [], []), 0)
    store.close()
    return folder / "db"


def read(database: Path, now_us: int = AFTER_US, corrections: Corrections = NO_CORRECTIONS) -> Month:
    history = History(database, corrections)
    month = calendar_month(MARCH, NEW_YORK, now_us)
    return with_rooms(month, history, {"ECCTH01": "Office"}, lambda *_: BAND)


@pytest.mark.parametrize(
    ("first", "zone", "number"),
    [
        (date(2026, 3, 1), NEW_YORK, 31 * 24 - 1),
        (date(2026, 11, 1), NEW_YORK, 30 * 24 + 1),
        (date(2026, 2, 1), NEW_YORK, 28 * 24),
        (date(2028, 2, 1), NEW_YORK, 29 * 24),
        (date(2026, 4, 1), KOLKATA, 30 * 24),
        (date(2026, 12, 1), ZoneInfo("UTC"), 31 * 24),
    ],
)
def test_a_month_has_the_hours_of_local_time(first: date, zone: ZoneInfo, number: int) -> None:
    month = calendar_month(first, zone, 2**60)
    assert month.hours == number
    assert month.is_complete
    assert calendar_month(first_of_next(first), zone, 2**60).start_us == month.end_us
    assert first_of_previous(first_of_next(first)) == first


def test_readings_belong_to_the_month_of_their_local_time(tmp_path: Path) -> None:
    start_us, end_us = midnight_us(MARCH, NEW_YORK), midnight_us(date(2026, 4, 1), NEW_YORK)
    assert (utc_text(start_us)[11:13], utc_text(end_us)[11:13]) == ("05", "04")
    at = start_us - 1, start_us, start_us + DAY_US, end_us - 1, end_us
    database = stored(
        tmp_path, *((at_us, READING._replace(temperature_f=60.0 + n)) for n, at_us in enumerate(at))
    )
    (room,) = read(database).rooms
    assert room.readings == 3
    assert room.temperature_f
    assert room.temperature_f[:3] == (61, 62, 63)


def test_hours_outside_are_those_whose_mean_is_beyond_the_band(tmp_path: Path) -> None:
    start_us = midnight_us(MARCH, NEW_YORK)
    values = [(59.9, 39.0), (60.0, 40.0), (80.0, 60.0), (80.1, 61.0), (90.0, 61.0)]
    arrivals = [
        (start_us + number * HOUR_US, READING._replace(temperature_f=warmth, humidity_percent=damp))
        for number, (warmth, damp) in enumerate(values)
    ]
    # The mean of this hour is within, though one reading isn't.
    arrivals += [
        (start_us + 7 * HOUR_US + n * MINUTE_US, READING._replace(temperature_f=one))
        for n, one in enumerate((79.0, 79.0, 81.0))
    ]
    (room,) = read(stored(tmp_path, *arrivals)).rooms
    assert room.temperature_f
    assert room.humidity_percent
    assert (room.temperature_f.hours_below, room.temperature_f.hours_above) == (1, 2)
    assert (room.humidity_percent.hours_below, room.humidity_percent.hours_above) == (1, 2)


def test_the_figures_are_the_same_with_and_without_the_rollup_file(tmp_path: Path) -> None:
    start_us = midnight_us(MARCH, NEW_YORK)
    names = ("ECCTH01", "ECCTH02", "ECCTH03")
    arrivals = [
        (
            start_us + slot * 10 * MINUTE_US + number,
            READING._replace(sensor_name=name, temperature_f=50.0 + slot % 40),
        )
        for slot in range(6 * 24 * 33)
        for number, name in enumerate(names)
    ]
    database = stored(tmp_path, *arrivals)
    before = read(database)
    writer = RollupWriter(database)
    for _ in range(3):
        writer.step(5_000)
    assert read(database) == before
    while writer.step():
        pass
    writer.close()
    assert read(database) == before
    assert [room.readings for room in before.rooms] == [743 * 6] * 3
    assert [room.missing for room in before.rooms] == [0] * 3
    assert [room.usual_per_day for room in before.rooms] == [144] * 3


def test_a_month_that_is_not_over_counts_its_complete_hours(tmp_path: Path) -> None:
    start_us = midnight_us(MARCH, NEW_YORK)
    database = stored(tmp_path, *((start_us + n * 10 * MINUTE_US, READING) for n in range(6 * 30)))
    month = read(database, now_us=start_us + 24 * HOUR_US + 30 * MINUTE_US)
    assert (month.hours, month.is_complete, month.rooms[0].readings) == (24, False, 24 * 6)
    assert month.rooms[0].missing == 0
    assert read(database, now_us=start_us - 1).hours == 0


def test_renamed_and_calibrated_sensors_are_one_room(tmp_path: Path) -> None:
    start_us = midnight_us(MARCH, NEW_YORK)
    database = stored(
        tmp_path, (start_us, READING._replace(sensor_name="old")), (start_us + HOUR_US, READING)
    )
    corrections = Corrections({"ECCTH01": ["old"]}, {"eccth01": Offsets(temperature_f=-2.0)})
    (room,) = read(database, corrections=corrections).rooms
    assert (room.title, room.readings) == ("Office", 2)
    assert room.temperature_f
    assert room.temperature_f.mean == 68


def test_invented_names_do_not_hide_real_rooms(tmp_path: Path) -> None:
    start_us = midnight_us(MARCH, NEW_YORK)
    invented = [(start_us + n, READING._replace(sensor_name=f"A{n:03}")) for n in range(300)]
    real = [(start_us + n * DAY_US, READING) for n in range(3)]
    month = read(stored(tmp_path, *invented, *real))
    assert len(month.rooms) == 200
    assert month.rooms_left_out == 101
    assert "Office" in {room.title for room in month.rooms}


def test_what_a_sensor_usually_sends_is_known_from_the_week_before(tmp_path: Path) -> None:
    start_us = midnight_us(MARCH, NEW_YORK)
    week = [start_us - n * 10 * MINUTE_US for n in range(7 * 144, -6, -1)]
    (room,) = read(stored(tmp_path, *((at_us, READING) for at_us in week), (AFTER_US, READING))).rooms
    assert (room.readings, room.missing, room.usual_per_day) == (6, 742 * 6, 144)


def test_a_sensor_that_was_away_has_no_figures(tmp_path: Path) -> None:
    start_us = midnight_us(MARCH, NEW_YORK)
    (room,) = read(stored(tmp_path, (start_us - 60 * DAY_US, READING), (AFTER_US, READING))).rooms
    assert room[2:] == (None, None, 0, None, None)


@pytest.mark.parametrize(
    ("counts", "per_day"),
    [
        ([6] * 48, 144),
        ([6, 6, 5] * 16, 144),
        # Every hour, every second one, once a day.
        ([1] * 96, 24),
        ([1, 0] * 96, 12),
        (([1] + [0] * 23) * 12, 1),
        # Some get lost on the air.
        ([4, 6, 3, 5, 6, 4] * 16, 110),
        # When something changes: by day, hardly at night.
        (([0] * 8 + [9, 14, 3, 20, 12, 6, 1, 15] + [1] * 8) * 9 + [0] * 24, None),
        ([], None),
    ],
)
def test_what_is_usual_is_learned_from_the_readings(counts: list[int], per_day: int | None) -> None:
    found = regularity(hours(START_US, *counts), START_US)
    if per_day is None:
        assert found is None
    else:
        assert found is not None
        assert found.per_day == pytest.approx(per_day, rel=0.12)


def test_a_slow_sensor_misses_only_what_it_lacks() -> None:
    before = hours(START_US - 7 * DAY_US, *[1, 0] * 84)
    whole = hours(START_US, *[1, 0] * 84)
    assert received(whole, before, START_US, START_US + 7 * DAY_US) == (84, 0, 12)
    lacking = [hour for hour in whole if not DAY_US <= hour.start_us - START_US < 2 * DAY_US]
    assert received(lacking, before, START_US, START_US + 7 * DAY_US) == (72, 12, 12)


def test_without_hours_there_are_no_figures() -> None:
    assert spread([]) is None


def test_without_a_band_no_hour_is_outside() -> None:
    found = spread(points(hours(START_US, 6, 6, temperature_f=60.0), "temperature"))
    assert found == (50, 60, 70, 0, 0)
