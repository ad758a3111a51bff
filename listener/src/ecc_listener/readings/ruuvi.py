"""The decoder of RuuviTags behind a Ruuvi Gateway. Pure.

A gateway publishes each advertisement on `ruuvi/GATEWAY/TAG`, as it came over the air::

    {"gw_mac":"C8:25:2D:8E:9C:2C","rssi":-59,"gwts":"1669887004","ts":"1669887004",
     "data":"0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"}

Source: https://docs.ruuvi.com/gw-data-formats/mqtt-time-stamped-data-from-bluetooth-sensors and, for the
bytes, https://docs.ruuvi.com/communication/bluetooth-advertisements/data-format-5-rawv2. A gateway that
decodes by itself sends `temperature`, `humidity`, `pressure` and `voltage` as numbers. A tag is named by its
address.
"""

from struct import Struct
from typing import Any

from ecc_listener.readings.build import About, build
from ecc_listener.readings.json_text import number, read_object
from ecc_listener.readings.reading import NotAReading, Reading
from ecc_listener.readings.topics import Topic

_MANUFACTURER = "FF9904"
"""The Bluetooth SIG's number of Ruuvi, 0x0499, in the manufacturer's part of an advertisement."""
_FORMAT_5 = Struct(">BhHHhhhHBH6s")
_NO_TEMPERATURE, _NO_VALUE, _NO_VOLTAGE = -0x8000, 0xFFFF, 0x7FF


def decode(topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return the reading in one advertisement; nothing for a message that has none.

    Raises:
        NotAReading: it is no JSON object, or the advertisement can't be read.

    """
    message = read_object(payload)
    tag = message.get("id") or message.get("mac") or topic.levels[-1]
    if not isinstance(tag, str):
        raise NotAReading("the tag's address is not a text")
    data = message.get("data")
    found = _advertised(data) if isinstance(data, str) else _decoded(message)
    if (rssi_dbm := number(message.get("rssi"))) is not None:
        found["rssi_dbm"] = rssi_dbm
    return build(tag, found, About(mac=tag))


def _advertised(data: str) -> dict[str, float]:
    """Return the numbers in the hexadecimal bytes of an advertisement; none if it is no RuuviTag's."""
    _, _, hexadecimal = data.upper().partition(_MANUFACTURER)
    try:
        raw = bytes.fromhex(hexadecimal)
    except ValueError:
        raise NotAReading("the advertisement is not hexadecimal") from None
    if not raw or raw[0] != 5:  # noqa: PLR2004 - the number of the format
        return {}
    if len(raw) < _FORMAT_5.size:
        raise NotAReading(f"the advertisement has {len(raw)} bytes; format 5 has {_FORMAT_5.size}")
    _, temperature, humidity, pressure, *_, power, _, _, _ = _FORMAT_5.unpack_from(raw)
    found: dict[str, float] = {}
    if temperature != _NO_TEMPERATURE:
        found["temperature_c"] = temperature * 0.005
    if humidity != _NO_VALUE:
        found["humidity_percent"] = humidity * 0.0025
    if pressure != _NO_VALUE:
        found["pressure_hpa"] = (pressure + 50_000) / 100
    if power >> 5 != _NO_VOLTAGE:
        found["battery_v"] = ((power >> 5) + 1600) / 1000
    return found


def _decoded(message: dict[str, Any]) -> dict[str, float]:
    names = {
        "temperature": ("temperature_c", 1.0),
        "humidity": ("humidity_percent", 1.0),
        "pressure": ("pressure_hpa", 0.01),
        "voltage": ("battery_v", 1.0),
    }
    return {
        quantity: value * factor
        for name, (quantity, factor) in names.items()
        if (value := number(message.get(name))) is not None
    }
