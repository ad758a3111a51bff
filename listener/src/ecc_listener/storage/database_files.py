"""Which files hold readings: the live one and, beside it, its archives `{name}-{first}-{last}{ext}`.

Times in the names don't matter, the original's mean something else: what is in a file is asked of the file.
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from ecc_listener.storage.connection import StoreError, connect_readonly, explain
from ecc_listener.storage.foreign import SPANS_VIEW

Found = TypeVar("Found")

_TRIES = 10

# Going from one name to the next in the index reads no row twice.
_SPANS = """
    WITH RECURSIVE sensor(name) AS (
        SELECT min(sensorName) FROM ECCTempHum
        UNION ALL
        SELECT (SELECT min(sensorName) FROM ECCTempHum WHERE sensorName > name) FROM sensor
        WHERE name IS NOT NULL)
    SELECT name, (SELECT min(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = name),
           (SELECT max(recordWrittenUTC) FROM ECCTempHum WHERE sensorName = name)
    FROM sensor WHERE name IS NOT NULL
"""


class Span(NamedTuple):
    """A sensor of one file, and the times of its earliest and latest reading there."""

    sensor: str
    first_utc: str
    last_utc: str


def archives(database: Path) -> list[Path]:
    """Return what lies beside a live file and is named as one of its archives, in the order of the names."""
    return beside(database, r"-\d{12}-\d{12}(-\d+)?")


def beside(database: Path, pattern: str) -> list[Path]:
    """Return the files beside a live file with its name, this pattern and its suffix, in order."""
    name = re.compile(re.escape(database.stem) + pattern + re.escape(database.suffix))
    try:
        return sorted(path for path in database.parent.iterdir() if name.fullmatch(path.name))
    except OSError:
        return []


def present(database: Path) -> dict[Path, tuple[int, int]]:
    """Return the live file, if there is one, and the archives, with what identifies each as a file.

    While an archive is made, one file bears both names for a moment.
    """
    found: dict[Path, tuple[int, int]] = {}
    for path in (database, *archives(database)):
        try:
            status = path.stat()
        except OSError:
            continue
        identity = status.st_dev, status.st_ino
        if identity not in found.values():
            found[path] = identity
    return found


def steadily(database: Path, read: Callable[[], Found]) -> Found:
    """Read again if an archive was made meanwhile: what moved could be missed or met twice.

    Raises:
        StoreError: a file can't be read, or no moment without a change was found.

    """
    for _ in range(_TRIES):
        before = present(database)
        try:
            found = read()
        except (StoreError, sqlite3.Error) as error:
            if present(database) != before:
                continue
            if isinstance(error, StoreError):
                raise
            raise StoreError(explain(error, database)) from None
        if present(database) == before:
            return found
    raise StoreError(f"{database} and its archives keep changing; try again")


def spans(database: Path) -> dict[Path, list[Span]]:
    """Return each file's sensors and their times. An archive that can't be read is left out.

    Raises:
        StoreError: the live file can't be read.

    """
    found = {}
    for path in present(database):
        if path == database:
            found[path] = _read_spans(path)
        else:
            try:
                found[path] = archive_spans(path)
            except StoreError:
                continue
    return found


def archive_spans(path: Path) -> list[Span]:
    """Return an archive's sensors and their times, read once: it changes no more.

    Raises:
        StoreError: it can't be read.

    """
    try:
        status = path.stat()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    return _remembered_spans(path, status.st_ino, status.st_size, status.st_mtime_ns)


def is_archived(database: Path, sensor: str, utc: str) -> bool:
    """Return whether one of a live file's archives has a reading under just this key."""
    for path in archives(database):
        try:
            if any(name == sensor and first <= utc <= last for name, first, last in archive_spans(path)):
                with closing(connect_readonly(path)) as connection:
                    query = "SELECT 1 FROM ECCTempHum WHERE sensorName = ? AND recordWrittenUTC = ?"
                    if connection.execute(query, (sensor, utc)).fetchone():
                        return True
        except (StoreError, sqlite3.Error):
            continue
    return False


@lru_cache(maxsize=1024)
def _remembered_spans(path: Path, _inode: int, _size: int, _modified_ns: int) -> list[Span]:
    return _read_spans(path)


def _read_spans(path: Path) -> list[Span]:
    with closing(connect_readonly(path)) as connection:
        try:
            is_irregular = connection.execute(
                "SELECT 1 FROM temp.sqlite_master WHERE name = ?", (SPANS_VIEW,)
            ).fetchone()
            query = f"SELECT * FROM {SPANS_VIEW}" if is_irregular else _SPANS
            return [Span(*row) for row in connection.execute(query)]
        except sqlite3.Error as error:
            raise StoreError(explain(error, path)) from None


def replay_request_path(database: Path) -> Path:
    """Name the file that asks the listener to replay."""
    return Path(f"{database}.replay")
