from functools import partial
from pathlib import Path

import pytest

from ecc_listener.notifications import outbox, table
from ecc_listener.notifications.notice import Notice
from ecc_listener.storage.quarantine import Rejected
from ecc_listener.storage.store import Store
from ecc_listener.web.events import printable
from support.viewers import MINUTE_US, READING, House, program, text_of


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.stored((made.now_us, READING))
    made.well()
    return made


def test_what_is_no_reading_is_shown_with_its_reason_and_harmless_bytes(house: House) -> None:
    payload = b"<script>alert(1)</script>\x1b[2J\x00\xff\\"
    house.stored(
        rejected=(Rejected(house.now_us - MINUTE_US, "<b>t</b>", payload, "not <i>form</i> fields"),)
    )
    answer = house.viewer().get("/events")
    assert "<script>alert" not in answer.text
    assert "<b>t</b>" not in answer.text
    shown = text_of(answer)
    assert r"<script>alert(1)</script>\x1b[2J\x00\xff\x5c" in shown
    assert "not <i>form</i> fields" in shown
    assert "32 bytes, topic <b>t</b>" in shown


def test_of_a_long_payload_the_beginning_is_shown(house: House) -> None:
    house.stored(rejected=(Rejected(house.now_us, "t", b"A" * 4000 + b"B", "too long"),))
    (one,) = program(house.viewer(), "/api/events")["quarantine"]
    assert one["payload_shown"] == "A" * 300 + " …"
    assert one["payload_bytes"] == 4001


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"", ""),
        (b"a b", "a b"),
        ("ä".encode(), r"\xc3\xa4"),
        (b"\n\x7f", r"\x0a\x7f"),
        (b"\\x00", r"\x5cx00"),
    ],
)
def test_bytes_are_shown_so_that_two_never_look_the_same(payload: bytes, shown: str) -> None:
    assert printable(payload, len(payload)) == shown


def test_a_message_with_nothing_in_it_is_shown_as_such(house: House) -> None:
    house.stored(rejected=(Rejected(house.now_us, "t", b"", "empty"),))
    assert "empty (empty) 0 bytes, topic t" in text_of(house.viewer().get("/events"))
    (one,) = program(house.viewer(), "/api/events")["quarantine"]
    assert (one["payload_shown"], one["payload_bytes"]) == ("", 0)


def test_the_newest_come_first_and_as_many_as_asked_for(house: House) -> None:
    house.stored(rejected=tuple(Rejected(house.now_us, "t", b"x", f"fault {number}") for number in range(60)))
    viewer = house.viewer()
    told = program(viewer, "/api/events")
    assert told["quarantine_count"] == 60
    assert [one["reason"] for one in told["quarantine"]] == [f"fault {number}" for number in range(59, 9, -1)]
    assert len(program(viewer, "/api/events?count=3")["quarantine"]) == 3
    for wrong in ("0", "501", "-1", "x", "²", "9" * 40):
        answer = viewer.get("/api/events", params={"count": wrong})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_without_a_database_people_are_told_what_to_do_and_programs_to_come_back(tmp_path: Path) -> None:
    viewer = House(tmp_path).viewer()
    answer = viewer.get("/events")
    assert answer.status_code == 200
    assert "run make up to start what isn't running" in text_of(answer)
    refused = viewer.get("/api/events")
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert "the listener makes it when it starts" in refused.json()["detail"]


def test_without_a_channel_no_notice_claims_to_be_sent(house: House) -> None:
    store = Store(house.database, 10_000_000)
    notice = Notice(1, "silent", "ECCTH01", "Office", 0, None, house.now_us, 1, {}, house.now_us)
    store.change(partial(table.write_notices, notices=[(notice, False)]))
    shown = text_of(house.viewer().get("/events"))
    assert "Not sent: no mail is set up." in shown
    assert "Sent once" not in shown
    store.change(partial(outbox.set_channels, channels=["rooms@example.org"]))
    store.close()
    assert "Sent once, last 12:00." in text_of(house.viewer().get("/events"))


def test_an_event_is_not_said_to_be_resolved(house: House) -> None:
    store = Store(house.database, 10_000_000)
    since_us = house.now_us - 20 * MINUTE_US
    new = Notice(1, "new", "ECCTH01", "Office", since_us, house.now_us, house.now_us, 1, {}, since_us)
    store.change(partial(table.write_notices, notices=[(new, True)]))
    store.close()
    shown = text_of(house.viewer().get("/events"))
    assert "New sensor ECCTH01 in Office" in shown
    assert "after 20 min" not in shown
