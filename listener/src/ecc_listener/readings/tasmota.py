"""The decoder of Tasmota. Pure.

A device publishes its probes every five minutes on `tele/DEVICE/SENSOR`, or on the full topic that is set::

    {"Time":"2026-03-01T12:00:00","AM2301":{"Temperature":21.8,"Humidity":54.7,"DewPoint":12.3},
     "DS18B20-1":{"Id":"01131B123456","Temperature":19.6},"TempUnit":"C"}

Each probe is a sensor of its own, named after device and probe: a device may get another probe at any time.
Source: https://tasmota.github.io/docs/MQTT/ and https://tasmota.github.io/docs/Sensors/. What is on `STATE`,
`LWT` and other topics is not a reading, and neither is the energy that a plug measures.
"""

from collections.abc import Iterator
from typing import Any

from ecc_listener.readings.build import About, build
from ecc_listener.readings.json_text import number, read_object
from ecc_listener.readings.reading import NotAReading, Reading
from ecc_listener.readings.topics import Topic

_NAMES = {
    "Humidity": "humidity_percent",
    "Pressure": "pressure_hpa",
    "CarbonDioxide": "co2_ppm",
    "Illuminance": "illuminance_lx",
    "TVOC": "voc_ppb",
    "PM1": "pm1_ug_m3",
    "PM2.5": "pm2_5_ug_m3",
    "PM10": "pm10_ug_m3",
    "Battery": "battery_percent",
    "BatteryPercentage": "battery_percent",
    "BatteryVoltage": "battery_v",
    "RSSI": "rssi_dbm",
    "LinkQuality": "linkquality_lqi",
}
_OTHERS = {"ENERGY", "ESP32", "COUNTER", "ANALOG"}
"""The chip's own temperature and what is no probe of a room."""
_HPA = {"hPa": 1.0, "mmHg": 1.333224, "inHg": 33.86389}
_PREFIXES = {"tele", "stat", "SENSOR"}


def decode(topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return one reading for each probe.

    Raises:
        NotAReading: it is no JSON object, or all that the probes measured is impossible.

    """
    if topic.levels[-1] != "SENSOR":
        return ()
    device = "/".join(level for level in topic.levels if level not in _PREFIXES)
    message = read_object(payload)
    unit = "f" if message.get("TempUnit", "C") == "F" else "c"
    hpa = _HPA.get(str(message.get("PressureUnit", "hPa")), 1.0)
    readings: list[Reading] = []
    refusal: NotAReading | None = None
    for name, mac, probe in _probes(device, message):
        try:
            readings += build(name, dict(_numbers(probe, unit, hpa)), About(mac=mac))
        except NotAReading as error:
            refusal = error
    if refusal and not readings:
        raise refusal
    return tuple(readings)


def _probes(device: str, message: dict[str, Any]) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Yield name, MAC address and values of each probe; Zigbee devices are one level further down."""
    for key, probe in message.items():
        if not isinstance(probe, dict) or key in _OTHERS:
            continue
        if key == "ZbReceived":
            for address, found in probe.items():
                if isinstance(found, dict):
                    yield str(found.get("Name") or f"{device} {address}"), None, found
        else:
            mac = probe.get("mac")
            yield f"{device} {key}", mac if isinstance(mac, str) else None, probe


def _numbers(probe: dict[str, Any], unit: str, hpa: float) -> Iterator[tuple[str, float]]:
    for name, value in probe.items():
        measured = number(value)
        if measured is None or name in {"Id", "Address"}:
            continue
        if name == "Temperature":
            yield f"temperature_{unit}", measured
        elif name == "DewPoint":
            yield "dew_point_f", measured if unit == "f" else measured * 1.8 + 32
        elif name == "Pressure":
            yield "pressure_hpa", measured * hpa
        elif name != "SeaPressure":
            yield _NAMES.get(name, name), measured
