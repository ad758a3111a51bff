"""A listener that is connected and can't hear is noticed, with the real broker and its access rules."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecc_listener.mqtt import hearing
from ecc_listener.mqtt.session import Broker
from support.brokers import OFFICE, PASSWORD, USERNAME, Mosquitto, until
from support.listeners import Listener

SOON = (
    "import sys; from ecc_listener import cli; from ecc_listener.mqtt import hearing;"
    " hearing.PATIENCE_S, hearing._ANSWER_S = 1.0, 1.0; sys.exit(cli.main([]))"
)
"""The program, which waits less long before it asks."""


@contextmanager
def listening(folder: Path, rules: str, **settings: object) -> Iterator[tuple[Mosquitto, Listener]]:
    """Give a broker with access rules for the listener's user, and a listener that is connected to it."""
    folder.mkdir(exist_ok=True)
    (folder / "acl").write_text(rules)
    broker = Mosquitto(folder / "broker", f"acl_file {folder}/acl")
    broker.start()
    listener = Listener(folder / "listener", broker.port, **settings)
    listener.program = ["-c", SOON]
    try:
        listener.start()
        yield broker, listener
    finally:
        listener.end()
        broker.stop()


def fault(listener: Listener) -> str | None:
    health = listener.health()
    return health.hearing_fault if health else None


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            f"user {USERNAME}\ntopic write #\n",
            f"the broker delivers nothing on ECCTempHum to user '{USERNAME}'",
        ),
        (
            "user somebody\ntopic readwrite #\n",
            f"nothing has arrived yet, and it can't be checked whether user '{USERNAME}' may read ECCTempHum",
        ),
    ],
)
def test_a_user_who_may_not_read_is_named_in_log_healthcheck_and_page(
    tmp_path: Path, rules: str, said: str
) -> None:
    with listening(tmp_path, rules) as (_, listener):
        until(lambda: fault(listener), 20)
        assert f"Connected, but deaf: {said}" in listener.log()
        checked = listener.run("healthcheck")
        assert checked.returncode == 1
        assert f"connected, but deaf: {said}" in checked.stdout
        assert listener.run("status").stdout.startswith(f"Needs attention: connected, but deaf: {said}")


def test_a_quiet_broker_on_which_nothing_was_sent_yet_is_well(tmp_path: Path) -> None:
    with listening(tmp_path, f"user {USERNAME}\ntopic readwrite #\n") as (broker, listener):
        until(
            lambda: "ecc-listener-probe" in (broker.folder / "broker.log").read_text() or _looks(listener), 20
        )
        for _ in range(4):
            assert fault(listener) is None
            assert listener.run("healthcheck").stdout == "ok\n"
        # The probe leaves no trace.
        assert listener.count() == listener.count("ECCRejected") == 0
        health = listener.health()
        assert health is not None
        assert (health.messages, health.last_message_utc) == (0, None)
        broker.publish(OFFICE)
        listener.wait_for(1)


def _connections(listener: Listener) -> int:
    current = listener.health()
    return current.connections if current else 0


def _looks(listener: Listener) -> bool:
    return "-look" in (listener.folder.parent / "broker" / "broker.log").read_text()


def test_an_account_that_may_only_read_is_not_accused_once_something_was_heard(tmp_path: Path) -> None:
    rules = f"user {USERNAME}\ntopic read #\nuser sensor2\ntopic write #\n"
    with listening(tmp_path, rules) as (broker, listener):
        until(lambda: "can't be checked" in str(fault(listener)), 20)
        (tmp_path / "acl").write_text(f"user {USERNAME}\ntopic readwrite #\n")
        broker.stop()
        broker.start()
        until(listener.is_connected, 40)
        broker.publish(OFFICE)
        listener.wait_for(1)
        until(lambda: fault(listener) is None)
        (tmp_path / "acl").write_text(rules)
        before = _connections(listener)
        broker.stop()
        broker.start()
        # The health file may still be that of the connection before.
        until(lambda: _connections(listener) > before and listener.is_connected(), 40)
        until(lambda: _looks(listener), 20)
        for _ in range(4):
            assert listener.run("healthcheck").stdout == "ok\n"


def test_sensors_on_another_topic_are_seen_with_the_setting_to_change(tmp_path: Path) -> None:
    rules = f"user {USERNAME}\ntopic readwrite #\n"
    with listening(tmp_path, rules, mqtt_topics="ECCTempHumm") as (broker, listener):
        until(lambda: _looks(listener), 20)

        def is_said() -> bool:
            broker.publish(OFFICE, topic="ECCTempHum")
            broker.publish(b"hello", topic="chat")
            return fault(listener) is not None

        until(is_said, 20)
        said = (
            "sensors publish on ECCTempHum, but the listener only listens to ECCTempHumm: set ECC_MQTT_TOPICS"
        )
        assert said in str(fault(listener))
        assert listener.count() == 0
        broker.publish(OFFICE, topic="ECCTempHumm")
        until(lambda: fault(listener) is None)
        assert "The listener can hear again" in listener.log()


def test_a_look_ends_and_is_repeated_as_long_as_nothing_arrives(broker: Mosquitto) -> None:
    address = Broker("127.0.0.1", broker.port, "ecc-listener", USERNAME, PASSWORD, ("ECCTempHum",), None)
    check = hearing.HearingCheck(address, lambda _topic, _payload: True)

    def tick(now_s: float) -> None:
        check.tick(now_s, connection=1, messages=0, is_connected=True, is_new=True)

    def lines(words: str) -> int:
        log = (broker.folder / "broker.log").read_text().splitlines()
        return sum("ecc-listener-look" in line and words in line for line in log)

    tick(0)
    tick(30)
    until(lambda: lines("New client connected") == 1)
    tick(1000)
    until(lambda: lines("disconnected") == 1)
    tick(2000)
    broker.publish(OFFICE, topic="elsewhere")
    tick(3000)
    assert check.fault is None
    tick(3700)
    until(lambda: lines("New client connected") == 2)

    def is_found() -> bool:
        broker.publish(OFFICE, topic="elsewhere")
        tick(3701)
        return check.fault is not None

    until(is_found)
    assert "sensors publish on elsewhere" in str(check.fault)
    check.close()


def test_a_probe_is_known_by_its_beginning() -> None:
    assert hearing.is_probe(hearing.PROBE + b" 1")
    assert not hearing.is_probe(OFFICE)
