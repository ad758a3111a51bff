"""`ecc-listener simulate` against a real Mosquitto."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ecc_listener.readings.form import decode
from ecc_listener.readings.reading import Reading
from ecc_listener.simulator.formats import FORMATS, TOPICS
from ecc_listener.simulator.misbehaviour import MISBEHAVIOURS
from support.brokers import PASSWORD, USERNAME, Mosquitto, free_port, until
from support.listeners import Listener
from support.terminal import shown


class Subscriber:
    """Hears what the sensors send."""

    def __init__(self, port: int) -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(USERNAME, PASSWORD)
        self.client.on_message = lambda _client, _userdata, message: self.messages.append(message)
        subscribed: list[int] = []
        self.client.on_subscribe = lambda _client, _userdata, mid, _codes, _properties: subscribed.append(mid)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe("ECCTempHum", 1)
        until(lambda: subscribed)

    @property
    def readings(self) -> list[Reading]:
        return [decode(bytes(message.payload)) for message in self.messages]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Give a running Mosquitto that logs each packet."""
    mosquitto = Mosquitto(tmp_path / "broker", "log_type all")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    subscriber = Subscriber(broker.port)
    yield subscriber
    subscriber.client.disconnect()
    subscriber.client.loop_stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder like an installation's, with the sensors' password."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "sensor_credentials").write_text(f"{USERNAME},{PASSWORD}\n")
    return tmp_path


def published(broker: Mosquitto) -> set[tuple[str, ...]]:
    """Give by whom, with which QoS, retained or not, the broker was sent something."""
    log = (broker.folder / "broker.log").read_text()
    return set(re.findall(r"Received PUBLISH from (\w+) \(d0, q(\d), r(\d), m\d+, 'ECCTempHum'", log))


def command(port: int, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "ecc_listener", "simulate", f"--mqtt_port={port}", *arguments]


