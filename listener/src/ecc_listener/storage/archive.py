"""The database archive: a full file gets its own name, and a new one continues with what is still open.

The live file never disappears, and at every moment each row is in exactly one file:

1. The new file is built under a temporary name, with the open state of the old one, and synced.
2. An exclusive lock proves that nobody else has the old file open, empties its WAL, and keeps others out.
3. `link` gives the old file the name of an archive, never one that already exists; the folder is synced.
4. `rename` gives the new file the live name; the folder is synced.

A crash before 4 leaves a temporary file and perhaps a second name of the live file; `remove_leftovers`
removes both, as if nothing had happened. Rejected messages that are copied into the new file are marked in
the old one, so that none is replayed twice; `unmark_rejected` removes the marks if the archive was never
completed.
"""

import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ecc_listener.storage.connection import StoreError, archive_marker, atomic
from ecc_listener.storage.corruption import SIDE_FILES
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.migrate import add_columns, extra_columns, migrate
from ecc_listener.storage.schema import CARRIED, ORIGINAL, columns

CHECKED_EVERY = 1000
"""Readings between two checks of the size, as in the original."""

_GOES_ON = "in the next file"
_MAX_NAMES = 1000
_SIZE = ("page_count", "page_size")


class ArchiveWaits(StoreError):  # noqa: N818 - nothing is wrong
    """Raised when the archive can't be made now; its text says why. Everything is as before."""


def is_due(connection: sqlite3.Connection, max_bytes: int, quarantine_bytes: int) -> bool:
    """Return whether the file is full, without rejected messages: they have their own limit."""
    pages, page_bytes = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _SIZE)
    if pages * page_bytes - quarantine_bytes < max_bytes:
        return False
    return connection.execute("SELECT 1 FROM main.ECCTempHum LIMIT 1").fetchone() is not None


def remove_leftovers(database: Path) -> None:
    """Remove what an unfinished archive has left. The live file must not be open in this process."""
    for ending in SIDE_FILES:
        Path(f"{_next(database)}{ending}").unlink(missing_ok=True)
    if database.exists():
        for path in archives(database):
            if path.samefile(database):
                path.unlink()
    archive_marker(database).unlink(missing_ok=True)


def unmark_rejected(connection: sqlite3.Connection) -> None:
    """Remove the marks of rejected messages that were about to be copied."""
    connection.execute("UPDATE ECCRejected SET replayedUTC = NULL WHERE replayedUTC = ?", (_GOES_ON,))


def prepare_next_file(
    connection: sqlite3.Connection, database: Path, *, has_extra_columns: bool = True
) -> None:
    """Create the next file, with what is open in this one, complete on disk.

    Raises:
        sqlite3.Error, OSError: the disk is full or failing; nothing else has changed.

    """
    new = _next(database)
    with new_file(new) as next_one:
        for table, columns_and_rows in CARRIED.items():
            names = ", ".join(columns(next_one, table).values())
            rows = connection.execute(f"SELECT {columns_and_rows.replace('*', names, 1)}")
            places = ", ".join("?" * len(rows.description))
            next_one.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", rows)
        for table in ORIGINAL if has_extra_columns else ():
            add_columns(next_one, table, extra_columns(connection, table))
        new.chmod(stat.S_IMODE(database.stat().st_mode) | stat.S_IWUSR)


@contextmanager
def new_file(new: Path) -> Iterator[sqlite3.Connection]:
    """Create a file with empty tables, replacing any of that name; afterwards it is synced.

    Raises:
        sqlite3.Error, OSError: the disk is full or failing.

    """
    for ending in SIDE_FILES:
        Path(f"{new}{ending}").unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # It is synced as a whole.
        migrate(connection)
        with atomic(connection):
            yield connection
    sync(new)


def create_archive(connection: sqlite3.Connection, database: Path) -> Path:
    """Archive the live file that `connection`, its only writer, has open; return the archive.

    Afterwards, and after any error, the connection can only be closed.

    Raises:
        ArchiveWaits: another program has the file open, or the folder allows no second name of a file.
        sqlite3.Error, OSError: the disk is full or failing.

    """
    stored = "(SELECT recordWrittenUTC FROM ECCTempHum ORDER BY rowid {} LIMIT 1)"
    name = archive_name(connection, database, stored.format(""), stored.format("DESC"))
    connection.execute("UPDATE ECCRejected SET replayedUTC = ? WHERE replayedUTC IS NULL", (_GOES_ON,))
    lock_out(connection, database)
    archive = link_free(database, database, name)
    sync(database.parent)
    _next(database).rename(database)
    sync(database.parent)
    return archive


def lock_out(connection: sqlite3.Connection, database: Path) -> None:
    """Prove that nobody else has the file open, keep others out, and empty the WAL."""
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not is_busy and connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete":
            return
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
    raise ArchiveWaits(f"another program has {database.name} open, perhaps an SQL shell; close it there")


def link_free(path: Path, database: Path, name: str) -> Path:
    """Give a file a second name, the first free one of an archive of `database`; return it.

    Raises:
        ArchiveWaits: no name is free.

    """
    for number in range(1, _MAX_NAMES):
        ending = f"-{number}" if number > 1 else ""
        archive = database.with_name(f"{name}{ending}{database.suffix}")
        try:
            archive.hardlink_to(path)
        except FileExistsError:
            continue
        except OSError as error:
            reason = f"{archive} can't be created: {error.strerror}; check the file system"
            raise ArchiveWaits(reason) from None
        return archive
    raise ArchiveWaits(
        f"{database.parent} already has {_MAX_NAMES} archives named {name}; move some of them away"
    )


def archive_name(connection: sqlite3.Connection, database: Path, first: str, last: str) -> str:
    """Return the name of an archive, without its suffix, from the times that two SQL expressions return."""
    ends = []
    for expression in (first, last):
        utc = connection.execute(f"SELECT {expression}").fetchone()[0]
        ends.append(f"{re.sub(r'[^0-9]', '', str(utc))[:12]:0<12}")
    return "-".join((database.stem, *ends))


def _next(database: Path) -> Path:
    return Path(f"{database}.next")


def sync(path: Path) -> None:
    """Sync a file or folder; not one that SQLite has open, because closing it ends SQLite's lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
