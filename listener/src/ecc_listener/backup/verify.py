"""Unpack a backup and verify that it is an undamaged database of this program, before it is restored.

A copy made by hand is as good as one of `backup`: compressed with gzip or not, of any age.
"""

import gzip
import os
import shutil
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ecc_listener.backup.attach import attached, same_row_exists
from ecc_listener.backup.copy import check_integrity
from ecc_listener.storage.connection import StoreError, connect_readonly, explain, open_readonly
from ecc_listener.storage.migrate import seen_migrations
from ecc_listener.storage.schema import MIGRATIONS, columns

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_KEPT_FREE = 0.02
"""The share of the disk that stays free for what the listener writes meanwhile."""
_SQLITE = b"SQLite format 3\0"
_CONTENTS = """
    SELECT count(*), count(DISTINCT sensorName), min(recordWrittenUTC), max(recordWrittenUTC),
        (SELECT count(*) FROM main.ECCTempHum) - count(*) FROM ECCTempHum
"""


class Contents(NamedTuple):
    """What a database contains; times are UTC text, None without readings."""

    readings: int
    sensors: int
    first_utc: str | None
    last_utc: str | None
    unreadable_rows: int
    """Rows beside the readings that have no sensor's name or no time."""


def unpack_backup(backup: Path, target: Path) -> Contents:
    """Write the database in a backup to `target`, flushed to the disk; return what it contains.

    Raises:
        StoreError: it can't be unpacked, is damaged, or was written by another program or a newer version;
            there is no `target` then.

    """
    try:
        _write(backup, target)
        check_integrity(target)
        return _known(target)
    except (sqlite3.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
        target.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error) and "disk is full" in str(error):
            raise StoreError(explain(error, target)) from None
        raise StoreError(
            f"{backup.name} is damaged ({error}); nothing was changed; use another backup"
        ) from None
    except OSError as error:
        target.unlink(missing_ok=True)
        raise StoreError(f"{backup} can't be unpacked: {error.strerror or error}") from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def read_contents(path: Path) -> Contents:
    """Return what a database contains.

    Raises:
        StoreError: it can't be read.

    """
    try:
        with closing(connect_readonly(path)) as connection:
            return Contents(*connection.execute(_CONTENTS).fetchone())
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from None


def _write(backup: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    if backup.exists() and not backup.is_file():
        # Reading a device or a pipe might never end.
        raise StoreError(f"{backup} is not a backup: it is not a file")
    with backup.open("rb") as file:
        start = file.read(len(_SQLITE))
    if start.startswith(_GZIP):
        with gzip.open(backup) as packed, target.open("wb") as plain:
            _unpack(packed, plain, backup)
    elif start == _SQLITE:
        # It may be a copy with a WAL beside it: SQLite reads the two as one.
        with closing(open_readonly(backup)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    else:
        raise StoreError(
            f"{backup.name} is not a backup: it is neither an SQLite database nor a gzip file with one"
        )
    with target.open("rb+") as plain:
        if plain.read(len(_SQLITE)) != _SQLITE:
            raise StoreError(
                f"{backup.name} is not a backup: the gzip file does not contain an SQLite database"
            )
        os.fsync(plain.fileno())


def _unpack(packed: gzip.GzipFile, plain: BinaryIO, backup: Path) -> None:
    """Copy what a gzip file contains, as long as the listener has room beside it.

    A file that somebody else made may unpack to a thousand times its size.
    """
    folder = Path(plain.name).parent
    while chunk := packed.read(_CHUNK):
        if not plain.tell() and not chunk.startswith(_SQLITE):
            return
        disk = shutil.disk_usage(folder)
        if disk.free - len(chunk) < disk.total * _KEPT_FREE:
            raise StoreError(
                f"{backup.name} needs more space than there is: unpacked, it would leave less than"
                f" {_KEPT_FREE:.0%} of the disk free; free some space if this is your backup"
            )
        plain.write(chunk)
        plain.flush()


def _known(path: Path) -> Contents:
    with closing(sqlite3.connect(path)) as connection:
        if not columns(connection, "ECCTempHum"):
            raise StoreError("it is a database of another program: it has no table ECCTempHum")
        if seen_migrations(connection)[1]:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            raise StoreError(
                f"the backup has schema {version}, this program knows {len(MIGRATIONS)}: it was created by a"
                " newer version; install that version first"
            )
    return read_contents(path)


def count_missing(path: Path, other: Path) -> int:
    """Return the number of rows of `other` that are not in `path`.

    Raises:
        StoreError: one of them can't be read.

    """
    try:
        with closing(open_readonly(other)) as connection, attached(connection, path):
            query = (
                f"SELECT count(*) FROM main.ECCTempHum AS one WHERE NOT EXISTS ({same_row_exists('other')})"
            )
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(explain(error, other)) from None
