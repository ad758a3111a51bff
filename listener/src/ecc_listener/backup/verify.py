"""What a restore begins with: a backup unpacked, and proven to be a sound database of this program.

A file made by hand is as good as one of `backup`: compressed with gzip or not, of any age.
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

from ecc_listener.backup.copy import check
from ecc_listener.storage.connection import StoreError, connect_readonly, explain
from ecc_listener.storage.schema import MIGRATIONS

_GZIP = b"\x1f\x8b"
_SQLITE = b"SQLite format 3\0"
_COLUMNS = (
    *("recordWrittenUTC", "dewPointF", "temperatureF", "relHumidityPercent", "battVoltage", "battPercent"),
    *("apRSSI", "sensorName"),
)
_HOLDS = """
    SELECT count(*), count(DISTINCT sensorName), min(recordWrittenUTC), max(recordWrittenUTC) FROM ECCTempHum
"""


class Holds(NamedTuple):
    """What a database holds; times are UTC text, None without readings."""

    readings: int
    sensors: int
    first_utc: str | None
    last_utc: str | None


def unpack(backup: Path, target: Path) -> Holds:
    """Write the database that a backup is to `target`, on the disk; give what it holds.

    Raises:
        StoreError: it can't be unpacked, is damaged, another program's, or a newer version's. No target then.

    """
    try:
        _write(backup, target)
        check(target)
        return _known(target)
    except (sqlite3.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
        target.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error) and "disk is full" in str(error):
            raise StoreError(explain(error, target)) from None
        raise StoreError(
            f"{backup.name} is damaged ({error}); nothing was changed; take another one"
        ) from None
    except OSError as error:
        target.unlink(missing_ok=True)
        raise StoreError(f"{backup} can't be unpacked: {error.strerror or error}") from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def look(path: Path) -> Holds:
    """Say what a database holds.

    Raises:
        StoreError: it can't be read.

    """
    try:
        with closing(connect_readonly(path)) as connection:
            return _holds(connection)
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from None


def _holds(connection: sqlite3.Connection) -> Holds:
    return Holds(*connection.execute(_HOLDS).fetchone())


def _write(backup: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with backup.open("rb") as file:
        start = file.read(len(_SQLITE))
    if start.startswith(_GZIP):
        with gzip.open(backup) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
    elif start == _SQLITE:
        # Perhaps somebody's copy with a WAL beside it: SQLite reads the two as one.
        with closing(connect_readonly(backup)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    else:
        raise StoreError(f"{backup.name} is no backup: neither an SQLite database nor one in gzip")
    with target.open("rb+") as plain:
        if plain.read(len(_SQLITE)) != _SQLITE:
            raise StoreError(f"{backup.name} is no backup: what is packed in it is no SQLite database")
        os.fsync(plain.fileno())


def _known(path: Path) -> Holds:
    with closing(sqlite3.connect(path)) as connection:
        columns = tuple(row[1] for row in connection.execute("PRAGMA table_info(ECCTempHum)"))
        if columns != _COLUMNS:
            raise StoreError("it is a database of another program: it has no table ECCTempHum as this one's")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the backup is of schema {version}, this program knows {len(MIGRATIONS)}: it was made by a"
                " newer version; install that one first"
            )
        return _holds(connection)


def missing(path: Path, other: Path) -> int:
    """Count the readings of `other` that `path` has not.

    Raises:
        StoreError: one of them can't be read.

    """
    try:
        with closing(connect_readonly(other)) as connection:
            connection.execute("ATTACH ? AS backup", (f"file:{quote(str(path))}?mode=ro",))
            query = f"SELECT count(*) FROM main.ECCTempHum AS one WHERE NOT EXISTS ({same_key('backup')})"
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(explain(error, other)) from None


def same_key(schema: str, table: str = "ECCTempHum") -> str:
    """Give the question whether a table of an attached file has the key of the row `one`."""
    return (
        f"SELECT 1 FROM {schema}.{table} AS other WHERE other.sensorName = one.sensorName"
        " AND other.recordWrittenUTC = one.recordWrittenUTC"
    )
