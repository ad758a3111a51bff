"""Every format but the form: samples as the makers document them, and what must not become a reading."""

import json
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecc_listener.readings.formats import FORMATS, Decoder, parse, usual_format
from ecc_listener.readings.json_mapping import read_mappings
from ecc_listener.readings.reading import NotAReading, OtherNameError, Reading
from ecc_listener.readings.topics import matches
from support.brokers import OFFICE

TOPICS = (
    *("ECCTempHum", "zigbee2mqtt/#", "tele/+/SENSOR", "shellies/#", "+/events/rpc", "+/status/+"),
    *("homeassistant/#", "home/+/BTtoMQTT/+", "ruuvi/#", "+/sensor/+/state"),
)
DECODER = Decoder(TOPICS)
RUUVI = "0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"


def celsius(reading: Reading) -> float:
    assert reading.temperature_f is not None
    return (reading.temperature_f - 32) / 1.8


def only(topic: str, payload: bytes | str | dict[str, object]) -> Reading:
    text = json.dumps(payload) if isinstance(payload, dict) else payload
    (reading,) = DECODER.decode(topic, text.encode() if isinstance(text, str) else text)
    return reading


def test_form_fields_are_what_any_other_topic_carries() -> None:
    assert only("ECCTempHum", OFFICE).sensor_name == "ECCTH01"
    assert Decoder(["attic/#"]).decode("attic/x", OFFICE)[0].sensor_name == "ECCTH01"


def test_zigbee2mqtt() -> None:
    payload = {
        "battery": 87,
        "humidity": 45.32,
        "linkquality": 105,
        "pressure": 1002.1,
        "temperature": 21.74,
        "voltage": 2985,
        "last_seen": "2026-03-01T12:00:00+01:00",
        "power_outage_count": 12,
    }
    reading = only("zigbee2mqtt/Küche/Süd 🌡", payload)
    assert (reading.sensor_name, reading.location, reading.is_part) == ("Küche/Süd 🌡", None, False)
    assert isclose(celsius(reading), 21.74, abs_tol=1e-12)
    assert (reading.humidity_percent, reading.battery_v, reading.battery_percent) == (45.32, 2.985, 87)
    assert reading.rssi_dbm is None
    assert dict(reading.values) == {"linkquality_lqi": 105, "pressure_hpa": 1002.1, "power_outage_count": 12}
    assert reading.faults == ()
    # Magnus, as tables of the dew point give it for 21.7 °C and 45 %.
    assert reading.dew_point_f is not None
    assert isclose((reading.dew_point_f - 32) / 1.8, 9.36, abs_tol=0.05)


def test_a_contact_and_a_leak_are_numbers_and_a_lamp_is_no_sensor() -> None:
    door = only("zigbee2mqtt/door", {"contact": True, "battery": 100, "voltage": 3000})
    assert (door.temperature_f, door.humidity_percent, door.battery_v) == (None, None, 3.0)
    assert door.values == (("contact_closed", 1.0),)
    assert only("zigbee2mqtt/cellar", {"water_leak": False}).values == (("water_leak", 0.0),)
    for nothing in (
        {"state": "ON", "brightness": 200, "linkquality": 80},
        {"power": 12.5, "voltage": 231, "state": "ON"},
        {"temperature": None, "humidity": None},
        {},
    ):
        assert DECODER.decode("zigbee2mqtt/lamp", json.dumps(nothing).encode()) == ()


def test_tasmota_has_a_sensor_for_each_probe() -> None:
    payload = {
        "Time": "2026-03-01T12:00:00",
        "AM2301": {"Temperature": 21.8, "Humidity": 54.7, "DewPoint": 12.3},
        "DS18B20-1": {"Id": "01131B123456", "Temperature": 19.6},
        "BME280": {
            "Temperature": 20.0,
            "Humidity": 50.0,
            "DewPoint": 9.3,
            "Pressure": 750.06,
            "SeaPressure": 9,
        },
        "ESP32": {"Temperature": 53.3},
        "ENERGY": {"Power": 11, "Voltage": 230},
        "PressureUnit": "mmHg",
        "TempUnit": "C",
    }
    readings = DECODER.decode("tele/attic/SENSOR", json.dumps(payload).encode())
    assert [one.sensor_name for one in readings] == ["attic AM2301", "attic DS18B20-1", "attic BME280"]
    first, second, third = readings
    assert isclose(celsius(first), 21.8)
    assert first.dew_point_f is not None
    assert isclose(first.dew_point_f, 54.14)
    assert (second.humidity_percent, second.dew_point_f, second.values) == (None, None, ())
    assert isclose(dict(third.values)["pressure_hpa"], 1000, abs_tol=0.01)
    hot = DECODER.decode("tele/x/SENSOR", b'{"DS18B20":{"Temperature":70.5},"TempUnit":"F"}')
    assert hot[0].temperature_f == 70.5


