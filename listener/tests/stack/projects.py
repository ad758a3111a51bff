"""A copy of the project with containers, ports and data of its own."""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
from paho.mqtt.client import CallbackOnConnect
from paho.mqtt.enums import CallbackAPIVersion

from ecc_listener.storage.connection import connect_readonly
from support.brokers import free_port, until

ROOT = Path(__file__).parents[3]
# Below the project, since an Engine may see other folders than the tests do.
CACHE = ROOT / ".cache"


class Project:
    """A copy in a folder of its own."""

    def __init__(self, folder: Path, compose_generation: int) -> None:
        self.folder = folder
        self.generation = compose_generation
        self.name = f"ecctest{secrets.token_hex(3)}"
        self.port = free_port()
        self.web_port = free_port()
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, files.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)

    def choose_ports(self) -> None:
        """Set what two stacks on one machine can't share."""
        text = (self.folder / ".env.example").read_text()
        text = text.replace("COMPOSE_PROJECT_NAME=ecc", f"COMPOSE_PROJECT_NAME={self.name}")
        text = text.replace("MQTT_ADDRESS=0.0.0.0", "MQTT_ADDRESS=127.0.0.1")
        text = text.replace("WEB_PORT=8080", f"WEB_PORT={self.web_port}", 1)
        (self.folder / ".env").write_text(text.replace("MQTT_PORT=1883", f"MQTT_PORT={self.port}", 1))

    def run(self, *command: str, timeout_s: float = 500) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, without a terminal, as if no `make` stood above it."""
        # A make below another one prints the directories it enters, also into what a test reads.
        of_make = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ECC_") and name not in of_make
        }
        if self.generation == 2:
            environment["DOCKER_CONFIG"] = str(CACHE / "compose-2")
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def git(self, *words: str) -> str:
        """Run git in the folder, as somebody who cloned the project."""
        # The containers' user owns the folder's content by now.
        owner = ("-c", "safe.directory=*", "-c", "user.name=church", "-c", "user.email=church@example.org")
        done = self.run("git", *owner, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def compose(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Compose of this project's generation."""
        return self.run(*(("docker", "compose") if self.generation == 2 else ("docker-compose",)), *words)

    def container(self, service: str) -> str:
        return self.compose("ps", "-q", service).stdout.strip()

    def inspect(self, service: str) -> dict[str, dict[str, object]]:
        found: list[dict[str, dict[str, object]]] = json.loads(
            self.run("docker", "inspect", self.container(service)).stdout
        )
        return found[0]

    def page(self, path: str = "/", auth: tuple[str, str] | None = None) -> httpx.Response:
        """Ask the page."""
        return httpx.get(f"http://127.0.0.1:{self.web_port}{path}", auth=auth, timeout=10)

    def account(self, name: str = "sensor") -> tuple[str, str]:
        username, _, password = (
            (self.folder / "secrets" / f"{name}_credentials").read_text().strip().partition(",")
        )
        return username, password

    def query(self, sql: str) -> list[tuple[object, ...]]:
        connection = connect_readonly(self.folder / "data/db/ECCTempHum.sqlite3")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def count(self, table: str = "ECCTempHum") -> int:
        return int(str(self.query(f"SELECT count(*) FROM {table}")[0][0]))

    def client(
        self,
        username: str | None = None,
        password: str | None = None,
        on_connect: CallbackOnConnect | None = None,
    ) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_connect = on_connect
        if username is not None:
            client.username_pw_set(username, password)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        return client

    def publish(self, *payloads: bytes, topic: str = "ECCTempHum", qos: int = 1) -> None:
        """Publish with the sensors' password, and wait until the broker has taken it."""
        client = self.client(*self.account())
        until(client.is_connected)
        for one in [client.publish(topic, payload, qos) for payload in payloads]:
            one.wait_for_publish(30)
        client.disconnect()
        client.loop_stop()

    def refusal(self, username: str | None, password: str | None) -> str:
        """Say with what words a client is refused; empty when it isn't."""
        answers: list[str] = []
        client = self.client(
            username,
            password,
            lambda *given: answers.append(str(given[3]) if given[3].is_failure else ""),
        )
        until(lambda: answers)
        client.loop_stop()
        return answers[0]

    def is_healthy(self, service: str) -> bool:
        state = self.inspect(service)["State"]
        return state["Status"] == "running" and state["Health"]["Status"] == "healthy"  # type: ignore[index]

    def remove(self) -> None:
        """Take down what this project started, and nothing else."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "15")
        self.run("docker", "image", "rm", f"{self.name}-listener")
        shutil.rmtree(self.folder)


@contextmanager
def project(compose_generation: int) -> Iterator[Project]:
    """Lend a copy of the project; everything of it is gone afterwards."""
    if compose_generation == 2:
        subprocess.run([ROOT / "listener/scripts/compose-2"], check=True, stdout=subprocess.DEVNULL)
    CACHE.mkdir(exist_ok=True)
    folder = CACHE / f"stack-{time.time_ns():x}"
    made = Project(folder, compose_generation)
    try:
        yield made
    finally:
        made.remove()
