import logging
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from functools import partial
from pathlib import Path

import pytest

from ecc_listener.notifications import message, outbox, smtp
from ecc_listener.notifications.channels import Channels, read_channels
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.notice import Entry, Notice, Notification, Words
from ecc_listener.notifications.outbox import Due, Outcome
from ecc_listener.notifications.sender import Sender
from ecc_listener.settings import load
from ecc_listener.storage.connection import StoreError, connect
from ecc_listener.storage.store import Store
from support.brokers import OFFICE, Mosquitto, until
from support.listeners import Listener
from support.mail_servers import MailServer, talker

NOW_US = 1_795_500_000_000_000
HOUR_US, MINUTE_US = 3_600_000_000, 60_000_000


def channels(server: MailServer, **changes: object) -> Channels:
    return read_channels(load({**server.settings(), **changes}))


def add(store: Store, *subjects: str) -> None:
    for subject in subjects:
        store.change(partial(outbox.add, message=Message(subject, "plain", "<p>html</p>"), now_us=NOW_US))


def turn(post: Sender, now_us: int, condition: Callable[[], object]) -> None:
    """Tick as the loop does, until a condition holds."""

    def holds() -> object:
        post.tick(now_us)
        return condition()

    until(holds)


def waiting(store: Store) -> int:
    return sum(state.waiting for state in store.look(outbox.states))


def test_letters_are_sent_once_and_in_order(server: MailServer, store: Store) -> None:
    post = Sender(channels(server), store)
    add(store, *"abcd")
    turn(post, NOW_US, lambda: not waiting(store))
    for _ in range(5):
        post.tick(NOW_US)
    assert server.subjects() == list("abcd")
    assert post.fault is None


def test_each_recipient_gets_the_notices_of_its_kinds_and_sees_only_those_who_get_the_same(
    server: MailServer, store: Store
) -> None:
    chosen = (
        "you@example.org",
        "rooms@example.org rooms",
        "organ@example.org rooms",
        "it@example.org system",
    )
    post = Sender(read_channels(load(server.settings(*chosen))), store)
    words = Words("", None, "", ())
    cold, full = (
        Entry(
            Notice(number, kind, subject, subject or None, NOW_US, None, None, 0, {}),
            "new",
            words._replace(headline=headline),
            None,
        )
        for number, kind, subject, headline in (
            (1, "too_cold", "Nave", "Nave: too cold"),
            (2, "disk", "", "The disk fills up"),
        )
    )
    for entries in (cold, full), (cold,):
        notification = Notification(NOW_US, entries, None)
        write = partial(message.for_choice, notification, zone=UTC)
        store.change(partial(outbox.add_by_choice, write=write, now_us=NOW_US))
    turn(post, NOW_US, lambda: not waiting(store))
    assert sorted((address, str(mail["Subject"]), str(mail["To"])) for address, mail in server.mails) == [
        ("it@example.org", "The disk fills up", "it@example.org"),
        ("organ@example.org", "Nave: too cold", "rooms@example.org, organ@example.org"),
        ("organ@example.org", "Nave: too cold", "rooms@example.org, organ@example.org"),
        ("rooms@example.org", "Nave: too cold", "rooms@example.org, organ@example.org"),
        ("rooms@example.org", "Nave: too cold", "rooms@example.org, organ@example.org"),
        ("you@example.org", "Nave: too cold", "you@example.org"),
        ("you@example.org", "Nave: too cold, and 1 more", "you@example.org"),
    ]


