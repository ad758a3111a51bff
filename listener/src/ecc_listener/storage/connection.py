"""Connections to SQLite files: the one writer's, readers', and the transaction.

Times stand in the tables as UTC text, `2020-12-19 03:04:05.678901`, the original's format.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from ecc_listener.storage import foreign

_BUSY_TIMEOUT_S = 2.0
_ARCHIVE_POLL_S, _ARCHIVE_POLLS, _ARCHIVE_WITHIN_S = 0.05, 50, 10
_FAULTS = {
    "locked": "another program holds the database; close the program that has it open",
    "disk is full": "the disk is full; free some space",
    # What a full disk looks like where the file is opened: no room for the -shm beside it.
    "IOERR_SHMSIZE": "the disk is full; free some space",
    "Input/output error": "the disk does not read or write; see the system's log, the disk may be failing",
    "disk I/O error": "the disk does not read or write; see the system's log, the disk may be failing",
    "readonly": "the database can't be written; see who owns the file and whether the disk is read-only",
    "unable to open": "the database can't be opened; see that the folder exists and who owns it",
    "malformed": "the database is damaged; `ecc-listener recover` reads what can be read",
    "not a database": "the file is no SQLite database",
}


class StoreError(Exception):
    """Raised when a database can't be used; its text says why and what to do."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a file for its one writer, durable on every commit.

    WAL with FULL: of the combinations that keep every commit through a power cut, the fastest.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except BaseException:
        connection.close()
        raise
    return connection


def archive_marker(database: Path) -> Path:
    """Name the file by which the listener asks readers to stay out for a moment: it wants to archive."""
    return Path(f"{database}.archiving")


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open a file with readings for reading, as `open_readonly` does; its rows are read as `foreign` says.

    Raises:
        StoreError: there is no such file, it can't be read, or it is another program's.

    """
    connection = open_readonly(path)
    try:
        foreign.adapt(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(explain(error, path)) from None
    except foreign.OtherDatabaseError as error:
        connection.close()
        raise StoreError(str(error)) from None
    return connection


def open_readonly(path: Path) -> sqlite3.Connection:
    """Open a file for reading as it is, whether its writer lives, was killed, or closed it.

    If the listener wants to archive it, that comes first, so that readers can't keep it from happening. A
    closed file has no WAL, and in a folder that this process can't write to SQLite then opens it only as
    immutable, which is right just then.

    Raises:
        StoreError: there is no such file, or it can't be read.

    """
    _let_archive(path)
    if not path.exists():
        raise StoreError(f"{path} isn't there; the listener makes it when it starts")
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        try:
            return _opened(uri)
        except sqlite3.OperationalError:
            if Path(f"{path}-wal").exists():
                raise
            return _opened(uri + "&immutable=1")
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from None


def _let_archive(path: Path) -> None:
    """Wait a little while an archive is wanted; an older marker was left by a listener that was killed."""
    for _ in range(_ARCHIVE_POLLS):
        try:
            is_old = abs(time.time() - archive_marker(path).stat().st_mtime) > _ARCHIVE_WITHIN_S
        except OSError:
            return
        if is_old:
            return
        time.sleep(_ARCHIVE_POLL_S)


def _opened(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except BaseException:
        connection.close()
        raise
    return connection


def explain(error: Exception, path: Path) -> str:
    """Return why a database can't be used, and what to do."""
    text = str(error)
    for fault, meaning in _FAULTS.items():
        if fault in text or fault in getattr(error, "sqlite_errorname", ""):
            return f"{path}: {meaning} ({text})"
    return f"{path}: {text}"


@contextmanager
def atomic(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has rolled back already; a second error must not hide the first.
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def utc_text(time_us: int, _second: list[object] = [None, ""]) -> str:  # noqa: B006 - a one-entry memory
    """Return microseconds since 1970 as the tables' UTC text."""
    second, microsecond = divmod(time_us, 1_000_000)
    if second != _second[0]:
        _second[:] = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{_second[1]}.{microsecond:06d}"


def utc_us(text: str) -> int:
    """Return the tables' UTC text as microseconds since 1970; the original left out a fraction of zero."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
