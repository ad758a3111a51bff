"""Sensors of other makers, from the real broker to the rows, the page and the record of deliveries."""

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from math import isclose
from pathlib import Path

import pytest

from support.brokers import OFFICE, Mosquitto, Publisher, until
from support.listeners import Listener

TOPICS = "ECCTempHum, zigbee2mqtt/#, tele/+/SENSOR, +/sensor/+/state, +/events/rpc, sheds/+=json"
MAPPING = "[sheds/+]\nname = topic 2\ntemperature = t C\nhumidity = h\n"


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto) -> Iterator[Listener]:
    mapping = tmp_path / "mapping.ini"
    mapping.write_text(MAPPING)
    made = Listener(tmp_path / "listener", broker.port, mqtt_topics=TOPICS, json_mapping_file_path=mapping)
    yield made
    made.end()


def sent(broker: Mosquitto, *messages: tuple[str, bytes], retain: bool = False) -> None:
    with Publisher(broker.port) as publisher:
        for topic, payload in messages:
            publisher.publish(payload, topic, retain=retain)


def test_each_format_becomes_a_room(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    probes = {"AM2301": {"Temperature": 19.5, "Humidity": 50}, "DS18B20": {"Temperature": 4}, "TempUnit": "C"}
    status = {"temperature:0": {"tC": 22.3}, "humidity:0": {"rh": 58.7}}
    sent(
        broker,
        ("ECCTempHum", OFFICE),
        ("zigbee2mqtt/Küche/Süd", b'{"temperature":21.74,"humidity":45.32,"battery":87,"linkquality":105}'),
        ("tele/attic/SENSOR", json.dumps(probes).encode()),
        ("cellar/sensor/temperature/state", b"12.5"),
        ("cellar/sensor/humidity/state", b"71"),
        ("ht/events/rpc", json.dumps({"method": "NotifyStatus", "params": status}).encode()),
        ("sheds/north", b'{"t":-3.5,"h":"88"}'),
    )
    until(lambda: listener.count() == 7)
    found = listener.query("SELECT sensorName, temperatureF, relHumidityPercent FROM ECCTempHum")
    celsius = {name: ((float(str(value_f)) - 32) / 1.8, humidity) for name, value_f, humidity in found}
    expected = {
        "Küche/Süd": (21.74, 45.32),
        "attic AM2301": (19.5, 50),
        "attic DS18B20": (4, None),
        "cellar": (12.5, 71),
        "ht": (22.3, 58.7),
        "north": (-3.5, 88),
    }
    for name, (temperature_c, humidity) in expected.items():
        assert isclose(celsius[name][0], temperature_c, abs_tol=1e-9)
        assert celsius[name][1] == humidity
    assert "ECCTH01" in celsius
    assert listener.query("SELECT sensorName, field, value FROM ECCValue") == [
        ("Küche/Süd", "linkquality_lqi", 105)
    ]
    assert listener.count("ECCRejected") == 0


def test_what_is_no_reading_is_neither_stored_nor_rejected(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    sent(
        broker,
        ("zigbee2mqtt/bridge/state", b'{"state":"online"}'),
        ("zigbee2mqtt/lamp", b'{"state":"ON","brightness":100}'),
        ("zigbee2mqtt/office/availability", b"online"),
        ("cellar/sensor/uptime/state", b"1234"),
    )
    # A retained one is not marked as old either, because it is none.
    sent(broker, ("zigbee2mqtt/bridge/info", b"{}"), retain=True)
    sent(broker, ("zigbee2mqtt/hall", b"not JSON"), ("zigbee2mqtt/hall", b'{"temperature":20}'))
    until(lambda: listener.count() == 1)
    assert listener.query("SELECT topic, reason FROM ECCRejected") == [
        ("zigbee2mqtt/hall", "not JSON: Expecting value: line 1 column 1 (char 0)")
    ]


def test_a_sensor_that_its_bridge_cannot_reach_is_said_to_be_silent(
    tmp_path: Path, broker: Mosquitto
) -> None:
    listener = Listener(
        tmp_path / "listener",
        broker.port,
        mqtt_topics=TOPICS,
        json_mapping_file_path=tmp_path / "mapping.ini",
        timer_check="0.05",
    )
    (tmp_path / "mapping.ini").write_text(MAPPING)
    try:
        # The listener gets what was retained before its start.
        sent(broker, ("zigbee2mqtt/hall/availability", b'{"state":"online"}'), retain=True)
        listener.start()
        for _ in range(6):
            sent(broker, ("zigbee2mqtt/hall", b'{"temperature":20}'), ("ECCTempHum", OFFICE))
        # In the same second as a reading, that reading counts.
        time.sleep(2.5)
        sent(broker, ("zigbee2mqtt/hall/availability", b'{"state":"offline"}'), retain=True)

        def is_said() -> bool:
            sent(broker, ("ECCTempHum", OFFICE))
            return bool(of_hall())

        def of_hall() -> list[dict[str, str]]:
            # On a busy machine the other sensor may be late as well.
            notices = json.loads(listener.run("status", "--json").stdout)["notices"]
            return [one for one in notices if (one["kind"], one["sensor"]) == ("silent", "hall")]

        until(is_said, 60)
        [notice] = of_hall()
        assert "whether a device that passes on its signal" in notice["advice"]
        assert listener.count("ECCRejected") == 0
    finally:
        listener.end()


def test_parts_are_one_row_through_kills(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    for number in range(5):
        sent(broker, (f"s{number}/sensor/temperature/state", b"20"))
        listener.stop(signal.SIGKILL)
        sent(broker, (f"s{number}/sensor/humidity/state", b"50"))
        listener.start()
    until(lambda: listener.query("SELECT count(*) FROM ECCTempHum WHERE relHumidityPercent = 50") == [(5,)])
    found = listener.query("SELECT sensorName, round(temperatureF), relHumidityPercent FROM ECCTempHum")
    assert sorted(found) == [(f"s{number}", 68.0, 50.0) for number in range(5)]


def test_a_rejected_message_is_decoded_again_by_its_topic(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    sent(broker, ("zigbee2mqtt/hall", b"{"))
    until(lambda: listener.count("ECCRejected") == 1)
    listener.stop()
    with closing(sqlite3.connect(listener.database, isolation_level=None)) as connection:
        connection.execute("UPDATE ECCRejected SET payload = ?", (b'{"temperature":20}',))
    assert "readings now: 1; still rejected: 0" in listener.run("replay").stdout
    assert listener.query("SELECT sensorName FROM ECCTempHum") == [("hall",)]


@pytest.mark.parametrize(
    ("topics", "problem"),
    [
        ("a=zigbee", "mqtt_topics: 'zigbee' is not a format; allowed are form, own, zigbee2mqtt"),
        ("a=json", "json_mapping_file_path: "),
    ],
)
def test_a_wrong_format_stops_the_start_with_what_is_allowed(
    tmp_path: Path, broker: Mosquitto, topics: str, problem: str
) -> None:
    listener = Listener(tmp_path / "listener", broker.port, mqtt_topics=topics)
    done = listener.run("run")
    assert done.returncode == 2
    assert problem in done.stderr
