"""Messages that are no reading, or not a complete one: kept as they arrived, up to a limit.

The table is `ECCRejected`. Rejected messages are decoded again on request. `replayedUTC` is when a message
became a reading: for an incomplete one, of which all that is possible is stored, that is when it arrived.

Limits in bytes and age prevent a faulty sensor from filling the disk; what is deleted is counted in
`ECCCounter` as `rejected dropped`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ecc_listener.readings.reading import NotAReading, Reading
from ecc_listener.storage.connection import utc_text, utc_us
from ecc_listener.storage.statements import Connection

RETAINED = "retained by the broker: an old message; when it was sent is unknown"
"""The reason of a retained message; `replayable` skips these."""

_ROW_BYTES = 100
_DROP_BATCH = 1_000
_SIZE = f"length(payload) + length(topic) + length(reason) + {_ROW_BYTES}"
_WAITING = "replayedUTC IS NULL AND reason <> ?"


REALLY_REJECTED = "(replayedUTC IS NULL OR replayedUTC <> receivedUTC)"
"""SQL condition: the message was rejected as a whole."""


class Rejected(NamedTuple):
    """A message with something wrong, when it arrived (microseconds since 1970), and what is wrong."""

    arrived_us: int
    topic: str
    payload: bytes
    reason: str


class Arrival(NamedTuple):
    """A reading, and when it arrived (microseconds since 1970)."""

    arrived_us: int
    reading: Reading


def size_bytes(connection: Connection) -> int:
    """Return the size of all rejected messages in bytes."""
    size: int = connection.execute(f"SELECT coalesce(sum({_SIZE}), 0) FROM ECCRejected").fetchone()[0]
    return size


def insert(connection: Connection, rejected: list[Rejected]) -> int:
    """Store rejected messages; return their size in bytes."""
    size = 0
    for arrived_us, topic, payload, reason in rejected:
        # A broker sends its retained messages again with every subscription; one copy is enough.
        if reason == RETAINED and _is_kept(connection, topic, payload):
            continue
        connection.execute(
            "INSERT INTO ECCRejected VALUES (?, ?, ?, ?, NULL)",
            (utc_text(arrived_us), topic, payload, reason),
        )
        size += len(payload) + len(topic) + len(reason) + _ROW_BYTES
    return size


def insert_incomplete(connection: Connection, incomplete: Sequence[Rejected]) -> int:
    """Store messages of which a part is a reading; return their size in bytes."""
    connection.executemany(
        "INSERT INTO ECCRejected VALUES (?, ?, ?, ?, ?)",
        [(utc := utc_text(arrived_us), *message, utc) for arrived_us, *message in incomplete],
    )
    return sum(len(one.payload) + len(one.topic) + len(one.reason) + _ROW_BYTES for one in incomplete)


def _is_kept(connection: Connection, topic: str, payload: bytes) -> bool:
    query = "SELECT 1 FROM ECCRejected WHERE reason = ? AND topic = ? AND payload = ?"
    return connection.execute(query, (RETAINED, topic, payload)).fetchone() is not None


def drop_oldest(connection: Connection, excess_bytes: int) -> int:
    """Delete the oldest rows until `excess_bytes` are freed; return the freed bytes."""
    freed, last, oldest = 0, 0, f"SELECT rowid, {_SIZE} FROM ECCRejected WHERE rowid > ? ORDER BY rowid"
    while freed < excess_bytes:
        rows = connection.execute(f"{oldest} LIMIT {_DROP_BATCH}", (last,)).fetchall()
        for rowid, size in rows:
            if freed < excess_bytes:
                freed, last = freed + size, rowid
        if not rows:
            break
    _drop(connection, "rowid <= ?", last)
    return freed


def drop_older(connection: Connection, than_utc: str) -> None:
    """Drop what came before a time."""
    _drop(connection, "receivedUTC < ?", than_utc)


def _drop(connection: Connection, which: str, value: object) -> None:
    dropped = connection.execute(f"DELETE FROM ECCRejected WHERE {which}", (value,)).rowcount
    if dropped:
        connection.execute(
            "INSERT INTO ECCCounter VALUES ('rejected dropped', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = ECCCounter.value + excluded.value",
            (dropped,),
        )


Waiting = tuple[int, str, str, bytes]
"""A message that may be decoded again: (rowid, receivedUTC, topic, payload)."""


def replayable(connection: Connection, after_rowid: int, limit: int) -> list[Waiting]:
    """Return what waits, from the oldest on."""
    columns = "rowid, receivedUTC, topic, payload"
    query = f"SELECT {columns} FROM ECCRejected WHERE {_WAITING} AND rowid > ? ORDER BY rowid LIMIT ?"
    return connection.execute(query, (RETAINED, after_rowid, limit)).fetchall()


def decoded(
    rows: list[Waiting], decode: Callable[[str, bytes], Sequence[Reading]]
) -> Iterator[tuple[int, list[Arrival]]]:
    """Return rowid and readings of those rows that are readings now, or known to be none."""
    for rowid, received_utc, topic, payload in rows:
        try:
            yield rowid, [Arrival(utc_us(received_utc), one) for one in decode(topic, payload)]
        except NotAReading:
            continue


def mark_replayed(connection: Connection, rowids: list[int], now_utc: str) -> None:
    """Note that these became readings."""
    connection.executemany(
        "UPDATE ECCRejected SET replayedUTC = ? WHERE rowid = ?", [(now_utc, rowid) for rowid in rowids]
    )


def waiting(connection: Connection) -> int:
    """Return how many rejected messages could still become readings."""
    count: int = connection.execute(
        f"SELECT count(*) FROM ECCRejected WHERE {_WAITING}", (RETAINED,)
    ).fetchone()[0]
    return count
