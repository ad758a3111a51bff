"""The demonstration's mailbox, with the listener's real way to send."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from ecc_listener.credentials import UrlLine
from ecc_listener.demo.mailbox import Mailbox, ReceivedMessage
from ecc_listener.notifications import apprise
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.outbox import Due


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox("127.0.0.1") as mailbox:
        yield mailbox


def test_it_receives_what_the_listener_sends(mailbox: Mailbox) -> None:
    line = UrlLine(1, SecretStr(mailbox.url))
    message = Message("Hall: silent", "Hall: silent\n\n  Since   06:48 UTC\n", "<p>Hall</p>")
    (outcome,) = apprise.send((line,), [Due(line.channel, 1, "id", 0, message)])
    assert outcome.fault is None
    (received,) = mailbox.take()
    assert received.subject == "Hall: silent"
    assert "  Since   06:48 UTC" in received.text
    assert mailbox.take() == []


def test_whoever_does_not_know_its_path_can_not_send_to_it(mailbox: Mailbox) -> None:
    address = mailbox.url.replace("json://", "http://")
    body = {"title": "a", "message": "b"}
    assert httpx.post(address.rpartition("/")[0] + "/guess", json=body).status_code == 404
    assert httpx.post(address, json=body).status_code == 200
    assert mailbox.take() == [ReceivedMessage("a", "b")]
