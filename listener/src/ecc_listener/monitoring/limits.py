"""The limits of each sensor, from the text of the limits file, and the mistakes in that text."""

import csv
import re
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from typing import NamedTuple

from ecc_listener.readings.corrections import Corrections, Offsets, parse_offset

EVERYWHERE = "everywhere"
_UNITS_US = {"min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_OFF = {"off", "no", "none"}
_LIMIT = re.compile(
    r"(?P<value>-?\d+(?:\.\d+)?)\s*(?P<unit>°?\s*[CF]|%|dBm|min|h|d)?"
    r"(?:\s+for\s+(?P<time>\d+(?:\.\d+)?)\s*(?P<time_unit>min|h|d))?",
    re.IGNORECASE,
)
_FIELD_LIMIT = re.compile(
    r"(?P<value>-?\d+(?:\.\d+)?)(?:\s+for\s+(?P<time>\d+(?:\.\d+)?)\s*(?P<time_unit>min|h|d))?", re.IGNORECASE
)
FIELD_KINDS = ("above ", "below ")
"""What begins the name of a limit of a further number; its field follows, in lower case."""
_MAX_PROBLEMS = 5
_MAX_MERGED = 10_000
_MAX_LABEL = 40


class Limit(NamedTuple):
    """A limit in °F, %, dBm or microseconds, and how long a value must be beyond it before it counts."""

    value: float
    for_us: int = 0


class FieldName(NamedTuple):
    """What a further number of a sensor is called, and its unit, which may be empty."""

    label: str
    unit: str


Limits = dict[str, Limit]
"""The limits of a sensor, by kind. `silent` 0 means three of its own intervals."""


class _Form(NamedTuple):
    units: str
    for_us: int
    low: float
    high: float


_HOUR_US = _UNITS_US["h"]
_FORMS = {
    "too_cold": _Form("°", _HOUR_US, -40, 257),
    "too_hot": _Form("°", _HOUR_US, -40, 257),
    "too_damp": _Form("%", 6 * _HOUR_US, 0, 100),
    "too_dry": _Form("%", 6 * _HOUR_US, 0, 100),
    "damp_risk": _Form("%", 12 * _HOUR_US, 0, 100),
    "near_dew_point": _Form("Δ", 3 * _HOUR_US, 0, 50),
    "battery_low": _Form("%", 2 * _HOUR_US, 0, 100),
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
DEFAULT: Limits = {
    "battery_low": Limit(20, _FORMS["battery_low"].for_us),
    "weak_signal": Limit(-85),
    "frozen": Limit(6 * _HOUR_US),
    "jumps": Limit(0),
    "silent": Limit(0),
}
FROM_LIMITS = {*_FORMS, "jumps", *(kind.strip() for kind in FIELD_KINDS)}
"""The kinds that the file can set."""


class LimitsFile:
    """The limits of all sensors. Those of a sensor override those of its location, then `everywhere`."""

    def __init__(self, text: str = "") -> None:
        """Parse the text; `problems` has one line for each mistake, and all other lines are in effect."""
        self.problems: list[str] = []
        self._sections: dict[str, dict[str, Limit | None]] = {}
        self._field_names: dict[str, dict[str, FieldName]] = {}
        self._merged: dict[tuple[str, str | None], Limits | None] = {}
        former: dict[str, list[str]] = {}
        offsets: dict[str, Offsets] = {}
        parser = ConfigParser(interpolation=None, inline_comment_prefixes=("#",), default_section="\0")
        try:
            parser.read_string(text, "the file")
        except ConfigParserError as error:
            self._add_problem(" ".join(str(error).split()))
        for section in parser.sections():
            found = self._sections.setdefault(section.strip().casefold(), {})
            for option, value in parser.items(section):
                if option.startswith("name "):
                    self._parse_field_name(section, option, value or "")
                elif option == "was" or option.startswith("offset "):
                    self._parse_correction(section.strip(), option, (value or "").strip(), former, offsets)
                else:
                    self._parse(found, section, option, value or "")

        try:
            self.corrections = Corrections(former, offsets)
        except ValueError as error:
            self._add_problem(f"was: {error}; no sensor is renamed")
            self.corrections = Corrections({}, offsets)

    def of(self, name: str, location: str | None) -> Limits | None:
        """Return the limits of a sensor; None if it isn't monitored at all."""
        key = name, location
        if key not in self._merged:
            if len(self._merged) > _MAX_MERGED:  # Names come from the network.
                self._merged.clear()
            self._merged[key] = self.merge(name, location, DEFAULT)
        return self._merged[key]

    def field_names(self, name: str, location: str | None) -> dict[str, FieldName]:
        """Return what the further numbers of a sensor are called, by their fields in lower case."""
        merged: dict[str, FieldName] = {}
        for section in (EVERYWHERE, location, name):
            merged |= self._field_names.get((section or "").casefold(), {})
        return merged

    def merge(self, name: str, location: str | None, usual: Limits) -> Limits | None:
        """Return the limits of a sensor on top of usual ones; None if it isn't monitored at all."""
        merged: dict[str, Limit | None] = dict(usual)
        for section in (EVERYWHERE, location, name):
            if section:
                merged |= self._sections.get(section.casefold(), {})
        if merged.pop("watch", Limit(0)) is None:
            return None
        return {kind: limit for kind, limit in merged.items() if limit is not None}

    def _parse(self, found: dict[str, Limit | None], section: str, option: str, value: str) -> None:
        kind = "_".join(option.split())
        if option.startswith(FIELD_KINDS):
            self._parse_field_limit(found, section, option, value)
        elif kind not in {*_FORMS, "jumps", "watch"}:
            further = ("jumps", "watch", "name FIELD", "above FIELD", "below FIELD", "was", "offset ...")
            names = ", ".join(one.replace("_", " ") for one in (*_FORMS, *further))
            self._add_problem(f"[{section}] {option}: unknown limit; allowed are {names}")
        elif value.casefold() in _OFF:
            found[kind] = None
        elif kind in {"watch", "jumps"}:
            if value.casefold() in {"yes", "on"}:
                found[kind] = Limit(0)
            else:
                self._add_problem(f"[{section}] {option} = {value}: must be yes or no")
        else:
            limit = _limit(_FORMS[kind], value)
            if limit is None:
                example = _EXAMPLES[_FORMS[kind].units]
                self._add_problem(f"[{section}] {option} = {value}: must be like {example}, or off")
            else:
                found[kind] = limit

    def _parse_field_limit(
        self, found: dict[str, Limit | None], section: str, option: str, value: str
    ) -> None:
        match = _FIELD_LIMIT.fullmatch(value.strip())
        if value.casefold() in _OFF:
            found[" ".join(option.split())] = None
        elif match:
            for_us = float(match["time"]) * _UNITS_US[match["time_unit"].lower()] if match["time"] else 0
            found[" ".join(option.split())] = Limit(float(match["value"]), int(for_us))
        else:
            self._add_problem(f"[{section}] {option} = {value}: must be like 1000 for 30 min, or off")

    def _parse_field_name(self, section: str, option: str, value: str) -> None:
        label, _, unit = (part.strip() for part in value.partition(","))
        if 0 < len(label) <= _MAX_LABEL and len(unit) <= _MAX_LABEL:
            field = option.removeprefix("name ").strip()
            self._field_names.setdefault(section.strip().casefold(), {})[field] = FieldName(label, unit)
        else:
            self._add_problem(f"[{section}] {option} = {value}: must be like Pressure, hPa")

    def _parse_correction(
        self, section: str, option: str, value: str, former: dict[str, list[str]], offsets: dict[str, Offsets]
    ) -> None:
        """Parse a former name or an offset, which belong to one sensor."""
        if section.casefold() == EVERYWHERE:
            self._add_problem(f"[{section}] {option}: belongs below the name of one sensor")
        elif option == "was":
            names = [name.strip() for name in next(csv.reader([value], skipinitialspace=True), [])]
            former.setdefault(section, []).extend(name for name in names if name)
            if not any(names):
                self._add_problem(f"[{section}] was: must be the sensor's former name")
        else:
            quantity = " ".join(option.split()[1:])
            found = parse_offset(offsets.get(section, Offsets()), quantity, value)
            if found is None:
                self._add_problem(
                    f"[{section}] {option} = {value}: must be like -1.5 °F or 0.8 °C for temperature and dew"
                    " point, 3 % for humidity, and a number for anything else that the sensor sends"
                )
            else:
                offsets[section] = found

    def _add_problem(self, problem: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(problem if len(problem) < 200 else problem[:199] + "…")  # noqa: PLR2004 - a line or two


def _limit(form: _Form, text: str) -> Limit | None:
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
