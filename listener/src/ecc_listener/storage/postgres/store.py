"""The PostgreSQL storage: commits bursts of readings, as `storage.store` does to a file.

A burst is one transaction that begins with its delivery record. If a commit whose answer was lost is still
under way, the same burst waits there for its end, and then knows whether it is stored.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg

from ecc_listener.mqtt.deliveries import Packet, pack, unpack
from ecc_listener.readings.reading import Reading
from ecc_listener.storage import quarantine
from ecc_listener.storage.connection import StoreError, utc_text
from ecc_listener.storage.interface import Burst
from ecc_listener.storage.lock import StoreHeldError, StoreTakenError
from ecc_listener.storage.postgres.connection import Connection, connect, explain
from ecc_listener.storage.postgres.insert import Rows
from ecc_listener.storage.postgres.schema import migrate

Result = TypeVar("Result")

_REPLAY_BATCH = 1_000
_REPLAY_LOCK = 0x6563_6303
_CLIENT_LOCK = 0x6563_6304
_RECORD = (
    "WITH gone AS (DELETE FROM delivery WHERE client_id = ? AND burst <= ?)"
    " INSERT INTO delivery VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
_FORGET = "DELETE FROM delivery WHERE client_id = ? AND burst <= ?"


class PostgresStore:
    """The database, and the delivery record of one client id, which one process holds."""

    def __init__(self, url: str, client_id: str, max_quarantine_bytes: int) -> None:
        """Connect, create or migrate the tables, and hold the client id.

        Raises:
            StoreHeldError: another listener has this client id.
            StoreError: the server can't be used, or a newer version wrote the tables.

        """
        self._url = url
        self._client_id = client_id
        self._max_quarantine_bytes = max_quarantine_bytes
        self._unmeasured_bytes: int | None = None
        self._holder = secrets.token_hex(8)
        self._has_held = False
        self._rows = Rows()
        self._connection: Connection | None = None
        with self._writing():
            pass

    def close(self) -> None:
        """Disconnect, so that another process can have the client id."""
        self._disconnect()

    def recorded(self) -> list[tuple[int, list[Packet]]]:
        """Return the recorded packets, burst by burst: those that the broker may send again."""
        with self._writing() as connection:
            query = "SELECT burst, packets FROM delivery WHERE client_id = ? ORDER BY burst"
            return [
                (burst, unpack(packets)) for burst, packets in connection.execute(query, (self._client_id,))
            ]

    def commit(self, burst: Burst, confirmed: int) -> None:
        """Commit a burst, and remove the packets of bursts up to `confirmed` from the record.

        Raises:
            StoreError: it may not be stored; commit the same burst again.

        """
        with self._writing() as connection:
            self._rows.create_partitions(connection, burst.readings)
            try:
                self._insert(connection, burst, confirmed)
            except psycopg.errors.UniqueViolation:
                self._insert(connection, burst, confirmed, one_by_one=True)

    def _insert(
        self, connection: Connection, burst: Burst, confirmed: int, *, one_by_one: bool = False
    ) -> None:
        client = self._client_id
        record = (client, confirmed, client, burst.number, pack(burst.packets))
        with connection.psycopg.transaction():
            if connection.execute(_RECORD, record).rowcount == 0:
                return  # The commit that seemed to fail has reached the disk.
            sensors = self._rows.insert(connection, burst.readings, one_by_one=one_by_one)
            unmeasured = self._insert_rejected(connection, burst)
        self._rows.remember(sensors)
        self._unmeasured_bytes = unmeasured

    def _insert_rejected(self, connection: Connection, burst: Burst) -> int | None:
        """Insert rejected messages; return how many bytes were inserted since their total was measured."""
        if not burst.rejected and not burst.incomplete:
            return self._unmeasured_bytes
        added = quarantine.insert(connection, burst.rejected)
        added += quarantine.insert_incomplete(connection, burst.incomplete)
        # Other listeners insert as well, so the total is measured again and again, but not for each message.
        if self._unmeasured_bytes is not None:
            added += self._unmeasured_bytes
            if added < self._max_quarantine_bytes // 16:
                return added
        excess_bytes = quarantine.size_bytes(connection) - self._max_quarantine_bytes
        if excess_bytes > 0:
            quarantine.drop_oldest(connection, excess_bytes)
        return 0

    def forget(self, confirmed: int) -> None:
        """Remove the packets of bursts up to `confirmed` from the record.

        Raises:
            StoreError: they may still be there.

        """
        with self._writing() as connection:
            connection.execute(_FORGET, (self._client_id, confirmed))

    def drop_rejected(self, older_than_us: int) -> None:
        """Delete rejected messages that arrived before a time.

        Raises:
            StoreError: nothing was deleted.

        """
        self.change(lambda connection: quarantine.drop_older(connection, utc_text(older_than_us)))

    def look(self, act: Callable[[Connection], Result]) -> Result:
        """Call `act` with the connection, for modules that only read; return its result.

        Raises:
            StoreError: the database can't be used.

        """
        with self._writing() as connection:
            return act(connection)

    def change(self, act: Callable[[Connection], Result]) -> Result:
        """Call `act` in one transaction, for modules that have their own table; return its result.

        Raises:
            StoreError: nothing was changed, or that is unknown.

        """
        with self._writing() as connection, connection.psycopg.transaction():
            return act(connection)

    def replay(self, decode: Callable[[str, bytes], Sequence[Reading]], now_us: int) -> tuple[int, int]:
        """Decode rejected messages again; return how many became readings, and how many did not.

        Each is marked in the transaction that stores it, so none is stored twice, also by two processes.

        Raises:
            StoreError: some may be stored, and are marked; the others wait.

        """
        replayed, last = 0, 0
        with self._writing() as connection:
            while True:
                rows = quarantine.replayable(connection, last, _REPLAY_BATCH)
                if not rows:
                    return replayed, quarantine.waiting(connection)
                found = list(quarantine.decoded(rows, decode))
                self._rows.create_partitions(connection, [one for _, arrivals in found for one in arrivals])
                with connection.psycopg.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(?)", (_REPLAY_LOCK,))
                    numbers = [number for number, _ in found]
                    waiting = connection.execute(
                        "SELECT id FROM rejected WHERE id = ANY(?) AND replayed IS NULL", (numbers,)
                    )
                    still = {number for (number,) in waiting}
                    arrivals = [one for number, some in found if number in still for one in some]
                    sensors = self._rows.insert(connection, arrivals, one_by_one=True)
                    quarantine.mark_replayed(connection, sorted(still), utc_text(now_us))
                self._rows.remember(sensors)
                replayed += len(still)
                last = rows[-1][0]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Yield the connection. After an error it is closed: it may be in any state."""
        try:
            if self._connection is None:
                self._connection = self._opened()
            yield self._connection
        except psycopg.Error as error:
            self._disconnect()
            raise StoreError(explain(error)) from error
        except BaseException:
            self._disconnect()
            raise

    def _opened(self) -> Connection:
        connection = connect(self._url)
        try:
            migrate(connection)
            self._hold(connection)
            self._rows.forget()
            self._unmeasured_bytes = None
        except BaseException:
            connection.close()
            raise
        return connection

    def _hold(self, connection: Connection) -> None:
        """Hold the client id for as long as this connection lives.

        The server ends a connection only after its transaction, so whoever holds the client id next finds in
        the record all that was committed. But whoever held it in between may have stored what this process
        still has in hands.
        """
        row = connection.execute(
            "SELECT pg_try_advisory_lock(?, hashtext(?))", (_CLIENT_LOCK, self._client_id)
        ).fetchone()
        if not row or not row[0]:
            raise StoreHeldError(
                f"the client id {self._client_id} is in use by another listener, or PostgreSQL has not yet"
                " noticed that its connection has ended; stop that listener, or choose another mqtt_client_id"
            )
        if self._has_held:
            query = "SELECT holder FROM session WHERE client_id = ?"
            if connection.execute(query, (self._client_id,)).fetchone() != (self._holder,):
                raise StoreTakenError("another listener has taken over this one's session; starting again")
        connection.execute(
            "INSERT INTO session VALUES (?, ?)"
            " ON CONFLICT (client_id) DO UPDATE SET holder = excluded.holder",
            (self._client_id, self._holder),
        )
        self._has_held = True

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(psycopg.Error):
                connection.close()
