"""The steps of a restore: the new file is made ready beside the old one, then takes its place by a rename.

Every reading ends in exactly one file, and none doubles what the broker will send again:

- Readings that another file beside it holds already are left out of the new file.
- The record of deliveries keeps what is on it now and in the backup alike: those packets the broker may
  send again, and their readings are in the backup. What was stored since and is sent again is stored again,
  as it should be: its readings are in the old file, which is put aside.
- What was told and mailed is taken over from the old file: no letter is sent and no notice told twice.

A crash leaves under the database's name the old file or the new one, and the old one at least under one name.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ecc_listener.backup.copy import fsync_folder
from ecc_listener.backup.verify import same_key
from ecc_listener.storage import archive
from ecc_listener.storage.archive import ArchiveWaits
from ecc_listener.storage.connection import StoreError, archive_marker, connect_readonly, explain
from ecc_listener.storage.schema import CARRIED, STAYING, migrate

_OF_THE_BACKUP = {"ECCKnownSensor", "ECCRejected", "ECCDelivery", "ECCCounter"}
_TRIES, _TRY_EVERY_S = 50, 0.1
_SPAN = "SELECT min(recordWrittenUTC), max(recordWrittenUTC) FROM other.ECCTempHum WHERE sensorName = ?"
_DELETE = (
    "DELETE FROM main.ECCTempHum AS one WHERE one.sensorName = ? AND one.recordWrittenUTC BETWEEN ? AND ?"
    f" AND EXISTS ({same_key('other')})"
)


def leave_out(new: Path, others: Sequence[Path]) -> int:
    """Take out of the new file the readings that other files hold already; give how many.

    Raises:
        StoreError: a file can't be read or written.

    """
    count = 0
    with _changing(new) as connection:
        names = [row[0] for row in connection.execute("SELECT DISTINCT sensorName FROM ECCTempHum")]
        for other in others:
            _attach(connection, other)
            # One that can't be read keeps no backup from being restored.
            with suppress(sqlite3.DatabaseError):
                for name in names:
                    span = connection.execute(_SPAN, (name,)).fetchone()
                    count += connection.execute(_DELETE, (name, *span)).rowcount
            connection.execute("DETACH other")
    return count


def take_over(new: Path, old: Path | None, *, merge: bool) -> None:
    """Bring the open state of the old file, if it can be read, into the new one; with `merge` its readings.

    Raises:
        StoreError: a file can't be read or written.

    """
    with _changing(new) as connection:
        migrate(connection)
        if old is None:
            connection.execute("DELETE FROM ECCDelivery")
            connection.execute(
                "UPDATE ECCMailWay SET doneUpTo ="
                " max(doneUpTo, (SELECT coalesce(max(number), 0) FROM ECCMail))"
            )
            return
        _attach(connection, old)
        connection.execute("BEGIN")
        if merge:
            for table in STAYING:
                connection.execute(
                    f"INSERT INTO main.{table} SELECT * FROM other.{table} AS one"
                    f" WHERE NOT EXISTS ({same_key('main', table)}) ORDER BY recordWrittenUTC"
                )
            connection.execute("INSERT OR REPLACE INTO main.ECCDelivery SELECT * FROM other.ECCDelivery")
        connection.execute(
            "DELETE FROM main.ECCDelivery WHERE NOT EXISTS (SELECT 1 FROM other.ECCDelivery AS still"
            " WHERE still.burst = ECCDelivery.burst AND still.packets = ECCDelivery.packets)"
        )
        for table in CARRIED.keys() - _OF_THE_BACKUP:
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM other.{table}")
        connection.execute("COMMIT")


def settle(old: Path) -> bool:
    """Make the old file whole: all in one file, of this schema, and nobody else in it.

    Gives False where it is damaged or a newer version's: then it can only be put aside as it is.

    Raises:
        ArchiveWaits: another program has it open.

    """
    archive.tidy(old)
    if not _is_sound(old):
        return False
    marker = archive_marker(old)
    marker.touch()  # The page and whoever reads by this program stay out for a moment.
    try:
        for left in reversed(range(_TRIES)):
            try:
                return _is_settled(old)
            except ArchiveWaits:
                if not left:
                    raise
            time.sleep(_TRY_EVERY_S)
    finally:
        marker.unlink(missing_ok=True)
    return False


def _is_sound(old: Path) -> bool:
    # For reading only: SQLite drops the WAL of a damaged file that it opens for writing.
    try:
        with closing(connect_readonly(old)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except (sqlite3.Error, StoreError):
        return False


def _is_settled(old: Path) -> bool:
    try:
        with closing(sqlite3.connect(old, isolation_level=None)) as connection:
            migrate(connection)
            archive.undo(connection)
            archive.lock_out(connection, old)
            return True
    except ArchiveWaits:
        raise
    except (sqlite3.Error, StoreError):
        return False


def swap(new: Path, target: Path, aside: Path) -> None:
    """Give the new file the target's name, and what bears it now, if anything does, the name `aside`.

    Raises:
        StoreError: the folder takes no such names; nothing has changed.

    """
    _like(target, new)
    try:
        for ending in ("-wal", "-shm", "-journal", ""):
            # Only a file that could not be settled has more than its own name.
            if Path(f"{target}{ending}").exists():
                Path(f"{aside}{ending}").hardlink_to(f"{target}{ending}")
        fsync_folder(target.parent)
        for ending in ("-wal", "-shm", "-journal"):
            Path(f"{target}{ending}").unlink(missing_ok=True)
        new.rename(target)
        fsync_folder(target.parent)
    except OSError as error:
        raise StoreError(
            f"{error.filename2 or error.filename}: {error.strerror}; nothing was put back"
        ) from None


def _like(target: Path, new: Path) -> None:
    """Give the new file to whom the old one, or else the folder, belongs: root may be who restores."""
    model = (target if target.exists() else target.parent).stat()
    if os.geteuid() == 0:
        os.chown(new, model.st_uid, model.st_gid)


def _attach(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("ATTACH ? AS other", (f"file:{quote(str(path))}?mode=ro",))


@contextmanager
def _changing(new: Path) -> Iterator[sqlite3.Connection]:
    """Lend a connection to a file that nobody else knows yet; it is on the disk afterwards.

    Raises:
        StoreError: it, or one attached to it, can't be read or written.

    """
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(new))}", uri=True, isolation_level=None)
        ) as connection:
            # It is synced as a whole, and thrown away after a crash.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            yield connection
        with new.open("rb+") as file:
            os.fsync(file.fileno())
    except (sqlite3.Error, OSError) as error:
        raise StoreError(explain(error, new)) from None
