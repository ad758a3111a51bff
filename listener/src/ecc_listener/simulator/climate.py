"""The climate of simulated rooms: temperature, humidity and people in a room at any time.

It is a model to try things with, not a forecast. The weather outdoors is a sum of waves: the year, the day
and weather fronts. A building follows each wave late and weakened, like a first-order lag, so the state at
any time can be calculated without the times before it. Added to that are the heating, people, and doors that
are left open. Moisture is modelled as a dew point: warm the air and its relative humidity falls.

Times are seconds since 1970, and a room's hours are in UTC. Temperatures are in °C.
"""

from dataclasses import dataclass
from functools import cache
from math import atan, cos, exp, hypot, pi, sin, sqrt
from operator import mul
from typing import NamedTuple

from ecc_listener.readings.quantities import dew_point_c, magnus

__all__ = ["dew_point_c"]

HOUR_S, DAY_S, WEEK_S = 3600, 86_400, 604_800
_YEAR_S = 365.2425 * DAY_S
_FIRST_MONDAY_S = 4 * DAY_S
_SLOT_S = 600
_SLOTS = WEEK_S // _SLOT_S
_WORKING_DAYS, _SUNDAY = (0, 1, 2, 3, 4), (6,)

_DOORS_LEFT_OPEN_PER_DAY = 0.3
_DOOR_COOLS_S, _DOOR_RECOVERS_S = 1_500, 3_600
_HEATING_WARMS_S, _HEATING_FADES_S = 1.4 * HOUR_S, 5 * HOUR_S
_PEOPLE_COME_S, _PEOPLE_FADE_S = 0.3 * HOUR_S, 1.5 * HOUR_S
_PEOPLE_WARM_C, _PEOPLE_DAMPEN_C = 1.5, 3.5


