from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ecc_listener.digest.content import (
    SensorWeek,
    Week,
    compose,
    due,
    latest,
    missing_in,
    month_due,
    names,
)
from ecc_listener.history.figures import points
from ecc_listener.local_time import midnight_us
from support.digests import DAY_US, HOUR_US, MONDAY, START_US, ZONE, hours, room

END_US = midnight_us(MONDAY + timedelta(days=7), ZONE)


def us(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=ZONE).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


def week(*rooms: SensorWeek, **changes: object) -> Week:
    return Week(MONDAY, rooms, 0, (("Database", "2.3 MB"),), (), None)._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "told", "monday"),
    [
        ((2026, 11, 23, 6, 59), date(2026, 11, 9), None),
        ((2026, 11, 23, 7, 0), date(2026, 11, 9), date(2026, 11, 16)),
        ((2026, 11, 23, 7, 1), date(2026, 11, 16), None),
        # It was off on Monday: better late than never, but the latest alone.
        ((2026, 11, 25, 12, 0), date(2026, 11, 9), date(2026, 11, 16)),
        ((2026, 11, 25, 12, 0), date(2026, 10, 5), date(2026, 11, 16)),
        # A clock that steps back by some days, or starts in 1970, tells nothing twice.
        ((2026, 11, 20, 12, 0), date(2026, 11, 16), None),
        ((1970, 1, 15, 12, 0), date(2026, 11, 16), None),
        # A clock that was years ahead doesn't end the digests.
        ((2026, 11, 25, 12, 0), date(2036, 1, 7), date(2026, 11, 16)),
        ((2026, 11, 25, 12, 0), None, None),
    ],
)
def test_a_week_is_told_once_from_monday_morning_on(
    now: tuple[int, ...], told: date | None, monday: date | None
) -> None:
    assert due(us(*now), ZONE, told) == monday


@pytest.mark.parametrize("sunday", [date(2026, 3, 8), date(2026, 11, 1)])
def test_daylight_saving_neither_doubles_nor_omits_one(sunday: date) -> None:
    start_us = midnight_us(sunday - timedelta(days=8), ZONE)
    told, mondays = sunday - timedelta(days=20), []
    for minute in range(0, 20 * 24 * 60, 30):
        monday = due(start_us + minute * 60_000_000, ZONE, told)
        if monday:
            told = monday
            local = datetime.fromtimestamp((start_us + minute * 60_000_000) / 1e6, ZONE)
            mondays.append((monday, local.strftime("%a %H:%M")))
    first = sunday - timedelta(days=6)
    # The one that was due when the clock began, and two Mondays at seven by that day's own clock.
    assert [monday for monday, _ in mondays] == [first - timedelta(days=7), first, first + timedelta(days=7)]
    assert [at for _, at in mondays[1:]] == ["Mon 07:00", "Mon 07:00"]


def test_a_week_with_the_change_has_an_hour_more_or_less() -> None:
    lengths = [
        midnight_us(monday + timedelta(days=7), ZONE) - midnight_us(monday, ZONE)
        for monday in (date(2026, 3, 2), date(2026, 10, 26))
    ]
    assert lengths == [167 * HOUR_US, 169 * HOUR_US]


def test_the_first_week_is_the_one_that_is_over() -> None:
    assert latest(us(2026, 11, 23, 8), ZONE) == date(2026, 11, 16)
    assert latest(us(2026, 11, 23, 6), ZONE) == date(2026, 11, 9)


@pytest.mark.parametrize(
    ("counts", "before", "number"),
    [
        ([6] * 168, [6] * 168, 0),
        # An interval of somewhat more than ten minutes misses nothing.
        ([6, 6, 5] * 56, [6] * 168, 0),
        ([6] * 100 + [0] * 20 + [6] * 48, [6] * 168, 120),
        ([6] * 100 + [1] + [6] * 67, [6] * 168, 5),
        # New in this week: what was before it is not missing.
        ([0] * 100 + [6] * 68, [], 0),
        ([0] * 168, [6] * 168, 1008),
        ([0] * 168, [], 0),
    ],
)
def test_missing_is_what_usually_comes(counts: list[int], before: list[int], number: int) -> None:
    one = room(hours=hours(START_US, *counts), hours_before=hours(START_US - 7 * DAY_US, *before))
    assert missing_in(one, START_US, END_US) == number


