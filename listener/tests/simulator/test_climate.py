"""The model rooms: breathing, slow, consistent, always the same."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean

import pytest

from ecc_listener.simulator.climate import (
    DAY_S,
    ROOMS,
    Climate,
    climate_in,
    dew_point_c,
    is_door_open,
    random_bits,
    random_fraction,
    weather_at,
)

OFFICE, NAVE, HALL = ROOMS[0], ROOMS[1], ROOMS[4]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def temperatures(room_index: int, start: str, days: int) -> list[float]:
    start_s = at(start)
    return [
        climate_in(ROOMS[room_index], weather_at(start_s + 600 * step)).temperature_c
        for step in range(144 * days)
    ]


def outdoors(start: str, days: int) -> list[float]:
    return [weather_at(at(start) + 600 * step).temperature_c for step in range(144 * days)]


def spread(values: list[float]) -> float:
    return max(values) - min(values)


def test_the_dew_point_is_that_of_the_firmware() -> None:
    dew_f = 32 + 1.8 * dew_point_c((73.45 - 32) / 1.8, 39.17)
    assert round(dew_f, 2) == 47.10


def test_the_dew_point_of_saturated_air_is_its_temperature() -> None:
    assert dew_point_c(12.5, 100) == pytest.approx(12.5)


def test_the_afternoon_is_warmer_than_the_night() -> None:
    assert (
        weather_at(at("2026-05-05 15:00")).temperature_c
        > weather_at(at("2026-05-05 03:00")).temperature_c + 5
    )


def test_july_is_warmer_than_january_and_indoors_less_so() -> None:
    outside = fmean(outdoors("2026-07-01", 30)) - fmean(outdoors("2026-01-01", 30))
    inside = fmean(temperatures(1, "2026-07-01", 30)) - fmean(temperatures(1, "2026-01-01", 30))
    assert 15 < inside < outside


def test_a_thick_wall_follows_the_day_less_than_a_thin_one() -> None:
    # August: nobody heats.
    nave, hall = temperatures(1, "2026-08-03", 1), temperatures(4, "2026-08-03", 1)
    assert spread(nave) < spread(hall) < spread(outdoors("2026-08-03", 1))


def test_a_wall_follows_the_day_late() -> None:
    def mean_at(hour: int) -> float:
        start_s = at("2026-08-01") + hour * 3600
        return fmean(climate_in(NAVE, weather_at(start_s + day * DAY_S)).temperature_c for day in range(28))

    # Outdoors it is as warm six hours before the day's peak as six hours after it.
    assert mean_at(21) > mean_at(9) + 0.2


def test_the_nave_is_warm_for_the_service_on_sunday_only() -> None:
    sunday = climate_in(NAVE, weather_at(at("2026-01-25 11:00")))
    before, monday = (
        climate_in(NAVE, weather_at(at(day))) for day in ("2026-01-25 05:00", "2026-01-26 11:00")
    )
    assert sunday.temperature_c > monday.temperature_c + 5
    assert sunday.temperature_c > before.temperature_c + 5
    assert (sunday.people > 0.9, monday.people < 0.1) == (True, True)


def test_heating_makes_the_air_dryer_and_people_make_it_moister() -> None:
    cold, heated, crowded = (
        climate_in(NAVE, weather_at(at(f"2026-01-25 {time}"))) for time in ("05:00", "09:20", "11:20")
    )
    assert heated.humidity_percent < cold.humidity_percent - 5
    assert moisture(crowded) > moisture(heated) + 1


def moisture(air: Climate) -> float:
    return dew_point_c(air.temperature_c, air.humidity_percent)


def test_a_door_left_open_lets_the_weather_in_and_the_room_recovers() -> None:
    opened_s = next(
        moment
        for moment in range(int(at("2026-01-01")), int(at("2026-03-01")), 600)
        if is_door_open(HALL, moment)
    )
    closed_s = next(
        moment for moment in range(opened_s, opened_s + DAY_S, 60) if not is_door_open(HALL, moment)
    )
    before, end, later = (
        climate_in(HALL, weather_at(moment)).temperature_c
        for moment in (opened_s - 600, closed_s, closed_s + 7 * 3600)
    )
    assert end < before - 2
    assert later > end + 2


def test_doors_are_opened_on_other_days_with_another_seed() -> None:
    def days(seed: int) -> list[int]:
        return [
            day
            for day in range(20_000, 20_100)
            if any(is_door_open(HALL, day * DAY_S + 600 * step, seed) for step in range(144))
        ]

    assert 15 < len(days(1)) < 45
    assert days(1) == days(1)
    assert days(1) != days(2)


def test_no_room_ever_jumps() -> None:
    for room in ROOMS:
        start_s = at("2026-01-05")
        seen = [climate_in(room, weather_at(start_s + 60 * minute)) for minute in range(14 * 1440)]
        steps = [abs(b.temperature_c - a.temperature_c) for a, b in pairwise(seen)]
        assert max(steps) < 0.6, room.name
        wet = [abs(b.humidity_percent - a.humidity_percent) for a, b in pairwise(seen)]
        assert max(wet) < 4, room.name


def test_every_room_stays_possible_for_ten_years() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for hours in range(0, 10 * 8766, 31):
        weather = weather_at((start + timedelta(hours=hours)).timestamp())
        for room in ROOMS:
            air = climate_in(room, weather)
            assert -5 < air.temperature_c < 36
            assert 8 <= air.humidity_percent <= 98


def test_randomness_is_spread_evenly_and_repeats_itself() -> None:
    values = [random_fraction(7, number) for number in range(2_000)]
    assert values == [random_fraction(7, number) for number in range(2_000)]
    assert fmean(values) == pytest.approx(0.5, abs=0.03)
    assert len({random_bits(7, number) for number in range(2_000)}) == 2_000
