"""The messages that make a sensor a device with entities in Home Assistant. Pure.

One message describes the device with all its entities (device discovery, since Home Assistant 2024.12), one
has its values, and one says whether it can be reached. Device classes and their units:
https://www.home-assistant.io/integrations/sensor/#device-class
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2s
from typing import Any, NamedTuple

from ecc_listener import __version__
from ecc_listener.readings.quantities import KNOWN, YES_NO
from ecc_listener.readings.reading import Reading
from ecc_listener.readings.topics import OWN_TOPIC

STATUS_TOPIC = f"{OWN_TOPIC}/status"
ONLINE, OFFLINE = b"online", b"offline"
_MAX_SLUG = 40
_MAX_ENTITIES = 32


class Entity(NamedTuple):
    """One value of a device; `key` is its name in the state."""

    key: str
    name: str
    device_class: str | None = None
    unit: str | None = None
    is_diagnostic: bool = False
    is_yes_no: bool = False


_QUANTITIES = (
    Entity("dew_point_f", "Dew point", "temperature", "°F"),
    Entity("temperature_f", "Temperature", "temperature", "°F"),
    Entity("humidity_percent", "Humidity", "humidity", "%"),
    Entity("battery_v", "Battery voltage", "voltage", "V", is_diagnostic=True),
    Entity("battery_percent", "Battery", "battery", "%", is_diagnostic=True),
    Entity("rssi_dbm", "Signal", "signal_strength", "dBm", is_diagnostic=True),
)
"""In the order of a reading."""
_CLASSES = {
    "pressure_hpa": "atmospheric_pressure",
    "co2_ppm": "carbon_dioxide",
    "voc_ppb": "volatile_organic_compounds_parts",
    "pm1_ug_m3": "pm1",
    "pm2_5_ug_m3": "pm25",
    "pm10_ug_m3": "pm10",
    "illuminance_lx": "illuminance",
    "soil_moisture_percent": "moisture",
    "water_leak": "moisture",
    "contact_closed": "opening",
}
_INVERTED = {"contact_closed"}
"""Home Assistant calls an opening on when it is open."""


def object_id(name: str) -> str:
    """Return a name for topics: readable, without anything special in it, and different for each sensor."""
    readable = "".join(one if one.isascii() and one.isalnum() else "_" for one in name.lower())[:_MAX_SLUG]
    return f"{readable}_{blake2s(name.encode(errors='replace'), digest_size=5).hexdigest()}"


def config_topic(prefix: str, name: str) -> str:
    """Return the topic of a device's description."""
    return f"{prefix}/device/{object_id(name)}/config"


def state_topic(name: str) -> str:
    """Return the topic of a device's values."""
    return f"{OWN_TOPIC}/{object_id(name)}/state"


def availability_topic(name: str) -> str:
    """Return the topic that says whether a device can be reached."""
    return f"{OWN_TOPIC}/{object_id(name)}/availability"


def entities(reading: Reading, names: Mapping[str, tuple[str, str]]) -> list[Entity]:
    """Return what a sensor has; `names` are those (label, unit) that the limits file gives to fields.

    Further numbers without a name are left out, as on the page.
    """
    found = [
        one for one, value in zip(_QUANTITIES, reading[: len(_QUANTITIES)], strict=True) if value is not None
    ]
    for field, _ in reading.values:
        known = KNOWN.get(field)
        given = names.get(field.lower())
        if given or known:
            label, unit = given or (known.label, known.unit) if known else given or ("", "")
            is_yes_no = known is not None and known.unit == YES_NO
            # A unit that somebody invented may not belong to the class.
            device_class = _CLASSES.get(field) if known and (not given or unit == known.unit) else None
            found.append(
                Entity(field, label, device_class, None if is_yes_no else unit or None, is_yes_no=is_yes_no)
            )
    return found[:_MAX_ENTITIES]


def config(reading: Reading, found: Iterable[Entity]) -> bytes:
    """Return the description of a device."""
    name = reading.sensor_name
    own = object_id(name)
    device: dict[str, Any] = {"ids": [f"ecc_{own}"], "name": (reading.location or "").strip() or name}
    device |= {"mf": "ECC MQTT IoT Listener", "mdl": name}
    if reading.software_version:
        device["sw"] = reading.software_version
    return _json(
        {
            "dev": device,
            "o": {"name": "ECC MQTT IoT Listener", "sw": __version__},
            "cmps": {_key(one): _component(one, own) for one in found},
            "stat_t": state_topic(name),
            "avty": [{"t": STATUS_TOPIC}, {"t": availability_topic(name)}],
            "avty_mode": "all",
        }
    )


def state(reading: Reading) -> bytes:
    """Return the values of a device; a field may have any name, so each has its key."""
    values: dict[str, object] = {
        one.key: value for one, value in zip(_QUANTITIES, reading[: len(_QUANTITIES)], strict=True)
    }
    if reading.battery_percent is not None:
        # A fresh or an empty cell overshoots the straight line by which it is calculated.
        values["battery_percent"] = min(100.0, max(0.0, reading.battery_percent))
    values |= {_key_of(field): value for field, value in reading.values}
    return _json({key: round(one, 4) if isinstance(one, float) else one for key, one in values.items()})


def _component(one: Entity, own: str) -> dict[str, Any]:
    value = f"value_json.{_key(one)}"
    component: dict[str, Any] = {
        "p": "binary_sensor" if one.is_yes_no else "sensor",
        "name": one.name,
        "uniq_id": f"ecc_{own}_{_key(one)}",
        "val_tpl": f"{{{{ {value} }}}}",
    }
    if one.is_yes_no:
        yes, no = ("OFF", "ON") if one.key in _INVERTED else ("ON", "OFF")
        component["val_tpl"] = f"{{{{ '{yes}' if {value} else '{no}' }}}}"
    else:
        component["stat_cla"] = "measurement"
    if one.device_class:
        component["dev_cla"] = one.device_class
    if one.unit:
        component["unit_of_meas"] = one.unit
    if one.is_diagnostic:
        component["ent_cat"] = "diagnostic"
    return component


def _key(one: Entity) -> str:
    return one.key if one in _QUANTITIES else _key_of(one.key)


def _key_of(field: str) -> str:
    """Return a further number's key: templates must not contain what a sensor invents."""
    return field if field in KNOWN else f"field_{object_id(field)}"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
