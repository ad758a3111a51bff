"""What the demonstration plays on: a folder with everything in it; broker, listener and page as processes.

The broker is rumqttd from the package iotcore, on a free port of this machine alone, with a password.
"""

import json
import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from ecc_listener import health
from ecc_listener.credentials import Credentials
from ecc_listener.demo import child_process
from ecc_listener.simulator.device import Device, measure_all
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store

HOST, _USERNAME = "127.0.0.1", "demo"
_PAGE_PORT = 8080
_READY_WITHIN_S = 20.0
_POLL_S = 0.05
_LOG_LINES_SHOWN = 10
_HISTORY_BATCH = 20_000
_MAX_QUARANTINE_BYTES = 64 << 20
_BROKER_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 10

[v4.1]
name = "demo"
listen = {listen}
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 20480
max_inflight_count = 100
dynamic_filters = true
auth = {{ {username} = {password} }}
"""


class StageError(Exception):
    """Raised when broker, listener or page don't start, or end by themselves."""


class Stage:
    """A folder, a broker, a listener, a page; they end with the context, or with this process."""

    def __init__(self, folder: Path) -> None:
        """Choose port and password; nothing is written or started yet."""
        self.folder = folder
        self.port = _free_port()
        self.page_port = _free_port(_PAGE_PORT)
        self.credentials = Credentials(_USERNAME, SecretStr(secrets.token_urlsafe(16)))
        self.database = folder / "ECCTempHum.sqlite3"
        self.log = folder / "ECCMQTTIoT.log"
        self._health_path = folder / "ECCMQTTIoT_Health.json"
        self._children: dict[str, tuple[child_process.Child, Path]] = {}

    def __enter__(self) -> Self:
        """Let `start` start what ends with the context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the listener before the broker, so that it takes leave."""
        while self._children:
            _, (child, _) = self._children.popitem()
            child_process.stop(child)

    def start(self) -> None:
        """Start broker, listener and page; return when the listener hears the broker and the page answers.

        Raises:
            StageError: one of them doesn't start.

        """
        if find_spec("iotcore") is None:
            raise StageError(
                "the demonstration's broker is not installed; make demo does it (package iotcore)"
            )
        password = self.credentials.password.get_secret_value()
        configuration = self.folder / "broker.toml"
        listen = json.dumps(f"{HOST}:{self.port}")
        _write_private(
            configuration,
            _BROKER_CONFIG.format(listen=listen, username=_USERNAME, password=json.dumps(password)),
        )
        self._spawn("broker", "iotcore", "--config", str(configuration), "--log-level", "CRITICAL")
        self._wait_for("broker", lambda: _answers(self.port))
        credentials = self.folder / "ECCMQTTIoT_Credentials.txt"
        _write_private(credentials, f"{_USERNAME},{password}\n")
        self._health_path.unlink(missing_ok=True)
        self._spawn("listener", "ecc_listener", "run", *self._listener_settings(credentials))
        self._spawn("page", "ecc_listener", "web", *self._page_settings())
        self._wait_for("listener", self._listener_hears)
        self._wait_for("page", lambda: _answers(self.page_port))

    @property
    def page(self) -> str:
        """Return the page's address."""
        return f"http://{HOST}:{self.page_port}"

    def health(self) -> health.Health | None:
        """Return what the listener says of itself; None: nothing yet."""
        return health.read(self._health_path)

    def check(self) -> None:
        """See that all still run.

        Raises:
            StageError: one has ended; its last words are in the error's text.

        """
        for name, (child, output) in self._children.items():
            status = child.poll()
            if status is not None:
                words = output.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
                raise StageError("\n  ".join([f"the {name} has ended, exit status {status}:", *words]))

    def write_history(self, sensors: tuple[Device, ...], end: datetime, length: timedelta) -> int:
        """Write readings of the time before `end` into the database; give their number."""
        store = Store(self.database, _MAX_QUARANTINE_BYTES)
        burst, rows = Burst(1, [], [], []), 0
        for at_us, reading in measure_all(sensors, end - length, end):
            burst.readings.append(Arrival(at_us, reading))
            if len(burst.readings) >= _HISTORY_BATCH:
                store.commit(burst, burst.number - 1)
                rows, burst = rows + len(burst.readings), Burst(burst.number + 1, [], [], [])
        store.commit(burst, burst.number - 1)
        store.forget(burst.number)
        store.close()
        return rows + len(burst.readings)

    def _listener_settings(self, credentials: Path) -> list[str]:
        """Return every setting of the listener that could come from elsewhere and spoil the demonstration."""
        return _flags(
            self._shared_settings(),
            log_file_path=self.log,
            credentials_file_path=credentials,
            gmail_credentials_file_path=self.folder / "no-mail",
            last_notice_file_path=self.folder / "ECCMQTTIoT_Last_Notice.dat",
            apprise_urls_file_path=self.folder / "no-urls",
            mqtt_broker=HOST,
            mqtt_port=self.port,
            mqtt_topics="ECCTempHum",
            automatic_backup="no",
        )

    def _page_settings(self) -> list[str]:
        """Return the same of the web page."""
        return _flags(
            self._shared_settings(),
            web_credentials_file_path=self.folder / "no-password",
            web_host=HOST,
            web_port=self.page_port,
        )

    def _shared_settings(self) -> dict[str, object]:
        return {
            "database_file_path": self.database,
            "health_file_path": self._health_path,
            "limits_file_path": self.folder / "ECCMQTTIoT_Limits.ini",
        }

    def _spawn(self, name: str, module: str, *arguments: str) -> None:
        output = self.folder / f"{name}.txt"
        child = child_process.start(module, *arguments, folder=self.folder, output=output)
        self._children[name] = child, output

    def _wait_for(self, name: str, is_ready: Callable[[], bool]) -> None:
        until_s = time.monotonic() + _READY_WITHIN_S
        while not is_ready():
            self.check()
            if time.monotonic() > until_s:
                raise StageError(f"the {name} is not ready after {_READY_WITHIN_S:g} s; see {self.folder}")
            time.sleep(_POLL_S)

    def _listener_hears(self) -> bool:
        known = self.health()
        return known is not None and health.fault(known, datetime.now(UTC)) is None


def _flags(settings: dict[str, object], **more: object) -> list[str]:
    return [f"--{name}={value}" for name, value in (settings | more).items()]


def _write_private(path: Path, text: str) -> None:
    path.touch()
    path.chmod(0o600)
    path.write_text(text)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _free_port(wished: int = 0) -> int:
    """Return a port that nobody uses, the wished one if it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wished))
        except OSError:
            probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