def test_a_zone_whose_days_begin_at_half_past_misses_nothing() -> None:
    start_us = midnight_us(MONDAY, ZoneInfo("Asia/Kolkata"))
    whole = hours(start_us + HOUR_US // 2, *[6] * 167)
    assert missing_in(room(hours=whole), start_us, start_us + 7 * DAY_US) == 0


def test_an_hour_without_a_value_is_left_out() -> None:
    empty = [hour._replace(temperature_min_f=None) for hour in hours(START_US, 6, 6)]
    assert [point.start_us for point in points(empty, "temperature")] == []
    assert len(points(empty, "humidity")) == 2
    assert "Humidity" in compose(week(room(hours=empty)), ZONE, None).plain


def test_a_digest_tells_rooms_sensors_and_what_is_open() -> None:
    cold = room(
        sensor="ECCTH02",
        location="Crypt",
        hours=hours(START_US, *[6] * 100, temperature_f=51.5),
        battery_percent=8,
    )
    headlines = ["Crypt: battery at 8 %"]
    message = compose(
        week(room(), cold, open_headlines=headlines, advice="Put new batteries in."), ZONE, None
    )
    assert message.subject == "The week of 16 Nov: 2 rooms, 1 open notice"
    text = " ".join(message.plain.split())
    assert "2 sensors sent 1,608 readings from Mon 16 Nov to Sun 22 Nov 2026; about 408 are missing." in text
    assert "1 Crypt: battery at 8 % What to do Put new batteries in." in text
    assert "Crypt 50.0 (10.0) 51.5 (10.8) 70.0 (21.1)" in text
    assert "Crypt 30 40 50" in text
    assert "Crypt 600 408 8 %, low" in text
    assert "Office 1,008 93 %" in text
    assert "Database 2.3 MB" in text
    assert message.picture is None
    assert "<img" not in message.html


def test_nothing_open_is_said() -> None:
    message = compose(week(room()), ZONE, b"png")
    assert message.subject == "The week of 16 Nov: 1 room, no open notices"
    assert "Nothing needs to be done." in message.plain
    assert 'src="cid:picture" alt="Temperature and humidity of each room' in message.html


def test_a_week_without_a_reading_is_told_as_such() -> None:
    assert "No readings arrived from Mon 16 Nov" in compose(week(), ZONE, None).plain


def test_two_sensors_of_one_place_are_told_apart() -> None:
    rooms = [room(), room(sensor="ECCTH02"), room(sensor="ECCTH03", location=None), room(location="Nave")]
    assert names(rooms) == ["Office (ECCTH01)", "Office (ECCTH02)", "ECCTH03", "Nave"]


def test_hostile_names_are_only_text() -> None:
    message = compose(week(room(location="<img src=http://x>\n\u202e" + "x" * 500)), ZONE, None)
    assert "<img" not in message.html
    assert "\u202e" not in message.plain + message.html
    assert max(len(line) for line in message.plain.splitlines()) < 100


def test_times_are_of_the_zone() -> None:
    assert midnight_us(MONDAY, ZONE) == int(datetime(2026, 11, 16, 5, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("monday", "first"),
    [
        (date(2026, 11, 23), None),
        (date(2026, 11, 30), date(2026, 11, 1)),
        (date(2026, 12, 7), None),
        # Sent on Monday the first, and on Monday the seventh.
        (date(2026, 5, 25), date(2026, 5, 1)),
        (date(2026, 8, 31), date(2026, 8, 1)),
        (date(2025, 12, 29), date(2025, 12, 1)),
    ],
)
def test_the_month_is_in_the_digest_of_its_first_monday(monday: date, first: date | None) -> None:
    assert month_due(monday) == first
