"""Which values of a newest reading are beyond a limit right now, before a rule is sure that it lasts. Pure.

A rule has patience, so that a mail doesn't cry wolf. Somebody who looks at the page or the status sees the
value itself, and what is said above it must not contradict that.
"""

from collections.abc import Callable
from typing import NamedTuple

from ecc_listener.monitoring.limits import Limit, Limits

USUAL: Limits = {"too_cold": Limit(35), "too_hot": Limit(105), "too_damp": Limit(95)}
"""Limits where none is set: pipes freeze (in a room at 35 °F, those on the outer wall), and it drips.

They are only shown; a mail needs a limit that somebody set.
"""


BEYOND = "1 value is beyond its limit", "{} values are beyond their limits"
"""The overall status if nothing else is wrong, for one value and for more."""


class OutOfRange(NamedTuple):
    """A value that is beyond a limit of a kind; °F or %."""

    kind: str
    value: float
    limit: float


def out_of_range(
    temperature_f: float | None, humidity_percent: float | None, battery_percent: float | None, limits: Limits
) -> tuple[OutOfRange, ...]:
    """Return what is beyond its limit, the most severe first."""
    values = (
        ("too_cold", temperature_f, True),
        ("too_hot", temperature_f, False),
        ("too_damp", humidity_percent, False),
        ("too_dry", humidity_percent, True),
        ("battery_low", battery_percent, True),
    )
    return tuple(
        OutOfRange(kind, value, limits[kind].value)
        for kind, value, is_low_bad in values
        if kind in limits
        and value is not None
        and (value < limits[kind].value if is_low_bad else value > limits[kind].value)
    )


def in_words(one: OutOfRange, temperature: Callable[[float], str]) -> str:
    """Return a value and its limit in words; `temperature` writes one with its unit."""
    what, than, is_temperature = _WORDS[one.kind]
    value, limit = (
        temperature(number) if is_temperature else f"{number:.0f} %" for number in (one.value, one.limit)
    )
    return f"{what}{value}, {than} {limit}"


_WORDS = {
    "too_cold": ("", "colder than", True),
    "too_hot": ("", "warmer than", True),
    "too_damp": ("humidity ", "above", False),
    "too_dry": ("humidity ", "below", False),
    "battery_low": ("battery at ", "below", False),
}
"""What is said before the value and before the limit, and whether they are temperatures."""
