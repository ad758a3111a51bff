"""The loop itself: what becomes of a burst when something in it goes wrong."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from ecc_listener.clock import Clock, Now
from ecc_listener.service import Service
from ecc_listener.settings import load
from ecc_listener.storage.connection import StoreError, connect_readonly
from support.brokers import OFFICE, Mosquitto


def numbered(number: int) -> bytes:
    """Make a reading that no other is equal to."""
    return OFFICE.replace(b"73.45", b"%d.00" % number)


@pytest.fixture
def service(tmp_path: Path, broker: Mosquitto) -> Iterator[Service]:
    (tmp_path / "credentials").write_text("sensor,correct horse\n")
    names = ("database_file_path", "health_file_path", "last_notice_file_path", "limits_file_path")
    settings = load(
        {name: tmp_path / name for name in names}
        | {"mqtt_port": broker.port, "credentials_file_path": tmp_path / "credentials"}
        | {"automatic_backup": False, "mqtt_topics": "ECCTempHum,zigbee2mqtt/#"}
    )
    made = Service(settings, Clock())
    yield made
    made.shutdown()


def stored(service: Service) -> list[float]:
    connection = connect_readonly(service.settings.database_file_path)
    rows = connection.execute("SELECT temperatureF FROM ECCTempHum ORDER BY 1").fetchall()
    connection.close()
    return [row[0] for row in rows]


def test_a_fault_while_nobody_knows_whether_a_burst_is_stored_neither_loses_nor_doubles(
    service: Service, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    while service.session.fault:
        service.turn()
    commit = service.store.commit
    faults = 0

    def commits_but_says_no(*given: object) -> NoReturn:
        commit(*given)  # type: ignore[arg-type]
        monkeypatch.setattr(service.store, "commit", commit)
        service.next_tick_s = 0
        raise StoreError("the disk said no, but had written all")

    def tick(_now: Now) -> None:
        nonlocal faults
        if service.pending is not None and not faults:
            faults += 1
            broker.publish(*(numbered(number) for number in range(10, 15)))
            raise KeyError("what has nothing to do with the burst")
        service.stopped_by = "all are acknowledged" if service.health.messages >= 6 else None

    monkeypatch.setattr(service.store, "commit", commits_but_says_no)
    monkeypatch.setattr(service.tasks, "tick", tick)
    broker.publish(numbered(0))
    service.main_loop()
    assert faults == 1
    assert stored(service) == [0, 10, 11, 12, 13, 14]


def test_a_message_that_is_no_reading_hides_no_reading_that_is_sent_again(
    service: Service, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    while service.session.fault:
        service.turn()
    acknowledge = service.session.acknowledge
    # The acknowledgements get lost on the way.
    monkeypatch.setattr(service.session, "acknowledge", lambda _messages: None)
    broker.publish(b'{"state":"online"}', topic="zigbee2mqtt/bridge/state")
    while service.health.messages < 1:
        service.turn()
    broker.publish(numbered(1))
    while service.health.messages < 2:
        service.turn()
    monkeypatch.setattr(service.session, "acknowledge", acknowledge)
    service.session.restart("a test")
    broker.publish(numbered(2))
    end_s = time.monotonic() + 20
    while len(stored(service)) < 2 and time.monotonic() < end_s:
        service.turn()
    assert stored(service) == [1, 2]
