"""The demonstration's programs."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecc_listener import health
from ecc_listener.demo.clock import FastClock
from ecc_listener.demo.history import START
from ecc_listener.demo.processes import ProcessError, Processes
from ecc_listener.settings import SettingsError
from support.brokers import until

NOBODY = "json://127.0.0.1:9/nobody"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path, NOBODY, None) as processes:
        yield processes


def start(processes: Processes) -> None:
    processes.start(FastClock.started_at(START, 120))


def publish(processes: Processes, *account: str) -> int:
    command = ["mosquitto_pub", "-p", str(processes.port), "-t", "ECCTempHum", "-m", "hello", *account]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_only_who_has_the_password_enters_and_is_heard(processes: Processes, tmp_path: Path) -> None:
    start(processes)
    assert publish(processes) != 0
    assert publish(processes, "-u", "demo", "-P", "demo") != 0
    assert publish(processes, "-u", "demo", "-P", processes.credentials.password.get_secret_value()) == 0
    path = tmp_path / "ECCMQTTIoT_Health.json"
    until(lambda: (known := health.read(path)) and known.rejected == 1)


def test_the_broker_is_for_this_machine_alone(processes: Processes) -> None:
    start(processes)
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    places = [line.split()[1] for line in listening.splitlines() if f":{processes.port:04X} 0000" in line]
    assert places == [f"0100007F:{processes.port:04X}"]


def test_health_and_log_have_the_time_of_the_demonstration(processes: Processes, tmp_path: Path) -> None:
    start(processes)
    written = health.read(tmp_path / "ECCMQTTIoT_Health.json")
    assert written
    assert written.started_utc.startswith("2026-04-19 ")
    until(lambda: "Connected to broker" in processes.log.read_text())
    assert {line[:11] for line in processes.log.read_text().splitlines()} == {"2026-04-19 "}


def test_a_part_that_can_not_start_says_why(processes: Processes) -> None:
    processes.database.mkdir()
    with pytest.raises(ProcessError, match=r"the listener has ended, exit status 1:\n.*ECCTempHum"):
        start(processes)


def test_a_busy_computer_is_not_an_outage_however_fast_the_clock_is(processes: Processes) -> None:
    assert processes.settings(1).timer_check.total_seconds() == 20 * 60
    assert processes.settings(1200).timer_check.total_seconds() / 1200 >= 10


def test_a_port_that_is_in_use_is_refused_if_the_user_has_chosen_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"^web_port: {port} of 127.0.0.1 can't be used: "):
            Processes(tmp_path, NOBODY, port)
