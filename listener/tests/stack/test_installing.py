"""Installing: before anything is there, beside another program, and with the original's files."""

import socket
import sqlite3

import pytest

from projects import project
from support.brokers import OFFICE, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ORIGINAL_TABLE = (
    "CREATE TABLE ECCTempHum(recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL,"
    " relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER,"
    " sensorName TEXT, PRIMARY KEY (sensorName, recordWrittenUTC))"
)
GENERATIONS = pytest.mark.parametrize("generation", [1, 2])


@GENERATIONS
def test_before_any_setup_compose_leads_to_make_up_and_leaves_nothing_behind(generation: int) -> None:
    with project(generation) as made:
        before = sorted(made.folder.rglob("*"))
        told = made.compose("up", "--detach")
        assert told.returncode != 0
        assert "make up" in told.stderr
        assert sorted(made.folder.rglob("*")) == before


def test_a_port_in_use_is_told_with_the_next_step() -> None:
    with project(1) as made, socket.socket() as taken:
        made.choose_ports()
        taken.bind(("127.0.0.1", made.port))
        taken.listen()
        told = made.run("make", "up")
        assert told.returncode != 0
        assert "is in use by another program" in told.stderr
        assert "Next step" in told.stderr


def test_an_installation_of_the_original_moves_over_with_compose_2() -> None:
    with project(2) as made:
        made.choose_ports()
        (made.folder / "secrets/mqtt_credentials").write_text("church, old password \r\n")
        (made.folder / "data/db").mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(made.folder / "data/db/ECCTempHum.sqlite3") as old:
            old.execute(ORIGINAL_TABLE)
            values = "'2020-12-19 03:04:05.678901', 1, 2, 3, 4, 5, -6, 'ECCTH01'"
            old.execute(f"INSERT INTO ECCTempHum VALUES ({values})")
        old.close()
        up = made.run("make", "up")
        assert up.returncode == 0, up.stdout + up.stderr
        until(lambda: made.is_healthy("listener"), 60)
        client = made.client("church", "old password")
        until(client.is_connected)
        client.publish("ECCTempHum", OFFICE, qos=0)
        until(lambda: made.count() == 2)
        client.disconnect()
        client.loop_stop()
