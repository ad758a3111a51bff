"""A real Mosquitto for the tests, on a port of its own."""

import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from support.certificates import certify

ROOT = Path(__file__).parents[3]
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


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait until a condition holds; fail if that takes longer than even a busy machine needs."""
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


class Mosquitto21(Mosquitto):
    """The stack's own broker: Mosquitto 2.1 with the project's configuration, in a container.

    Only this version has the persistence that the delivery's promise rests on.
    """

    def __init__(self, folder: Path, extra: str = "", *, replace: tuple[str, str] = ("", "")) -> None:
        super().__init__(folder)
        self.container = f"ecctest{secrets.token_hex(4)}"
        self.data = folder / "data"
        self.data.mkdir()
        config = folder / "config"
        config.mkdir()
        text = (ROOT / "mosquitto/mosquitto.conf").read_text()
        assert replace[0] in text
        text = text.replace(*replace).replace(
            "listener 1883",
            # The second address is for the tests that cut the network on one way only.
            f"listener {self.port} 127.0.0.1\nlistener {self.port} 127.0.0.2",
        )
        (config / "mosquitto.conf").write_text(f"{text}\n{extra}\n")
        (config / "conf.d").mkdir()
        passwords, rules = folder / "passwords", folder / "rules"
        rules.write_text(f"user {USERNAME}\ntopic readwrite #\n")
        rules.chmod(0o600)
        subprocess.run(["chown", "-R", "10001:10001", self.data, config, passwords, rules], check=True)
        mounts = {config: "/mosquitto/config", self.data: "/mosquitto/data"}
        mounts |= {passwords: "/run/secrets/mosquitto_passwd", rules: "/run/secrets/mosquitto_acl"}
        volumes = [part for host, inside in mounts.items() for part in ("-v", f"{host}:{inside}")]
        self._create = [
            *("docker", "create", "--name", self.container, "--user", "10001:10001", "--network", "host"),
            *("--memory", "256m", *volumes, mosquitto_image()),
            *("mosquitto", "-c", "/mosquitto/config/mosquitto.conf"),
        ]

    def add_tls(self) -> dict[str, object]:
        """Let it take TLS as well, from the next start on; return the settings of a listener that uses it."""
        config, port = self.folder / "config", free_port()
        certify(config, "localhost")
        inside = "/mosquitto/config"
        files = f"cafile {inside}/ca.pem\ncertfile {inside}/server.pem\nkeyfile {inside}/server.key\n"
        with (config / "mosquitto.conf").open("a") as file:
            file.write(
                "".join(f"listener {port} {address}\n{files}" for address in ("127.0.0.1", "127.0.0.2"))
            )
        subprocess.run(["chown", "-R", "10001:10001", config], check=True)
        return {"mqtt_port": port, "mqtt_broker": "127.0.0.1", "mqtt_ca_file": config / "ca.pem"}

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        if self._create:
            subprocess.run(self._create, check=True, stdout=subprocess.DEVNULL)
            self._create = []
        subprocess.run(["docker", "start", self.container], check=True, stdout=subprocess.DEVNULL)
        until(self._answers)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        subprocess.run(
            ["docker", "kill", "-s", str(int(number)), self.container], check=False, capture_output=True
        )
        subprocess.run(["docker", "wait", self.container], check=False, capture_output=True, timeout=30)

    def remove(self) -> None:
        """Remove the container."""
        subprocess.run(["docker", "rm", "--force", self.container], check=False, capture_output=True)


def mosquitto_image() -> str:
    """Name the image of Mosquitto 2.1 that is here, made from Debian's packages if need be."""
    for image in ("eclipse-mosquitto:2.1.2-alpine", "ecc-base-mosquitto:2.1"):
        if (
            subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True).returncode
            == 0
        ):
            return image
    subprocess.run([ROOT / "listener/scripts/base-images"], check=True)
    return "ecc-base-mosquitto:2.1"


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

    def limit(self, most: int) -> None:
        """Wait until at most so many are not acknowledged yet: paho's own queue ends at 65,535."""
        if len(self._last) >= 2 * most:
            self._last[most].wait_for_publish(60)
            del self._last[:most]

    def __exit__(self, *_: object) -> None:
        for info in self._last:
            info.wait_for_publish(60)
        self._client.disconnect()
        self._client.loop_stop()


def _program() -> str:
    # Debian puts daemons where a user's PATH doesn't look.
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    assert program, "mosquitto is not installed; make test as root installs it"
    return program
