"""The demonstration's table, in plain words."""

from datetime import UTC, datetime, timedelta

import pytest

from ecc_listener.demo.table import Line, events, in_words, plain, table
from ecc_listener.simulator.climate import ROOMS, is_door_open

NOW = datetime(2026, 3, 15, 10, 20, 30, tzinfo=UTC)
PATIENCE = timedelta(seconds=7)
OFFICE = Line("ECCTH01", "Office", NOW - timedelta(seconds=2), 68.42, 41.2, 93.5, 68.4)


def test_a_table_has_a_row_for_every_sensor_heard_or_not() -> None:
    assert table([OFFICE], ["ECCTH01", "ECCTH02"], NOW, PATIENCE) == [
        "Sensor    Room        Temperature  Humidity  Battery  Last seen  In words",
        "ECCTH01   Office          68.4 °F      41 %     94 %    2 s ago  steady",
        "ECCTH02   -                     -         -        -          -  not heard yet",
    ]


def test_a_table_fits_eighty_columns() -> None:
    warmer = OFFICE._replace(location="Organ loft", temperature_f=100.0, battery_percent=100.0, before_f=70.0)
    assert max(map(len, table([warmer._replace(temperature_f=80.0)], ["ECCTH01"], NOW, PATIENCE))) <= 79


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "steady"),
        ({"before_f": None}, "steady"),
        ({"before_f": 67.0}, "getting warmer"),
        ({"before_f": 70.0}, "getting cooler"),
        ({"seen": NOW - timedelta(seconds=8)}, "silent"),
        ({"battery_percent": 20.0}, "battery low"),
        ({"temperature_f": 44.0, "before_f": 44.0}, "cold"),
        ({"temperature_f": 83.0, "before_f": 83.0}, "hot"),
        ({"humidity_percent": 71.0}, "damp"),
        ({"humidity_percent": 24.0}, "dry air"),
        ({"humidity_percent": 71.0, "battery_percent": 5.0}, "battery low, damp"),
    ],
)
def test_words_say_what_numbers_mean(change: dict[str, object], words: str) -> None:
    assert in_words(OFFICE._replace(**change), NOW, PATIENCE) == words  # type: ignore[arg-type]


def test_an_older_sensor_does_not_tell_its_room() -> None:
    old = OFFICE._replace(location=None)
    assert "(not told)" in table([old], ["ECCTH01"], NOW, PATIENCE)[1]
    assert plain(old) == "10:20:28Z ECCTH01 (room not told): 68.4 °F, 41 %, battery 94 %"


def test_it_tells_of_the_service_and_of_open_doors() -> None:
    sunday = datetime(2026, 3, 15, 11, 20, tzinfo=UTC)
    assert events(ROOMS, sunday, 0).startswith(
        "Sunday 11:20 in the rooms; people in Nave, Sacristy, Organ loft"
    )
    hours = (sunday + timedelta(hours=hour) for hour in range(1_000))
    at = next(hour for hour in hours if is_door_open(ROOMS[1], hour.timestamp()))
    assert "; a door left open: Nave" in events(ROOMS[1:2], at, 0)
    assert events(ROOMS[:1], datetime(2026, 3, 15, 3, 0, tzinfo=UTC), 0) == "Sunday 03:00 in the rooms"
