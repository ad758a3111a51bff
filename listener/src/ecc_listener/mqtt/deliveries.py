"""Which packets are stored but may be sent again by the broker, and until when.

After a reconnect into the same session, the broker first sends again, in order and with the same ids,
everything that was not acknowledged. So what is stored is recorded in the transaction that stores it, and
a packet that arrives in that phase and equals the record in id, checksum and order is only acknowledged.

Neither the DUP flag (not set after a restart of the broker) nor the id alone (counted from 1 again) will do.
And an id must leave the record as soon as its acknowledgement has arrived: after a restart of the broker, the
same id may belong to a new reading with the same values. The proof is the broker's answer to a ping that was
sent after the acknowledgement, here called a barrier, because a broker handles the packets of a connection in
order. Two in a row are needed: the first answer proves that the broker has read the acknowledgement, the
second, requested only then, that the broker has finished the turn in which it wrote it to disk.
"""

from collections import deque
from struct import Struct
from typing import NamedTuple
from zlib import crc32

_PACKED = Struct(">HL")
_MAX_PACKET_ID = 65_535


class Packet(NamedTuple):
    """A QoS 1 packet: its id at the broker, and a checksum of topic and payload."""

    packet_id: int
    checksum: int


def packet(packet_id: int, topic: str, payload: bytes) -> Packet:
    """Return the record of one packet."""
    return Packet(packet_id, crc32(payload, crc32(topic.encode())))


def pack(packets: list[Packet]) -> bytes:
    """Return packets as the bytes of one row."""
    return b"".join(_PACKED.pack(*one) for one in packets)


def unpack(data: bytes) -> list[Packet]:
    """Return the packets in the bytes of one row; an incomplete last one is ignored."""
    return [
        Packet(*fields) for fields in _PACKED.iter_unpack(data[: len(data) // _PACKED.size * _PACKED.size])
    ]


class Deliveries:
    """The record of one session. Bursts are numbered upwards; a burst is what one transaction stored."""

    def __init__(self, recorded: list[tuple[int, list[Packet]]]) -> None:
        """Start with what the store has recorded, in the order of the bursts."""
        self._record: deque[tuple[int, Packet]] = deque(
            (burst, one) for burst, row in recorded for one in row
        )
        self.last_burst = recorded[-1][0] if recorded else 0
        self._resending = 0  # how far into the record the packets sent again have come
        self._in_phase = False
        self._asked = self._answered = 0
        self._waiting = self._is_quiet = False
        self.confirmed = self.last_burst if not self._record else 0
        """Bursts up to this one may leave the record, because the broker won't send them again."""

    def connected(self, session_present: bool) -> None:  # noqa: FBT001 - a callback
        """Start a new connection with its first barrier.

        Unless the broker knows the session, nothing is sent again.
        """
        if not session_present:
            self._record.clear()
            self.confirmed = self.last_burst
        self._resending = 0
        self._in_phase = session_present
        # Barriers of the old connection are never answered.
        self._asked = self._answered = self.confirmed
        self._waiting = self._is_quiet = True

    def is_stored(self, arrived: Packet) -> bool:
        """Return whether a packet was stored before and is only sent again."""
        self._is_quiet = False
        while self._in_phase:
            if self._resending >= len(self._record):
                self._in_phase = False
            else:
                _, stored = self._record[self._resending]
                self._resending += 1
                if stored == arrived:
                    return True
        return False

    def stored(self, burst: int, packets: list[Packet]) -> None:
        """Record what a transaction has stored."""
        if not packets and not self._record:
            self.confirmed = burst  # Nothing of it can come again.
        self._record.extend((burst, one) for one in packets)
        self.last_burst = burst
        # If the broker never answers: there are no more ids than these, so older ones are obsolete.
        while len(self._record) > _MAX_PACKET_ID:
            self.confirmed = max(self.confirmed, self._record.popleft()[0] - 1)

    def ask(self) -> bool:
        """Return whether to send a barrier now. Only call this when everything received is acknowledged."""
        if self._waiting or (self.last_burst <= self.confirmed and not self._in_phase):
            return False
        self._asked = self.last_burst
        self._waiting = self._is_quiet = True
        return True

    def answered(self) -> None:
        """Handle the answer to the barrier."""
        self._waiting = False
        if self._in_phase:
            # A broker may send again in portions, but not without a packet between two answers.
            self._in_phase = not self._is_quiet
            return
        self.confirmed = self._answered
        self._answered = self._asked
        while self._record and self._record[0][0] <= self.confirmed:
            self._record.popleft()
