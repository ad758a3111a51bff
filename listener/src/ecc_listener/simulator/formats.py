"""What other makers' devices publish, for the same reading: the simulated sensors can speak each format.

Whatever is no reading (a sensor may misbehave) is published as it is, on the first topic of the format.
"""

import json
from collections.abc import Callable
from struct import pack

from ecc_listener.readings.form import decode
from ecc_listener.readings.reading import NotAReading, Reading

Messages = list[tuple[str, bytes]]
"""Topics and payloads."""


def messages(name: str, topic: str, payload: bytes) -> Messages:
    """Return what a device of a format publishes in place of a payload of form fields on a topic."""
    if name == FORM:
        return [(topic, payload)]
    try:
        reading = decode(payload)
    except NotAReading:
        return [(FORMATS[name](_NOBODY)[0][0], payload)]
    return FORMATS[name](reading)


def _celsius(temperature_f: float | None) -> float | None:
    return None if temperature_f is None else round((temperature_f - 32) / 1.8, 2)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _zigbee2mqtt(one: Reading) -> Messages:
    values = {
        "battery": None if one.battery_percent is None else max(0, min(100, round(one.battery_percent))),
        "humidity": one.humidity_percent,
        "linkquality": max(0, min(255, 3 * (100 + (one.rssi_dbm or -60)))),
        "temperature": _celsius(one.temperature_f),
        "voltage": None if one.battery_v is None else round(one.battery_v * 1000),
    }
    return [(f"zigbee2mqtt/{one.sensor_name}", _json(values))]


def _tasmota(one: Reading) -> Messages:
    probe = {"Temperature": _celsius(one.temperature_f), "Humidity": one.humidity_percent}
    return [(f"tele/{one.sensor_name}/SENSOR", _json({"SHT3X": probe, "TempUnit": "C"}))]


def _shelly(one: Reading) -> Messages:
    params = {
        "devicepower:0": {"id": 0, "battery": {"V": one.battery_v, "percent": one.battery_percent}},
        "humidity:0": {"id": 0, "rh": one.humidity_percent},
        "temperature:0": {"id": 0, "tC": _celsius(one.temperature_f), "tF": one.temperature_f},
        "wifi": {"rssi": one.rssi_dbm},
    }
    message = {"src": one.sensor_name, "method": "NotifyFullStatus", "params": params}
    return [(f"{one.sensor_name}/events/rpc", _json(message))]


def _shelly1(one: Reading) -> Messages:
    base = f"shellies/{one.sensor_name}/sensor"
    return _single(
        (f"{base}/temperature", _celsius(one.temperature_f)),
        (f"{base}/humidity", one.humidity_percent),
        (f"{base}/battery", one.battery_percent),
    )


def _esphome(one: Reading) -> Messages:
    base = f"{one.sensor_name}/sensor"
    return _single(
        (f"{base}/temperature/state", _celsius(one.temperature_f)),
        (f"{base}/humidity/state", one.humidity_percent),
        (f"{base}/wifi_signal/state", one.rssi_dbm),
    )


def _statestream(one: Reading) -> Messages:
    base = f"homeassistant/sensor/{one.sensor_name}"
    return _single(
        (f"{base}_temperature/state", _celsius(one.temperature_f)),
        (f"{base}_humidity/state", one.humidity_percent),
        (f"{base}_battery/state", one.battery_percent),
    )


def _single(*values: tuple[str, float | None]) -> Messages:
    return [(topic, str("nan" if value is None else value).encode()) for topic, value in values]


def _theengs(one: Reading) -> Messages:
    values = {
        "id": one.sensor_name,
        "rssi": one.rssi_dbm,
        "tempc": _celsius(one.temperature_f),
        "tempf": one.temperature_f,
        "hum": one.humidity_percent,
        "batt": one.battery_percent,
        "volt": one.battery_v,
    }
    return [(f"home/gateway/BTtoMQTT/{one.sensor_name}", _json(values))]


def _ruuvi(one: Reading) -> Messages:
    temperature_c = _celsius(one.temperature_f)
    temperature = -0x8000 if temperature_c is None else round(temperature_c / 0.005)
    humidity = 0xFFFF if one.humidity_percent is None else round(one.humidity_percent / 0.0025)
    # Only the voltages of its own cell have a place.
    volts = 0x7FF if one.battery_v is None else max(0, min(0x7FE, round(one.battery_v * 1000) - 1600))
    data = pack(">BhHHhhhHBH6s", 5, temperature, humidity, 51_325, 0, 0, 1000, volts << 5, 0, 1, bytes(6))
    message = {
        "gw_mac": "C8:25:2D:8E:9C:2C",
        "rssi": one.rssi_dbm,
        "data": f"0201061BFF9904{data.hex().upper()}",
    }
    return [(f"ruuvi/gateway/{one.sensor_name}", _json(message))]


FORM = "form"
_NOBODY = Reading(None, None, None, None, None, None, "ECCTH00", None, None, None)
FORMATS: dict[str, Callable[[Reading], Messages]] = {
    "zigbee2mqtt": _zigbee2mqtt,
    "tasmota": _tasmota,
    "shelly": _shelly,
    "shelly1": _shelly1,
    "esphome": _esphome,
    "statestream": _statestream,
    "theengs": _theengs,
    "ruuvi": _ruuvi,
}
"""By the names that `mqtt_topics` uses."""
TOPICS = {
    FORM: "ECCTempHum",
    "zigbee2mqtt": "zigbee2mqtt/#",
    "tasmota": "tele/+/SENSOR",
    "shelly": "+/events/rpc",
    "shelly1": "shellies/#",
    "esphome": "+/sensor/+/state",
    "statestream": "homeassistant/#",
    "theengs": "home/+/BTtoMQTT/+",
    "ruuvi": "ruuvi/#",
}
"""What a listener subscribes to for each format."""
