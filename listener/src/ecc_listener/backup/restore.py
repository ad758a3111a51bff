"""The steps of a restore: the new file is prepared beside the old one, then a rename puts it in its place.

Every reading ends in exactly one file, and none is stored twice when the broker sends it again:

- Readings that are in another file beside it already are removed from the new file.
- The record of deliveries keeps the packets that are on it both now and in the backup: the broker may send
  them again, and their readings are in the backup. Readings that were stored since and are sent again are
  stored again, as they should be: they are in the old file, which is moved aside.
- Notices and mail are copied from the old file: nothing is sent twice.

After a crash the database's name belongs to the old file or to the new one, and the old file has a name.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ecc_listener.backup.attach import attached, same_key_exists, same_row_exists
from ecc_listener.backup.copy import fsync_folder
from ecc_listener.storage import archive, irregularity
from ecc_listener.storage.archive import ArchiveWaits
from ecc_listener.storage.connection import StoreError, archive_marker, explain, open_readonly
from ecc_listener.storage.corruption import check_pages
from ecc_listener.storage.migrate import add_columns, extra_columns, migrate
from ecc_listener.storage.schema import CARRIED, NOTED, ORIGINAL, columns, quoted

_FROM_BACKUP = {"ECCKnownSensor", "ECCRejected", "ECCDelivery", "ECCCounter"}
_TRIES, _TRY_EVERY_S = 50, 0.1
_BY_NAME = "sensorName = CAST(? AS TEXT)"
_SPAN = f"SELECT min(recordWrittenUTC), max(recordWrittenUTC) FROM other.ECCTempHum WHERE {_BY_NAME}"
_DELETE = (
    f"DELETE FROM main.ECCTempHum AS one WHERE one.{_BY_NAME} AND one.recordWrittenUTC BETWEEN ? AND ?"
    f" AND EXISTS ({same_key_exists('other')})"
)
_DELETE_VALUES = f"DELETE FROM main.ECCValue AS one WHERE NOT EXISTS ({same_key_exists('main')})"


def remove_duplicates(new: Path, others: Sequence[Path]) -> int:
    """Delete from the new file the readings that are in other files already; return their number.

    Raises:
        StoreError: a file can't be read or written.

    """
    count = 0
    with _writing(new) as connection:
        names = _names(connection)
        for other in others:
            # An archive that can't be read must not prevent the restore.
            with suppress(sqlite3.DatabaseError), attached(connection, other):
                for name in names:
                    span = connection.execute(_SPAN, (name,)).fetchone()
                    count += connection.execute(_DELETE, (name, *span)).rowcount
        if count and columns(connection, "ECCValue"):
            connection.execute(_DELETE_VALUES)
    return count


def _names(connection: sqlite3.Connection) -> list[str | bytes]:
    """Return the sensors' names, as bytes if a shell has written another encoding than UTF-8."""
    connection.text_factory = bytes
    found = connection.execute("SELECT DISTINCT sensorName FROM ECCTempHum").fetchall()
    connection.text_factory = str
    names: list[str | bytes] = []
    for (name,) in found:
        try:
            names.append(name.decode())
        except UnicodeDecodeError:
            names.append(name)
        except AttributeError:
            continue  # Neither text nor blob: no reading has such a name.
    return names


def carry_over(new: Path, old: Path | None, *, merge: bool) -> None:
    """Copy the open state of the old file, if it can be read, to the new one; with `merge` also its readings.

    Raises:
        StoreError: a file can't be read or written.

    """
    with _writing(new) as connection:
        migrate(connection)
        if old is None:
            connection.execute("DELETE FROM ECCDelivery")
            connection.execute(
                "UPDATE ECCMailWay SET doneUpTo ="
                " max(doneUpTo, (SELECT coalesce(max(number), 0) FROM ECCMail))"
            )
        else:
            with attached(connection, old):
                _copy_state(connection, merge=merge)
        connection.executemany("DELETE FROM ECCCounter WHERE name = ?", [(name,) for name in NOTED])
        irregularity.note(connection)


