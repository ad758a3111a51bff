"""PURE: a room and a time go in, the climate in that room comes out. A model to try things with, no forecast.

Outdoors is a sum of waves: the year, the day, and weather fronts. A building follows each wave late and
weakened, as a first-order lag does, so that any moment can be had without the ones before it. On top of that
come the heating's week, people, and a door that somebody left open. Moisture is followed as a dew point:
warm the air and its relative humidity falls.

All of it is in the rooms' own time, which is UTC, and in degrees Celsius.
"""

from dataclasses import dataclass
from functools import cache
from math import atan, cos, exp, hypot, log, pi, sin, sqrt
from operator import mul
from typing import NamedTuple

from ecc_listener.simulator.chance import chance

HOUR_S, DAY_S, WEEK_S = 3600, 86_400, 604_800
_YEAR_S = 365.2425 * DAY_S
_FIRST_MONDAY_S = 4 * DAY_S
_SLOT_S = 600
_SLOTS = WEEK_S // _SLOT_S
_WORKING_DAYS, _SUNDAY = (0, 1, 2, 3, 4), (6,)

_MAGNUS_A, _MAGNUS_B_C = 17.625, 243.04
"""Alduchov and Eskridge, J. Appl. Meteor. 35 (1996), 601: over water, -40 to 50 °C, within 0.4 %."""

_DOORS_LEFT_OPEN_PER_DAY = 0.3
_DOOR_COOLS_S, _DOOR_RECOVERS_S = 1_500, 3_600
_HEATING_WARMS_S, _HEATING_FADES_S = 1.4 * HOUR_S, 5 * HOUR_S
_PEOPLE_COME_S, _PEOPLE_FADE_S = 0.3 * HOUR_S, 1.5 * HOUR_S
_PEOPLE_WARM_C, _PEOPLE_DAMPEN_C = 1.5, 3.5


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


@dataclass(frozen=True, eq=False, slots=True)  # told apart by identity, which is quick
class Room:
    """A room of a church; hours are of the day, days count from Monday as 0."""

    name: str
    lag_h: float
    """How long the walls take to follow the weather."""
    gain_c: float
    """How much warmer it is than outdoors all year, by sun, lamps and neighbours."""
    frost_c: float
    """Below this the heating always comes on."""
    heated_c: float
    heated_days: tuple[int, ...]
    heated_h: tuple[float, float]
    people_h: tuple[float, float]
    damp_c: float
    """How much higher the dew point is than outdoors, by damp walls."""
    door_to_outside: float
    """How far an open door brings the outdoors in: 0 not at all, 1 wholly."""


ROOMS = (
    Room("Office", 30, 4.0, 15.0, 21.0, _WORKING_DAYS, (7.0, 16.5), (8.5, 16.0), 0.5, 0.4),
    Room("Nave", 90, 1.5, 8.0, 17.0, _SUNDAY, (6.5, 11.5), (9.5, 11.5), 0.5, 0.8),
    Room("Sacristy", 60, 2.0, 12.0, 18.5, _SUNDAY, (7.0, 12.0), (9.0, 12.0), 1.0, 0.3),
    Room("Organ loft", 70, 2.5, 8.0, 18.0, _SUNDAY, (6.5, 11.5), (9.5, 11.5), 0.3, 0.2),
    Room("Hall", 24, 2.5, 10.0, 20.0, (1, 3, 5, 6), (16.0, 21.5), (18.0, 21.5), 0.5, 0.9),
    Room("Library", 48, 3.0, 14.0, 19.0, (2, 5), (9.0, 15.0), (10.0, 14.0), 1.5, 0.3),
)
"""What a small church has; the service is on Sunday, 10 to 11:30."""


class Sky(NamedTuple):
    """What is the same for all rooms at one moment."""

    at_s: float
    temperature_c: float
    dew_point_c: float
    waves: tuple[float, ...]


class Climate(NamedTuple):
    """The air in a room."""

    temperature_c: float
    humidity_percent: float
    people: float
    """0: nobody, 1: as many as ever come."""


def sky(at_s: float) -> Sky:
    """Give the weather at a time (seconds since 1970)."""
    waves = []
    for wave in _WAVES:
        angle = 2 * pi * at_s / wave.period_s
        waves += [cos(angle), sin(angle)]
    basis = tuple(waves)
    temperature, dew_point = _outdoors()
    temperature_c = _MEAN_TEMPERATURE_C + sum(map(mul, temperature, basis))
    dew_point_c = _MEAN_DEW_POINT_C + sum(map(mul, dew_point, basis))
    return Sky(at_s, temperature_c, min(dew_point_c, temperature_c), basis)


