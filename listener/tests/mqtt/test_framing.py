import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecc_listener.mqtt.framing import FramedSocket, Publish

PINGRESP = b"\xd0\x00"


def publish(topic: str, payload: bytes, packet_id: int, *, retained: bool = False) -> bytes:
    """Make a PUBLISH packet as MQTT 3.1.1 says."""
    name = topic.encode()
    body = (
        len(name).to_bytes(2, "big") + name + (packet_id.to_bytes(2, "big") if packet_id else b"") + payload
    )
    length, rest = bytearray(), len(body)
    while True:
        rest, seven = divmod(rest, 128)
        length.append(seven | (0x80 if rest else 0))
        if not rest:
            break
    return bytes([0x30 | (0x02 if packet_id else 0) | retained]) + bytes(length) + body


@pytest.fixture
def pair() -> Iterator[tuple[FramedSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield FramedSocket(ours), theirs
    ours.close()
    theirs.close()


Pair = tuple[FramedSocket, socket.socket]


def test_publishes_are_taken_and_the_rest_is_left_to_paho(pair: Pair) -> None:
    ours, theirs = pair
    first, second = Publish("t", b"one", 1, retained=False), Publish("ü/x", b"", 0, retained=True)
    theirs.sendall(publish("t", b"one", 1) + PINGRESP + publish("ü/x", b"", 0, retained=True))
    ours.fill()
    assert ours.publishes() == [first]
    assert ours.publishes() == []
    assert ours.next_kind() == 13
    assert ours.recv(1) + ours.recv(1) == PINGRESP
    assert ours.publishes() == [second]
    assert ours.next_kind() is None
    with pytest.raises(BlockingIOError):
        ours.recv(1)


MESSAGES = st.lists(
    st.builds(Publish, st.text(max_size=20), st.binary(max_size=300), st.integers(0, 65_535), st.booleans()),
    max_size=12,
)


@given(MESSAGES, st.integers(1, 40))
def test_packets_cut_anywhere_come_out_whole(sent: list[Publish], size: int) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    framed = FramedSocket(ours)
    packets = (publish(one.topic, one.payload, one.packet_id, retained=one.retained) for one in sent)
    stream = b"".join(packets)
    taken: list[Publish] = []
    for start in range(0, len(stream), size):
        theirs.sendall(stream[start : start + size])
        framed.fill()
        taken += framed.publishes()
    assert taken == sent
    ours.close()
    theirs.close()


def test_a_large_packet_comes_in_many_pieces(pair: Pair) -> None:
    ours, theirs = pair
    theirs.setblocking(False)
    rest = publish("t", bytes(2_000_000), 7)
    taken: list[Publish] = []
    while not taken:
        with suppress(BlockingIOError):
            rest = rest[theirs.send(rest) :]
        ours.fill()
        taken = ours.publishes()
    assert taken == [Publish("t", bytes(2_000_000), 7, retained=False)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x32\xff\xff\xff\xff\x01",
        b"\x32\x03\x00\x09t",
        b"\x34" + publish("t", b"qos 2", 1)[1:],
        b"\x30\x00",
    ],
    ids=["endless length", "topic longer than the packet", "QoS 2", "no topic at all"],
)
def test_what_is_no_mqtt_loses_the_connection_and_nothing_else(pair: Pair, data: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(data)
    ours.fill()
    with pytest.raises(OSError, match="MQTT"):
        ours.publishes()


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_lost_connection(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.sendall(data)
    framed = FramedSocket(ours)
    try:
        framed.fill()
        framed.publishes()
    except OSError as error:
        assert str(error)  # noqa: PT017 - both ways are right
    ours.close()
    theirs.close()


def test_a_closed_connection_is_told(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ConnectionResetError):
        ours.fill()


def test_nothing_is_sent_before_flush_and_all_of_it_then(pair: Pair) -> None:
    ours, theirs = pair
    theirs.setblocking(False)
    ours.send(b"a")
    ours.send(b"b")
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    assert ours.unsent
    ours.flush()
    assert theirs.recv(10) == b"ab"
    assert not ours.unsent


def test_what_the_network_does_not_take_now_waits(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(bytes(5_000_000))
    ours.flush()
    assert ours.unsent
    got = 0
    while got < 5_000_000:
        got += len(theirs.recv(1 << 20))
        ours.flush()
    assert not ours.unsent


def test_pings_are_counted_whoever_sends_them(pair: Pair) -> None:
    ours, _ = pair
    ours.send(b"\xc0\x00")
    ours.send(b"\x40\x02\x00\x01")
    ours.send(bytearray(b"\xc0\x00"))
    assert ours.pings == 2