def random_bits(*numbers: int) -> int:
    """Return 64 random-looking bits, always the same for the same numbers (SplitMix64, Steele 2014)."""
    mixed = 0
    for number in numbers:
        mixed = (mixed + number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 31
    return mixed


def random_fraction(*numbers: int) -> float:
    """Return a random-looking number from 0 to 1, always the same for the same numbers."""
    return random_bits(*numbers) / 2**64


class _Wave(NamedTuple):
    temperature_c: float
    dew_point_c: float
    period_s: float
    peak_s: float


_MEAN_TEMPERATURE_C, _MEAN_DEW_POINT_C = 11.0, 5.5
_WAVES = (
    _Wave(11.5, 9.5, _YEAR_S, 199 * DAY_S),
    _Wave(4.5, 0.6, DAY_S, 15 * HOUR_S),
    # Fronts come and go; periods without a common multiple keep them from repeating.
    _Wave(2.6, 2.2, 4.73 * DAY_S, 0.0),
    _Wave(2.0, 1.6, 9.17 * DAY_S, 2.0 * DAY_S),
    _Wave(1.2, 1.0, 2.39 * DAY_S, 1.0 * DAY_S),
)


@dataclass(frozen=True, eq=False, slots=True)  # compared by identity, which is fast
class Room:
    """A room of a church. Hours are times of day; day 0 is Monday."""

    name: str
    lag_h: float
    """The time in which the walls follow the weather."""
    gain_c: float
    """How much warmer it is than outdoors all year, because of sun, lamps and the rooms beside it."""
    frost_c: float
    """Below this temperature the heating is always on."""
    heated_c: float
    heated_days: tuple[int, ...]
    heated_h: tuple[float, float]
    people_h: tuple[float, float]
    damp_c: float
    """How much higher the dew point is than outdoors, because of damp walls."""
    door_to_outside: float
    """How much of the outdoor air an open door lets in, from 0 to 1."""


ROOMS = (
    Room("Office", 30, 4.0, 15.0, 21.0, _WORKING_DAYS, (7.0, 16.5), (8.5, 16.0), 0.5, 0.4),
    Room("Nave", 90, 1.5, 8.0, 17.0, _SUNDAY, (6.5, 11.5), (9.5, 11.5), 0.5, 0.8),
    Room("Sacristy", 60, 2.0, 12.0, 18.5, _SUNDAY, (7.0, 12.0), (9.0, 12.0), 1.0, 0.3),
    Room("Organ loft", 70, 2.5, 8.0, 18.0, _SUNDAY, (6.5, 11.5), (9.5, 11.5), 0.3, 0.2),
    Room("Hall", 24, 2.5, 10.0, 20.0, (1, 3, 5, 6), (16.0, 21.5), (18.0, 21.5), 0.5, 0.9),
    Room("Library", 48, 3.0, 14.0, 19.0, (2, 5), (9.0, 15.0), (10.0, 14.0), 1.5, 0.3),
)
"""The rooms of a small church; the service is on Sunday from 10:00 to 11:30."""


class Weather(NamedTuple):
    """The weather outdoors at one time; `waves` has the cosine and sine of each wave."""

    at_s: float
    temperature_c: float
    dew_point_c: float
    waves: tuple[float, ...]


class Climate(NamedTuple):
    """The air in a room at one time."""

    temperature_c: float
    humidity_percent: float
    people: float
    """From 0 (empty) to 1 (full)."""


def weather_at(at_s: float) -> Weather:
    """Return the weather at a time."""
    waves = []
    for wave in _WAVES:
        angle = 2 * pi * at_s / wave.period_s
        waves += [cos(angle), sin(angle)]
    basis = tuple(waves)
    temperature, dew_point = _outdoors()
    temperature_c = _MEAN_TEMPERATURE_C + sum(map(mul, temperature, basis))
    dew_point_c = _MEAN_DEW_POINT_C + sum(map(mul, dew_point, basis))
    return Weather(at_s, temperature_c, min(dew_point_c, temperature_c), basis)


def climate_in(room: Room, weather: Weather, seed: int = 0) -> Climate:
    """Return the air in a room in this weather; the seed decides when doors are left open."""
    temperature, dew_point, offset_s = _indoors(room)
    temperature_c = _MEAN_TEMPERATURE_C + room.gain_c + sum(map(mul, temperature, weather.waves))
    dew_point_c = _MEAN_DEW_POINT_C + room.damp_c + sum(map(mul, dew_point, weather.waves))
    # A soft maximum: no heating is exact to a tenth of a degree.
    excess_c = temperature_c - room.frost_c
    temperature_c = room.frost_c + (excess_c + sqrt(excess_c * excess_c + 1.0)) / 2
    warmth, people = _of_week(room, weather.at_s)
    temperature_c += warmth * max(0.0, room.heated_c - temperature_c) + people * _PEOPLE_WARM_C
    dew_point_c += people * _PEOPLE_DAMPEN_C
    outside = room.door_to_outside * _door(room.name, seed, weather.at_s)
    if outside:
        temperature_c += outside * (weather.temperature_c - temperature_c)
        dew_point_c += outside * (weather.dew_point_c - dew_point_c)
    # Small swings, because the heating switches and air moves.
    wobble_s = weather.at_s + offset_s
    temperature_c += 0.15 * sin(wobble_s / 1_700) + 0.1 * sin(wobble_s / 613)
    humidity_percent = 100 * exp(magnus(dew_point_c) - magnus(temperature_c))
    return Climate(temperature_c, min(98.0, max(8.0, humidity_percent)), people)


def is_door_open(room: Room, at_s: float, seed: int = 0) -> bool:
    """Return whether somebody left the door of a room open."""
    opened_s, closed_s = _door_of_day(room.name, seed, int(at_s // DAY_S))
    return opened_s <= at_s < closed_s


def _response(amplitudes_c: list[float], lag_s: float) -> tuple[float, ...]:
    """Return the factors of `Weather.waves` for something that follows them with a first-order lag."""
    factors = []
    for amplitude_c, wave in zip(amplitudes_c, _WAVES, strict=True):
        turn = 2 * pi / wave.period_s
        weakened_c = amplitude_c / hypot(1, turn * lag_s)
        phase = turn * wave.peak_s + atan(turn * lag_s)
        factors += [weakened_c * cos(phase), weakened_c * sin(phase)]
    return tuple(factors)


@cache
def _outdoors() -> tuple[tuple[float, ...], tuple[float, ...]]:
    temperature = _response([wave.temperature_c for wave in _WAVES], 0)
    return temperature, _response([wave.dew_point_c for wave in _WAVES], 0)


@cache
def _indoors(room: Room) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    temperature = _response([wave.temperature_c for wave in _WAVES], room.lag_h * HOUR_S)
    # The air is exchanged faster than the walls follow.
    dew_point = _response([wave.dew_point_c for wave in _WAVES], room.lag_h / 4 * HOUR_S)
    return temperature, dew_point, 100_000 * random_fraction(_key(room.name))


def _of_week(room: Room, at_s: float) -> tuple[float, float]:
    """Return how far the heating has warmed the room and people have filled it, each from 0 to 1."""
    slot, rest_s = divmod((at_s - _FIRST_MONDAY_S) % WEEK_S, _SLOT_S)
    warmth, people = _week(room)
    index, share = int(slot), rest_s / _SLOT_S
    return (
        warmth[index] + share * (warmth[index + 1] - warmth[index]),
        people[index] + share * (people[index + 1] - people[index]),
    )


@cache
def _week(room: Room) -> tuple[list[float], list[float]]:
    warmth = _follow(room.heated_days, room.heated_h, _HEATING_WARMS_S, _HEATING_FADES_S)
    return warmth, _follow(room.heated_days, room.people_h, _PEOPLE_COME_S, _PEOPLE_FADE_S)


def _follow(days: tuple[int, ...], hours: tuple[float, float], rises_s: float, falls_s: float) -> list[float]:
    """Return a week's levels, slot by slot: they rise in these hours of these days, and fall afterwards."""
    level, levels = 0.0, []
    for slot in range(2 * _SLOTS + 1):  # the first week only carries over what Sunday evening leaves
        day, second = divmod(slot * _SLOT_S % WEEK_S, DAY_S)
        is_on = day in days and hours[0] <= second / HOUR_S < hours[1]
        levels.append(level)
        level += (is_on - level) * (1 - exp(-_SLOT_S / (rises_s if is_on else falls_s)))
    return levels[_SLOTS:]


def _door(name: str, seed: int, at_s: float) -> float:
    """Return how much outdoor air an open door has let in, from 0 to 1."""
    # By midnight the effect of an open door is smaller than a sensor's noise.
    opened_s, closed_s = _door_of_day(name, seed, int(at_s // DAY_S))
    if at_s <= opened_s:
        return 0.0
    level = 1 - exp((opened_s - min(at_s, closed_s)) / _DOOR_COOLS_S)
    return level * exp((closed_s - at_s) / _DOOR_RECOVERS_S) if at_s > closed_s else level


@cache
def _key(name: str) -> int:
    return int.from_bytes(name.encode())


_doors: dict[tuple[str, int, int], tuple[float, float]] = {}


def _door_of_day(name: str, seed: int, day: int) -> tuple[float, float]:
    key = name, seed, day
    found = _doors.get(key)
    if found is None:
        if len(_doors) > 1_000:  # noqa: PLR2004 - some sensors, some days
            _doors.clear()
        found = _doors[key] = _plan_door(name, seed, day)
    return found


def _plan_door(name: str, seed: int, day: int) -> tuple[float, float]:
    """Return from when to when the door of a room is left open on a day; (inf, inf) if it is not."""
    whether, when, how_long = (
        random_fraction(_key(name) & 0xFFFFFFFFFFFF, seed, day, one) for one in range(3)
    )
    if whether > _DOORS_LEFT_OPEN_PER_DAY:
        return float("inf"), float("inf")
    opened_s = day * DAY_S + (8 + 9 * when) * HOUR_S
    return opened_s, opened_s + (0.4 + 1.6 * how_long) * HOUR_S