def climate(room: Room, above: Sky, seed: int = 0) -> Climate:
    """Give the air in a room under a sky; the seed decides when doors are left open."""
    temperature, dew_point, offset_s = _indoors(room)
    temperature_c = _MEAN_TEMPERATURE_C + room.gain_c + sum(map(mul, temperature, above.waves))
    dew_point_c = _MEAN_DEW_POINT_C + room.damp_c + sum(map(mul, dew_point, above.waves))
    # A soft maximum: the heating doesn't hold to the tenth of a degree.
    excess_c = temperature_c - room.frost_c
    temperature_c = room.frost_c + (excess_c + sqrt(excess_c * excess_c + 1.0)) / 2
    warmth, people = _of_week(room, above.at_s)
    temperature_c += warmth * max(0.0, room.heated_c - temperature_c) + people * _PEOPLE_WARM_C
    dew_point_c += people * _PEOPLE_DAMPEN_C
    outside = room.door_to_outside * _door(room.name, seed, above.at_s)
    if outside:
        temperature_c += outside * (above.temperature_c - temperature_c)
        dew_point_c += outside * (above.dew_point_c - dew_point_c)
    # The heating switches, air moves.
    wobble_s = above.at_s + offset_s
    temperature_c += 0.15 * sin(wobble_s / 1_700) + 0.1 * sin(wobble_s / 613)
    humidity_percent = 100 * exp(_magnus(dew_point_c) - _magnus(temperature_c))
    return Climate(temperature_c, min(98.0, max(8.0, humidity_percent)), people)


def dew_point_c(temperature_c: float, humidity_percent: float) -> float:
    """Give the dew point by the Magnus formula; humidity above 0."""
    gamma = log(humidity_percent / 100) + _magnus(temperature_c)
    return _MAGNUS_B_C * gamma / (_MAGNUS_A - gamma)


def is_door_open(room: Room, at_s: float, seed: int = 0) -> bool:
    """Say whether somebody left the door of a room open."""
    opened_s, closed_s = _door_of_day(room.name, seed, int(at_s // DAY_S))
    return opened_s <= at_s < closed_s


def _magnus(temperature_c: float) -> float:
    return _MAGNUS_A * temperature_c / (_MAGNUS_B_C + temperature_c)


def _response(amplitudes_c: list[float], lag_s: float) -> tuple[float, ...]:
    """Give the factors of `Sky.waves` for something that follows them with a first-order lag."""
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
    # Air is exchanged sooner than walls follow.
    dew_point = _response([wave.dew_point_c for wave in _WAVES], room.lag_h / 4 * HOUR_S)
    return temperature, dew_point, 100_000 * chance(_key(room.name))


def _of_week(room: Room, at_s: float) -> tuple[float, float]:
    """Give how far the heating has warmed the room and people have filled it, each 0 to 1."""
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
    """Give a week, slot by slot, of what rises in some hours of some days and falls again."""
    level, levels = 0.0, []
    for slot in range(2 * _SLOTS + 1):  # the first week only brings in what the last Sunday left
        day, second = divmod(slot * _SLOT_S % WEEK_S, DAY_S)
        is_on = day in days and hours[0] <= second / HOUR_S < hours[1]
        levels.append(level)
        level += (is_on - level) * (1 - exp(-_SLOT_S / (rises_s if is_on else falls_s)))
    return levels[_SLOTS:]


def _door(name: str, seed: int, at_s: float) -> float:
    """Give how much of the outdoors an open door has let in, 0 to 1."""
    # Before midnight what is left of an open door is less than a sensor's noise.
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
    """Decide when the door of a room is left open on a day, in seconds since 1970; (inf, inf): it isn't."""
    whether, when, how_long = (chance(_key(name) & 0xFFFFFFFFFFFF, seed, day, one) for one in range(3))
    if whether > _DOORS_LEFT_OPEN_PER_DAY:
        return float("inf"), float("inf")
    opened_s = day * DAY_S + (8 + 9 * when) * HOUR_S
    return opened_s, opened_s + (0.4 + 1.6 * how_long) * HOUR_S
