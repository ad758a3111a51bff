import time
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from ecc_listener.notifications import outbox
from ecc_listener.notifications.channels import Channels, read_channels
from ecc_listener.notifications.fallback import FallbackMail
from ecc_listener.settings import load
from ecc_listener.storage.connection import connect
from ecc_listener.storage.store import Store
from support.brokers import OFFICE, Mosquitto, free_port, until
from support.listeners import Listener
from support.mail_servers import MailServer

NOW_US, MINUTE_US = 1_795_500_000_000_000, 60_000_000
FAULT = "/data/db: the disk is full; free some space"


def made(channels: Channels, store: Store) -> FallbackMail:
    return FallbackMail(channels, store, 20 * MINUTE_US, ZoneInfo("UTC"))


def waiting(store: Store) -> list[str]:
    rows = store.look(lambda connection: connection.execute("SELECT subject FROM ECCMail").fetchall())
    return [row[0] for row in rows]


def test_a_fault_that_lasts_is_told_once_past_the_database_and_so_is_its_end(
    server: MailServer, store: Store
) -> None:
    channels = read_channels(load(server.settings("you@example.org", "they@example.org")))
    alarm = made(channels, store)
    for minute in range(20):
        alarm.tick(FAULT, NOW_US + minute * MINUTE_US)
    assert server.mails == []
    for minute in range(20, 90):
        alarm.tick(FAULT, NOW_US + minute * MINUTE_US)
        until(lambda: len(server.mails) == 2)
    time.sleep(0.3)
    assert len(server.mails) == 2
    assert server.subjects() == ["Readings can't be stored since 06:00"]
    body = server.mails[0][1].get_body(("plain",))
    assert body is not None
    assert "the disk is full" in body.get_content()
    assert waiting(store) == []
    alarm.tick(None, NOW_US + 95 * MINUTE_US)
    alarm.tick(None, NOW_US + 96 * MINUTE_US)
    assert waiting(store) == ["Resolved: Readings are stored again after 1 h 35 min"]


def test_those_are_told_who_chose_the_system(server: MailServer, store: Store) -> None:
    chosen = server.settings("rooms@example.org rooms", "it@example.org system")
    channels = read_channels(load(chosen))
    store.change(partial(outbox.set_channels, channels=channels.names, choices=channels.choices))
    alarm = made(channels, store)
    for minute in range(90):
        alarm.tick(FAULT, NOW_US + minute * MINUTE_US)
        if minute > 20:
            until(lambda: server.mails)
    time.sleep(0.3)
    assert [address for address, _ in server.mails] == ["it@example.org"]
    alarm.tick(None, NOW_US + 95 * MINUTE_US)
    alarm.tick(None, NOW_US + 96 * MINUTE_US)
    assert [state.waiting for state in store.look(outbox.states)] == [0, 1]


def test_a_short_fault_is_not_told(server: MailServer, store: Store) -> None:
    alarm = made(read_channels(load(server.settings())), store)
    alarm.tick(FAULT, NOW_US)
    alarm.tick(None, NOW_US + 19 * MINUTE_US)
    alarm.tick(FAULT, NOW_US + 20 * MINUTE_US)
    alarm.tick(FAULT, NOW_US + 39 * MINUTE_US)
    time.sleep(0.3)
    assert server.mails == []
    assert waiting(store) == []


def test_it_is_tried_again_while_mail_fails_too(server: MailServer, store: Store) -> None:
    settings = server.settings()
    alarm = made(read_channels(load(settings | {"smtp_port": free_port()})), store)
    for minute in range(60):
        alarm.tick(FAULT, NOW_US + minute * MINUTE_US)
        time.sleep(0.01)
    alarm.tick(None, NOW_US + 60 * MINUTE_US)
    # Nobody was told of its beginning, so nobody is of its end.
    assert waiting(store) == []
    assert store.look(outbox.states) == []


def test_the_listener_tells_that_its_database_is_locked(
    tmp_path: Path, broker: Mosquitto, server: MailServer
) -> None:
    listener = Listener(tmp_path / "listener", broker.port, timer_check="0.02", **server.settings())
    listener.start()
    locker = connect(listener.database)
    locker.execute("BEGIN IMMEDIATE")
    broker.publish(OFFICE)
    until(lambda: any("can't be stored" in subject for subject in server.subjects()), 30)
    locker.execute("ROLLBACK")
    locker.close()
    until(lambda: any("stored again after" in subject for subject in server.subjects()), 30)
    assert listener.count() == 1
    listener.stop()
    listener.end()
