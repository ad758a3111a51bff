"""A short form of each fault; `make faults` runs the long one, with the controls."""

import sqlite3
import time
from collections.abc import Callable

import pytest

from faults import matrix
from faults.disks import disk
from faults.ledger import Ledger, Outcome, broker_21, folder, listening
from support.brokers import OFFICE, Mosquitto

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

needs_mounts = pytest.mark.privileged


@pytest.mark.parametrize(
    ("fault", "cycles"),
    [
        (matrix.listener_killed, 4),
        (matrix.listener_killed_tls, 2),
        (matrix.listener_stopped, 2),
        (matrix.archived, 3),
        (matrix.broker_restarted, 2),
        pytest.param(matrix.power_cut, 3, marks=needs_mounts),
        pytest.param(matrix.disk_full, 5, marks=needs_mounts),
        (matrix.locked, 1),
        (matrix.io_error, 4),
        pytest.param(matrix.network_dropping, 1, marks=needs_mounts),
        pytest.param(matrix.network_resetting, 1, marks=needs_mounts),
        pytest.param(matrix.network_resetting_tls, 1, marks=needs_mounts),
        (matrix.queued, 5_000),
        (matrix.flood, 3),
        (matrix.malformed, 3_000),
        (matrix.malformed_json, 3_000),
        (matrix.clock_steps, 4),
        (matrix.standing_still, 1),
    ],
)
def test_nothing_is_lost_and_nothing_is_doubled(fault: Callable[[int], Outcome], cycles: int) -> None:
    outcome = fault(cycles)
    assert outcome.is_good(), outcome


@pytest.mark.parametrize("fault", [matrix.broker_killed, matrix.both_killed])
def test_a_killed_broker_loses_at_most_what_it_had_not_on_its_disk(fault: Callable[[int], Outcome]) -> None:
    outcome = fault(2)
    assert outcome.doubled == 0
    assert outcome.acknowledged > 100
    # Its answer goes out a moment before its disk has the message: at 600 a second these are a few at most.
    assert outcome.lost <= 10


@needs_mounts
def test_a_file_system_that_turns_read_only_loses_at_most_what_it_was_writing() -> None:
    outcome = matrix.read_only(1)
    # A sync that ends just when the file system turns read-only reports success, for one commit: at 300 a
    # second that is a reading or two, on a busy machine a few. See delivery-guarantees.md.
    assert outcome.lost <= 10, outcome
    assert outcome.doubled == 0
    assert outcome.acknowledged > 100


@needs_mounts
def test_a_start_on_a_full_disk_says_that_it_is_full(broker: Mosquitto) -> None:
    with folder() as where, disk(where) as small:
        with listening(where, broker, database=small.mount / "db") as listener:
            listener.stop()
            small.fill()
            refused = listener.run()
            assert refused.returncode == 1
            assert "the disk is full; free some space" in refused.stderr
            small.ballast.unlink()
            listener.start()
            broker.publish(OFFICE)
            listener.wait_for(1)


def test_the_ledger_finds_what_is_lost_and_what_is_doubled() -> None:
    with folder() as where, broker_21(where) as broker, listening(where, broker) as listener:
        with Ledger(broker.port, per_second=100) as ledger:
            time.sleep(1)
        assert ledger.compare(listener, 1).is_good()
        listener.stop()
        with sqlite3.connect(listener.database) as connection:
            connection.execute("DELETE FROM ECCTempHum WHERE rowid = 5")
            connection.execute(
                "INSERT INTO ECCTempHum SELECT '2026-03-01 12:00:00.000000', dewPointF, temperatureF,"
                " relHumidityPercent, battVoltage, battPercent, apRSSI, sensorName FROM ECCTempHum"
                " WHERE rowid = 6"
            )
        connection.close()
        found = ledger.compare(listener, 1, wait_s=1)
    assert (found.lost, found.doubled) == (1, 1)
