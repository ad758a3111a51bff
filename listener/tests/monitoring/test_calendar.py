"""Limits that apply at times, in local time."""

from datetime import datetime, timedelta

import pytest

from ecc_listener.monitoring.calendar import parse_window
from ecc_listener.monitoring.limits import Limit, SensorLimits
from ecc_listener.monitoring.sensor_monitor import SensorMonitor
from ecc_listener.storage.quarantine import Arrival
from monitoring.test_sensor_monitor import HOUR_US, MINUTE_US, START_US, USUAL

SUNDAY = datetime.fromisoformat("2026-03-01 00:00")
HEATED = "[Nave]\ntoo cold = 45 °F; 60 °F for 30 min on Sun 08:00-13:00\n"


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (
            "Sun 07:00-13:00",
            ["2026-03-01 07:00", "2026-03-01 12:59"],
            ["2026-03-01 13:00", "2026-03-02 08:00"],
        ),
        ("sunday 7:00 - 13:00", ["2026-03-01 07:00"], ["2026-02-28 08:00"]),
        ("Mon-Fri 18:00-22:00", ["2026-03-02 18:00", "2026-03-06 21:59"], ["2026-03-07 19:00"]),
        ("Sat, Wed 09:00-12:00", ["2026-03-04 09:00", "2026-03-07 11:00"], ["2026-03-05 09:30"]),
        ("Fri-Mon 09:00-24:00", ["2026-03-01 23:59", "2026-03-02 09:00"], ["2026-03-03 10:00"]),
        ("09:00-12:00", ["2026-03-01 09:00", "2026-03-04 09:00"], ["2026-03-04 12:00"]),
        (
            "Sat 22:00-06:00",
            ["2026-02-28 23:00", "2026-03-01 05:59"],
            ["2026-03-01 06:00", "2026-03-01 23:00"],
        ),
    ],
)
def test_a_window_as_people_write_it(text: str, inside: list[str], outside: list[str]) -> None:
    window = parse_window(text)
    assert window is not None
    assert [window.contains(datetime.fromisoformat(one)) for one in inside] == [True] * len(inside)
    assert [window.contains(datetime.fromisoformat(one)) for one in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    "text",
    ["", "Sun", "Son 07:00-13:00", "Sun 7-13", "Sun 25:00-26:00", "Sun 07:60-13:00", "Sun 08:00-08:00",
     "Su 1:00-2:00", "Mon-Tue-Wed 08:00-09:00"],
)  # fmt: skip
def test_what_is_no_window_is_none(text: str) -> None:
    assert parse_window(text) is None


def test_a_limit_applies_in_its_time_and_the_other_one_else() -> None:
    limits = SensorLimits(HEATED)
    assert limits.problems == []
    for hour, expected in ((7, Limit(45, HOUR_US)), (9, Limit(60, HOUR_US // 2)), (14, Limit(45, HOUR_US))):
        limits.set_time(SUNDAY + timedelta(hours=hour))
        assert (limits.of("ECCTH01", "Nave") or {})["too_cold"] == expected
        assert "too_cold" not in (limits.of("ECCTH01", "Office") or {})


def test_a_limit_may_be_off_at_times_or_apply_at_times_only() -> None:
    limits = SensorLimits(
        "[Nave]\ntoo damp = 70 %; off on Sun 08:00-13:00\ntoo hot = 80 °F on Sun 08:00-13:00\n"
    )
    assert limits.problems == []
    kinds = []
    for hour in (7, 9):
        limits.set_time(SUNDAY + timedelta(hours=hour))
        kinds.append({"too_damp", "too_hot"} & (limits.of("x", "Nave") or {}).keys())
    assert kinds == [{"too_damp"}, {"too_hot"}]


@pytest.mark.parametrize(
    "line", ["60 °F on Son 07:00-13:00", "60 kg on Sun 07:00-13:00", "45 °F; x", "60 °F on "]
)
def test_a_time_that_makes_no_sense_is_named_with_an_example(line: str) -> None:
    file = SensorLimits(f"[Nave]\ntoo cold = {line}\n")
    assert len(file.problems) == 1
    assert "at times: 40 °F for 1 h, or 5 °C for 1 h on Sun 07:00-13:00" in file.problems[0]


def test_the_end_of_the_time_is_no_news_that_the_room_is_warm() -> None:
    limits = SensorLimits(HEATED)
    monitor = SensorMonitor(20 * MINUTE_US, START_US, [], [])
    room = USUAL._replace(location="Nave", temperature_f=55.0)
    found = {}
    for minute in range(0, 24 * 60, 10):
        local = SUNDAY + timedelta(minutes=minute)
        if limits.set_time(local):
            monitor.change_times(limits)
        now_us = START_US + minute * MINUTE_US
        monitor.note([Arrival(now_us, room._replace(humidity_percent=40 + minute % 20 / 10))])
        monitor.evaluate(now_us, limits, None)
        found[f"{local:%H:%M}"] = ("too_cold", "ECCTH01") in monitor.conditions.problems
    assert [time for time, is_cold in found.items() if is_cold] == [
        f"{8 + late // 60:02}:{late % 60:02}" for late in range(30, 300, 10)
    ]
    # It ended without a message.
    assert all("dropped" in details for details in monitor.conditions.ended.values())


def test_an_edit_of_the_file_ends_nothing() -> None:
    before = SensorLimits(HEATED)
    noon = SUNDAY + timedelta(hours=12)
    assert before.set_time(noon)
    after = SensorLimits(f"{HEATED}too dry = 30 %\n", before)
    assert not after.set_time(noon)
    assert (after.of("x", "Nave") or {})["too_cold"].value == 60