def test_tasmota_passes_on_what_its_zigbee_bridge_received() -> None:
    received = {"0x6B58": {"Device": "0x6B58", "Name": "Nave", "Temperature": 14.2, "LinkQuality": 47}}
    reading = only("tele/bridge/SENSOR", {"ZbReceived": received})
    assert (reading.sensor_name, reading.values) == ("Nave", (("linkquality_lqi", 47.0),))
    assert isclose(celsius(reading), 14.2)


def test_shelly_of_the_second_generation() -> None:
    params = {
        "ts": 1680962879.62,
        "devicepower:0": {"id": 0, "battery": {"V": 5.19, "percent": 83}, "external": {"present": False}},
        "humidity:0": {"id": 0, "rh": 58.7},
        "temperature:0": {"id": 0, "tC": 22.3, "tF": 72.1},
        "temperature:101": {"id": 101, "tC": 4.5, "tF": 40.1},
        "wifi": {"sta_ip": "192.0.2.4", "rssi": -57},
        "sys": {"mac": "08B61FCB1234", "uptime": 3},
    }
    payload = {"src": "shellyplusht-1", "method": "NotifyFullStatus", "params": params}
    room, probe = DECODER.decode("shellyplusht-1/events/rpc", json.dumps(payload).encode())
    assert (room.sensor_name, probe.sensor_name) == ("shellyplusht-1", "shellyplusht-1 101")
    assert (room.humidity_percent, room.battery_v, room.battery_percent, room.rssi_dbm) == (
        58.7,
        5.19,
        83,
        -57,
    )
    assert isclose(celsius(room), 22.3)
    assert isclose(celsius(probe), 4.5)
    assert room.is_part
    part = only("hall/status/humidity:0", {"id": 0, "rh": 40.5})
    assert (part.sensor_name, part.temperature_f, part.humidity_percent) == ("hall", None, 40.5)


@pytest.mark.parametrize(
    ("topic", "payload", "name", "field", "value"),
    [
        ("shellies/shellyht-1/sensor/temperature", "21.50", "shellyht-1", "temperature_f", 70.7),
        ("shellies/shellyht-1/sensor/humidity", "47.0", "shellyht-1", "humidity_percent", 47.0),
        ("shellies/shellyht-1/sensor/battery", "86", "shellyht-1", "battery_percent", 86.0),
        ("shellies/shelly1-2/ext_temperature/1", "35.75", "shelly1-2 1", "temperature_f", 96.35),
        ("attic/sensor/temperature/state", "21.5", "attic", "temperature_f", 70.7),
        ("attic/sensor/north_wall_humidity/state", "40.25", "attic north_wall", "humidity_percent", 40.25),
        ("attic/sensor/wifi_signal/state", "-61", "attic", "rssi_dbm", -61),
        ("attic/sensor/battery_voltage/state", "2.97", "attic", "battery_v", 2.97),
        ("homeassistant/sensor/office_temperature/state", "21.5", "office", "temperature_f", 70.7),
        ("homeassistant/sensor/office_humidity/state", "51", "office", "humidity_percent", 51.0),
    ],
)
def test_a_value_on_its_own_topic_is_a_part(
    topic: str, payload: str, name: str, field: str, value: float
) -> None:
    reading = only(topic, payload)
    assert (reading.sensor_name, reading.is_part) == (name, True)
    assert isclose(getattr(reading, field), value)
    assert [one for one in reading[:6] if one is not None] == [getattr(reading, field)]


def test_a_unit_is_chosen_with_the_format() -> None:
    decoder = Decoder(["+/sensor/+/state=esphome:F"])
    assert decoder.decode("attic/sensor/temperature/state", b"70.5")[0].temperature_f == 70.5


