"""A non-blocking socket that reads and sends by the buffer.

paho reads a packet in four `recv` calls and sends each acknowledgement by itself. With this in between, a
burst takes a few system calls altogether.
"""

import socket
import ssl
from contextlib import suppress

_READ_BYTES = 256 * 1024


class BufferedSocket:
    """What paho needs of a socket; nothing leaves before `flush`."""

    def __init__(self, connection: socket.socket) -> None:
        """Wrap a connected socket, plain or TLS."""
        self._socket = connection
        self._read = b""
        self._position = 0
        self._unsent = bytearray()

    def recv(self, size: int) -> bytes:
        """Give up to `size` bytes; empty when the other side has closed.

        Raises:
            BlockingIOError: nothing has come.
            OSError: the connection is lost.

        """
        start = self._position
        if start >= len(self._read):
            try:
                self._read = self._socket.recv(_READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise BlockingIOError from None
            start = 0
        self._position = start + size
        return self._read[start : start + size]

    def pending(self) -> bool:
        """Say whether something was read from the network that `recv` has not given yet."""
        if self._position < len(self._read):
            return True
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def send(self, data: bytes | bytearray) -> int:
        """Take all of `data`; it is sent by `flush`."""
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
        """Give the number to wait on."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket's own signature
        """Pass on to the socket."""
        self._socket.setblocking(flag)

    def close(self) -> None:
        """Send what the network takes at once, and close the socket."""
        with suppress(OSError):
            self.flush()
        self._socket.close()