def simulate(folder: Path, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(port, *arguments), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def started(
    folder: Path, port: int, *arguments: str, out: IO[str] | int = subprocess.PIPE
) -> Iterator["subprocess.Popen[str]"]:
    """Give a simulation that runs; it ends with the test, however that ends."""
    with subprocess.Popen(
        command(port, *arguments), cwd=folder, stdout=out, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_each_sensor_sends_its_readings_like_the_firmware(
    broker: Mosquitto, subscriber: Subscriber, folder: Path
) -> None:
    done = simulate(folder, broker.port, "--sensors=3", "--every=0.1", "--count=4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].endswith(": 12 messages sent, 0 lost.")
    until(lambda: len(subscriber.messages) == 12)
    names = [reading.sensor_name for reading in subscriber.readings]
    assert names == ["ECCTH01", "ECCTH02", "ECCTH03"] * 4
    assert published(broker) == {(f"ECCTH0{number}", "0", "0") for number in (1, 2, 3)}


@pytest.mark.parametrize("name", FORMATS)
def test_sensors_speak_each_format_and_the_listener_understands_them(
    broker: Mosquitto, folder: Path, tmp_path: Path, name: str
) -> None:
    listener = Listener(tmp_path / "listener", broker.port, mqtt_topics=TOPICS[name])
    try:
        listener.start()
        done = simulate(folder, broker.port, f"--format={name}", "--sensors=2", "--count=1", "--every=0.5")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"2 sensors send to {TOPICS[name]} at" in done.stdout
        until(lambda: listener.count() == 2)
        query = "SELECT sensorName, temperatureF, relHumidityPercent, dewPointF FROM ECCTempHum"
        until(lambda: all(None not in row for row in listener.query(query)))
        assert {str(row[0])[:7] for row in listener.query(query)} == {"ECCTH01", "ECCTH02"}
        # What is no reading is rejected, or passed over, and harms nothing.
        garbage = ("--sensors=1", "--count=9", "--every=0", "--misbehave=garbage")
        simulate(folder, broker.port, f"--format={name}", *garbage)
        simulate(folder, broker.port, f"--format={name}", "--sensors=1", "--count=1")
        of_first = "SELECT count(*) FROM ECCTempHum WHERE sensorName LIKE 'ECCTH01%'"
        until(lambda: listener.query(of_first) == [(2,)])
    finally:
        listener.end()


def test_it_sends_with_confirmation_when_asked_to(
    broker: Mosquitto, subscriber: Subscriber, folder: Path
) -> None:
    done = simulate(folder, broker.port, "--sensors=2", "--every=0", "--count=500", "--qos=1")
    assert done.stdout.splitlines()[-1].endswith(": 1,000 messages sent, 0 lost.")
    until(lambda: len(subscriber.messages) == 1000)
    assert published(broker) == {("ECCTH01", "1", "0"), ("ECCTH02", "1", "0")}


def test_the_same_seed_gives_the_same_readings_but_for_the_hour(
    broker: Mosquitto, subscriber: Subscriber, folder: Path
) -> None:
    for seed in (1, 1, 2):
        simulate(folder, broker.port, "--sensors=1", "--count=1", f"--seed={seed}")
    until(lambda: len(subscriber.messages) == 3)
    macs = [reading.mac for reading in subscriber.readings]
    assert macs[0] == macs[1] != macs[2]


def test_sensors_misbehave_in_the_order_in_which_they_are_named(
    broker: Mosquitto, subscriber: Subscriber, folder: Path
) -> None:
    misbehave = "--misbehave=duplicate,silent"
    simulate(folder, broker.port, "--sensors=3", "--every=0.1", "--count=5", misbehave)
    until(lambda: len(subscriber.messages) == 10 + 3 + 5)
    names = [reading.sensor_name for reading in subscriber.readings]
    assert [names.count(name) for name in ("ECCTH01", "ECCTH02", "ECCTH03")] == [10, 3, 5]


def test_an_empty_place_in_the_list_is_a_sensor_that_behaves(
    broker: Mosquitto, subscriber: Subscriber, folder: Path
) -> None:
    simulate(folder, broker.port, "--sensors=3", "--every=0.1", "--count=5", "--misbehave=,,silent")
    until(lambda: len(subscriber.messages) == 5 + 5 + 3)
    names = [reading.sensor_name for reading in subscriber.readings]
    assert [names.count(name) for name in ("ECCTH01", "ECCTH02", "ECCTH03")] == [5, 5, 3]


def test_two_sensors_with_one_client_id_cut_each_other_off(broker: Mosquitto, folder: Path) -> None:
    done = simulate(folder, broker.port, "--sensors=2", "--every=0.2", "--count=10", "--misbehave=clash")
    assert "Broker cut ECCTH02 off; trying again" in done.stdout
    assert re.search(r": \d+ messages sent, [1-9]\d* lost\.$", done.stdout.strip())


def test_a_sensor_that_is_locked_out_holds_up_no_other(
    broker: Mosquitto, subscriber: Subscriber, folder: Path
) -> None:
    done = simulate(folder, broker.port, "--sensors=2", "--every=0.1", "--count=5", "--misbehave=locked-out")
    assert f"Broker refuses ECCTH01 as {USERNAME!r}: Not authorized; trying again" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(": 5 messages sent, 5 lost.")
    until(lambda: len(subscriber.messages) == 5)


def test_a_broker_that_is_away_is_told_once_and_found_when_it_comes_back(
    broker: Mosquitto, folder: Path
) -> None:
    broker.stop()
    output = folder / "output"
    arguments = "--sensors=2", "--every=0.5", "--count=3"
    with output.open("w") as out, started(folder, broker.port, *arguments, out=out) as process:
        until(lambda: "Connection refused" in output.read_text())
        broker.start()
        assert process.wait(30) == 0
    text = output.read_text()
    assert text.count(f"Broker 127.0.0.1:{broker.port} doesn't answer: Connection refused; trying again") == 1
    assert "All sensors are connected again" in text
    assert text.splitlines()[-1].endswith(": 6 messages sent, 0 lost.")


def test_sensors_find_back_to_a_broker_that_was_restarted(broker: Mosquitto, folder: Path) -> None:
    output = folder / "output"
    arguments = "--sensors=2", "--every=0.2"
    with output.open("w") as out, started(folder, broker.port, *arguments, out=out) as process:
        until(lambda: "connected" in output.read_text())
        broker.stop()
        until(lambda: "Connection refused" in output.read_text())
        broker.start()
        until(lambda: "All sensors are connected again" in output.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert re.search(r": \d+ messages sent, [1-9]\d* lost\.$", output.read_text().strip())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_a_summary(broker: Mosquitto, folder: Path, number: signal.Signals) -> None:
    with started(folder, broker.port, "--every=0.2") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("6 sensors send to ECCTempHum at 127.0.0.1:")
        process.stdout.readline()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (0, "")
    assert re.search(r"Ended after 0:00:0\d: \d+ messages sent, 0 lost\.$", stdout.strip())


def test_it_ends_also_while_the_broker_is_away(folder: Path) -> None:
    with started(folder, free_port()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert "Connection refused" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert ": 0 messages sent, 0 lost." in stdout


def test_on_a_terminal_one_line_is_written_over(broker: Mosquitto, folder: Path) -> None:
    lines = shown(command(broker.port, "--sensors=2", "--every=0.3", "--count=4"), folder).split("\r\n")
    assert len(lines) == 3  # the introduction, the state and the summary over it, nothing
    assert lines[1].count("\r\x1b[J2 of 2 connected, ") >= 3
    assert lines[1].endswith(": 8 messages sent, 0 lost.")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--misbehave=naughty"], "'naughty' is not one of silent, pause, frozen, garbage"),
        (["--sensors=1", "--misbehave=silent,frozen"], "misbehave: 2 misbehaviours need as many sensors"),
        (["--sensors=0"], "'0' is not a number from 1 to 500"),
        (["--every=often"], "'often' is not a number from 0 to 86400"),
        (
            ["--sensor_credentials_file_path=none"],
            "sensor_credentials_file_path: the file none does not exist",
        ),
        (["--mqtt_ca_file=none"], "mqtt_ca_file: none: No such file or directory"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_status_2(
    folder: Path, arguments: list[str], problem: str
) -> None:
    done = simulate(folder, 1, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_file_of_their_own_the_sensors_use_the_listeners_account(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path
) -> None:
    (tmp_path / "ECCMQTTIoT_Credentials.txt").write_text(f"{USERNAME},{PASSWORD}\n")
    assert simulate(tmp_path, broker.port, "--sensors=1", "--count=1").returncode == 0
    until(lambda: len(subscriber.messages) == 1)


def test_the_help_tells_of_every_misbehaviour(tmp_path: Path) -> None:
    text = simulate(tmp_path, 1, "--help").stdout
    for name, misbehaviour in MISBEHAVIOURS.items():
        assert re.search(rf"^  {name} +{re.escape(misbehaviour.help)}$", text, re.MULTILINE)
