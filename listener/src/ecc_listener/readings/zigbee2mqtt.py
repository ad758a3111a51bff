"""The decoder of Zigbee2MQTT. Pure.

Each device has the topic `zigbee2mqtt/FRIENDLY_NAME`, and publishes an object with everything that is known::

    {"battery":87,"humidity":45.32,"linkquality":105,"pressure":1002.1,"temperature":21.74,"voltage":2985}

Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html, and the pages of the devices for
the units: °C, %, hPa, lx, mV for batteries. A friendly name may have slashes. What the bridge says about
itself, availability and commands are not readings.
"""

from ecc_listener.readings.build import build
from ecc_listener.readings.json_text import number, read_object
from ecc_listener.readings.reading import Reading
from ecc_listener.readings.topics import Topic

_NAMES = {
    "temperature": "temperature_c",
    "humidity": "humidity_percent",
    "battery": "battery_percent",
    "pressure": "pressure_hpa",
    "co2": "co2_ppm",
    "voc": "voc_ppb",
    "voc_index": "voc_index",
    "formaldehyd": "formaldehyde_mg_m3",
    "pm1": "pm1_ug_m3",
    "pm25": "pm2_5_ug_m3",
    "pm10": "pm10_ug_m3",
    "illuminance": "illuminance_lx",
    "illuminance_lux": "illuminance_lx",
    "soil_moisture": "soil_moisture_percent",
    "linkquality": "linkquality_lqi",
}
_SWITCHES = {"water_leak": "water_leak", "contact": "contact_closed"}
_OTHERS = {"availability", "set", "get"}
_LEAST_MV = 100
"""A battery's `voltage` is in mV; that of a plug is in V."""


def is_available(payload: bytes) -> bool | None:
    """Return what a message on `zigbee2mqtt/FRIENDLY_NAME/availability` says; None if it says nothing.

    It is `{"state":"online"}`, or in older versions just the word. Source:
    https://www.zigbee2mqtt.io/guide/configuration/device-availability.html
    """
    text = payload.strip()
    try:
        state = read_object(text).get("state") if text.startswith(b"{") else text.decode()
    except ValueError:
        return None
    return {"online": True, "offline": False}.get(state) if isinstance(state, str) else None


def decode(topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return the reading of a device; nothing for a device that measures nothing in a room.

    Raises:
        NotAReading: it is no JSON object, or all that it measured is impossible.

    """
    levels = topic.below
    # Nothing at all is how a retained message is deleted.
    if levels[0] == "bridge" or levels[-1] in _OTHERS or not payload:
        return ()
    found: dict[str, float] = {}
    for name, value in read_object(payload).items():
        if value.__class__ is bool:
            if name in _SWITCHES:
                found[_SWITCHES[name]] = float(value)
        elif (measured := number(value)) is not None:
            found[_NAMES.get(name, name)] = measured
    if found.get("voltage", 0) >= _LEAST_MV:
        found["battery_v"] = found.pop("voltage") / 1000
    return build("/".join(levels), found, is_on_change=True)
