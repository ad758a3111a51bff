"""The demonstration's programs: a folder with everything in it, and broker, listener and page as processes.

The broker is rumqttd from the package iotcore, on a free port of this machine alone, with a password.
"""

import json
import secrets
import socket
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from ecc_listener import health
from ecc_listener.credentials import Credentials
from ecc_listener.demo import child_process
from ecc_listener.demo.clock import FastClock
from ecc_listener.demo.history import LIMITS
from ecc_listener.settings import Settings, SettingsError, load
from ecc_listener.simulator.formats import TOPICS

HOST, _USERNAME = "127.0.0.1", "demo"
_PAGE_PORT = 8080
_READY_WITHIN_S = 20.0
_PATIENCE_S = 10.0
"""Real seconds without any message after which the listener reports that all sensors are silent.

A computer that is busy for a moment must not look like an outage, however fast the clock is.
"""
_LEAST_PATIENCE_MIN = 20
_END_WITHIN_S = {"page": 0.1, "listener": 1.1, "broker": 0.2}
"""With all that is done before, it takes less than two seconds to end everything."""
_POLL_S = 0.05
_LOG_LINES_SHOWN = 10
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


class ProcessError(Exception):
    """Raised when broker, listener or page don't start, or end by themselves."""


class Processes:
    """Broker, listener and page in a folder; they end with the context, or with this process."""

    def __init__(self, folder: Path, mail_url: str, page_port: int | None) -> None:
        """Choose ports and a password, and write the files that the programs read; nothing is started yet.

        Messages are sent to the apprise URL `mail_url`. Without a `page_port`, any free port will do.

        Raises:
            SettingsError: the port of the page is in use.

        """
        self.folder = folder
        self.port = _free_port()
        # The page inherits the socket: no other program can take the port in between.
        self._page_socket = _listen(page_port)
        self.page_port: int = self._page_socket.getsockname()[1]
        self.credentials = Credentials(_USERNAME, SecretStr(secrets.token_urlsafe(16)))
        self.database = folder / "ECCTempHum.sqlite3"
        self.log = folder / "ECCMQTTIoT.log"
        self._health_path = folder / "ECCMQTTIoT_Health.json"
        self.limits_path = folder / "ECCMQTTIoT_Limits.ini"
        self._mail_url = mail_url
        self._children: dict[str, tuple[child_process.Child, Path]] = {}

    def __enter__(self) -> Self:
        """Write the files; `start` starts what ends with the context."""
        password = self.credentials.password.get_secret_value()
        listen = json.dumps(f"{HOST}:{self.port}")
        _write_private(
            self.folder / "broker.toml",
            _BROKER_CONFIG.format(listen=listen, username=_USERNAME, password=json.dumps(password)),
        )
        _write_private(self.folder / "ECCMQTTIoT_Credentials.txt", f"{_USERNAME},{password}\n")
        _write_private(self.folder / "apprise_urls", f"{self._mail_url}\n")
        if not self.limits_path.exists():
            self.limits_path.write_text(LIMITS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the page, which only reads, then the listener, then the broker: the listener can disconnect."""
        for name, within_s in _END_WITHIN_S.items():
            if name in self._children:
                child_process.stop(self._children[name][0], within_s)
        self._children.clear()
        self._page_socket.close()

    def start(self, clock: FastClock) -> None:
        """Start broker, listener and page; return when the listener is connected and the page answers.

        Raises:
            ProcessError: one of them doesn't start.

        """
        if find_spec("iotcore") is None:
            raise ProcessError(
                "the demonstration's broker (package iotcore) is not installed; make demo installs it"
            )
        configuration = str(self.folder / "broker.toml")
        self._spawn("broker", "iotcore", "--config", configuration, "--log-level", "CRITICAL")
        self._wait_for("broker", lambda: _answers(self.port))
        self._health_path.unlink(missing_ok=True)
        self._spawn_by("listener", "run", clock, self._listener_settings(clock.speed))
        self._spawn_by("page", "web", clock, self._page_settings(), self._page_socket)
        self._page_socket.close()
        self._wait_for("listener", lambda: self._is_listening(clock))
        self._wait_for("page", lambda: "The page is at " in (self.folder / "page.txt").read_text())

    def settings(self, speed: float) -> Settings:
        """Return the settings of the listener, for who writes its history."""
        return load(self._listener_settings(speed))

    @property
    def page(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.page_port}"

    def check(self) -> None:
        """Check that all programs still run.

        Raises:
            ProcessError: one has ended; the error has the last lines that it wrote.

        """
        for name, (child, output) in self._children.items():
            status = child.poll()
            if status is not None:
                lines = output.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
                raise ProcessError("\n  ".join([f"the {name} has ended, exit status {status}:", *lines]))

    def _listener_settings(self, speed: float) -> dict[str, object]:
        """Return every setting of the listener that could come from elsewhere and spoil the demonstration."""
        return self._shared_settings() | {
            "log_file_path": self.log,
            "credentials_file_path": self.folder / "ECCMQTTIoT_Credentials.txt",
            "gmail_credentials_file_path": self.folder / "no-mail",
            "last_notice_file_path": self.folder / "ECCMQTTIoT_Last_Notice.dat",
            "last_notice_silence_time": 24 * 60,
            "apprise_urls_file_path": self.folder / "apprise_urls",
            "timer_check": max(_LEAST_PATIENCE_MIN, _PATIENCE_S * speed / 60),
            "mqtt_broker": HOST,
            "mqtt_port": self.port,
            "mqtt_topics": ",".join(TOPICS.values()),
            "automatic_backup": "no",
        }

    def _page_settings(self) -> dict[str, object]:
        """Return the same of the page."""
        return self._shared_settings() | {
            "web_credentials_file_path": self.folder / "no-password",
            "web_host": HOST,
            "web_port": self.page_port,
        }

    def _shared_settings(self) -> dict[str, object]:
        return {
            "database_file_path": self.database,
            "health_file_path": self._health_path,
            "limits_file_path": self.limits_path,
            "backup_folder": self.folder / "backup",
        }

    def _spawn_by(
        self,
        name: str,
        verb: str,
        clock: FastClock,
        settings: dict[str, object],
        listening: socket.socket | None = None,
    ) -> None:
        text = json.dumps({name: str(value) for name, value in settings.items()})
        inherited = () if listening is None else (listening.fileno(),)
        arguments = verb, clock.to_text(), text, *map(str, inherited)
        self._spawn(name, "ecc_listener.demo.program", *arguments, inherited=inherited)

    def _spawn(self, name: str, module: str, *arguments: str, inherited: tuple[int, ...] = ()) -> None:
        output = self.folder / f"{name}.txt"
        child = child_process.start(
            module, *arguments, folder=self.folder, output=output, inherited=inherited
        )
        self._children[name] = child, output

    def _wait_for(self, name: str, is_ready: Callable[[], bool]) -> None:
        until_s = time.monotonic() + _READY_WITHIN_S
        while not is_ready():
            self.check()
            if time.monotonic() > until_s:
                raise ProcessError(f"the {name} is not ready after {_READY_WITHIN_S:g} s; see {self.folder}")
            time.sleep(_POLL_S)

    def _is_listening(self, clock: FastClock) -> bool:
        status = health.read(self._health_path)
        return status is not None and health.fault(status, clock.moment()) is None


def _write_private(path: Path, text: str) -> None:
    path.touch()
    path.chmod(0o600)
    path.write_text(text)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _listen(port: int | None) -> socket.socket:
    """Listen on the port that the user has chosen; otherwise on the usual one, or any if that is in use."""
    try:
        return socket.create_server((HOST, _PAGE_PORT if port is None else port), backlog=256)
    except OSError as error:
        if port is not None:
            problem = f"web_port: {port} of {HOST} can't be used: {error.strerror}"
            raise SettingsError([f"{problem}; choose another --web_port"]) from None
        return socket.create_server((HOST, 0), backlog=256)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