def _copy_state(connection: sqlite3.Connection, *, merge: bool) -> None:
    connection.execute("BEGIN")
    if merge:
        for table in ORIGINAL:
            present = columns(connection, table)
            extra = extra_columns(connection, table, "other")
            add_columns(connection, table, [one for one in extra if one[0].lower() not in present])
            names = ", ".join(map(quoted, columns(connection, table, "other").values()))
            connection.execute(
                f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM other.{table} AS one"
                f" WHERE NOT EXISTS ({same_row_exists('main', table)}) ORDER BY recordWrittenUTC"
            )
        connection.execute("INSERT OR IGNORE INTO main.ECCValue SELECT * FROM other.ECCValue")
        connection.execute("INSERT OR REPLACE INTO main.ECCDelivery SELECT * FROM other.ECCDelivery")
    connection.execute(
        "DELETE FROM main.ECCDelivery WHERE NOT EXISTS (SELECT 1 FROM other.ECCDelivery AS still"
        " WHERE still.burst = ECCDelivery.burst AND still.packets = ECCDelivery.packets)"
    )
    for table in CARRIED.keys() - _FROM_BACKUP:
        names = ", ".join(columns(connection, table).values())
        connection.execute(f"DELETE FROM main.{table}")
        connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM other.{table}")
    # Sensors whose readings are in archives are known all the same.
    names = ", ".join(columns(connection, "ECCKnownSensor").values())
    connection.execute(
        f"INSERT OR IGNORE INTO main.ECCKnownSensor ({names}) SELECT {names} FROM other.ECCKnownSensor"
    )
    connection.execute("COMMIT")


def consolidate(old: Path) -> bool:
    """Bring the old file into one piece without a WAL, with this schema, and locked out of other programs.

    Return False if it is damaged or a newer version's: then it can only be moved aside as it is.

    Raises:
        ArchiveWaits: another program has it open.

    """
    archive.remove_leftovers(old)
    if not _is_undamaged(old):
        return False
    marker = archive_marker(old)
    marker.touch()  # The web page and this program's other readers wait for a moment.
    try:
        for left in reversed(range(_TRIES)):
            try:
                return _is_consolidated(old)
            except ArchiveWaits:
                if not left:
                    raise
            time.sleep(_TRY_EVERY_S)
    finally:
        marker.unlink(missing_ok=True)
    return False


def _is_undamaged(old: Path) -> bool:
    # For reading only: SQLite drops the WAL of a damaged file that it opens for writing.
    try:
        with closing(open_readonly(old)) as connection:
            return check_pages(connection) is None
    except (sqlite3.Error, StoreError):
        return False


def _is_consolidated(old: Path) -> bool:
    try:
        with closing(sqlite3.connect(old, isolation_level=None)) as connection:
            migrate(connection)
            archive.unmark_rejected(connection)
            archive.lock_out(connection, old)
            return True
    except ArchiveWaits:
        raise
    except (sqlite3.Error, StoreError):
        return False


def replace_file(new: Path, target: Path, aside: Path) -> None:
    """Rename the new file to `target`; a file that is there now gets the name `aside`.

    Raises:
        StoreError: the files can't be renamed; nothing has changed.

    """
    _copy_owner(target, new)
    try:
        for ending in ("-wal", "-shm", "-journal", ""):
            # Only a file that could not be consolidated has a WAL or journal.
            if Path(f"{target}{ending}").exists():
                Path(f"{aside}{ending}").hardlink_to(f"{target}{ending}")
        fsync_folder(target.parent)
        for ending in ("-wal", "-shm", "-journal"):
            Path(f"{target}{ending}").unlink(missing_ok=True)
        new.rename(target)
        fsync_folder(target.parent)
    except OSError as error:
        raise StoreError(
            f"{error.filename2 or error.filename}: {error.strerror}; nothing was restored"
        ) from None


def _copy_owner(target: Path, new: Path) -> None:
    """Return the new file the owner of the old one, or else of the folder: root may run the restore."""
    model = (target if target.exists() else target.parent).stat()
    if os.geteuid() == 0:
        os.chown(new, model.st_uid, model.st_gid)


@contextmanager
def _writing(new: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that nobody else knows yet; it is flushed to the disk afterwards.

    Raises:
        StoreError: it, or one attached to it, can't be read or written.

    """
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(new))}", uri=True, isolation_level=None)
        ) as connection:
            # It is flushed as a whole below, and deleted after a crash.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            with _without_triggers(connection):
                yield connection
        with new.open("rb+") as file:
            os.fsync(file.fileno())
    except (sqlite3.Error, OSError) as error:
        raise StoreError(explain(error, new)) from None


@contextmanager
def _without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Remove the triggers that somebody has added: what is moved between files is neither new nor deleted."""
    query = "SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'"
    triggers = connection.execute(query).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER main.{quoted(name)}")
    yield
    for _, sql in triggers:
        connection.execute(sql)
