"""Decoders of devices that publish each quantity on a topic of its own. Pure.

ESPHome: `DEVICE/sensor/OBJECT/state`, the object named by the user, such as `living_room_temperature`; the
payload is the number, or `nan` while it is unknown. Source: https://esphome.io/components/mqtt and
https://esphome.io/components/sensor/.

Home Assistant's MQTT Statestream: `BASE/sensor/OBJECT/state`, where the object is that of the entity's id.
Source: https://www.home-assistant.io/integrations/mqtt_statestream/.

Shelly devices of the first generation: `shellies/DEVICE/sensor/temperature`, and `ext_temperature/0` for the
probes of an add-on. Source: https://shelly-api-docs.shelly.cloud/gen1/#shelly-h-amp-t-mqtt and
https://shelly-api-docs.shelly.cloud/gen1/#shelly1-1pm-mqtt.

Parts that come within a short time become one row, in `storage`.
"""

from ecc_listener.readings.build import build, fahrenheit
from ecc_listener.readings.json_text import number
from ecc_listener.readings.reading import NotAReading, Reading
from ecc_listener.readings.topics import Topic

_QUANTITIES = {
    "temperature": "temperature",
    "temp": "temperature",
    "humidity": "humidity_percent",
    "dew_point": "dew_point",
    "dewpoint": "dew_point",
    "battery_voltage": "battery_v",
    "battery_level": "battery_percent",
    "battery": "battery_percent",
    "wifi_signal": "rssi_dbm",
    "rssi": "rssi_dbm",
    "pressure": "pressure_hpa",
    "co2": "co2_ppm",
    "carbon_dioxide": "co2_ppm",
    "illuminance": "illuminance_lx",
    "pm_1_0": "pm1_ug_m3",
    "pm_2_5": "pm2_5_ug_m3",
    "pm25": "pm2_5_ug_m3",
    "pm_10_0": "pm10_ug_m3",
    "pm10": "pm10_ug_m3",
    "soil_moisture": "soil_moisture_percent",
}
_UNKNOWN = {"nan", "unknown", "unavailable", "none", ""}
_MAX_BYTES = 100
_ENTITY_LEVELS = 4
_SHELLY = {
    ("sensor", "temperature"): "temperature",
    ("sensor", "humidity"): "humidity_percent",
    ("sensor", "battery"): "battery_percent",
    ("sensor", "lux"): "illuminance_lx",
}
_SHELLY_PROBES = {"ext_temperature": "temperature", "ext_humidity": "humidity_percent"}
_SHELLY_LEVELS, _PROBE_LEVELS = 4, 3


def decode_esphome(topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return the part of a reading in one state of ESPHome.

    Raises:
        NotAReading: it is not a number, or an impossible one.

    """
    *device, domain, name, kind = topic.levels if len(topic.levels) >= _ENTITY_LEVELS else ("", "", "", "")
    if (domain, kind) != ("sensor", "state"):
        return ()
    return _entity("/".join(device), name, payload, topic)


def decode_statestream(topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return the part of a reading in one state of Home Assistant.

    Raises:
        NotAReading: it is not a number, or an impossible one.

    """
    if len(topic.levels) < _ENTITY_LEVELS or topic.levels[-3] != "sensor" or topic.levels[-1] != "state":
        return ()
    return _entity("", topic.levels[-2], payload, topic)


def decode_shelly1(topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return the part of a reading in one value of a Shelly of the first generation.

    Raises:
        NotAReading: it is not a number, or an impossible one.

    """
    levels = topic.levels
    if len(levels) != _SHELLY_LEVELS:
        return ()
    _, device, kind, last = levels
    if quantity := _SHELLY.get((kind, last)):
        return _part(device, quantity, payload, topic)
    if quantity := _SHELLY_PROBES.get(kind):
        return _part(f"{device} {last}", quantity, payload, topic)
    return ()


def _entity(device: str, name: str, payload: bytes, topic: Topic) -> tuple[Reading, ...]:
    """Return the part of an entity, whose name ends with its quantity; what comes before is the sensor's."""
    for ending, quantity in _QUANTITIES.items():
        if name == ending or name.endswith(f"_{ending}"):
            sensor = f"{device} {name[: -len(ending)].rstrip('_')}".strip()
            return _part(sensor or name, quantity, payload, topic)
    return ()


def _part(sensor: str, quantity: str, payload: bytes, topic: Topic) -> tuple[Reading, ...]:
    text = payload[:_MAX_BYTES].decode(errors="replace").strip()
    if text.lower() in _UNKNOWN:
        return ()
    value = number(text) if len(payload) <= _MAX_BYTES else None
    if value is None:
        raise NotAReading(f"{text[:40]!r} is not a number")
    if quantity == "temperature":
        quantity = "temperature_f" if topic.is_fahrenheit else "temperature_c"
    elif quantity == "dew_point":
        quantity, value = "dew_point_f", value if topic.is_fahrenheit else fahrenheit(value)
    return build(sensor, {quantity: value}, is_part=True)
