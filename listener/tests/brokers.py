"""A real Mosquitto for the tests, on a port of its own."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

USERNAME, PASSWORD = "sensor", "correct horse"
OFFICE = (
    b"field1=47.10&field2=73.45&field3=39.17&field4=3.41&field5=93.53&field6=-67&field7=ECCTH01"
    b"&field8=Office&field9=98:F4:AB:DA:6E:E2&field10=v03.10"
)


def free_port() -> int:
    """Give a TCP port of 127.0.0.1 that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def until(condition, timeout_s: float = 10.0) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Wait until a condition holds; fail when it doesn't in time."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {timeout_s} s"
        time.sleep(0.02)


class Mosquitto:
    """One broker with a password file; what it holds survives `stop` and `start`."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.port = free_port()
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        passwords = folder / "passwords"
        program = _program()
        subprocess.run(
            ["mosquitto_passwd", "-b", "-c", passwords, USERNAME, PASSWORD], check=True, capture_output=True
        )
        passwords.chmod(0o600)
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nuser root\nallow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {folder}/\nupgrade_outgoing_qos true\n"
            f"max_queued_messages 0\nmax_inflight_messages 2000\nlog_dest file {folder}/broker.log\n{extra}\n"
        )
        self._program = program

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self.process = subprocess.Popen([self._program, "-c", self.config], stderr=subprocess.DEVNULL)
        until(self._answers)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def publish(
        self, *payloads: bytes, topic: str = "ECCTempHum", qos: int = 1, retain: bool = False
    ) -> None:
        """Publish as a sensor does, and wait until the broker has taken it."""
        with Publisher(self.port) as publisher:
            for payload in payloads:
                publisher.publish(payload, topic, qos, retain=retain)


class Publisher:
    """A client that publishes; leaving the context waits for every acknowledgement."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(USERNAME, PASSWORD)
        self._client.max_inflight_messages_set(1000)
        self._port = port
        self._last: list[mqtt.MQTTMessageInfo] = []

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        until(self._client.is_connected)
        return self

    def publish(
        self, payload: bytes, topic: str = "ECCTempHum", qos: int = 1, *, retain: bool = False
    ) -> None:
        """Send one message."""
        self._last.append(self._client.publish(topic, payload, qos, retain))

    def __exit__(self, *_: object) -> None:
        for info in self._last:
            info.wait_for_publish(30)
        self._client.disconnect()
        self._client.loop_stop()


def _program() -> str:
    # Debian puts daemons where a user's PATH doesn't look.
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    assert program, "mosquitto is not installed; make test as root installs it"
    return program
