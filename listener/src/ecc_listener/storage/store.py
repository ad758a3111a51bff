"""The SQLite storage, the only writer of the live database file: it commits bursts of readings.

A burst is committed in one transaction with the record of its packets (`deliveries`) and the rejected
messages (`quarantine`). Either all of it is on disk when `commit` returns, or `StoreError` is raised. Then
the same burst has to be committed again, even if the failed commit may have reached the disk.
"""

import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ecc_listener.mqtt.deliveries import Packet, pack, unpack
from ecc_listener.readings.reading import Reading
from ecc_listener.storage import archive, corruption, foreign, irregularity, lock, quarantine
from ecc_listener.storage.connection import StoreError, atomic, connect, explain, utc_text
from ecc_listener.storage.corruption import DamagedError
from ecc_listener.storage.insert import Rows
from ecc_listener.storage.interface import Burst
from ecc_listener.storage.migrate import migrate

__all__ = ["Burst", "Store"]

Result = TypeVar("Result")

_REPLAY_BATCH = 1_000
_DAMAGE_TIMES = 2

_log = logging.getLogger(__name__)


class Store:
    """The live database file, held by one process."""

    def __init__(self, path: Path, max_quarantine_bytes: int) -> None:
        """Open the file, and create or migrate its tables.

        Raises:
            StoreHeldError: another process writes to it.
            StoreError: it can't be opened, belongs to another program, or a newer version wrote it.

        """
        self.path = path
        self._max_quarantine_bytes = max_quarantine_bytes
        self._quarantine_bytes = 0
        self._rows = Rows(path)
        self._failed = False
        self._damage_met = 0
        self._inode = 0
        self._refusal: str | None = None
        self._unreadable_rows = 0
        self._connection: sqlite3.Connection | None = None
        self._lock = lock.hold(path)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file, so that another process can open it."""
        self._disconnect()
        self._lock.close()

    def _begin(self) -> None:
        for _ in range(_DAMAGE_TIMES):
            try:
                with self._writing():
                    return
            except StoreError as error:
                if error.__cause__ is None or not corruption.is_damage(error.__cause__):
                    raise
        with self._writing():
            pass

    def recorded(self) -> list[tuple[int, list[Packet]]]:
        """Return the recorded packets, burst by burst: those that the broker may send again."""
        with self._writing() as connection:
            rows = connection.execute("SELECT burst, packets FROM ECCDelivery ORDER BY burst")
            return [(burst, unpack(packets)) for burst, packets in rows]

    def commit(self, burst: Burst, confirmed: int) -> None:
        """Commit a burst, and remove the packets of bursts up to `confirmed` from the record.

        Raises:
            StoreError: it may not be stored; commit the same burst again.

        """
        with self._writing() as connection:
            token = "SELECT 1 FROM ECCDelivery WHERE burst = ?"  # noqa: S105 - of a transaction
            if connection.execute(token, (burst.number,)).fetchone():
                return  # The commit that seemed to fail has reached the disk.
            with atomic(connection):
                sensors = self._rows.insert(connection, burst.readings)
                quarantine_bytes = self._quarantine_bytes + quarantine.insert(connection, burst.rejected)
                if burst.incomplete:
                    quarantine_bytes += quarantine.insert_incomplete(connection, burst.incomplete)
                excess_bytes = quarantine_bytes - self._max_quarantine_bytes
                if excess_bytes > 0:
                    quarantine_bytes -= quarantine.drop_oldest(connection, excess_bytes)
                connection.execute(
                    "INSERT INTO ECCDelivery VALUES (?, ?)", (burst.number, pack(burst.packets))
                )
                connection.execute("DELETE FROM ECCDelivery WHERE burst <= ?", (confirmed,))
            self._quarantine_bytes = quarantine_bytes
            self._rows.remember(sensors)

    def forget(self, confirmed: int) -> None:
        """Remove the packets of bursts up to `confirmed` from the record.

        Raises:
            StoreError: they may still be there.

        """
        with self._writing() as connection:
            connection.execute("DELETE FROM ECCDelivery WHERE burst <= ?", (confirmed,))

    def drop_rejected(self, older_than_us: int) -> None:
        """Delete rejected messages that arrived before a time.

        Raises:
            StoreError: nothing was deleted.

        """
        with self._writing() as connection:
            with atomic(connection):
                quarantine.drop_older(connection, utc_text(older_than_us))
            self._quarantine_bytes = quarantine.size_bytes(connection)

    def change(self, act: Callable[[sqlite3.Connection], Result]) -> Result:
        """Call `act` in one transaction, for modules that have their own table; return its result.

        Raises:
            StoreError: nothing was changed, or that is unknown.

        """
        with self._writing() as connection, atomic(connection):
            return act(connection)

    def is_full(self, max_bytes: int) -> bool:
        """Return whether the file is large enough to be archived.

        Raises:
            StoreError: the size is unknown.

        """
        with self._writing() as connection:
            return archive.is_due(connection, max_bytes, self._quarantine_bytes)

    def archive(self) -> Path:
        """Archive the file and continue with a new one; return the archive.

        Raises:
            ArchiveWaits: another program has the file open; nothing has changed.
            StoreError: the disk is full or failing; nothing has changed.

        """
        with self._writing() as connection:
            archive.prepare_next_file(connection, self.path)
            try:
                return archive.create_archive(connection, self.path)
            finally:
                self._disconnect()

    def look(self, act: Callable[[sqlite3.Connection], Result]) -> Result:
        """Call `act` with the connection, for modules that only read; return its result.

        Raises:
            StoreError: the database can't be used.

        """
        with self._writing() as connection:
            return act(connection)

    def replay(self, decode: Callable[[str, bytes], Sequence[Reading]], now_us: int) -> tuple[int, int]:
        """Decode rejected messages again; return how many became readings, and how many did not.

        Each is marked in the transaction that stores it, so none is stored twice. Their rows have the time at
        which they arrived.

        Raises:
            StoreError: some may be stored, and are marked; the others wait.

        """
        replayed = 0
        with self._writing() as connection:
            rows = quarantine.replayable(connection, 0, _REPLAY_BATCH)
            while rows:
                found = list(quarantine.decoded(rows, decode))
                with atomic(connection):
                    sensors = self._rows.insert(
                        connection, [arrival for _, arrivals in found for arrival in arrivals]
                    )
                    quarantine.mark_replayed(connection, [rowid for rowid, _ in found], utc_text(now_us))
                self._rows.remember(sensors)
                replayed += len(found)
                rows = quarantine.replayable(connection, rows[-1][0], _REPLAY_BATCH)
            return replayed, quarantine.waiting(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection. After an error it is closed, because a handle that failed can't be trusted.

        Not after SQLITE_FULL, which only undid a write: reopening the file needs space for its -shm, and
        without space that may end in a SIGBUS.
        """
        try:
            if self._connection is not None and not self._is_in_place():
                _log.warning("%s was replaced or deleted while it was in use", self.path)
                self._disconnect()
            if self._connection is None:
                self._connection = self._opened()
            yield self._connection
        except (sqlite3.Error, OSError, DamagedError) as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
                self._failed = True
                self._disconnect()
            if isinstance(error, sqlite3.IntegrityError):
                self._refusal = str(error)
            if corruption.is_damage(error):
                self._handle_damage(error)
            raise StoreError(explain(error, self.path)) from error

    def _opened(self) -> sqlite3.Connection:
        archive.remove_leftovers(self.path)
        _clear_read_only(self.path)
        corruption.look(self.path, self._inode)
        connection = connect(self.path)
        try:
            self._settle(connection)
            migrate(connection)
            archive.unmark_rejected(connection)
            self._adapt(connection)
            refusal, self._refusal = self._refusal, None
            if irregularity.has_rules(connection) and (
                refusal := irregularity.refusal(connection) or refusal
            ):
                self._begin_anew(connection, refusal)
                connection.close()
                return self._opened()
            self._rows.forget()
            self._quarantine_bytes = quarantine.size_bytes(connection)
            self._inode = self.path.stat().st_ino
        except BaseException:
            connection.close()
            raise
        return connection

    def _adapt(self, connection: sqlite3.Connection) -> None:
        """Make rows of other programs readable as what they mean; log how many mean nothing."""
        unreadable = irregularity.note(connection).unreadable_rows
        foreign.adapt(connection, self.path)
        if unreadable and unreadable != self._unreadable_rows:
            _log.warning(
                "%s: %s without a sensor's name or a valid time; they stay in the file and are not shown",
                self.path,
                f"{unreadable:,} rows are" if unreadable > 1 else "1 row is",
            )
        self._unreadable_rows = unreadable

    def _begin_anew(self, connection: sqlite3.Connection, refusal: str) -> None:
        """Archive a file whose table takes no new readings, because of a rule that somebody has added."""
        archive.prepare_next_file(connection, self.path, has_extra_columns=False)
        made = archive.create_archive(connection, self.path)
        _log.warning(
            "The database accepts no new readings (%s); it is now the archive %s, and a new one was created",
            refusal,
            made.name,
        )

    def _is_in_place(self) -> bool:
        """Return whether the open file is still the one with its name."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _handle_damage(self, error: Exception) -> None:
        """Set a file aside that is still damaged after it was reopened, so that a new one is created.

        A success in between proves nothing: it may have read other pages.
        """
        self._damage_met += 1
        if self._damage_met < _DAMAGE_TIMES:
            return
        try:
            aside = corruption.set_aside(self.path)
        except OSError as refused:
            raise StoreError(f"{self.path} is damaged and can't be moved: {refused.strerror}") from None
        self._failed, self._damage_met = False, 0
        message = "The database was damaged (%s) and is now %s. Next step: ecc-listener recover"
        _log.error(message, error, aside.name)

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Make sure that everything in the file is on disk, before anything is acknowledged because of it.

        What a killed process had written but not synced is only in the system's memory. And after a failed
        sync, Linux regards what was not written as clean, and a later sync skips it: then only writing it
        again helps, from the WAL into the database.
        """
        wal = Path(f"{self.path}-wal")
        if wal.exists():
            with wal.open("rb") as file:
                os.fsync(file.fileno())
        if self._failed:
            is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if is_busy:
                raise sqlite3.OperationalError("database is locked")
            self._failed = False

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def _clear_read_only(path: Path) -> None:
    """Make a file of this user writable: if it was copied from a CD, it is read-only."""
    for ending in corruption.SIDE_FILES:
        with suppress(OSError):
            file = Path(f"{path}{ending}")
            status = file.stat()
            if status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWUSR:
                file.chmod(stat.S_IMODE(status.st_mode) | stat.S_IWUSR)
