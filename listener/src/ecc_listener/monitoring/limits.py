"""The limits of each sensor, from the text of the limits file, and the mistakes in that text."""

import csv
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from ecc_listener.monitoring.calendar import Window, parse_window
from ecc_listener.monitoring.limit import (
    HOUR_US,
    LIMIT_KINDS,
    Limit,
    Limits,
    example,
    parse_field_limit,
    parse_limit,
)
from ecc_listener.readings.corrections import Corrections, Offsets, parse_offset

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT", "FIELD_KINDS", "FROM_LIMITS", "FieldName", "Limit", "Limits", "SensorLimits"]

EVERYWHERE = "everywhere"
_OFF = {"off", "no", "none"}
FIELD_KINDS = ("above ", "below ")
"""What begins the name of a limit of a further number; its field follows, in lower case."""
_MAX_PROBLEMS = 5
_MAX_MERGED = 10_000
_MAX_LABEL = 40


class FieldName(NamedTuple):
    """What a further number of a sensor is called, and its unit, which may be empty."""

    label: str
    unit: str


DEFAULT: Limits = {
    "battery_low": Limit(20, 2 * HOUR_US),
    "weak_signal": Limit(-85),
    "frozen": Limit(6 * HOUR_US),
    "jumps": Limit(0),
    "silent": Limit(0),
}
FROM_LIMITS = {*LIMIT_KINDS, "jumps", *(kind.strip() for kind in FIELD_KINDS)}
"""The kinds that the file can set."""


class SensorLimits:
    """The limits of all sensors. Those of a sensor override those of its location, then `everywhere`."""

    def __init__(self, text: str = "", before: "SensorLimits | None" = None) -> None:
        """Parse the text; `problems` has one line for each mistake, and all other lines are in effect.

        What applies at times, and what is muted, goes on as it was in the file `before`.
        """
        self.mutes: Mapping[str, datetime] = before.mutes if before else {}
        self._muted: frozenset[str] = before._muted if before else frozenset()  # noqa: SLF001 - its own
        self.problems: list[str] = []
        self._sections: dict[str, dict[str, Limit | None]] = {}
        self._scheduled: dict[str, list[tuple[Window, str, Limit | None]]] = {}
        self._active: frozenset[Window] = before._active if before else frozenset()  # noqa: SLF001 - its own
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

    def set_time(self, local: datetime) -> bool:
        """Take the local time, by which some limits and mutes apply; return whether other ones apply now."""
        windows = (window for scheduled in self._scheduled.values() for window, *_ in scheduled)
        active = frozenset(window for window in windows if window.contains(local))
        muted = frozenset(name.casefold() for name, until in self.mutes.items() if until > local)
        if (active, muted) == (self._active, self._muted):
            return False
        self._active, self._muted = active, muted
        self._merged.clear()
        return True

    def scheduled_kinds(self, name: str, location: str | None) -> set[str]:
        """Return the kinds of limits of a sensor that apply at times."""
        sections = (self._scheduled.get((one or "").casefold(), ()) for one in (EVERYWHERE, location, name))
        return {kind for scheduled in sections for _, kind, _ in scheduled}

    def muted_until(self, name: str, location: str | None) -> datetime | None:
        """Return when the mute of a sensor or its location ends; None if it isn't muted now."""
        names = {one.casefold() for one in (name, location) if one} & self._muted
        return max((until for one, until in self.mutes.items() if one.casefold() in names), default=None)

    def is_ignored(self, name: str, location: str | None) -> bool:
        """Return whether the file says that a sensor is not to be monitored (`watch = no`)."""
        sections = [self._sections.get(one.casefold(), {}) for one in (EVERYWHERE, location, name) if one]
        return next((one["watch"] is None for one in reversed(sections) if "watch" in one), False)

    def of(self, name: str, location: str | None) -> Limits | None:
        """Return the limits of a sensor; None if it isn't monitored at all, or muted."""
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
        if self._muted and self.muted_until(name, location):
            return None
        merged: dict[str, Limit | None] = dict(usual)
        for section in (EVERYWHERE, location, name):
            if section:
                merged |= self._sections.get(section.casefold(), {})
                for window, kind, limit in self._scheduled.get(section.casefold(), ()):
                    if window in self._active:
                        merged[kind] = limit
        if merged.pop("watch", Limit(0)) is None:
            return None
        return {kind: limit for kind, limit in merged.items() if limit is not None}

    def _parse(self, found: dict[str, Limit | None], section: str, option: str, value: str) -> None:
        kind = "_".join(option.split())
        if option.startswith(FIELD_KINDS):
            self._parse_field_limit(found, section, option, value)
        elif kind not in {*LIMIT_KINDS, "jumps", "watch"}:
            further = ("jumps", "watch", "name FIELD", "above FIELD", "below FIELD", "was", "offset ...")
            names = ", ".join(one.replace("_", " ") for one in (*LIMIT_KINDS, *further))
            self._add_problem(f"[{section}] {option}: unknown limit; allowed are {names}")
        elif value.casefold() in _OFF:
            found[kind] = None
        elif kind in {"watch", "jumps"}:
            if value.casefold() in {"yes", "on"}:
                found[kind] = Limit(0)
            else:
                self._add_problem(f"[{section}] {option} = {value}: must be yes or no")
        else:
            for part in value.split(";"):
                self._parse_part(found, section, option, kind, part.strip())

    def _parse_part(
        self, found: dict[str, Limit | None], section: str, option: str, kind: str, part: str
    ) -> None:
        """Parse one of the limits on a line, which may apply at some times only."""
        text, separator, times = part.partition(" on ")
        window = parse_window(times) if separator else None
        limit = None if text.strip().casefold() in _OFF else parse_limit(kind, text)
        if (limit is None and text.strip().casefold() not in _OFF) or bool(separator) is (window is None):
            problem = f"must be like {example(kind)}, or off; at times: {example(kind)} on Sun 07:00-13:00"
            self._add_problem(f"[{section}] {option} = {part}: {problem}")
        elif window is None:
            found[kind] = limit
        else:
            self._scheduled.setdefault(section.strip().casefold(), []).append((window, kind, limit))

    def _parse_field_limit(
        self, found: dict[str, Limit | None], section: str, option: str, value: str
    ) -> None:
        limit = parse_field_limit(value)
        if limit or value.casefold() in _OFF:
            found[" ".join(option.split())] = limit
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
