"""From a sensor that falls silent to the mail in somebody's box: real broker, listener and mail server."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.brokers import OFFICE, Mosquitto
from support.listeners import Listener
from support.mail_servers import MailServer

HALL = OFFICE.replace(b"ECCTH01", b"ECCTH02").replace(b"Office", b"Hall")


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto, server: MailServer) -> Iterator[Listener]:
    pace = {"timer_check": "0.05", "last_notice_silence_time": "60"}
    made = Listener(tmp_path / "listener", broker.port, **server.settings(), **pace)
    yield made
    made.end()


def speaks(broker: Mosquitto, seconds: float, *payloads: bytes) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        broker.publish(*payloads)
        time.sleep(0.3)


def speaks_until(broker: Mosquitto, server: MailServer, mails: int, *payloads: bytes) -> None:
    """Speak until so many mails have come."""
    for _ in range(60):
        if len(server.mails) >= mails:
            break
        speaks(broker, 0.1, *payloads)
    assert len(server.mails) == mails


def test_a_silence_is_one_mail_and_its_end_is_one_through_restarts(
    broker: Mosquitto, listener: Listener, server: MailServer
) -> None:
    listener.start()
    speaks(broker, 3, OFFICE, HALL)
    speaks_until(broker, server, 1, OFFICE, HALL)
    speaks_until(broker, server, 2, HALL)
    listener.stop()
    listener.start()
    speaks(broker, 2, HALL)
    assert [subject.split(" since ")[0] for subject in server.subjects()] == [
        "New sensor ECCTH01 in Office, and 1 more",
        "Office: no reading",
    ]
    body = server.mails[1][1].get_body(("plain",))
    assert body
    text = body.get_content()
    assert "ECCTH01" in text
    assert "Likely cause" in text
    assert "What to do" in text
    speaks_until(broker, server, 3, OFFICE, HALL)
    # Since when, how long, and how much is missing.
    resolved = r"Resolved: Office: sending again after \d+ s, about \d+ readings missing"
    assert re.fullmatch(resolved, server.subjects()[2])
    speaks(broker, 1, OFFICE, HALL)
    assert len(server.mails) == 3
    identifiers = {str(message["Message-ID"]) for _, message in server.mails}
    assert len(identifiers) == 3
