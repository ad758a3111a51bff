"""A room as its card shows it, in a viewer's units."""

from collections.abc import Iterator, Sequence
from hashlib import blake2s
from itertools import pairwise
from typing import NamedTuple

from ecc_listener.readings.quantities import YES_NO
from ecc_listener.web.latest import NamedValue, SensorNow
from ecc_listener.web.preferences import Preferences

_STEP, _HEIGHT, _MARGIN = 2, 64, 6
_LEAST_SLOTS = 2
"""Half hours with a reading that make a range and a line."""

_LEAST_SPAN_F = 6.0
"""So that a steady temperature doesn't look like a storm."""
_STEADY_F_PER_H = 0.9
_BATTERY_WIDTH = 16

_SIGNALS = ((-60, 4, "strong"), (-70, 3, "good"), (-80, 2, "fair"), (-200, 1, "weak"))
"""The lowest RSSI (dBm) for a number of bars, and a word; the steps are those of most phones."""


class Card(NamedTuple):
    """What the template of a room needs; `line` and `area` are SVG paths."""

    key: str
    title: str
    name: str
    problems: tuple[str, ...]
    temperature_f: float | None
    trend: str | None
    humidity_percent: float | None
    dew_point_f: float | None
    range: str | None
    values: tuple[tuple[str, str], ...]
    """Further numbers: a name, and a value with its unit."""
    line: str
    area: str
    battery_percent: float | None
    battery_width: float
    bars: int | None
    signal: str
    last_us: int


def card(room: SensorNow, problems: Sequence[str], preferences: Preferences) -> Card:
    """Return a room's card; `problems` are the headlines of what is wrong with it."""
    line, area = _paths(room)
    bars, signal = _signal(room.rssi_dbm)
    return Card(
        key=key(room.name),
        title=room.title,
        name=room.name,
        problems=tuple(_without_location(headline, room.title) for headline in problems),
        temperature_f=room.temperature_f,
        trend=_trend(room.trend_f_per_h),
        humidity_percent=room.humidity_percent,
        dew_point_f=room.dew_point_f,
        range=_range(room, preferences),
        values=(*((one.label, _with_unit(one)) for one in room.values), *_mute(room, preferences)),
        line=line,
        area=area,
        battery_percent=room.battery_percent,
        battery_width=round(_BATTERY_WIDTH * min(100, max(0, room.battery_percent or 0)) / 100, 1),
        bars=bars,
        signal=signal,
        last_us=room.last_us,
    )


def _mute(room: SensorNow, preferences: Preferences) -> Iterator[tuple[str, str]]:
    if room.muted_until_us is not None:
        yield "Muted until", f"{preferences.moment(room.muted_until_us):%a %-d %b, %H:%M}"


def _with_unit(one: NamedValue) -> str:
    if one.unit == YES_NO:
        return "yes" if one.value else "no"
    return f"{one.value:.6g} {one.unit}".strip()


def _signal(rssi_dbm: float | None) -> tuple[int | None, str]:
    if rssi_dbm is None:
        return None, "unknown"
    return next(((bars, word) for least, bars, word in _SIGNALS if rssi_dbm >= least), _SIGNALS[-1][1:])


def _without_location(headline: str, title: str) -> str:
    """Return a headline without the location, which the card shows already."""
    rest = headline.removeprefix(f"{title}: ")
    return rest[:1].upper() + rest[1:]


def key(name: str) -> str:
    """Return the id of a sensor's card on the page: a name may contain anything, an id may not."""
    return f"room-{blake2s(name.encode(errors='replace'), digest_size=6).hexdigest()}"


def _trend(trend_f_per_h: float | None) -> str | None:
    if trend_f_per_h is None:
        return None
    if abs(trend_f_per_h) < _STEADY_F_PER_H:
        return "steady"
    return "rising" if trend_f_per_h > 0 else "falling"


def _range(room: SensorNow, preferences: Preferences) -> str | None:
    if len([sample for sample in room.day if sample]) < _LEAST_SLOTS or room.range_f is None:
        return None
    low, high = (f"{preferences.degrees(one):.0f}" for one in room.range_f)
    return (f"{low} to {high} {preferences.unit}" if low != high else f"{low} {preferences.unit}").replace(
        "-", "\N{MINUS SIGN}"
    )


def _paths(room: SensorNow) -> tuple[str, str]:
    """Return the last day's temperature as a line with gaps, and the area below it, slot by slot."""
    if len([sample for sample in room.day if sample]) < _LEAST_SLOTS or room.range_f is None:
        return "", ""
    low_f, high_f = room.range_f
    middle = (low_f + high_f) / 2
    span = max(_LEAST_SPAN_F, high_f - low_f)
    scale = (_HEIGHT - 2 * _MARGIN) / span
    line = area = ""
    start = 0
    stretch: list[int] = []
    for slot, sample in enumerate((*room.day, None)):
        if sample:
            start = start if stretch else slot * _STEP
            # The end that is farther out, so that the line shows what the range says.
            farther_f = max(sample, key=lambda value_f: abs(value_f - middle))
            stretch.append(round(_HEIGHT / 2 - (farther_f - middle) * scale))
        elif stretch:
            steps = " ".join(f"{_STEP} {y - before}" for before, y in pairwise(stretch)) or "1 0"
            path = f"M{start} {stretch[0]}l{steps}"
            line, area = line + path, f"{area}{path}V{_HEIGHT}H{start}z"
            stretch = []
    return line, area
