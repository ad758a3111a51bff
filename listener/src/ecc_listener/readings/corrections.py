"""What people say about their sensors afterwards: that one was renamed, and by how much one is wrong. Pure.

Nothing that is stored changes. Names and values are corrected where they are shown and judged.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ecc_listener.readings.reading import Reading

_DECIMALS = 4
_OFFSET = re.compile(r"(?P<value>[+-]?\d+(?:\.\d+)?)\s*(?P<unit>°?\s*[CF]|%|)", re.IGNORECASE)


class Offsets(NamedTuple):
    """What is added to the values of a sensor: in °F and percentage points, and to further numbers."""

    temperature_f: float = 0.0
    humidity_percent: float = 0.0
    dew_point_f: float = 0.0
    values: Mapping[str, float] = {}
    """By the names of their fields in lower case."""

    def temperature(self, value_f: float | None) -> float | None:
        """Return a corrected temperature in °F."""
        return _add(value_f, self.temperature_f)

    def dew_point(self, value_f: float | None) -> float | None:
        """Return a corrected dew point in °F."""
        return _add(value_f, self.dew_point_f)

    def humidity(self, value_percent: float | None) -> float | None:
        """Return a corrected relative humidity, from 0 to 100."""
        found = _add(value_percent, self.humidity_percent)
        return found if found is None or found == value_percent else min(100.0, max(0.0, found))

    def value(self, field: str, value: float) -> float:
        """Return a corrected further number."""
        offset = self.values.get(field.lower(), 0.0)
        return round(value + offset, _DECIMALS) if offset else value


_NONE = Offsets()


class Corrections:
    """The present names of renamed sensors, and the offsets of sensors by their present names."""

    def __init__(
        self, former: Mapping[str, Iterable[str]] | None = None, offsets: Mapping[str, Offsets] | None = None
    ) -> None:
        """Take the former names of each present name, and the offsets; capitals make no difference.

        Raises:
            ValueError: a name is said to be the former one of two sensors, or of itself.

        """
        self.former = {name: list(names) for name, names in (former or {}).items()}
        self.by_name = dict(offsets or {})
        """What it was made of, for another process."""
        self._present: dict[str, str] = {}
        self._written: dict[str, str] = {}
        for name, names in self.former.items():
            for written in dict.fromkeys(names):
                one = written.casefold()
                if one in self._present or one == name.casefold():
                    raise ValueError(f"{written!r} can't be the former name of {name!r} as well")
                self._present[one], self._written[one] = name, written
        for one, name in self._present.items():
            if self._resolve(one).casefold() == one:
                raise ValueError(f"{self._written[one]!r} and {name!r} can't be former names of each other")
        # How the file spells a present name is how it is shown, so that it stays one sensor.
        self._spelling = {name.casefold(): name for name in self._present.values()}
        self._offsets = {name.casefold(): one for name, one in self.by_name.items()}

    def __bool__(self) -> bool:
        """Return whether there is anything to correct."""
        return bool(self._present or self._offsets)

    def present_name(self, name: str) -> str:
        """Return the present name of a sensor that is stored under a name."""
        if not self._present:
            return name
        found = self._resolve(name)
        return self._spelling.get(found.casefold(), found)

    def offsets(self, name: str) -> Offsets:
        """Return the offsets of a sensor by the name under which a reading is stored."""
        return self._offsets.get(self.present_name(name).casefold(), _NONE) if self._offsets else _NONE

    def former_names(self, name: str) -> list[str]:
        """Return the names that a sensor had before."""
        return [self._written[one] for one in self._present if self.present_name(one) == name]

    def apply(self, reading: Reading) -> Reading:
        """Return a reading as it is shown and judged."""
        one = self.offsets(reading.sensor_name)
        return reading._replace(
            sensor_name=self.present_name(reading.sensor_name),
            dew_point_f=one.dew_point(reading.dew_point_f),
            temperature_f=one.temperature(reading.temperature_f),
            humidity_percent=one.humidity(reading.humidity_percent),
            values=tuple((field, one.value(field, value)) for field, value in reading.values),
        )

    def _resolve(self, name: str) -> str:
        for _ in self._present:  # At most as many steps as there are names, even in a circle.
            following = self._present.get(name.casefold())
            if following is None:
                break
            name = following
        return name


NO_CORRECTIONS = Corrections()


def parse_offset(offsets: Offsets, quantity: str, text: str) -> Offsets | None:
    """Return offsets with one more, such as `temperature` and `-1.5 °F`; None if it can't be read.

    The quantity is `temperature`, `dew point`, `humidity` (in percentage points) or the field of a further
    number, in lower case. An offset in °C is 1.8 times as large in °F.
    """
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    value, unit = float(match["value"]), match["unit"].replace("°", "").strip().lower()
    if quantity in {"temperature", "dew point"} and unit in {"", "f", "c"}:
        value *= 1.8 if unit == "c" else 1
        is_dew_point = quantity == "dew point"
        return offsets._replace(dew_point_f=value) if is_dew_point else offsets._replace(temperature_f=value)
    if quantity == "humidity" and unit in {"", "%"}:
        return offsets._replace(humidity_percent=value)
    if quantity not in {"temperature", "dew point", "humidity", ""} and not unit:
        return offsets._replace(values={**offsets.values, quantity: value})
    return None


def _add(value: float | None, offset: float) -> float | None:
    return round(value + offset, _DECIMALS) if offset and value is not None else value
