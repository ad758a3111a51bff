import pickle
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecc_listener.storage.connection import StoreError
from support.brokers import OFFICE, Mosquitto, until
from support.listeners import Listener

HALL = OFFICE.replace(b"ECCTH01", b"ECCTH02").replace(b"Office", b"Hall")


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto) -> Iterator[Listener]:
    made = Listener(tmp_path / "listener", broker.port, timer_check="0.05", last_notice_silence_time="60")
    yield made
    made.end()


def subjects(listener: Listener) -> list[str]:
    """The subjects of the mails, in the order in which they are sent."""
    try:
        return [str(row[0]) for row in listener.query("SELECT subject FROM ECCMail ORDER BY number")]
    except (StoreError, sqlite3.OperationalError):
        return []  # It has only just begun.


def speaks(broker: Mosquitto, seconds: float, *payloads: bytes) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        broker.publish(*payloads)
        time.sleep(0.5)


def test_a_sensor_falls_silent_and_comes_back_through_restarts(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    speaks(broker, 4, OFFICE, HALL)
    # The Office falls silent, the Hall goes on.
    listener.stop()
    listener.start()
    speaks(broker, 7, HALL)
    assert [subject.split(" since ")[0] for subject in subjects(listener)] == [
        "New sensor ECCTH01 in Office, and 1 more",
        "Office: no reading",
    ]
    assert "Office: no reading since" in (listener.folder / "last_notice").read_text()
    listener.stop()
    listener.start()
    speaks(broker, 2, HALL)
    assert len(subjects(listener)) == 2
    speaks(broker, 3, OFFICE, HALL)
    assert subjects(listener)[2].startswith("Resolved: Office: sending again after ")
    assert "readings missing" in subjects(listener)[2]
    listener.stop()
    listener.start()
    speaks(broker, 2, OFFICE, HALL)
    assert len(subjects(listener)) == 3


def test_when_no_sensor_sends_the_listener_reconnects_and_then_a_notice_is_sent(
    broker: Mosquitto, listener: Listener
) -> None:
    listener.start()
    broker.publish(OFFICE)
    until(lambda: any("All sensors: no reading since" in one for one in subjects(listener)))
    assert "Reconnecting, because no message has arrived for so long" in listener.log()
    broker.publish(OFFICE)
    until(lambda: subjects(listener)[-1].startswith("Resolved: All sensors: readings again after"))


@pytest.mark.parametrize(
    ("password", "port", "says"),
    [("wrong", 0, "the broker refuses the listener's password"), (None, 1, "the broker can't be reached")],
)
def test_why_nobody_is_heard_is_told_apart(
    tmp_path: Path, broker: Mosquitto, password: str | None, port: int, says: str
) -> None:
    listener = Listener(tmp_path / "listener", port or broker.port, timer_check="0.05")
    if password:
        (listener.folder / "credentials").write_text(f"sensor,{password}")
    listener.start(connected=False)
    until(lambda: listener.database.exists() and len(subjects(listener)) == 1)
    assert says in subjects(listener)[0]
    listener.end()


def test_an_old_pickle_is_replaced_and_never_loaded(broker: Mosquitto, listener: Listener) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(listener.folder / "loaded"), "w")

    old = listener.folder / "last_notice"
    old.write_bytes(pickle.dumps(Trap()))
    assert broker.process
    listener.start()
    assert old.read_text() == "No notice has been sent yet.\n"
    assert not (listener.folder / "loaded").exists()
