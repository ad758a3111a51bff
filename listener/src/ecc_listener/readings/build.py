"""Readings from numbers by name, for all formats but the form: units, limits, and what is computed. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from ecc_listener.readings.quantities import KNOWN, MEASURED, dew_point_c
from ecc_listener.readings.reading import (
    MAX_FIELD_LENGTH,
    MAX_TEXT_LENGTH,
    MAX_VALUES,
    QUANTITIES,
    Fault,
    NotAReading,
    Reading,
)

_ORDER = ("dew_point_f", "temperature_f", "humidity_percent", "battery_v", "battery_percent", "rssi_dbm")
_LIMITS = {
    name: (one.name, one.low, one.high, one.unit) for name, one in zip(_ORDER, QUANTITIES, strict=True)
}
_LIMITS |= {name: (one.label, one.low, one.high, one.unit) for name, one in KNOWN.items()}
_WANTED = {"temperature_f", "humidity_percent", *MEASURED}


class About(NamedTuple):
    """What a message says about its sensor beside the name."""

    location: str | None = None
    mac: str | None = None
    software_version: str | None = None


_NOTHING = About()


def fahrenheit(celsius: float) -> float:
    """Return a temperature in °F, unrounded, so that it is the same again in °C."""
    return celsius * 1.8 + 32


def dew_point_f(temperature_f: float, humidity_percent: float) -> float:
    """Return the dew point in °F; the humidity must be above 0 %."""
    return fahrenheit(dew_point_c((temperature_f - 32) / 1.8, humidity_percent))


def build(
    name: str,
    numbers: Mapping[str, float],
    about: About = _NOTHING,
    *,
    is_part: bool = False,
    is_on_change: bool = False,
) -> tuple[Reading, ...]:
    """Return the reading with these numbers; nothing if none is measured in a room, unless it is a part.

    `numbers` are named like the fields of a `Reading`, or `temperature_c`; others are further numbers.
    What is impossible is left out with a fault; the dew point is computed if it isn't given.

    Raises:
        NotAReading: the name can't be one, or whatever was measured is impossible.

    """
    found, faults, is_wanted = _possible(numbers)
    if not is_wanted and not is_part:
        return ()
    if not found or (is_wanted and _WANTED.isdisjoint(found)):
        if not faults:
            return ()
        raise NotAReading("; ".join(fault.reason for fault in faults))
    _check_name(name)
    temperature_f, humidity = found.get("temperature_f"), found.get("humidity_percent")
    if temperature_f is not None and humidity and "dew_point_f" not in found:
        found["dew_point_f"] = dew_point_f(temperature_f, humidity)
    take, rssi_dbm = found.pop, found.pop("rssi_dbm", None)
    return (
        Reading(
            take("dew_point_f", None),
            take("temperature_f", None),
            take("humidity_percent", None),
            take("battery_v", None),
            take("battery_percent", None),
            None if rssi_dbm is None else int(rssi_dbm),
            name.strip(),
            *about,
            tuple(sorted(found.items())[:MAX_VALUES]) if found else (),
            tuple(faults),
            is_part,
            is_on_change or is_part,
        ),
    )


def _possible(numbers: Mapping[str, float]) -> tuple[dict[str, float], list[Fault], bool]:
    """Return the numbers that are possible, why others are not, and whether any is measured in a room."""
    found: dict[str, float] = {}
    faults: list[Fault] = []
    is_wanted = False
    for name, number in numbers.items():
        if name == "temperature_c":
            quantity, value = "temperature_f", fahrenheit(number)
        else:
            quantity, value = name, number
        is_wanted = is_wanted or quantity in _WANTED
        if limits := _LIMITS.get(quantity):
            label, low, high, unit = limits
            if not low <= value <= high:
                if name == "temperature_c":
                    low, high, unit = (low - 32) / 1.8, (high - 32) / 1.8, "°C"
                reason = f"{label} is {number:g}; possible is {low:g} to {high:g} {unit}".rstrip()
                faults.append(Fault(label, reason, is_missing=False))
                continue
        elif len(quantity) > MAX_FIELD_LENGTH or not quantity.isprintable():
            continue
        found[quantity] = value
    return found, faults, is_wanted


def _check_name(name: str) -> None:
    if not name.strip():
        raise NotAReading("the sensor has no name")
    if len(name) > MAX_TEXT_LENGTH:
        raise NotAReading(f"the sensor's name has {len(name)} characters; at most {MAX_TEXT_LENGTH}")
    if not name.isprintable() and any(
        one < " " or "\x7f" <= one <= "\x9f" or "\ud800" <= one <= "\udfff" for one in name
    ):
        raise NotAReading("the sensor's name holds a control character")
