"""Rows of the database go in, the lines of a small table come out, in plain words."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ecc_listener.simulator.climate import Room, climate_in, is_door_open, weather_at

_COLD_F, _HOT_F = 45.0, 82.0
_DRY_PERCENT, _DAMP_PERCENT = 25.0, 70.0
_LOW_BATTERY_PERCENT = 20.0
_CHANGE_F = 0.6
_CROWD = 0.5
_WIDTHS = (8, 10, 11, 8, 7, 9)
"""With the words at the end it fits 80 columns."""
_HEADINGS = ("Sensor", "Room", "Temperature", "Humidity", "Battery", "Last seen", "In words")


class Line(NamedTuple):
    """What is shown of one sensor; `before_f` is its temperature some readings ago, if known."""

    name: str
    location: str | None
    seen: datetime
    temperature_f: float
    humidity_percent: float
    battery_percent: float
    before_f: float | None


def table(lines: Sequence[Line], names: Sequence[str], now: datetime, patience: timedelta) -> list[str]:
    """Return the table of these sensors; who was not heard for `patience` is silent."""
    known = {line.name: line for line in lines}
    rows: list[Sequence[str]] = [_HEADINGS]
    for name in names:
        line = known.get(name)
        rows.append(_cells(line, now, patience) if line else (name, *("-",) * 5, "not heard yet"))
    return ["  ".join(_aligned(cells)).rstrip() for cells in rows]


def in_words(line: Line, now: datetime, patience: timedelta) -> str:
    """Return what there is to say of a sensor."""
    change_f = 0.0 if line.before_f is None else line.temperature_f - line.before_f
    warnings = (
        (now - line.seen > patience, "silent"),
        (line.battery_percent <= _LOW_BATTERY_PERCENT, "battery low"),
        (line.temperature_f < _COLD_F, "cold"),
        (line.temperature_f > _HOT_F, "hot"),
        (line.humidity_percent > _DAMP_PERCENT, "damp"),
        (line.humidity_percent < _DRY_PERCENT, "dry air"),
        (change_f > _CHANGE_F, "getting warmer"),
        (change_f < -_CHANGE_F, "getting cooler"),
    )
    return ", ".join(words for holds, words in warnings if holds) or "steady"


def events(rooms: Sequence[Room], at: datetime, seed: int) -> str:
    """Return what goes on in the rooms at a time."""
    at_s = at.timestamp()
    crowded = [room.name for room in rooms if climate_in(room, weather_at(at_s), seed).people > _CROWD]
    open_doors = [room.name for room in rooms if is_door_open(room, at_s, seed)]
    parts = [
        f"{at:%A %H:%M} in the rooms",
        f"people in {', '.join(crowded)}" if crowded else "",
        f"a door left open: {', '.join(open_doors)}" if open_doors else "",
    ]
    return "; ".join(part for part in parts if part)


def plain(line: Line) -> str:
    """Return one sensor's line for a file."""
    values = (
        f"{line.temperature_f:.1f} °F, {line.humidity_percent:.0f} %, battery {line.battery_percent:.0f} %"
    )
    return f"{line.seen:%H:%M:%S}Z {line.name} {line.location or '(room not told)'}: {values}"


def _cells(line: Line, now: datetime, patience: timedelta) -> tuple[str, ...]:
    return (
        line.name,
        line.location or "(not told)",
        f"{line.temperature_f:.1f} °F",
        f"{line.humidity_percent:.0f} %",
        f"{line.battery_percent:.0f} %",
        f"{max(0, round((now - line.seen).total_seconds()))} s ago",
        in_words(line, now, patience),
    )


def _aligned(cells: Sequence[str]) -> list[str]:
    left = [cell.ljust(width) for cell, width in zip(cells[:2], _WIDTHS[:2], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[2:6], _WIDTHS[2:], strict=True)]
    return [*left, *right, cells[6]]
