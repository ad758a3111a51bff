"""TLS to a real broker: bursts, and a sentence for each way in which it fails."""

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from ecc_listener.mqtt.framing import FramedSocket, Publish
from ecc_listener.mqtt.session import Broker, Session
from support.brokers import OFFICE, PASSWORD, USERNAME, Mosquitto, free_port, until
from support.certificates import certify
from support.listeners import Listener


class TlsBroker(Mosquitto):
    """A broker that also takes TLS, on a port of its own."""

    def __init__(self, folder: Path, host: str = "localhost", days: tuple[float, float] = (-1, 2)) -> None:
        folder.mkdir()
        certify(folder, host, days=days)
        self.tls_port = free_port()
        files = f"cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key"
        super().__init__(folder, f"listener {self.tls_port} 127.0.0.1\n{files}")
        self.ca_file = folder / "ca.pem"


def publish(payload: bytes, packet_id: int) -> bytes:
    """Make a QoS 1 PUBLISH packet on topic t."""
    return bytes([0x32, 5 + len(payload), 0, 1]) + b"t" + packet_id.to_bytes(2, "big") + payload


def connected(port: int, ca_file: Path | None, host: str = "localhost") -> Session:
    """Return a session that has tried to connect for a while."""
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    broker = Broker(host, port, "listener", USERNAME, PASSWORD, ("#",), context)
    session = Session(broker, lambda _: None, lambda: None, lambda: 1)

    def tried() -> bool:
        session.wait(0.1)
        session.receive()
        return session.fault is None or ("broker" in session.fault and "subscription" not in session.fault)

    until(tried, 10)
    return session


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TlsBroker]:
    made = TlsBroker(tmp_path / "broker")
    made.start()
    yield made
    made.stop()


def test_one_look_takes_all_records_that_have_arrived(tmp_path: Path) -> None:
    certify(tmp_path, "localhost")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    ours, theirs = socket.socketpair()
    made: list[ssl.SSLSocket] = []
    thread = Thread(target=lambda: made.append(server.wrap_socket(theirs, server_side=True)))
    thread.start()
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    wrapped = context.wrap_socket(ours, server_hostname="localhost")
    thread.join()
    framed = FramedSocket(wrapped)
    framed.setblocking(False)
    for number in range(1, 51):
        made[0].sendall(publish(b"%d" % number, number))
    until(lambda: _fill(framed))
    assert framed.publishes() == [
        Publish("t", b"%d" % number, number, retained=False) for number in range(1, 51)
    ]
    # What came before the end of the connection is taken before it is reported.
    made[0].sendall(publish(b"last", 51))
    made[0].close()
    until(lambda: _fill(framed))
    assert framed.publishes() == [Publish("t", b"last", 51, retained=False)]
    with pytest.raises(ConnectionResetError, match="the broker closed it"):
        framed.fill()
    framed.close()


def _fill(framed: FramedSocket) -> bool:
    framed.fill()
    return framed.next_kind() is not None


def test_readings_come_over_tls(tmp_path: Path, broker: TlsBroker) -> None:
    settings = {"mqtt_broker": "localhost", "mqtt_ca_file": broker.ca_file}
    listener = Listener(tmp_path / "listener", broker.tls_port, **settings)
    listener.start()
    listener.stop()
    broker.publish(*[OFFICE] * 500)
    try:
        listener.start()
        until(lambda: listener.count() == 500)
    finally:
        listener.end()


def test_a_certificate_of_another_ca(tmp_path: Path, broker: TlsBroker) -> None:
    (tmp_path / "other").mkdir()
    certify(tmp_path / "other", "localhost")
    fault = connected(broker.tls_port, tmp_path / "other" / "ca.pem").fault
    assert fault is not None
    assert "its certificate is from another CA; give that CA's certificate as ECC_MQTT_CA_FILE" in fault


@pytest.mark.parametrize(
    ("host", "days", "said"),
    [
        ("example.org", (-1.0, 2.0), "its certificate is for another name; set ECC_MQTT_BROKER"),
        ("localhost", (-5.0, -1.0), "its certificate has expired; renew it"),
        ("localhost", (1.0, 2.0), "its certificate is not valid yet; check the clock"),
    ],
)
def test_a_certificate_that_does_not_fit(
    tmp_path: Path, host: str, days: tuple[float, float], said: str
) -> None:
    broker = TlsBroker(tmp_path / "broker", host, days)
    broker.start()
    try:
        fault = connected(broker.tls_port, broker.ca_file).fault
    finally:
        broker.stop()
    assert fault is not None
    assert said in fault


def test_a_port_without_tls(broker: TlsBroker) -> None:
    fault = connected(broker.port, broker.ca_file).fault
    assert fault is not None
    assert "there is no TLS on this port; set ECC_MQTT_PORT" in fault


def test_a_port_with_tls_that_is_spoken_to_without(broker: TlsBroker) -> None:
    fault = connected(broker.tls_port, None).fault
    assert fault is not None
    assert "closes the connection at once: if it expects TLS on this port, set ECC_MQTT_CA_FILE" in fault


def test_a_broker_that_never_answers_the_handshake_holds_nothing_up(tmp_path: Path) -> None:
    certify(tmp_path, "localhost")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        fault = connected(silent.getsockname()[1], tmp_path / "ca.pem").fault
    assert fault is not None
    assert "timed out" in fault
    # Less than the keepalive of a minute, for which the loop would stand still.
    assert time.monotonic() - began_s < 30
