"""The sensors' accounts, with a real broker."""

import base64
import hashlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ecc_listener import cli
from ecc_listener.commands.account_list import Connection, read_connections
from support.brokers import OFFICE, PASSWORD, USERNAME, Mosquitto, until

HOSTILE_NAMES = [
    "$(touch here)",
    "`touch here`",
    'a"b',
    "a'b",
    "a;b",
    "a\\b",
    "a+b",
    "#x",
    "a/b",
    "a:b",
    "a,b",
    "a\nb",
    "a\0b",
    "../x",
    "-rf",
    " a",
    "a ",
    "",
    "a" * 41,
    "Ku\u0308che",
    "%u",
]


class House:
    """The folders of an installation, and a broker that uses them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secrets, self.mosquitto = folder / "secrets", folder / "mosquitto"
        self.secrets.mkdir()
        (self.mosquitto / "conf.d").mkdir(parents=True)
        (self.secrets / "mqtt_credentials").write_text("listener,a listener's word\n")
        (self.secrets / "sensor_credentials").write_text(f"{USERNAME},{PASSWORD}\n")
        monkeypatch.chdir(folder)
        monkeypatch.setenv("ECC_CREDENTIALS_FILE_PATH", str(self.secrets / "mqtt_credentials"))
        monkeypatch.setenv("ECC_MQTT_TOPICS", "ECCTempHum,ECCTempHum/+=own")
        self.broker = Mosquitto(folder / "broker")
        text = self.broker.config.read_text()
        own = f"password_file {self.secrets}/mosquitto_passwd\nacl_file {self.secrets}/mosquitto_acl\n"
        before = f"password_file {folder}/broker/passwords\n"
        assert before in text
        self.broker.config.write_text(
            # With 0, Mosquitto 2.0 disconnects whom it denies a message.
            text.replace(before, own).replace("queued_messages 0", "queued_messages 1000")
            + "log_timestamp_format %Y-%m-%d %H:%M:%S\nlog_type notice\n"
        )
        self.clients: list[mqtt.Client] = []

    def act(self, *words: str) -> int:
        status = cli.main(["accounts", *words])
        if self.broker.process is not None:
            self.broker.process.send_signal(signal.SIGHUP)
        return status

    def password(self, file: str) -> str:
        return (self.secrets / file).read_text().strip().partition(",")[2]

    def users(self) -> list[str]:
        return [
            line.partition(":")[0] for line in (self.secrets / "mosquitto_passwd").read_text().splitlines()
        ]

    def client(self, name: str, password: str, topic: str | None = None) -> tuple[mqtt.Client, list[str]]:
        """Return a connected client, and what happens to it from now on."""
        events: list[str] = []
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"of {name} {len(self.clients)}")
        client.username_pw_set(name, password)
        client.reconnect_delay_set(600, 600)
        client.on_disconnect = lambda *_: events.append("disconnected")
        client.on_message = lambda _client, _data, message: events.append(message.topic)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        until(client.is_connected)
        if topic is not None:
            subscribed: list[int] = []
            client.on_subscribe = lambda *_: subscribed.append(1)
            client.subscribe(topic, 1)
            until(lambda: subscribed)
        self.clients.append(client)
        return client, events


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path, monkeypatch)
    yield made
    for client in made.clients:
        client.disconnect()
        client.loop_stop()
    made.broker.stop()


def started(house: House) -> House:
    assert house.act("add", "--name=ECCTH05") == 0
    house.broker.start()
    return house


def test_accounts_come_change_and_go_while_all_others_stay_connected(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    started(house)
    listener, heard = house.client("listener", "a listener's word", "#")
    shared, of_shared = house.client(USERNAME, PASSWORD)
    first = house.password("sensor_ECCTH05_credentials")
    _, of_first = house.client("ECCTH05", first)
    # Added: it may connect at once.
    assert house.act("add", "--name=Küche oben") == 0
    until(lambda: "Küche oben" in house.users())
    second = house.password("sensor_Küche oben_credentials")
    until(lambda: _connects(house, "Küche oben", second))
    kitchen, of_kitchen = house.client("Küche oben", second)
    kitchen.publish("ECCTempHum/Küche oben", b"x", 1).wait_for_publish(10)
    until(lambda: "ECCTempHum/Küche oben" in heard)
    # A new password: only the connection with the old one ends.
    assert house.act("rotate", "--name=ECCTH05") == 0
    until(lambda: of_first)
    assert house.password("sensor_ECCTH05_credentials") != first
    assert not _connects(house, "ECCTH05", first)
    assert _connects(house, "ECCTH05", house.password("sensor_ECCTH05_credentials"))
    # Removed: its connection ends, and nothing of it is left.
    assert house.act("remove", "--name=Küche oben") == 0
    until(lambda: of_kitchen)
    assert not _connects(house, "Küche oben", second)
    assert house.users() == ["listener", "sensor", "ECCTH05"]
    assert [*house.secrets.glob("*Küche*")] == []
    assert "Küche" not in (house.secrets / "mosquitto_acl").read_text()
    # Through all of this, the others were never disconnected.
    shared.publish("ECCTempHum", OFFICE, 1).wait_for_publish(10)
    until(lambda: "ECCTempHum" in heard)
    assert of_shared == []
    assert "disconnected" not in heard
    assert listener.is_connected()
    # The shared account as well, and its password is told nowhere.
    assert house.act("rotate", f"--name={USERNAME}") == 0
    until(lambda: of_shared)
    assert _connects(house, USERNAME, house.password("sensor_credentials"))
    said = "".join(capsys.readouterr())
    for file in ("sensor_credentials", "sensor_ECCTH05_credentials"):
        assert house.password(file) not in said
        assert (house.secrets / file).stat().st_mode & 0o777 == 0o600


def _connects(house: House, name: str, password: str) -> bool:
    answers: list[bool] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(name, password)
    client.on_connect = lambda *given: answers.append(not given[3].is_failure)
    client.connect("127.0.0.1", house.broker.port)
    client.loop_start()
    until(lambda: answers)
    client.disconnect()
    client.loop_stop()
    return answers[0]


def test_an_account_of_one_sensor_publishes_under_its_own_name_only(house: House) -> None:
    started(house)
    _, heard = house.client("listener", "a listener's word", "#")
    own, _ = house.client("ECCTH05", house.password("sensor_ECCTH05_credentials"))
    shared, _ = house.client(USERNAME, PASSWORD)
    for client in (own, shared):
        for topic in ("ECCTempHum/ECCTH01", "ECCTempHum/ECCTH05", "tele/x/SENSOR", "ECCTempHum"):
            client.publish(topic, b"x", 1).wait_for_publish(10)
    until(lambda: heard.count("ECCTempHum") == 2)
    assert sorted(heard) == ["ECCTempHum", "ECCTempHum", "ECCTempHum/ECCTH05"]


FOREIGN = [
    "ECCTempHum/ECCTH01",
    "ECCTempHum/ECCTH05/x",
    "ECCTempHum//ECCTH05",
    "ECCTempHum/",
    "ECCTempHum/ecctH05",
    "/ECCTempHum/ECCTH05",
    "ECCTempHum/%u",
    "ECCTempHum/ECCTH05\u200b",
    "homeassistant/sensor/x/config",
    "ecc-listener/status",
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
    "$share/g/ECCTempHum",
]


def test_a_sensor_s_account_reads_nothing_and_writes_nothing_of_others(house: House) -> None:
    started(house)
    _, heard = house.client("listener", "a listener's word", "#")
    _, control = house.client("listener", "a listener's word", "$CONTROL/#")
    name, password = "ECCTH05", house.password("sensor_ECCTH05_credentials")
    own, overheard = house.client(name, password, "#")
    for topic in ("$SYS/#", "$CONTROL/#", "ECCTempHum/+", "ECCTempHum/ECCTH05", "$share/g/#", "+/+"):
        own.subscribe(topic, 1)
    for topic in FOREIGN:
        own.publish(topic, b"x", 1, retain=True).wait_for_publish(10)
    # A will, which the broker publishes when the connection breaks, is bound by the same rules.
    for topic in ("ECCTempHum/ECCTH01", "ecc-listener/status", "ECCTempHum/ECCTH05"):
        _die_with_a_will(house, name, password, topic)
    until(lambda: "ECCTempHum/ECCTH05" in heard)
    own.publish("ECCTempHum/ECCTH05", b"last", 1, retain=True).wait_for_publish(10)
    until(lambda: heard.count("ECCTempHum/ECCTH05") == 2)
    assert set(heard) == {"ECCTempHum/ECCTH05"}
    assert control == []
    assert overheard == []
    # Nothing is retained but what it may write.
    _, later = house.client("listener", "a listener's word", "#")
    until(lambda: later)
    assert set(later) == {"ECCTempHum/ECCTH05"}


def _die_with_a_will(house: House, name: str, password: str, topic: str) -> None:
    words = [one.encode() for one in ("will", topic, "dead", name, password)]
    body = b"\x00\x04MQTT\x04\xce\x00\x3c" + b"".join(len(one).to_bytes(2, "big") + one for one in words)
    with socket.create_connection(("127.0.0.1", house.broker.port), 10) as client:
        client.sendall(b"\x10" + bytes([len(body)]) + body)
        client.recv(4)


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\nb", "a\x9b31mb", "a\x07", "a\x00b"])
def test_the_broker_s_log_has_no_control_characters(house: House, text: str) -> None:
    started(house)
    words = [one.encode() for one in (f"id {text}", f"user {text}", "word")]
    body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + b"".join(len(one).to_bytes(2, "big") + one for one in words)
    with socket.create_connection(("127.0.0.1", house.broker.port), 10) as client:
        client.sendall(b"\x10" + bytes([len(body)]) + body)
        client.recv(4)
    _connects(house, "nobody", "word")
    log = (house.broker.folder / "broker.log").read_text()
    assert all(line.isprintable() for line in log.splitlines())
    assert not any(line.startswith("b") for line in log.split("\n"))


def test_a_rule_of_ones_own_closes_the_shared_topic_to_an_account(house: House) -> None:
    (house.mosquitto / "conf.d/own.acl").write_text("user ECCTH05\ntopic deny ECCTempHum\n")
    started(house)
    _, heard = house.client("listener", "a listener's word", "#")
    own, _ = house.client("ECCTH05", house.password("sensor_ECCTH05_credentials"))
    for topic in ("ECCTempHum", "ECCTempHum/ECCTH05"):
        own.publish(topic, b"x", 1).wait_for_publish(10)
    until(lambda: heard)
    assert heard == ["ECCTempHum/ECCTH05"]


def test_the_password_file_of_an_earlier_broker_is_dropped_in(house: House) -> None:
    salt = b"twelve bytes"
    six = base64.b64encode(hashlib.sha512(b"old word" + salt).digest()).decode()
    seven = base64.b64encode(hashlib.pbkdf2_hmac("sha512", b"new word", salt, 101)).decode()
    text = base64.b64encode(salt).decode()
    lines = [f"fleet:$6${text}${six}", f"hall:$7$101${text}${seven}"]
    (house.secrets / "mosquitto_passwd").write_text("\ufeff" + "\r\n".join(lines))
    started(house)
    assert house.users() == ["fleet", "hall", "listener", "ECCTH05", "sensor"]
    _, heard = house.client("listener", "a listener's word", "#")
    for name, password in (("fleet", "old word"), ("hall", "new word")):
        client, _ = house.client(name, password)
        client.publish("ECCTempHum", b"x", 1).wait_for_publish(10)
        client.publish(f"ECCTempHum/{name}", b"x", 1).wait_for_publish(10)
    until(lambda: len(heard) == 4)
    # Such an account can get a new password, and be removed.
    assert house.act("rotate", "--name=hall") == 0
    assert _connects(house, "hall", house.password("hall_credentials"))
    for name in ("fleet", "hall"):
        assert house.act("remove", f"--name={name}") == 0
    assert house.users() == ["listener", "ECCTH05", "sensor"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_no_account_can_have_is_refused_and_nothing_changes(
    house: House, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = sorted(house.secrets.iterdir())
    assert cli.main(["accounts", "add", f"--name={name}"]) == 2
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith(
        f"{name!r} can't be the name of an account; allowed are 1 to 40 letters and digits"
    )
    assert sorted(house.secrets.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("add", "--name=sensor"), "the broker already has an account 'sensor'"),
        (("add", "--name=listener"), "the broker already has an account 'listener'"),
        (("add", "--name=fleet"), "the broker already has an account 'fleet'"),
        (("remove", "--name=ECCTH99"), "the broker has no account 'ECCTH99'; make list-sensors shows all"),
        (("rotate", "--name=ECCTH99"), "the broker has no account 'ECCTH99'"),
        (("remove", "--name=sensor"), "'sensor' is the account that sensors share"),
        (("remove", "--name=listener"), "'listener' is the listener's own account"),
        (("rotate", "--name=listener"), "edit secrets/mqtt_credentials, then run make restart"),
    ],
)
def test_what_can_not_be_done_is_refused_with_the_reason(
    house: House, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    (house.secrets / "mosquitto_passwd").write_text(f"fleet:$6${'A' * 16}${'A' * 86}==\n")
    before = {path: path.read_text() for path in house.secrets.iterdir()}
    assert cli.main(["accounts", *words]) == 2
    assert problem in capsys.readouterr().out
    assert {path: path.read_text() for path in house.secrets.iterdir()} == before


def test_who_adds_an_account_that_the_listener_would_not_hear_is_told(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECC_MQTT_TOPICS", "ECCTempHum")
    assert house.act("add", "--name=ECCTH05") == 0
    assert "Note: the listener doesn't hear the topic ECCTempHum/ECCTH05" in capsys.readouterr().out


def test_the_list_shows_from_where_each_account_was_used(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    started(house)
    assert house.act("add", "--name=ECCTH06") == 0
    house.client("ECCTH05", house.password("sensor_ECCTH05_credentials"))
    log = house.broker.folder / "broker.log"
    until(lambda: "u'ECCTH05'" in log.read_text())
    capsys.readouterr()
    assert cli.main(["accounts", "list", "--broker_log", str(log)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:9].strip(): line for line in lines}
    assert "one sensor" in rows["ECCTH05"]
    assert "127.0.0.1, at " in rows["ECCTH05"]
    assert "none yet" in rows["ECCTH06"]
    assert rows["ECCTH06"].endswith("unknown: the broker's log has no connection of it")
    assert "sensors that share it" in rows["sensor"]
    assert "the listener" in rows["listener"]
    assert any("The last readings are unknown" in line for line in lines)


def test_a_client_that_writes_log_lines_into_its_id_deceives_nobody() -> None:
    forged = ": New client connected from 1.2.3.4:5 as x (p2, c1, k60, u'ECCTH05'). (p4, c1, k60, u'sensor')."
    lines = [
        "2026-11-27 15:42:09: New connection from 192.168.1.5:4651 on port 1883.",
        "2026-11-27 15:42:09: New client connected from 192.168.1.5:4651 as a (p2, c1, k60, u'sensor').\n",
        f"2026-11-27 15:42:10: New client connected from 192.168.1.6:4651 as {forged}",
        "2026-11-27 15:42:11: New client connected from fe80::1:4651 as a (p2, c1, k60, u'sensor').",
        "2026-11-27 15:42:12: New client connected from 192.168.1.5:4652 as a (p2, c1, k60, u'sensor').",
        "1764258129: New client connected from 10.0.0.1:4652 as a (p2, c1, k60, u'Küche oben').",
        "2026-11-27 15:42:12: New client connected from 192.168.1.9:4652 as a (p2, c1, k60).",
    ]
    assert read_connections(lines) == {
        "sensor": [
            Connection("192.168.1.5", "2026-11-27 15:42:12"),
            Connection("fe80::1", "2026-11-27 15:42:11"),
            Connection("192.168.1.6", "2026-11-27 15:42:10"),
        ],
        "Küche oben": [Connection("10.0.0.1", "")],
    }
