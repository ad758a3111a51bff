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
from typing import NamedTuple
from urllib.parse import quote

from ecc_listener.backup.copy import check_integrity
from ecc_listener.storage.connection import StoreError, connect_readonly, explain
from ecc_listener.storage.schema import MIGRATIONS

_GZIP = b"\x1f\x8b"
_SQLITE = b"SQLite format 3\0"
_COLUMNS = (
    *("recordWrittenUTC", "dewPointF", "temperatureF", "relHumidityPercent", "battVoltage", "battPercent"),
    *("apRSSI", "sensorName"),
)
_CONTENTS = """
    SELECT count(*), count(DISTINCT sensorName), min(recordWrittenUTC), max(recordWrittenUTC) FROM ECCTempHum
"""


class Contents(NamedTuple):
    """What a database contains; times are UTC text, None without readings."""

    readings: int
    sensors: int
    first_utc: str | None
    last_utc: str | None


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
            return _contents(connection)
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from None


def _contents(connection: sqlite3.Connection) -> Contents:
    return Contents(*connection.execute(_CONTENTS).fetchone())


def _write(backup: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with backup.open("rb") as file:
        start = file.read(len(_SQLITE))
    if start.startswith(_GZIP):
        with gzip.open(backup) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
    elif start == _SQLITE:
        # It may be a copy with a WAL beside it: SQLite reads the two as one.
        with closing(connect_readonly(backup)) as connection:
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


def _known(path: Path) -> Contents:
    with closing(sqlite3.connect(path)) as connection:
        columns = tuple(row[1] for row in connection.execute("PRAGMA table_info(ECCTempHum)"))
        if columns != _COLUMNS:
            raise StoreError(
                "it is a database of another program: it has no table ECCTempHum with this program's columns"
            )
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the backup has schema {version}, this program knows {len(MIGRATIONS)}: it was created by a"
                " newer version; install that version first"
            )
        return _contents(connection)


def count_missing(path: Path, other: Path) -> int:
    """Return the number of readings of `other` that are not in `path`.

    Raises:
        StoreError: one of them can't be read.

    """
    try:
        with closing(connect_readonly(other)) as connection:
            connection.execute("ATTACH ? AS backup", (f"file:{quote(str(path))}?mode=ro",))
            query = (
                f"SELECT count(*) FROM main.ECCTempHum AS one WHERE NOT EXISTS ({same_key_exists('backup')})"
            )
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(explain(error, other)) from None


def same_key_exists(schema: str, table: str = "ECCTempHum") -> str:
    """Return the subquery whether a table of an attached file has a row with the key of the row `one`."""
    return (
        f"SELECT 1 FROM {schema}.{table} AS other WHERE other.sensorName = one.sensorName"
        " AND other.recordWrittenUTC = one.recordWrittenUTC"
    )
