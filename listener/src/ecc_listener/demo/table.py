"""A small table of the sensors, and lines about them, in plain words. Everything here is pure."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from textwrap import wrap
from typing import NamedTuple

from ecc_listener.demo.mailbox import ReceivedMessage
from ecc_listener.simulator.climate import Room, climate_in, is_door_open, weather_at

_CHANGE_F = 0.6
_CROWD = 0.5
_WIDTHS = (8, 10, 11, 8, 7, 10)
"""Together with the words at the end, a row usually fits into 80 columns."""
_HEADINGS = ("Sensor", "Room", "Temperature", "Humidity", "Battery", "Last seen", "In words")
_WORDS = {
    "silent": "silent",
    "battery_low": "battery low",
    "too_cold": "too cold",
    "too_hot": "too hot",
    "too_damp": "too damp",
    "too_dry": "too dry",
    "weak_signal": "weak signal",
    "frozen": "values frozen",
    "jumps": "values jump",
    "two_boards": "two boards",
}
_MAIL_WIDTH = 76


class Line(NamedTuple):
    """What is shown of a sensor; `before_f` is its temperature some readings ago, None if unknown."""

    name: str
    location: str | None
    seen: datetime
    temperature_f: float | None
    humidity_percent: float | None
    battery_percent: float | None
    before_f: float | None = None
    problems: Collection[str] = ()
    """The kinds of its open notices."""


def table(lines: Sequence[Line], names: Sequence[str], now: datetime) -> list[str]:
    """Return a table with a row for each sensor in `names`."""
    known = {line.name: line for line in lines}
    rows: list[Sequence[str]] = [_HEADINGS]
    for name in names:
        line = known.get(name)
        rows.append(_cells(line, now) if line else (name, *("-",) * 5, "no reading yet"))
    return ["  ".join(_aligned(cells)).rstrip() for cells in rows]


def in_words(line: Line) -> str:
    """Return what is wrong with a sensor, and whether its room is getting warmer or cooler."""
    words = [_WORDS[kind] for kind in _WORDS if kind in line.problems]
    if line.temperature_f is not None and line.before_f is not None and "silent" not in line.problems:
        change_f = line.temperature_f - line.before_f
        if abs(change_f) > _CHANGE_F:
            words.append("warming up" if change_f > 0 else "cooling down")
    return ", ".join(words) or "steady"


def events(rooms: Sequence[Room], at: datetime, seed: int) -> str:
    """Return what happens in the rooms at a time; its time zone is that of the words."""
    at_s = at.timestamp()
    crowded = [room.name for room in rooms if climate_in(room, weather_at(at_s), seed).people > _CROWD]
    open_doors = [room.name for room in rooms if is_door_open(room, at_s, seed)]
    parts = [
        f"{at:%A %H:%M} in the rooms",
        f"people in {', '.join(crowded)}" if crowded else "",
        f"a door left open: {', '.join(open_doors)}" if open_doors else "",
    ]
    return "; ".join(part for part in parts if part)


def status(headlines: Sequence[str]) -> list[str]:
    """Return whether all is well, or what is wrong."""
    if not headlines:
        return ["All is well."]
    return [f"Open: {headlines[0]}", *(f"      {headline}" for headline in headlines[1:])]


def plain(line: Line) -> str:
    """Return one reading as a line for a file."""
    values = ", ".join(_values(line, "battery "))
    return f"{line.seen:%H:%M:%S}Z {line.name} {line.location or '(unknown room)'}: {values}"


def mail(message: ReceivedMessage, at: datetime) -> str:
    """Return a message as lines in a frame, as it arrived at a time."""
    title = f"── Mail, {at:%A %H:%M} "
    lines = [f"Subject: {message.subject}", "", *message.text.strip().splitlines()]
    body = [part for line in lines for part in (wrap(line, _MAIL_WIDTH, subsequent_indent="  ") or [""])]
    return "\n".join([title.ljust(_MAIL_WIDTH, "─"), *body, "─" * _MAIL_WIDTH])


def _cells(line: Line, now: datetime) -> tuple[str, ...]:
    return (
        line.name,
        line.location or "(unknown)",
        *_values(line, ""),
        _ago(now - line.seen),
        in_words(line),
    )


def _ago(span: timedelta) -> str:
    if span < timedelta(minutes=1):
        return "just now"
    if span < timedelta(hours=1):
        return f"{span // timedelta(minutes=1)} min ago"
    return f"{span // timedelta(hours=1):,} h ago"


def _values(line: Line, battery: str) -> tuple[str, str, str]:
    return (
        "-" if line.temperature_f is None else f"{line.temperature_f:.1f} °F",
        "-" if line.humidity_percent is None else f"{line.humidity_percent:.0f} %",
        "-" if line.battery_percent is None else f"{battery}{line.battery_percent:.0f} %",
    )


def _aligned(cells: Sequence[str]) -> list[str]:
    left = [cell.ljust(width) for cell, width in zip(cells[:2], _WIDTHS[:2], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[2:6], _WIDTHS[2:], strict=True)]
    return [*left, *right, cells[6]]
