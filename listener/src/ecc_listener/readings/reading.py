"""The bytes of one message go in, a `Reading` comes out, or `NotAReading` says why not.

A payload is one line of form fields, as the sensors' firmware sends it::

    field1=47.10&field2=73.45&...&field7=ECCTH01&field8=Office&field9=98:F4:AB:DA:6E:E2&field10=v03.10

Fields count by name, not by position. Older firmware stops at field7; fields that a newer one adds are
passed over.
"""

from typing import NamedTuple
from urllib.parse import parse_qsl

MAX_PAYLOAD_BYTES = 4096
"""A line of the firmware has about 150 bytes; nothing that is a reading comes near this."""

MAX_TEXT_LENGTH = 500
"""Characters in a name, a place, a MAC address or a version."""


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
    """Raised when a payload is no reading; its text tells a person why."""


class _Quantity(NamedTuple):
    field: str
    name: str
    low: float
    high: float
    unit: str


LIMITS = (
    # Temperature: what an SHT3x or BME280 can measure, -40 to 125 °C (Sensirion and Bosch data sheets).
    # Dew point: not above the highest temperature; at -40 °C and 1 % humidity it is -72 °C, rounded down.
    _Quantity("field1", "dew point", -112.0, 257.0, "°F"),
    _Quantity("field2", "temperature", -40.0, 257.0, "°F"),
    # Relative humidity: by definition, water condenses at 100 %.
    _Quantity("field3", "humidity", 0.0, 100.0, "%"),
    # Battery: 15 V is the most that the regulator of an ESP8266 board takes (AMS1117 data sheet). The
    # percentage is a straight line through two voltages, so a fresh or an empty cell overshoots it.
    _Quantity("field4", "battery voltage", 0.0, 15.0, "V"),
    _Quantity("field5", "battery charge", -100.0, 200.0, "%"),
    # Signal: an 8-bit number of dBm; 31 means that the board could not tell (ESP8266 SDK reference).
    _Quantity("field6", "signal", -128.0, 127.0, "dBm"),
)
"""The physical limits of a reading, each with its source: outside of them it isn't one."""

_TEXTS = {"field7": "name", "field8": "location", "field9": "MAC address", "field10": "software version"}
_KNOWN = frozenset(quantity.field for quantity in LIMITS) | frozenset(_TEXTS)


def decode(payload: bytes) -> Reading:
    """Decode one payload of the firmware.

    Raises:
        NotAReading: with the first fault found, in words that a person understands.

    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise NotAReading(f"{len(payload):,} bytes long; a reading has at most {MAX_PAYLOAD_BYTES:,}")
    try:
        line = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise NotAReading(f"not UTF-8 text: byte {error.start} is 0x{payload[error.start]:02x}") from None
    if not line:
        raise NotAReading("empty")
    fields = _fields(line)
    try:
        # One look at the whole line spares one per number: float() alone takes "1_0" and "٣" as well.
        plain = line.isascii() and "_" not in line
        numbers = [_number(quantity, fields[quantity.field], plain=plain) for quantity in LIMITS]
        name = fields["field7"]
    except KeyError as error:
        raise NotAReading(_missing(str(error.args[0]))) from None
    if not name.strip():
        raise NotAReading("field7 (name) is empty; a sensor needs a name")
    if not line.isprintable() or "%" in line or len(line) > MAX_TEXT_LENGTH:
        _check_texts(fields)
    dew_point_f, temperature_f, humidity_percent, battery_v, battery_percent, rssi_dbm = numbers
    return Reading(
        dew_point_f,
        temperature_f,
        humidity_percent,
        battery_v,
        battery_percent,
        int(rssi_dbm),
        name.strip(),
        fields.get("field8"),
        fields.get("field9"),
        fields.get("field10"),
    )


def _fields(line: str) -> dict[str, str]:
    try:
        if "%" in line or "+" in line:
            pairs = parse_qsl(
                line, keep_blank_values=True, strict_parsing=True, errors="strict", separator="&"
            )
        else:
            # Most lines have nothing to unquote, and this is four times as fast.
            pairs = [part.split("=", 1) for part in line.split("&")]  # type: ignore[misc]
        fields = dict(pairs)
    except ValueError:
        raise NotAReading("not form fields, which look like field1=47.10&field2=73.45&...") from None
    if len(fields) != len(pairs):
        names = [pair[0] for pair in pairs]
        for name in _KNOWN:
            if names.count(name) > 1:
                raise NotAReading(f"{name} appears {names.count(name)} times; which one holds is unknown")
    return fields


def _number(quantity: _Quantity, text: str, *, plain: bool) -> float:
    field, name, low, high, unit = quantity
    try:
        value = float(text)
    except ValueError:
        raise NotAReading(f"{field} ({name}) is {_shown(text)}, not a number") from None
    # A comparison with NaN is never true, so this refuses it as well.
    if low <= value <= high and (plain or (text.isascii() and "_" not in text)):
        return value
    raise NotAReading(f"{field} ({name}) is {_shown(text)}; possible is {low:g} to {high:g} {unit}")


def _missing(field: str) -> str:
    names = {quantity.field: quantity.name for quantity in LIMITS} | _TEXTS
    return f"{field} ({names[field]}) is missing; a reading has field1 to field7"


def _check_texts(fields: dict[str, str]) -> None:
    for field, name in _TEXTS.items():
        text = fields.get(field, "")
        if len(text) > MAX_TEXT_LENGTH:
            raise NotAReading(f"{field} ({name}) has {len(text)} characters; at most {MAX_TEXT_LENGTH}")
        for character in text:
            if character < " " or character == "\x7f":
                raise NotAReading(f"{field} ({name}) holds the control character 0x{ord(character):02x}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")  # noqa: PLR2004 - fits a line of the log
