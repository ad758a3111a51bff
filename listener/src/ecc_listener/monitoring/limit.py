"""One limit, as a person writes it: `40 °F for 1 h`, `70 %`, `6 h`. Pure."""

import re
from typing import NamedTuple

_UNITS_US = {"min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_LIMIT = re.compile(
    r"(?P<value>-?\d+(?:\.\d+)?)\s*(?P<unit>°?\s*[CF]|%|dBm|min|h|d)?"
    r"(?:\s+for\s+(?P<time>\d+(?:\.\d+)?)\s*(?P<time_unit>min|h|d))?",
    re.IGNORECASE,
)
_FIELD_LIMIT = re.compile(
    r"(?P<value>-?\d+(?:\.\d+)?)(?:\s+for\s+(?P<time>\d+(?:\.\d+)?)\s*(?P<time_unit>min|h|d))?", re.IGNORECASE
)


class Limit(NamedTuple):
    """A limit in °F, %, dBm or microseconds, and how long a value must be beyond it before it counts."""

    value: float
    for_us: int = 0


Limits = dict[str, Limit]
"""The limits of a sensor, by kind. `silent` 0 means three of its own intervals."""


class _Form(NamedTuple):
    units: str
    for_us: int
    low: float
    high: float


HOUR_US = _UNITS_US["h"]
_FORMS = {
    "too_cold": _Form("°", HOUR_US, -40, 257),
    "too_hot": _Form("°", HOUR_US, -40, 257),
    "too_damp": _Form("%", 6 * HOUR_US, 0, 100),
    "too_dry": _Form("%", 6 * HOUR_US, 0, 100),
    "damp_risk": _Form("%", 12 * HOUR_US, 0, 100),
    "near_dew_point": _Form("Δ", 3 * HOUR_US, 0, 50),
    "battery_low": _Form("%", 2 * HOUR_US, 0, 100),
    "weak_signal": _Form("dBm", 0, -128, 0),
    "frozen": _Form("time", 0, _UNITS_US["min"], 365 * _UNITS_US["d"]),
    "silent": _Form("time", 0, 0, 365 * _UNITS_US["d"]),
}
_UNITS = {
    "°": {"", "f", "c"},
    "Δ": {"", "f", "c"},
    "%": {"", "%"},
    "dBm": {"", "dbm"},
    "time": set(_UNITS_US),
}
_EXAMPLES = {
    "°": "40 °F for 1 h, or 5 °C for 1 h",
    "Δ": "5 °F for 3 h",
    "%": "70 % for 6 h",
    "dBm": "-85 dBm",
    "time": "6 h",
}


def parse_limit(kind: str, text: str) -> Limit | None:
    """Return a limit of a kind in `LIMIT_KINDS`; None if it can't be read, or isn't possible."""
    form = _FORMS[kind]
    match = _LIMIT.fullmatch(text.strip())
    if match is None:
        return None
    value = float(match["value"])
    unit = (match["unit"] or "").replace("°", "").strip().lower()
    if unit not in _UNITS[form.units]:
        return None
    if form.units == "time":
        value *= _UNITS_US[unit]
    elif unit == "c":
        value = value * 1.8 + (32 if form.units == "°" else 0)
    if not form.low <= value <= form.high:
        return None
    for_us = (
        int(float(match["time"]) * _UNITS_US[match["time_unit"].lower()]) if match["time"] else form.for_us
    )
    return Limit(value, for_us)


def parse_field_limit(text: str) -> Limit | None:
    """Return a limit of a further number, such as `1000 for 30 min`; None if it can't be read."""
    match = _FIELD_LIMIT.fullmatch(text.strip())
    if match is None:
        return None
    for_us = float(match["time"]) * _UNITS_US[match["time_unit"].lower()] if match["time"] else 0
    return Limit(float(match["value"]), int(for_us))


def example(kind: str) -> str:
    """Return how a limit of a kind may be written."""
    return _EXAMPLES[_FORMS[kind].units]


LIMIT_KINDS = tuple(_FORMS)
"""The kinds of limits with a value."""