def test_bluetooth_gateways() -> None:
    payload = {
        "id": "A4:C1:38:11:22:33",
        "rssi": -64,
        "brand": "Xiaomi",
        "model_id": "LYWSD03MMC_ATC",
        "tempc": 22.3,
        "tempf": 72.14,
        "hum": 45,
        "batt": 80,
        "volt": 2.98,
    }
    reading = only("home/OpenMQTTGateway/BTtoMQTT/A4C138112233", payload)
    assert (reading.sensor_name, reading.mac) == ("A4:C1:38:11:22:33", "A4:C1:38:11:22:33")
    assert reading[3:6] == (2.98, 80, -64)
    assert isclose(celsius(reading), 22.3)
    assert (
        DECODER.decode("home/gw/BTtoMQTT/1", b'{"id":"11:22:33:44:55:66","rssi":-80,"name":"a phone"}') == ()
    )


def test_ruuvi_as_in_the_test_vectors_of_its_maker() -> None:
    topic = "ruuvi/C8:25:2D:8E:9C:2C/CB:B8:33:4C:88:4F"
    reading = only(topic, {"gw_mac": "C8:25:2D:8E:9C:2C", "rssi": -59, "ts": "1669887004", "data": RUUVI})
    assert reading.sensor_name == "CB:B8:33:4C:88:4F"
    assert isclose(celsius(reading), 24.3)
    assert reading.humidity_percent == 53.49
    assert (reading.battery_v, reading.rssi_dbm) == (2.977, -59)
    assert dict(reading.values) == {"pressure_hpa": 1000.44}
    unknown = "0201061BFF9904058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF"
    assert DECODER.decode(topic, json.dumps({"data": unknown, "rssi": -59}).encode()) == ()
    with pytest.raises(NotAReading, match="has 3 bytes"):
        DECODER.decode(topic, json.dumps({"data": "FF99040512FC"}).encode())
    decoded = only(topic, {"mac": "CB:B8:33:4C:88:4F", "temperature": 24.3, "pressure": 100044})
    assert isclose(celsius(decoded), 24.3)
    assert isclose(dict(decoded.values)["pressure_hpa"], 1000.44)


MAPPING = """
[plants/+/data]
name = topic 2
location = where.room
temperature = climate.temps.0 C
humidity = climate.hum
battery = bat %
soil = climate.soil
"""


def test_plain_json_is_read_by_a_mapping() -> None:
    mappings, problems = read_mappings(MAPPING)
    assert problems == []
    decoder = Decoder(["plants/+/data=json"], mappings)
    payload = {"climate": {"temps": [21.5, 3], "hum": 40, "soil": 7}, "bat": "88", "where": {"room": "Hall"}}
    (reading,) = decoder.decode("plants/fern/data", json.dumps(payload).encode())
    assert (reading.sensor_name, reading.location, reading.battery_percent) == ("fern", "Hall", 88)
    assert isclose(celsius(reading), 21.5)
    assert reading.values == (("soil", 7.0),)
    with pytest.raises(
        NotAReading, match=r"no number at any of these places: climate\.temps\.0, climate\.hum"
    ):
        decoder.decode("plants/fern/data", b'{"climate": []}')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[x]\ntemperature = t C\n", "[x] name is missing"),
        ("[x]\nname = n\ntemperature = t\n", "must be a path with C or F after it"),
        ("[x]\nname = n\nbattery = b C\n", "must be a path with % or V after it"),
        ("[x]\nname =\n", "must be a path such as data.name"),
        ("x", "no section headers"),
    ],
)
def test_a_mistake_in_a_mapping_is_named(text: str, problem: str) -> None:
    assert problem in read_mappings(text)[1][0]


@pytest.mark.parametrize(
    "topic",
    [
        *("zigbee2mqtt/bridge/state", "zigbee2mqtt/office/availability", "zigbee2mqtt/office/set"),
        *("tele/attic/LWT", "tele/attic/STATE", "shellies/announce", "shellies/shellyht-1/online"),
        *("shellies/shelly1-2/temperature", "hall/status/sys", "hall/status/mqtt"),
        *("homeassistant/sensor/x/config", "homeassistant/light/hall/state"),
        *("homeassistant/device/x_1/config", "ecc-listener/x_1/state", "ecc-listener/status"),
        *("attic/sensor/uptime/state", "ruuvi/C8:25:2D:8E:9C:2C/gw_status"),
    ],
)
def test_what_is_no_reading_by_its_topic_is_passed_over(topic: str) -> None:
    payload = b'{"state":"online"}' if topic != "tele/attic/LWT" else b"Online"
    decoder = Decoder([*TOPICS, "tele/#"])
    assert decoder.decode(topic, payload) == ()


