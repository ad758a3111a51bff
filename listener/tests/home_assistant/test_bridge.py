"""Home Assistant's topics at a real broker, while a real listener works."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ecc_listener.home_assistant import discovery
from support.brokers import OFFICE, PASSWORD, USERNAME, Mosquitto, until
from support.listeners import SOON_READ, Listener

HALL = OFFICE.replace(b"ECCTH01", b"ECCTH02").replace(b"Office", b"Hall")
CONFIG = discovery.config_topic("homeassistant", "ECCTH01")
STATE = discovery.state_topic("ECCTH01")
AVAILABILITY = discovery.availability_topic("ECCTH01")


class Neighbour:
    """A client that reads what Home Assistant would."""

    def __init__(self, port: int) -> None:
        self.topics: dict[str, bytes] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="neighbour")
        self._client.username_pw_set(USERNAME, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("homeassistant/#", 1), ("ecc-listener/#", 1)]
        )
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _note(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.payload:
            self.topics[message.topic] = bytes(message.payload)
        else:
            self.topics.pop(message.topic, None)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def neighbour(broker: Mosquitto) -> Iterator[Neighbour]:
    made = Neighbour(broker.port)
    yield made
    made.stop()


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto) -> Iterator[Listener]:
    made = Listener(
        tmp_path / "listener",
        broker.port,
        # It reads everything, also what it publishes itself.
        mqtt_topics="#",
        home_assistant_prefix="homeassistant",
        timer_check="0.05",
        limits_file_path=tmp_path / "limits.ini",
    )
    yield made
    made.end()


def temperature(neighbour: Neighbour) -> object:
    return json.loads(neighbour.topics.get(STATE, b"{}")).get("temperature_f")


def test_a_sensor_appears_changes_falls_silent_and_comes_back(
    broker: Mosquitto, listener: Listener, neighbour: Neighbour
) -> None:
    listener.start()
    until(lambda: neighbour.topics.get(discovery.STATUS_TOPIC) == b"online")
    for _ in range(6):
        broker.publish(OFFICE, HALL)
    until(lambda: temperature(neighbour) == 73.45)
    assert json.loads(neighbour.topics[CONFIG])["dev"]["name"] == "Office"
    assert neighbour.topics[AVAILABILITY] == b"online"
    broker.publish(OFFICE.replace(b"73.45", b"74.45"))
    until(lambda: temperature(neighbour) == 74.45)

    def is_silent() -> bool:
        broker.publish(HALL)
        return neighbour.topics.get(AVAILABILITY) == b"offline"

    until(is_silent, 60)
    assert neighbour.topics[discovery.availability_topic("ECCTH02")] == b"online"
    broker.publish(OFFICE)
    until(lambda: neighbour.topics.get(AVAILABILITY) == b"online")
    # What it publishes itself is no message of a sensor.
    assert listener.count("ECCRejected") == 0


def test_who_comes_later_gets_everything_and_a_killed_listener_is_offline(
    broker: Mosquitto, listener: Listener
) -> None:
    listener.start()
    broker.publish(OFFICE)
    listener.wait_for(1)
    first = Neighbour(broker.port)
    until(lambda: STATE in first.topics)
    first.stop()
    later = Neighbour(broker.port)
    try:
        until(lambda: later.topics.keys() >= {CONFIG, STATE, AVAILABILITY, discovery.STATUS_TOPIC})
        listener.stop(signal.SIGKILL)
        until(lambda: later.topics[discovery.STATUS_TOPIC] == b"offline")
        listener.start()
        until(lambda: later.topics[discovery.STATUS_TOPIC] == b"online")
        listener.stop()
        until(lambda: later.topics[discovery.STATUS_TOPIC] == b"offline")
    finally:
        later.stop()


def test_a_flood_ends_with_the_newest_values(
    broker: Mosquitto, listener: Listener, neighbour: Neighbour
) -> None:
    listener.start()
    names = [f"ECCTH{number:03d}" for number in range(60)]
    for turn in range(40):
        temperature_f = b"%d.00" % (turn + 30)
        broker.publish(
            *(OFFICE.replace(b"ECCTH01", name.encode()).replace(b"73.45", temperature_f) for name in names)
        )
    last = [discovery.state_topic(name) for name in names]

    def newest() -> set[object]:
        return {json.loads(neighbour.topics.get(topic, b"{}")).get("temperature_f") for topic in last}

    # Not all of them: so many new names at once count as a flood, and wait until they send regularly.
    until(lambda: 69.0 in newest() and newest() <= {69.0, None})
    listener.wait_for(2_400)

    def is_healthy() -> bool:
        # On a busy machine the last message is soon older than this listener's short `timer_check`.
        broker.publish(OFFICE)
        return listener.run("healthcheck").returncode == 0

    until(is_healthy)


def test_a_sensor_that_is_ignored_or_renamed_disappears(
    broker: Mosquitto, listener: Listener, neighbour: Neighbour, tmp_path: Path
) -> None:
    listener.program = SOON_READ
    listener.start()
    broker.publish(OFFICE, HALL)
    hall = discovery.config_topic("homeassistant", "ECCTH02")
    until(lambda: neighbour.topics.keys() >= {CONFIG, hall})
    (tmp_path / "limits.ini").write_text("[ECCTH02]\nwatch = no\n[Kitchen]\nwas = ECCTH01\n")
    until(lambda: discovery.config_topic("homeassistant", "Kitchen") in neighbour.topics, 60)
    until(lambda: not neighbour.topics.keys() & {CONFIG, STATE, AVAILABILITY, hall})


def test_it_is_off_unless_somebody_turns_it_on(
    broker: Mosquitto, neighbour: Neighbour, tmp_path: Path
) -> None:
    listener = Listener(tmp_path / "listener", broker.port)
    try:
        listener.start()
        broker.publish(OFFICE)
        listener.wait_for(1)
        listener.stop()
        assert neighbour.topics == {}
        assert "publisher" not in (broker.folder / "broker.log").read_text()
    finally:
        listener.end()


def test_a_refusal_is_said_once_and_costs_no_reading(tmp_path: Path) -> None:
    rules = f"user {USERNAME}\ntopic readwrite ECCTempHum\n"
    (tmp_path / "acl").write_text(rules)
    broker = Mosquitto(tmp_path / "broker", f"acl_file {tmp_path}/acl")
    broker.start()
    listener = Listener(tmp_path / "listener", broker.port, home_assistant_prefix="homeassistant")
    try:
        listener.start()
        for _ in range(5):
            broker.publish(OFFICE, HALL)
        listener.wait_for(10)
        until(lambda: "refuses to publish" in listener.log())
        assert listener.log().count("refuses to publish") == 1
        assert f"must let user '{USERNAME}' write there" in listener.log()
        assert listener.run("healthcheck").returncode == 0
    finally:
        listener.end()
        broker.stop()


@pytest.mark.parametrize("prefix", ["#", "home assistant", "/x", "a//b", "+/x"])
def test_a_prefix_that_is_no_topic_is_refused(tmp_path: Path, broker: Mosquitto, prefix: str) -> None:
    done = Listener(tmp_path / "listener", broker.port, home_assistant_prefix=prefix).run("run")
    assert done.returncode == 2
    assert "home_assistant_prefix: " in done.stderr
