"""What Home Assistant is sent, without a broker; `test_bridge` has one."""

import json
import re
from typing import Any

import pytest

from ecc_listener.home_assistant import discovery
from ecc_listener.readings.form import decode
from ecc_listener.readings.quantities import KNOWN
from ecc_listener.readings.reading import Reading
from support.brokers import OFFICE

READING = decode(OFFICE)
ALL = READING._replace(values=tuple((field, 1.0) for field in KNOWN))
NAMES = (
    "ECCTH01", "Küche / oben", "+", "#", "$SYS/x", "", "a" * 500, "🔔", "{{ 7*7 }}", "a\0b", "eccth01",
    "../x",
)  # fmt: skip
UNITS: dict[object, set[object]] = {
    "temperature": {"°F"}, "humidity": {"%"}, "battery": {"%"}, "voltage": {"V"}, "signal_strength": {"dBm"},
    "atmospheric_pressure": {"hPa"}, "carbon_dioxide": {"ppm"}, "volatile_organic_compounds_parts": {"ppb"},
    "pm1": {"µg/m³"}, "pm25": {"µg/m³"}, "pm10": {"µg/m³"}, "illuminance": {"lx"}, "moisture": {"%", None},
    "opening": {None},
}  # fmt: skip
"""Device classes of https://www.home-assistant.io/integrations/sensor/#device-class, each with our units."""
_KEYS = {"p", "name", "uniq_id", "val_tpl", "stat_cla", "dev_cla", "unit_of_meas", "ent_cat"}


def described(reading: Reading, names: dict[str, tuple[str, str]] | None = None) -> Any:  # noqa: ANN401 - JSON
    return json.loads(discovery.config(reading, discovery.entities(reading, names or {})))


def test_a_device_with_all_its_entities() -> None:
    device = described(READING)
    assert device["dev"]["name"] == "Office"
    assert device["dev"]["mdl"] == "ECCTH01"
    assert device["o"]["name"] == "ECC MQTT IoT Listener"
    assert device["cmps"]["temperature_f"] == {
        "p": "sensor",
        "name": "Temperature",
        "uniq_id": f"ecc_{discovery.object_id('ECCTH01')}_temperature_f",
        "val_tpl": "{{ value_json.temperature_f }}",
        "stat_cla": "measurement",
        "dev_cla": "temperature",
        "unit_of_meas": "°F",
    }
    assert [*device["cmps"]] == [
        "dew_point_f", "temperature_f", "humidity_percent", "battery_v", "battery_percent", "rssi_dbm",
    ]  # fmt: skip
    assert device["avty"] == [{"t": "ecc-listener/status"}, {"t": discovery.availability_topic("ECCTH01")}]
    assert json.loads(discovery.state(READING))["temperature_f"] == 73.45


def test_every_entity_is_one_that_home_assistant_takes() -> None:
    components = described(ALL)["cmps"].values()
    assert len(components) == 6 + len(KNOWN)
    for one in components:
        assert one.keys() <= _KEYS
        assert one["p"] in {"sensor", "binary_sensor"}
        if one.get("dev_cla"):
            assert one.get("unit_of_meas") in UNITS[one["dev_cla"]], one
        assert ("stat_cla" in one) == (one["p"] == "sensor")
    assert len({one["uniq_id"] for one in components}) == len(components)


def test_what_a_sensor_lacks_is_no_entity() -> None:
    bare = READING._replace(humidity_percent=None, battery_v=None, battery_percent=None, rssi_dbm=None)
    assert [*described(bare)["cmps"]] == ["dew_point_f", "temperature_f"]
    assert json.loads(discovery.state(bare))["humidity_percent"] is None


def test_further_numbers_have_the_names_of_the_limits_file() -> None:
    reading = READING._replace(values=(("field11", 3.5), ("co2_ppm", 800.0), ("nobody", 1.0)))
    components = described(reading, {"field11": ("Wind", "m/s"), "co2_ppm": ("Air", "%o")})["cmps"]
    [wind] = [one for one in components.values() if one["name"] == "Wind"]
    assert wind["unit_of_meas"] == "m/s"
    assert "dev_cla" not in wind
    # A unit of somebody's own doesn't go with the class.
    assert components["co2_ppm"]["name"] == "Air"
    assert "dev_cla" not in components["co2_ppm"]
    assert len(components) == 8
    state = json.loads(discovery.state(reading))
    key = re.fullmatch(r"\{\{ value_json\.(\w+) \}\}", wind["val_tpl"])
    assert key
    assert state[key[1]] == 3.5


def test_an_open_door_is_on_and_so_is_a_leak() -> None:
    components = described(READING._replace(values=(("contact_closed", 1.0), ("water_leak", 1.0))))["cmps"]
    assert components["contact_closed"]["val_tpl"] == "{{ 'OFF' if value_json.contact_closed else 'ON' }}"
    assert components["water_leak"]["val_tpl"] == "{{ 'ON' if value_json.water_leak else 'OFF' }}"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_from_the_network_is_harmless_in_topics_and_templates(name: str) -> None:
    reading = READING._replace(sensor_name=name, location=None, values=((name or "x", 1.0),))
    topics = [
        discovery.config_topic("homeassistant", name),
        discovery.state_topic(name),
        discovery.availability_topic(name),
    ]
    assert all(re.fullmatch(r"[a-z0-9_/-]{1,120}", topic) for topic in topics)
    # https://www.home-assistant.io/integrations/mqtt/#discovery-topic
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topics[0])
    for one in described(reading, {(name or "x").lower(): ("A number", "")})["cmps"].values():
        assert re.fullmatch(r"\{\{ value_json\.\w+ \}\}", one["val_tpl"])
        assert re.fullmatch(r"[a-z0-9_]+", one["uniq_id"])


def test_each_name_has_its_own_topics() -> None:
    assert len({discovery.object_id(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize(("sent", "shown"), [(104.2, 100.0), (-3.0, 0.0), (93.5, 93.5)])
def test_a_battery_is_between_empty_and_full(sent: float, shown: float) -> None:
    assert json.loads(discovery.state(READING._replace(battery_percent=sent)))["battery_percent"] == shown