@pytest.mark.parametrize(
    ("payload", "known"),
    [
        (b'{"state":"online"}', {"Küche/Süd": True}),
        (b'{"state":"offline"}', {"Küche/Süd": False}),
        (b"online", {"Küche/Süd": True}),
        (b"offline\n", {"Küche/Süd": False}),
        *((other, {}) for other in (b"", b"{", b'{"state":1}', b"[]", b"\xff", b'{"state":["offline"]}')),
    ],
)
def test_availability_is_noted_by_the_sensor_s_name(payload: bytes, known: dict[str, bool]) -> None:
    decoder = Decoder(["zigbee2mqtt/#"])
    decoder.decode("zigbee2mqtt/bulb/availability", b"online")
    assert decoder.decode("zigbee2mqtt/Küche/Süd/availability", payload) == ()
    assert decoder.availability == {"bulb": True} | known
    # A device that was removed: its retained message is deleted.
    decoder.decode("zigbee2mqtt/bulb/availability", b"")
    assert decoder.availability == known


@pytest.mark.parametrize("state", ["nan", "unavailable", "unknown", "", "NaN"])
def test_a_state_that_is_unknown_is_passed_over(state: str) -> None:
    assert DECODER.decode("attic/sensor/temperature/state", state.encode()) == ()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"21.5", "not a JSON object but a number"),
        (b"[1]", "not a JSON object but an array"),
        (b"{", "not JSON"),
        (b"\xff{}", "not UTF-8 text: byte 0 is 0xff"),
        (b"[" * 16_000, "not a reading: its JSON is nested too deeply"),
        (b'{"a":' * 3_000, "not a reading: its JSON is nested too deeply"),
        (b'{"temperature":1,"temperature":2}', "'temperature' appears twice"),
        (b"{" + b" " * 20_000 + b"}", "20,002 bytes long"),
        (b'{"temperature":-327.68}', "temperature is -327.68; possible is -40 to 125 °C"),
        (b'{"humidity":101,"temperature":999}', "humidity is 101; possible is 0 to 100 %; temperature is"),
        (b'{"temperature":1' + b"0" * 5_000 + b"}", "not JSON"),
    ],
)
def test_hostile_json_is_rejected_with_the_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(NotAReading) as refusal:
        DECODER.decode("zigbee2mqtt/office", payload)
    assert reason in str(refusal.value)


def test_what_is_impossible_is_left_out_with_a_fault() -> None:
    payload = (
        b'{"temperature":NaN,"humidity":"45.5","battery":300,"pressure":[1],"co2":1e400,"linkquality":true}'
    )
    reading = only("zigbee2mqtt/office", payload)
    assert (reading.temperature_f, reading.humidity_percent, reading.battery_percent) == (None, 45.5, None)
    (fault,) = reading.faults
    assert fault.reason == "battery charge is 300; possible is -100 to 200 %"
    assert reading.values == ()


@pytest.mark.parametrize("name", ["a" * 501, "a\0b", "a\nb", "a\x9bb"])
def test_a_name_that_cannot_be_shown_is_rejected(name: str) -> None:
    with pytest.raises(NotAReading, match="the sensor's name"):
        DECODER.decode(f"zigbee2mqtt/{name}", b'{"temperature":20}')


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *(
            "temperature",
            "humidity",
            "battery",
            "voltage",
            "Temperature",
            "TempUnit",
            "params",
            "method",
            "id",
        ),
        *("temperature:0", "humidity:0", "tC", "rh", "tempc", "hum", "data", "mac", "ZbReceived", "pressure"),
    ]
)
OBJECTS = st.dictionaries(NAMES, JSON_VALUES | st.dictionaries(NAMES, JSON_VALUES, max_size=4), max_size=6)
PAYLOADS = (
    st.binary(max_size=200)
    | OBJECTS.map(lambda one: json.dumps(one).encode())
    | st.sampled_from([b"21.5", b"1e400", b"-0", b"NotifyStatus", b'{"method":"NotifyStatus","params":7}'])
)
TOPIC_NAMES = st.sampled_from(
    [
        *("zigbee2mqtt/a", "tele/a/SENSOR", "shellies/a/sensor/temperature", "a/events/rpc", "a/status/wifi"),
        *(
            "homeassistant/sensor/a_temperature/state",
            "home/g/BTtoMQTT/a",
            "ruuvi/g/t",
            "a/sensor/temp/state",
        ),
    ]
)


