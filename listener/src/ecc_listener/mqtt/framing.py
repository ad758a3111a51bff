"""A non-blocking socket that knows where an MQTT packet ends.

paho reads a packet in four `recv` calls and sends each acknowledgement separately; at thousands of messages a
second that is most of the work. So PUBLISH packets are parsed here, directly from a large buffer, and all
other packets are left to paho.

Format: MQTT 3.1.1 (OASIS standard), sections 2.2 (fixed header) and 3.3 (PUBLISH).
"""

import socket
import ssl
from contextlib import suppress
from typing import NamedTuple

_READ_BYTES = 256 * 1024
_RECORD_BYTES = 2 * 1024
"""More than a reading: Mosquitto puts each PUBLISH into its own record. A larger one takes more calls."""
_PUBLISH = 3
PINGRESP = 13
PINGREQ = b"\xc0\x00"
_MAX_LENGTH_BYTES = 4


class Publish(NamedTuple):
    """A PUBLISH packet; `packet_id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    packet_id: int
    retained: bool


class FramedSocket:
    """What paho needs of a socket, and the PUBLISH packets that came. Nothing leaves before `flush`."""

    def __init__(self, connection: socket.socket) -> None:
        """Wrap a connected socket, plain or TLS."""
        self._socket = connection
        self._is_tls = isinstance(connection, ssl.SSLSocket)
        self._read = b""
        self._position = 0
        self._unsent = bytearray()
        self.pings = 0
        """How many pings were sent, whoever asked for them; they are answered in their order."""

    def fill(self) -> None:
        """Read what the network has, up to a buffer full.

        Raises:
            OSError: the connection is lost, or the other side has closed it, and all was read.

        """
        records = [self._read[self._position :]]
        left = _READ_BYTES
        # With TLS one call returns one record at most, and asking for more only costs time.
        at_once = _RECORD_BYTES if self._is_tls else _READ_BYTES
        read = self._socket.read if isinstance(self._socket, ssl.SSLSocket) else self._socket.recv
        try:
            while left > 0 and (data := read(at_once)):
                records.append(data)
                left -= len(data)
                if not self._is_tls:
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = b"-"
        except OSError:
            # What came before the error is read first; the next call meets it again.
            if left == _READ_BYTES:
                raise
        self._read, self._position = b"".join(records), 0
        if left == _READ_BYTES and not data:
            # MQTT 3.1.1 has no packet for the reason.
            raise ConnectionResetError(
                "the broker closed it: it stops, or another client came with the same client id"
            )

    def publishes(self) -> list[Publish]:
        """Take the PUBLISH packets up to the first packet of another kind, or to the end of what is whole.

        Raises:
            OSError: these bytes are no MQTT.

        """
        taken = []
        data, position = self._read, self._position
        while (body := _body(data, position)) and data[position] >> 4 == _PUBLISH:
            start, end = body
            flags = data[position]
            topic_end = start + 2 + int.from_bytes(data[start : start + 2])
            payload_start, packet_id = topic_end, 0
            if flags & 0x06:
                payload_start = topic_end + 2
                packet_id = int.from_bytes(data[topic_end:payload_start])
            if payload_start > end or flags & 0x04:
                raise ConnectionError("it sent a PUBLISH packet that MQTT 3.1.1 doesn't allow here")
            topic = data[start + 2 : topic_end].decode(errors="backslashreplace")
            taken.append(Publish(topic, data[payload_start:end], packet_id, bool(flags & 0x01)))
            position = end
        self._position = position
        return taken

    def next_kind(self) -> int | None:
        """Return the kind of the next packet (section 2.2.1); None while it isn't whole."""
        whole = _body(self._read, self._position) is not None
        return self._read[self._position] >> 4 if whole else None

    def recv(self, size: int) -> bytes:
        """Return paho up to `size` bytes of what was read.

        Raises:
            BlockingIOError: all was given.

        """
        start = self._position
        if start >= len(self._read):
            raise BlockingIOError
        self._position = min(start + size, len(self._read))
        return self._read[start : self._position]

    def waits(self) -> bool:
        """Return whether something waits in here, where nobody sees it by waiting for the socket."""
        is_pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        return is_pending or self.next_kind() is not None

    def send(self, data: bytes | bytearray) -> int:
        """Take all of `data`, a packet or more; it is sent by `flush`."""
        self.pings += data == PINGREQ
        self._unsent += data
        return len(data)

    @property
    def unsent(self) -> bool:
        """Whether `flush` has something to send."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Send as much as the network takes now.

        Raises:
            OSError: the connection is lost.

        """
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del self._unsent[:sent]

    def fileno(self) -> int:
        """Return the number to wait on."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket's own signature
        """Pass on to the socket."""
        self._socket.setblocking(flag)

    def close(self) -> None:
        """Send what the network takes at once, and close the socket."""
        with suppress(OSError):
            self.flush()
        self._socket.close()


def _body(data: bytes, position: int) -> tuple[int, int] | None:
    """Return start and end of the body of the packet at `position`; None while it isn't whole."""
    length, at = 0, position + 1
    for shift in range(0, 7 * _MAX_LENGTH_BYTES, 7):
        if at >= len(data):
            return None
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says more follow
            end = at + length
            return (at, end) if end <= len(data) else None
    raise ConnectionError("it sent a packet whose length MQTT doesn't allow")
