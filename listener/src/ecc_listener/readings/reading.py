"""What a reading is: its quantities with their physical limits, and its texts. Pure."""

from typing import NamedTuple

MAX_TEXT_LENGTH = 500
"""Characters in a name, a location, a MAC address or a version."""


class Reading(NamedTuple):
    """What one sensor measured, in the units it sends; what older firmware doesn't send is None."""

    dew_point_f: float
    temperature_f: float
    humidity_percent: float
    battery_v: float
    battery_percent: float
    rssi_dbm: int
    sensor_name: str
    location: str | None
    mac: str | None
    software_version: str | None


class NotAReading(ValueError):  # noqa: N818 - it names what the payload is
    """Raised when a payload isn't a reading; its text says why in plain words."""


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