@pytest.mark.parametrize("method", ["[]", "{}", "1", "null"])
def test_a_method_of_shelly_s_that_is_no_text_is_passed_over(method: str) -> None:
    payload = f'{{"method":{method},"params":{{"temperature:0":{{"tC":20}}}}}}'
    assert DECODER.decode("ht/events/rpc", payload.encode()) == ()


@given(TOPIC_NAMES, PAYLOADS)
def test_no_format_raises_anything_but_its_own_error(topic: str, payload: bytes) -> None:
    try:
        readings = DECODER.decode(topic, payload)
    except NotAReading as refusal:
        assert str(refusal)  # noqa: PT017 - both ways are right
        assert refusal.__cause__ is None  # noqa: PT017
    else:
        for reading in readings:
            assert reading.sensor_name
            assert all(one is None or abs(one) < 1e9 for one in reading[:6])
            assert reading.is_part or reading.is_of_a_room


@pytest.mark.parametrize(
    ("topic_filter", "name"),
    [
        *(("ECCTempHum", "form"), ("zigbee2mqtt/+", "zigbee2mqtt"), ("tele/+/SENSOR", "tasmota")),
        *(("+/tele/SENSOR", "tasmota"), ("shellies/#", "shelly1"), ("+/events/rpc", "shelly")),
        *(("ruuvi/#", "ruuvi"), ("home/+/BTtoMQTT/#", "theengs"), ("+/sensor/+/state", "esphome")),
        *(("homeassistant/#", "statestream"), ("hall/data", "form")),
    ],
)
def test_a_known_filter_has_a_known_format(topic_filter: str, name: str) -> None:
    assert usual_format(topic_filter) == name
    assert parse(f"{topic_filter}=form").format == "form"


def test_on_a_topic_with_the_sensor_s_own_name_the_payload_must_have_that_name() -> None:
    decoder = Decoder(["ECCTempHum", "ECCTempHum/+=own"])
    (reading,) = decoder.decode("ECCTempHum/ECCTH01", OFFICE)
    assert reading.sensor_name == "ECCTH01"
    with pytest.raises(OtherNameError) as caught:
        decoder.decode("ECCTempHum/ECCTH05", OFFICE)
    assert str(caught.value) == "the topic is that of the sensor ECCTH05, but the payload names ECCTH01"
    assert caught.value.of_topic == "ECCTH05"
    # On any other topic a sensor may have any name, as before.
    assert Decoder(["ECCTempHum/#"]).decode("ECCTempHum/ECCTH05", OFFICE) == (reading,)
    (named,) = decoder.decode("ECCTempHum/Küche oben", OFFICE.replace(b"ECCTH01", "Küche oben".encode()))
    assert named.sensor_name == "Küche oben"
    # What isn't a reading is said as such, and a long name is cut.
    with pytest.raises(NotAReading, match="empty"):
        decoder.decode("ECCTempHum/ECCTH01", b"")
    with pytest.raises(OtherNameError, match=r"x{100}\.\.\.$"):
        decoder.decode("ECCTempHum/ECCTH01", OFFICE.replace(b"ECCTH01", b"x" * 300))


@pytest.mark.parametrize("entry", ["ECCTempHum=own", "ECCTempHum/#=own", "+/x=own", "a/+/+=own", "/+=own"])
def test_the_format_own_needs_a_topic_that_ends_with_a_name(entry: str) -> None:
    with pytest.raises(ValueError, match=r"needs a filter such as ECCTempHum/\+"):
        parse(entry)


@pytest.mark.parametrize("entry", ["x=", "x=zigbee", "x=form:K"])
def test_an_unknown_format_is_named_with_those_that_are_allowed(entry: str) -> None:
    with pytest.raises(ValueError, match=", ".join(FORMATS)):
        parse(entry)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "is_match"),
    [
        *(("a/+", "a/b", True), ("a/+", "a/b/c", False), ("a/#", "a", True), ("a/#", "a/b/c", True)),
        *(("+/b", "a/b", True), ("a", "a/b", False), ("a/b", "a", False), ("#", "x/y", True)),
    ],
)
def test_filters_match_as_at_the_broker(topic_filter: str, topic: str, is_match: bool) -> None:  # noqa: FBT001
    assert matches(topic_filter, topic) is is_match
