"""What a reading is: its quantities with their physical limits, and its texts. Pure."""

from typing import NamedTuple

from ecc_listener.readings.quantities import MEASURED

MAX_TEXT_LENGTH = 500
"""Characters in a name, a location, a MAC address or a version."""
_MAX_NAME_SHOWN = 100
MAX_VALUES = 32
"""Further numbers in one reading."""
MAX_FIELD_LENGTH = 60
"""Characters in the name of a further number."""


class Fault(NamedTuple):
    """Something that a reading lacks: what it is about, and why it isn't there, in words."""

    quantity: str
    reason: str
    is_missing: bool
    """Whether the sensor didn't send it; otherwise it sent something impossible."""


class Reading(NamedTuple):
    """What one sensor measured, in the units of the tables.

    A quantity or text is None if the sensor doesn't send it, or if what it sent is impossible. No decoder
    returns a reading that has neither temperature nor humidity.
    """

    dew_point_f: float | None
    temperature_f: float | None
    humidity_percent: float | None
    battery_v: float | None
    battery_percent: float | None
    rssi_dbm: int | None
    sensor_name: str
    location: str | None
    mac: str | None
    software_version: str | None
    values: tuple[tuple[str, float], ...] = ()
    """Further numbers, each with the name of its field."""
    faults: tuple[Fault, ...] = ()
    """What should be there and is not."""
    is_part: bool = False
    """Whether its sensor sends each quantity by itself: parts that arrive together become one row."""
    is_on_change: bool = False
    """Whether its sensor sends when something changes, and not at an interval of its own."""

    @property
    def is_of_a_room(self) -> bool:
        """Whether it has more than what a device knows about itself, such as its battery."""
        return (
            self.temperature_f is not None
            or self.humidity_percent is not None
            or any(name in MEASURED for name, _ in self.values)
        )


def merge(before: Reading, part: Reading) -> Reading:
    """Return a part of a reading, with what the sensor sent before in place of what it leaves out."""
    numbers = (old if new is None else new for old, new in zip(before[:6], part[:6], strict=True))
    values = dict(before.values) | dict(part.values)
    return Reading._make((*numbers, *part[6:10], tuple(values.items()), *part[11:]))


class NotAReading(ValueError):  # noqa: N818 - it names what the payload is
    """Raised when a payload isn't a reading; its text says why in plain words."""


class OtherNameError(NotAReading):
    """Raised when the topic names another sensor than the payload."""

    def __init__(self, of_topic: str, of_payload: str) -> None:
        """Take both names."""
        self.of_topic = of_topic
        shown = of_payload if len(of_payload) <= _MAX_NAME_SHOWN else f"{of_payload[:_MAX_NAME_SHOWN]}..."
        super().__init__(f"the topic is that of the sensor {of_topic}, but the payload names {shown}")


class Quantity(NamedTuple):
    """What is measured, and its lowest and highest possible value."""

    name: str
    low: float
    high: float
    unit: str


QUANTITIES = (
    # Temperature: what an SHT3x or BME280 can measure, -40 to 125 °C (Sensirion and Bosch data sheets).
    # Dew point: not above the highest temperature; at -40 °C and 1 % humidity it is -72 °C, rounded down.
    Quantity("dew point", -112.0, 257.0, "°F"),
    Quantity("temperature", -40.0, 257.0, "°F"),
    # Relative humidity: by definition, water condenses at 100 %.
    Quantity("humidity", 0.0, 100.0, "%"),
    # Battery: 15 V is the most that the regulator of an ESP8266 board takes (AMS1117 data sheet). The
    # percentage is a straight line through two voltages, so a fresh or an empty cell overshoots it.
    Quantity("battery voltage", 0.0, 15.0, "V"),
    Quantity("battery charge", -100.0, 200.0, "%"),
    # Signal: an 8-bit number of dBm; 31 means that the device doesn't know it (ESP8266 SDK reference).
    Quantity("signal", -128.0, 127.0, "dBm"),
)
"""The quantities of a reading, in its order, with their physical limits and the sources of these."""
