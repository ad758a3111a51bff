import socket
from collections.abc import Iterator

import pytest

from ecc_listener.mqtt.session import Broker, Session

CONNACK, PINGREQ, PINGRESP = b"\x20\x02\x01\x00", b"\xc0\x00", b"\xd0\x00"
PUBLISH = b"\x32\x08\x00\x01t\x00\x07abc"
PUBACK = b"\x40\x02\x00\x07"


class Peer:
    """A session, and the broker's end of its connection."""

    def __init__(self, server: socket.socket) -> None:
        self.barriers = 0
        broker = Broker("127.0.0.1", server.getsockname()[1], "listener", "name", "word", ("t",), None)
        self.session = Session(broker, lambda _present: None, self._answered, lambda: 1_000)
        self.session.receive()
        self.broker, _ = server.accept()
        self.broker.settimeout(5)

    def _answered(self) -> None:
        self.barriers += 1

    def read_until(self, packet: bytes) -> None:
        read = b""
        while packet not in read:
            read += self.broker.recv(4096)

    def receive(self) -> list[bytes]:
        self.session.wait(5)
        return [message.payload for message in self.session.receive()]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Peer(server)
        yield made
        made.session.close()
        made.broker.close()


def test_what_stands_before_the_answer_to_a_barrier_is_given_before_it(peer: Peer) -> None:
    peer.broker.sendall(CONNACK)
    assert peer.receive() == []
    peer.read_until(PINGREQ)
    # All of it comes with one look at the socket, as from a broker that was busy.
    peer.broker.sendall(PUBLISH + PUBLISH + PINGRESP + PUBLISH)
    assert (peer.receive(), peer.barriers) == ([b"abc"] * 2, 0)
    assert (peer.receive(), peer.barriers) == ([b"abc"], 1)


def test_a_message_has_the_time_of_the_clock_that_was_handed_in(peer: Peer) -> None:
    peer.broker.sendall(CONNACK + PUBLISH + PUBLISH)
    peer.session.wait(5)
    assert [message.arrived_us for message in peer.session.receive()] == [1_000, 1_001]


def test_an_acknowledgement_goes_only_to_the_connection_that_brought_the_message(peer: Peer) -> None:
    peer.broker.sendall(CONNACK + PUBLISH)
    peer.session.wait(5)
    messages = peer.session.receive()
    peer.session.acknowledge(messages)
    peer.read_until(PUBACK)
    peer.session.restart("a test")
    peer.session.acknowledge(messages)
    rest = b"".join(iter(lambda: peer.broker.recv(4096), b""))
    assert PUBACK not in rest
