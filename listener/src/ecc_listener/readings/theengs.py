"""The decoder of Bluetooth gateways: OpenMQTTGateway and Theengs Gateway. Pure.

A gateway publishes each advertisement on `home/GATEWAY/BTtoMQTT/ADDRESS`::

    {"id":"A4:C1:38:11:22:33","rssi":-64,"brand":"Xiaomi","model":"TH Sensor","model_id":"LYWSD03MMC_ATC",
     "tempc":22.3,"tempf":72.14,"hum":45,"batt":80,"volt":2.98}

Source: https://decoder.theengs.io/use/include.html and the properties at
https://decoder.theengs.io/devices/devices_by_brand.html. A device is named by its address: it has no other
name that stays the same. Beacons and phones measure nothing, and are passed over.
"""

from ecc_listener.readings.build import About, build, fahrenheit
from ecc_listener.readings.json_text import number, read_object
from ecc_listener.readings.reading import NotAReading, Reading
from ecc_listener.readings.topics import Topic

_NAMES = {
    "tempc": "temperature_c",
    "hum": "humidity_percent",
    "batt": "battery_percent",
    "volt": "battery_v",
    "rssi": "rssi_dbm",
    "pres": "pressure_hpa",
    "co2": "co2_ppm",
    "lux": "illuminance_lx",
    "pm25": "pm2_5_ug_m3",
    "pm10": "pm10_ug_m3",
    "for": "formaldehyde_mg_m3",
    "moi": "soil_moisture_percent",
}


def decode(_topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return the reading in one advertisement; nothing for a device that measures nothing in a room.

    Raises:
        NotAReading: it is no JSON object, or all that was measured is impossible.

    """
    message = read_object(payload)
    found: dict[str, float] = {}
    for name, quantity in _NAMES.items():
        if name in message and (value := number(message[name])) is not None:
            found[quantity] = value
    if "tempc" not in message and (value := number(message.get("tempf"))) is not None:
        found["temperature_f"] = value
    if (dew_point_c := number(message.get("dewp"))) is not None:
        found["dew_point_f"] = fahrenheit(dew_point_c)
    address = message.get("id")
    if not isinstance(address, str) or not address:
        if "temperature_c" in found or "temperature_f" in found:
            raise NotAReading("the sensor has no address: the field id is missing")
        return ()
    return build(address, found, About(mac=address))