def test_a_server_that_is_down_for_a_day_gets_all_of_it_once_and_in_order_afterwards(
    server: MailServer, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    caplog.set_level(logging.INFO)
    post = Sender(channels(server), store)
    add(store, "a", "b")
    turn(post, NOW_US, lambda: post.fault)
    assert (
        "fails to you@example.org since 06:00 UTC, 2 messages are waiting: nothing accepts connections"
        in str(post.fault)
    )
    for hour in range(24):
        add(store, f"hour {hour}")
        tries = tried(store)
        turn(post, NOW_US + hour * HOUR_US + 2 * MINUTE_US, partial(tried, store, tries))
    server.start()
    turn(post, NOW_US + 25 * HOUR_US, lambda: not waiting(store))
    assert server.subjects() == ["a", "b", *(f"hour {hour}" for hour in range(24))]
    assert post.fault is None
    assert caplog.text.count("Messages can't be sent to you@example.org") == 1
    assert caplog.text.count("Messages are sent to you@example.org again") == 1


def tried(store: Store, more_than: int = 0) -> int:
    """Say how often it was tried in a row, if that is more than so many."""
    tries: int = store.look(lambda connection: connection.execute("SELECT tries FROM ECCMailWay").fetchone())[
        0
    ]
    return tries if tries > more_than else 0


def test_a_hanging_server_holds_no_tick(
    server: MailServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "ANSWER_WITHIN_S", 1.0)
    with talker() as port:
        post = Sender(channels(server, smtp_port=port), store)
        add(store, "a")
        post.tick(NOW_US)
        # The tick has returned, and the server still says nothing.
        assert post.is_busy

        def fault() -> str | None:
            post.tick(NOW_US)
            return post.fault

        until(fault)
    assert post.fault
    assert "does not answer" in post.fault


def test_what_was_sent_while_the_database_was_locked_is_recorded_later_and_not_sent_again(
    server: MailServer, store: Store, tmp_path: Path
) -> None:
    post = Sender(channels(server), store)
    add(store, "a", "b")
    post.tick(NOW_US)
    other = connect(tmp_path / "db")
    other.execute("BEGIN IMMEDIATE")
    until(lambda: server.mails)
    with pytest.raises(StoreError, match="another program holds the database"):
        turn(post, NOW_US, lambda: False)
    other.execute("ROLLBACK")
    other.close()
    turn(post, NOW_US, lambda: not waiting(store))
    assert server.subjects() == ["a", "b"]


def test_a_fault_of_the_program_itself_is_told_and_tried_again_with_pauses(
    server: MailServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Channels, _letters: list[Due]) -> Iterator[Outcome]:
        raise RuntimeError

    monkeypatch.setattr(Channels, "send", broken)
    post = Sender(channels(server), store)
    add(store, "a")
    turn(post, NOW_US, lambda: post.fault)
    assert post.fault
    assert "an error in this program" in post.fault
    assert store.look(partial(outbox.due, now_us=NOW_US)) == []


def test_without_any_way_it_says_so_once_and_does_nothing(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    post = Sender(read_channels(load({"gmail_credentials_file_path": tmp_path / "none"})), store)
    add(store, "a")
    post.tick(NOW_US)
    assert caplog.text.count("Mail is off") == 1
    assert post.fault is None


def test_a_line_that_apprise_does_not_know_is_told_at_the_start_and_forgotten_once_it_is_mended(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "urls"
    path.write_text("# a remark\nnosuch://hunter2\n")
    settings = {"apprise_urls_file_path": path, "gmail_credentials_file_path": "none"}
    post = Sender(read_channels(load(settings)), store)
    turn(post, NOW_US, lambda: post.fault)
    assert (
        "line 2 of apprise_urls (nosuch) and will be tried again: apprise does not know this kind of URL"
        in caplog.text
    )
    assert "hunter2" not in caplog.text + str(post.fault)
    path.write_text("\njson://hunter2\n")
    Sender(read_channels(load(settings)), store)
    assert [state.fault for state in store.look(outbox.states)] == [None]


def test_a_destination_that_is_taken_out_is_told_to_the_log(
    server: MailServer, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    Sender(channels(server), store)
    add(store, "a")
    Sender(read_channels(load({"gmail_credentials_file_path": "none"})), store)
    assert "you@example.org is no longer notified; 1 messages were waiting for it" in caplog.text


def insert(listener: Listener, *subjects: str) -> None:
    """Put letters into the outbox while the listener doesn't run."""
    connection = sqlite3.connect(listener.database, isolation_level=None)
    for subject in subjects:
        outbox.add(connection, Message(subject, "plain", "<p>html</p>"), time.time_ns() // 1000)
    connection.close()


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto, server: MailServer) -> Iterator[Listener]:
    made = Listener(tmp_path / "listener", broker.port, **server.settings())
    yield made
    made.end()


def test_a_listener_killed_while_mail_is_down_sends_all_of_it_later_and_none_twice(
    listener: Listener, server: MailServer
) -> None:
    server.stop()
    listener.start()
    insert(listener, "a", "b")
    until(lambda: "Messages can't be sent to you@example.org" in listener.log())
    until(lambda: "ok, but mail fails to you@example.org" in listener.run("healthcheck").stdout)
    listener.stop(signal.SIGKILL)
    insert(listener, "c")
    server.start()
    listener.start()
    until(lambda: len(server.mails) == 3)
    # The outcome is recorded a tick later; before that a kill would let the same letter go again.
    until(lambda: listener.query("SELECT doneUpTo FROM ECCMailWay") == [(3,)])
    listener.stop(signal.SIGKILL)
    listener.start()
    insert(listener, "d")
    until(lambda: len(server.mails) == 4)
    assert server.subjects() == ["a", "b", "c", "d"]
    assert "abcdefghijklmnop" not in listener.log()


def test_what_was_taken_is_recorded_without_waiting_for_the_next_tick(
    listener: Listener, server: MailServer
) -> None:
    listener.start()
    insert(listener, *(f"{number}" for number in range(20)))
    # A letter a tick would take 20 s.
    until(lambda: listener.query("SELECT doneUpTo FROM ECCMailWay") == [(20,)])
    assert server.subjects() == [f"{number}" for number in range(20)]


def test_a_stop_waits_for_the_letter_that_is_on_its_way(listener: Listener, server: MailServer) -> None:
    server.on_mail = lambda: time.sleep(1)
    listener.start()
    insert(listener, "a")
    until(lambda: server.mails)
    assert listener.stop() == 0
    assert listener.query("SELECT doneUpTo FROM ECCMailWay") == [(1,)]


def test_readings_are_stored_while_the_mail_server_hangs(tmp_path: Path, broker: Mosquitto) -> None:
    server = MailServer(tmp_path / "mail")
    with talker() as port:
        listener = Listener(tmp_path / "listener", broker.port, **{**server.settings(), "smtp_port": port})
        listener.start()
        insert(listener, "a")
        time.sleep(1.5)
        broker.publish(OFFICE)
        until(lambda: listener.count() == 1, smtp.ANSWER_WITHIN_S / 2)
        # Nobody waits half a minute for a server at the end.
        listener.stop()
        listener.end()
