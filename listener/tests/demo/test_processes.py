"""What the demonstration plays on."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecc_listener.demo.processes import Stage, StageError
from ecc_listener.simulator.device import create_devices, measure_all
from support.brokers import until

END = datetime(2026, 3, 15, 10, 20, tzinfo=UTC)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def publish(stage: Stage, *account: str) -> int:
    command = ["mosquitto_pub", "-p", str(stage.port), "-t", "ECCTempHum", "-m", "hello", *account]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_only_who_has_the_password_enters_and_is_heard(stage: Stage) -> None:
    stage.start()
    assert publish(stage) != 0
    assert publish(stage, "-u", "demo", "-P", "demo") != 0
    assert publish(stage, "-u", "demo", "-P", stage.credentials.password.get_secret_value()) == 0
    until(lambda: (known := stage.health()) and known.rejected == 1)


def test_the_broker_is_for_this_machine_alone(stage: Stage) -> None:
    stage.start()
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    places = [line.split()[1] for line in listening.splitlines() if f":{stage.port:04X} 0000" in line]
    assert places == [f"0100007F:{stage.port:04X}"]


def test_history_is_as_the_sensors_would_have_sent_it(stage: Stage) -> None:
    sensors = create_devices(6)
    length = timedelta(days=30)
    assert stage.write_history(sensors, END, length) == 25_920
    with closing(sqlite3.connect(stage.database)) as connection:
        query = "SELECT temperatureF, sensorName FROM ECCTempHum ORDER BY recordWrittenUTC, sensorName"
        expected = [
            (one.temperature_f, one.sensor_name) for _, one in measure_all(sensors, END - length, END)
        ]
        assert connection.execute(query).fetchall() == expected
        assert connection.execute("SELECT count(*) FROM ECCTempHumSensor").fetchone() == (5,)
        assert connection.execute("SELECT count(*) FROM ECCDelivery").fetchone() == (0,)


def test_a_part_that_can_not_start_says_why(stage: Stage) -> None:
    stage.database.mkdir()
    with pytest.raises(StageError, match=r"the listener has ended, exit status 1:\n.*ECCTempHum"):
        stage.start()
