"""The demonstration's table, in plain words."""

from datetime import UTC, datetime, timedelta

import pytest

from ecc_listener.demo.mailbox import ReceivedMessage
from ecc_listener.demo.table import Line, events, in_words, mail, plain, status, table
from ecc_listener.simulator.climate import ROOMS, is_door_open

NOW = datetime(2026, 3, 15, 10, 20, 30, tzinfo=UTC)
OFFICE = Line("ECCTH01", "Office", NOW - timedelta(minutes=7), 68.42, 41.2, 93.5, 68.4)


def test_a_table_has_a_row_for_every_sensor_heard_or_not() -> None:
    assert table([OFFICE], ["ECCTH01", "ECCTH02"], NOW) == [
        "Sensor    Room        Temperature  Humidity  Battery   Last seen  In words",
        "ECCTH01   Office          68.4 °F      41 %     94 %   7 min ago  steady",
        "ECCTH02   -                     -         -        -           -  no reading yet",
    ]


def test_a_table_fits_eighty_columns() -> None:
    warmer = OFFICE._replace(location="Organ loft", temperature_f=100.0, battery_percent=100.0, before_f=70.0)
    assert max(map(len, table([warmer._replace(temperature_f=80.0)], ["ECCTH01"], NOW))) <= 79


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "steady"),
        ({"before_f": None}, "steady"),
        ({"before_f": 67.0}, "warming up"),
        ({"before_f": 70.0}, "cooling down"),
        ({"problems": {"silent"}}, "silent"),
        ({"problems": {"silent"}, "before_f": 70.0}, "silent"),
        ({"problems": {"battery_low"}}, "battery low"),
        ({"problems": {"too_cold"}, "before_f": 70.0}, "too cold, cooling down"),
        ({"problems": {"too_hot"}}, "too hot"),
        ({"problems": {"too_damp"}}, "too damp"),
        ({"problems": {"too_dry"}}, "too dry"),
        ({"problems": {"too_damp", "battery_low"}}, "battery low, too damp"),
    ],
)
def test_words_say_what_the_listener_has_found(change: dict[str, object], words: str) -> None:
    assert in_words(OFFICE._replace(**change)) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=-3), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=30), "30 h ago"),
    ],
)
def test_a_table_says_how_long_ago_a_sensor_was_seen(ago: timedelta, words: str) -> None:
    assert f" {words}  steady" in table([OFFICE._replace(seen=NOW - ago)], ["ECCTH01"], NOW)[1]


def test_all_is_well_or_what_is_open_is_listed() -> None:
    assert status([]) == ["All is well."]
    assert status(["Office: too cold", "Hall: too damp"]) == [
        "Open: Office: too cold",
        "      Hall: too damp",
    ]


def test_an_older_sensor_has_no_location() -> None:
    old = OFFICE._replace(location=None)
    assert "(unknown)" in table([old], ["ECCTH01"], NOW)[1]
    assert plain(old) == "10:13:30Z ECCTH01 (unknown room): 68.4 °F, 41 %, battery 94 %"


def test_a_value_that_is_missing_is_a_dash() -> None:
    bare = OFFICE._replace(battery_percent=None, temperature_f=None)
    assert plain(bare) == "10:13:30Z ECCTH01 Office: -, 41 %, -"


def test_a_mail_is_shown_as_it_arrived_and_fits_eighty_columns() -> None:
    shown = mail(ReceivedMessage("Hall: silent", f"Hall: silent\n\n  Since  06:48\n{'word ' * 40}\n"), NOW)
    lines = shown.splitlines()
    assert lines[0].startswith("── Mail, Sunday 10:20 ──")
    assert lines[1:5] == ["Subject: Hall: silent", "", "Hall: silent", ""]
    assert lines[5] == "  Since  06:48"
    assert max(map(len, lines)) <= 79


def test_it_tells_of_the_service_and_of_open_doors() -> None:
    sunday = datetime(2026, 3, 15, 11, 20, tzinfo=UTC)
    assert events(ROOMS, sunday, 0).startswith(
        "Sunday 11:20 in the rooms; people in Nave, Sacristy, Organ loft"
    )
    hours = (sunday + timedelta(hours=hour) for hour in range(1_000))
    at = next(hour for hour in hours if is_door_open(ROOMS[1], hour.timestamp()))
    assert "; a door left open: Nave" in events(ROOMS[1:2], at, 0)
    assert events(ROOMS[:1], datetime(2026, 3, 15, 3, 0, tzinfo=UTC), 0) == "Sunday 03:00 in the rooms"
